"""Answers beside those that TF Serving's own code gave to the same requests."""

import pytest

from tests.serving.conformance import compare_grpc, compare_rest

# Said otherwise here: TF Serving leaves a tensor's shape to the graph's operations,
# whose message names a node.
OWN_WORDS = {"wrong rank"}


@pytest.fixture(scope="module")
def rest(recorded_server):
    return list(compare_rest(f"http://127.0.0.1:{recorded_server.rest_port}"))


@pytest.fixture(scope="module")
def grpc(recorded_server):
    return list(compare_grpc(f"127.0.0.1:{recorded_server.grpc_port}"))


def test_every_status_is_the_recorded_one(rest):
    assert len(rest) == 66
    assert [of for of in rest if not of.same_status] == []


def test_every_answer_says_what_the_recorded_one_says(rest):
    """Numbers to their last digit: the models have the weights of the record."""
    answers = [of for of in rest if not of.is_error]
    assert len(answers) == 25
    assert [of for of in answers if not of.same_value] == []


def test_every_answer_is_printed_as_the_recorded_one(rest):
    """But for the order of names, which there is a hash table's."""
    assert [of for of in rest if not of.is_error and not of.same_lines] == []


def test_every_error_is_in_the_recorded_words(rest):
    different = [of for of in rest if of.is_error and not of.same_text]
    assert {of.name for of in different} == OWN_WORDS, different


def test_every_grpc_call_ends_as_the_recorded_one(grpc):
    """Codes, details and responses."""
    assert len(grpc) == 21
    assert [of for of in grpc if not (of.same_status and of.same_value)] == []
