"""Exports for TF Serving: audited, described, written whole.

<folder>/<version>/saved_model.pb, variables/     the SavedModel
<folder>/<version>/assets.extra/zoo.json          what it is, and recorded answers
"""

from zoo.export.audit import ExportRefused, audit
from zoo.export.exportable import CLASSIFY, REGRESS, Exportable
from zoo.export.manifest import to_json
from zoo.export.write import export, next_version

__all__ = [
    "CLASSIFY",
    "REGRESS",
    "ExportRefused",
    "Exportable",
    "audit",
    "export",
    "next_version",
    "to_json",
]
