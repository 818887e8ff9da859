"""What goes wrong between a client and a server."""


class ServerError(Exception):
    """A server answered with an error, with nonsense, or not at all.

    Attributes:
        code: gRPC's name for what went wrong, over REST too: "NOT_FOUND",
            "INVALID_ARGUMENT", "UNAVAILABLE", "DEADLINE_EXCEEDED" and so on.
        message: the server's own words, or what kept it from answering.
        status: of HTTP, or `None` where there was none.
        hint: what was asked and what may help, or "".
    """

    def __init__(
        self, code: str, message: str, status: int | None = None, hint: str = ""
    ):
        super().__init__(code, message, status, hint)
        self.code = code
        self.message = message
        self.status = status
        self.hint = hint

    def __str__(self) -> str:
        status = "" if self.status is None else f" ({self.status})"
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.code}{status}: {self.message}{hint}"

    def with_hint(self, hint: str) -> "ServerError":
        """The same error with one more hint."""
        both = f"{self.hint} {hint}".strip()
        return type(self)(self.code, self.message, self.status, both)


class Retryable(Exception):
    """A failure after which the same request may do better.

    Attributes:
        error: what to raise if it is not tried again.
        after: seconds that the server asks to wait, or `None`.
    """

    def __init__(self, error: ServerError, after: float | None = None):
        super().__init__(error, after)
        self.error = error
        self.after = after


def no_answer(what: str) -> ServerError:
    """A server's answer cannot be understood."""
    return ServerError("INTERNAL", f"The answer cannot be understood: {what}")


def overdue(address) -> ServerError:
    """The time for a request ran out."""
    return ServerError(
        "DEADLINE_EXCEEDED",
        f"{address} did not answer in time.",
        hint="Pass a longer timeout, or smaller batches (max_batch).",
    )
