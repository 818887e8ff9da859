"""Names of errors, as gRPC has them, and the statuses that HTTP has for them."""

# By their numbers in google.rpc.Code.
CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)

# As TF Serving turns a code into an answer's status: util/net_http and
# model_servers/http_server.cc; what it does not name is its own fault.
HTTP_STATUS = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
}

# Of codes with one status the likeliest, and what proxies and web servers say.
_CODE_OF = {HTTP_STATUS[code]: code for code in reversed(HTTP_STATUS)} | {
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    413: "RESOURCE_EXHAUSTED",
    416: "OUT_OF_RANGE",
    500: "INTERNAL",
    502: "UNAVAILABLE",
}


def code_of(http_status: int) -> str:
    """gRPC's name for an error's status of HTTP."""
    return _CODE_OF.get(http_status, "INTERNAL" if http_status >= 500 else "UNKNOWN")
