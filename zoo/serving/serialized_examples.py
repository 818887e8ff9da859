"""The examples that a request to classify or to regress holds."""


def serialized_examples(message) -> list[bytes]:
    """The examples of a `tensorflow.serving.Input`, each joined with their context.

    Two messages joined as bytes are read as one that holds the fields of both; where
    both have a field, the example's wins.
    """
    if message.WhichOneof("kind") == "example_list_with_context":
        listed = message.example_list_with_context
        context = listed.context.SerializeToString()
        return [context + each.SerializeToString() for each in listed.examples]
    return [each.SerializeToString() for each in message.example_list.examples]
