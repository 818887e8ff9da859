"""What becomes of a version of a model."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VersionStatus:
    """What a server says of a version.

    Attributes:
        version: its number.
        state: "START", "LOADING", "AVAILABLE", "UNLOADING" or "END".
        error_code: "OK", or gRPC's name for what went wrong while loading.
        error_message: what went wrong, or "".
    """

    version: int
    state: str
    error_code: str = "OK"
    error_message: str = ""
