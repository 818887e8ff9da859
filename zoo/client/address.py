"""Where a server is, and what is asked for there."""

from dataclasses import dataclass
from urllib.parse import urlsplit

_GRPC_PORTS = {"grpc": 8500, "grpcs": 443}


@dataclass(frozen=True)
class Address:
    """Where a server is.

    Attributes:
        scheme: "http", "https", "grpc" or "grpcs".
        place: host, and port if there is one; of REST with the path before "/v1".
    """

    scheme: str
    place: str

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Reads an address such as "http://localhost:8501" or "grpc://localhost".

        Raises:
            ValueError: no scheme of these, no host, or what has no place in it, such as
                a password; messages do not repeat it.
        """
        scheme, host, rest = _parts(url)
        if scheme not in ("http", "https", *_GRPC_PORTS) or not host:
            raise ValueError(
                f"url is {_shown(url)!r}; expected http://host:8501 or https://… for "
                "REST, or grpc://host:8500 or grpcs://… for gRPC."
            )
        if "?" in rest or "#" in rest or "v1" in rest.split("/"):
            raise ValueError(
                f"url is {_shown(url)!r}; expected nothing from /v1 on, as that is "
                "added. Pass the name of the model as model=…"
            )
        if scheme in ("http", "https"):
            return cls(scheme, host + rest.rstrip("/"))
        if rest.strip("/"):
            raise ValueError(
                f"url is {_shown(url)!r}; gRPC has no path: leave out {rest!r}."
            )
        has_port = host.rpartition(":")[2].isdigit() and not host.endswith("]")
        return cls(scheme, host if has_port else f"{host}:{_GRPC_PORTS[scheme]}")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"


@dataclass(frozen=True)
class Target:
    """Which model of a server is asked.

    Attributes:
        model: its name on the server.
        version: a number, or `None`.
        label: of a version, such as "stable", or `None`. Without both the server
            takes its newest version.
    """

    model: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self):
        if not isinstance(self.model, str) or not self.model:
            raise ValueError(
                "model must be the model's name on the server, such as 'en-zh'. "
                f"Received: {self.model!r}."
            )
        if self.version is not None and self.label is not None:
            raise ValueError(
                "A version is chosen by its number or by its label. Received both: "
                f"version={self.version!r}, label={self.label!r}."
            )
        is_number = isinstance(self.version, int) and not isinstance(self.version, bool)
        if self.version is not None and not (is_number and self.version >= 0):
            raise ValueError(
                f"version must be a number from 0 on. Received: {self.version!r}."
            )
        if self.label is not None and (
            not isinstance(self.label, str) or not self.label
        ):
            raise ValueError(
                f"label must be a name, such as 'stable'. Received: {self.label!r}."
            )

    def __str__(self) -> str:
        of_version = "" if self.version is None else f", version {self.version}"
        of_label = "" if self.label is None else f", label {self.label!r}"
        return f"model {self.model!r}{of_version}{of_label}"


def _shown(url: str) -> str:
    """An address as messages may show it: without who asks, and their password."""
    return f"…@{url.rpartition('@')[2]}" if "@" in url else url


def _parts(url) -> tuple[str, str, str]:
    """Scheme, host with port, and what comes after."""
    if not isinstance(url, str):
        raise TypeError(f"url must be a string. Received: {type(url).__name__}.")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises of a port that is none
    except ValueError as error:
        # The error may quote what stands before an "@".
        why = "" if "@" in url else f": {error}"
        raise ValueError(f"url is {_shown(url)!r}, which is no address{why}.") from None
    if "@" in parts.netloc:
        raise ValueError(
            f"url is {_shown(url)!r}; expected no user name or password in it. Pass "
            "headers={'Authorization': …}."
        )
    rest = url.partition("://")[2][len(parts.netloc) :]
    return parts.scheme, parts.netloc if parts.hostname else "", rest
