"""How a text classifier reads inside an export."""

from zoo.inference.folded_classifier import FoldedClassifier


def exported_reader(model) -> tuple:
    """The fastest reader that there is for a model.

    Args:
        model: a built `zoo.models.TextClassifier`.

    Returns:
        What has its `read` and `classify`, and the variables that these need.
    """
    if FoldedClassifier.has_layout(model):
        reader = FoldedClassifier(model)
        return reader, reader.variables
    return model, model.variables
