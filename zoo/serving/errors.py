"""Errors of a server, under the names that gRPC gives them."""

from zoo.protocol.codes import CODES, HTTP_STATUS


class ServingError(RuntimeError):
    """A request, or the load of a version, that went wrong.

    Attributes:
        code: gRPC's name of the error, as "INVALID_ARGUMENT".
        message: for the one who asked.
    """

    def __init__(self, code: str, message: str):
        if code not in HTTP_STATUS:
            raise ValueError(f"{code!r} is none of {', '.join(HTTP_STATUS)}.")
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @property
    def http_status(self) -> int:
        return HTTP_STATUS[self.code]


def invalid(message: str) -> ServingError:
    """The request itself is wrong."""
    return ServingError("INVALID_ARGUMENT", message)


def as_serving_error(error: Exception) -> ServingError:
    """Any exception as a server tells it.

    TensorFlow's own keep their code and message; the others are told by their kind.
    """
    if isinstance(error, ServingError):
        return error
    number = getattr(error, "error_code", None)
    if isinstance(number, int) and 0 < number < len(CODES):
        # A session words an error anew; what TensorFlow said stands behind it.
        first = getattr(error.__context__, "message", error.message)
        return ServingError(CODES[number], first)
    return ServingError("INTERNAL", f"{type(error).__name__}: {error}")
