"""Variables of the environment that an export asks for."""

import logging
import os
from pathlib import Path

from zoo.files import MANIFEST, read_json

_log = logging.getLogger(__name__)


def tell_environment(folder: Path) -> None:
    """Says which variables of the environment an export asks for and lacks."""
    path = folder / MANIFEST
    if not path.is_file():
        return
    try:
        manifest = read_json(path)
        wanted = dict(manifest.get("environment", {}))
    except (ValueError, TypeError, AttributeError) as error:
        _log.warning("%s is not readable: %s", path, error)
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
