"""How a text classifier reads inside an export."""


def exported_reader(model) -> tuple:
    """A model as an export holds it.

    Args:
        model: a built `zoo.models.TextClassifier`.

    Returns:
        What has its `read` and `classify`, and the variables that these need: none
        where weights are constants.
    """
    return model, model.variables
