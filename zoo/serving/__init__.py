"""From an export to its answers, without the code that made it."""

from zoo.serving.check_export import (
    ExportCheckFailed,
    check_export,
    run_export,
    version_folder,
)

__all__ = ["ExportCheckFailed", "check_export", "run_export", "version_folder"]
