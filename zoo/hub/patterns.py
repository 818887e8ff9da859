"""Names of files as patterns of the clients."""

import re


def literal_pattern(name: str) -> str:
    """A name as a pattern that matches nothing else."""
    return re.sub(r"([*?[])", r"[\1]", name)
