"""Names that TF Serving, Docker and Kubernetes all take."""

import re

# RFC 1123, as Kubernetes names objects; of a service's name it wants a letter first.
_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
# As long as a Kubernetes label of NAME-client may be.
_LONGEST = 56

_IMAGE = re.compile(r"[a-z0-9][-a-z0-9._/:]*(:[-A-Za-z0-9_.]+)?(@sha256:[0-9a-f]{64})?")


def check_image(image: str) -> None:
    """Refuses what is no reference of an image, as Docker writes them.

    Raises:
        ValueError: neither empty nor such as registry.example.org/models:1.
    """
    if image and not _IMAGE.fullmatch(image):
        raise ValueError(
            f"{image!r} is no name for an image: it is such as models:1 or "
            "registry.example.org/models:1."
        )


def check_name(name: str, what: str = "model") -> None:
    """Refuses a name that one of the deployment's files could not hold.

    Raises:
        ValueError: says what a name may be, and one that might do.
    """
    if _LABEL.fullmatch(name) and len(name) <= _LONGEST:
        return
    near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
    advice = f" For example {near[:_LONGEST].strip('-')}." if near else ""
    raise ValueError(
        f"{name!r} is no name for a {what}: lower-case letters, digits and hyphens, "
        f"first a letter, last no hyphen, at most {_LONGEST} of them, as Kubernetes "
        f"wants it (DNS-1123).{advice}"
    )
