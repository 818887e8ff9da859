"""Exports for TF Serving: audited, described, written whole.

<folder>/<version>/saved_model.pb, variables/     the SavedModel
<folder>/<version>/batching_params.pbtxt          how a server joins its requests
<folder>/<version>/README.md                      its card, with commands to ask it
<folder>/<version>/assets.extra/zoo.json          what it is, and recorded answers
<folder>/<version>/assets.extra/labels.txt        names of classes
<folder>/<version>/assets.extra/tf_serving_warmup_requests
"""

from zoo.export.audit import audit, servers
from zoo.export.exportable import CLASSIFY, PREDICT, REGRESS, Exportable
from zoo.export.manifest import contract
from zoo.export.refusal import ExportRefused
from zoo.export.server_ops import checked_release
from zoo.export.write import export, next_version

__all__ = [
    "CLASSIFY",
    "PREDICT",
    "REGRESS",
    "ExportRefused",
    "Exportable",
    "audit",
    "checked_release",
    "contract",
    "export",
    "next_version",
    "servers",
]
