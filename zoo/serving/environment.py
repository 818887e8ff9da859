"""Variables of the environment that an export asks for."""

import logging
import os
from pathlib import Path

from zoo.environment import read_environment

_log = logging.getLogger(__name__)


def tell_environment(folder: Path) -> None:
    """Says which variables of the environment an export asks for and lacks."""
    try:
        wanted = read_environment(folder)
    except (OSError, ValueError) as error:
        _log.warning("%s", error)
        return
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            _log.warning(
                "%s asks for %s=%s in the environment; set it before the server "
                "starts, else its answers may differ or be slow.",
                folder,
                name,
                value,
            )
