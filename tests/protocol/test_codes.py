import grpc
import pytest

from zoo.protocol.codes import CODES, HTTP_STATUS, code_of


def test_codes_are_those_of_grpc():
    numbers = {code.name: code.value[0] for code in grpc.StatusCode}
    assert {name: number for number, name in enumerate(CODES)} == numbers
    assert set(HTTP_STATUS) == set(CODES)


@pytest.mark.parametrize("code", HTTP_STATUS)
def test_a_status_is_of_a_code_that_has_it(code):
    status = HTTP_STATUS[code]
    assert HTTP_STATUS[code_of(status)] == status


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_ARGUMENT"),
        (409, "ABORTED"),
        (413, "RESOURCE_EXHAUSTED"),
        (418, "UNKNOWN"),
        (500, "INTERNAL"),
        (502, "UNAVAILABLE"),
        (507, "INTERNAL"),
    ],
)
def test_what_web_servers_say_has_a_code(status, code):
    assert code_of(status) == code
