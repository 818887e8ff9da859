"""From an export to its answers, without the code that made it."""

from zoo.serving.check_export import (
    ExportCheckFailed,
    answer_export,
    check_export,
    run_export,
    version_folder,
)

__all__ = [
    "ExportCheckFailed",
    "answer_export",
    "check_export",
    "run_export",
    "version_folder",
]
