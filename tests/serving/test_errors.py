import pytest
import tensorflow as tf

from zoo.serving.errors import ServingError, as_serving_error, invalid


def test_a_wrong_request_is_not_the_servers_fault():
    error = invalid("no")
    assert (error.code, error.message, error.http_status) == (
        "INVALID_ARGUMENT",
        "no",
        400,
    )


def test_an_unknown_code_is_refused():
    with pytest.raises(ValueError, match="OOPS"):
        ServingError("OOPS", "")


def test_tensorflows_errors_keep_code_and_message():
    error = tf.errors.ResourceExhaustedError(None, None, "no memory")
    found = as_serving_error(error)
    assert (found.code, found.message) == ("RESOURCE_EXHAUSTED", "no memory")


def test_other_errors_are_told_by_their_kind():
    found = as_serving_error(KeyError("x"))
    assert (found.code, found.message) == ("INTERNAL", "KeyError: 'x'")
    assert as_serving_error(found) is found
