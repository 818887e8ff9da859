"""Writes an export: audited, replayed, described, whole or not at all."""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

from zoo.export.audit import audit, read_saved_model
from zoo.export.exportable import Exportable
from zoo.export.graph_places import GraphPlaces
from zoo.export.manifest import manifest_of
from zoo.export.server_files import write_server_files
from zoo.export.server_ops import NEWEST, checked_release
from zoo.export.untracked import untracked
from zoo.export.warm_up import (
    read_warm_up,
    replay,
    warm_up_requests,
    write_warm_up,
)
from zoo.files import LABELS, MANIFEST, versions_in, write_json


def export(
    exportable: Exportable, folder, card: Mapping | None = None, server: str = NEWEST
) -> Path:
    """Writes the next version of a model that TF Serving can load.

    Args:
        exportable: module, signatures and samples.
        folder: the model's base path; versions are its numbered subfolders.
        card: the preset's card, for the manifest.
        server: the release of TF Serving that must be able to run it, such as "2.20".

    Returns:
        The new version's folder.

    Raises:
        ExportRefused: that TF Serving could not run it or say its answers; or a request
            for warming up fails, so that no server would load it.
        OSError: it could not be written.
        ValueError: an unknown release.
    """
    folder, server = Path(folder), checked_release(server)
    concrete = {
        name: function.get_concrete_function()
        for name, function in exportable.signatures.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    with _beside(folder) as beside:
        _save(exportable, concrete, beside, folder, server)
        _finish(beside, exportable.forms)
        audit(beside, server)
        (beside / "assets.extra").mkdir()
        if exportable.labels:
            lines = "".join(f"{name}\n" for name in exportable.labels)
            (beside / LABELS).write_text(lines, encoding="utf-8", newline="")
        answers = _warm_up(exportable, concrete, beside)
        manifest = manifest_of(beside, exportable, answers, card)
        name = folder.resolve().name
        write_server_files(beside, exportable, manifest, name, server)
        write_json(beside / MANIFEST, manifest)
        return _as_next_version(beside, folder)


def next_version(folder) -> int:
    """One more than the highest version there is."""
    return max(versions_in(folder), default=0) + 1


@contextmanager
def _beside(folder: Path):
    """A folder among the versions that is none, and goes if it did not become one."""
    beside = Path(tempfile.mkdtemp(prefix=".export.", dir=folder))
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _as_next_version(beside: Path, folder: Path) -> Path:
    """Gives a whole version its number, which only now is sure to be free."""
    beside.chmod(0o755)
    number = next_version(folder)
    while True:
        version = folder / str(number)
        try:
            if not version.exists():
                return beside.rename(version)
        except OSError:
            # Another export may have taken the number meanwhile.
            if not version.exists():
                raise
        number += 1


def _save(exportable, concrete, beside: Path, folder: Path, server: str) -> None:
    import tensorflow as tf

    try:
        tf.saved_model.save(exportable.module, str(beside), signatures=concrete)
    except tf.errors.OpError as error:
        raise OSError(f"Cannot write to {folder}: {error.message}") from error
    except AssertionError as error:
        if "untracked" not in str(error):
            raise
        raise untracked(error, concrete, server) from error


def _warm_up(exportable, concrete, beside: Path) -> dict:
    """Writes the requests for warming up, reads them back and answers them.

    Returns:
        The first request of each signature, and its outputs.
    """
    requests = warm_up_requests(exportable.samples, concrete, exportable.forms)
    write_warm_up(beside, requests)
    requests = read_warm_up(beside)
    answers = {}
    for request, outputs in zip(requests, replay(requests, concrete), strict=True):
        answers.setdefault(request.signature, (request, outputs))
    return answers


def _finish(folder: Path, forms: Mapping[str, str]) -> None:
    """Says what TensorFlow leaves out, and leaves out what old servers do not know.

    It writes that all signatures answer predict requests, and a server refuses others.
    It also writes a name into every variable, for messages alone, and a server whose
    TensorFlow is older than 2.15 refuses that.
    """
    saved_model = read_saved_model(folder)
    (meta_graph,) = saved_model.meta_graphs
    for name, form in forms.items():
        meta_graph.signature_def[name].method_name = form
    for _, node in GraphPlaces(meta_graph.graph_def).nodes():
        if node.op == "VarHandleOp":
            node.attr.pop("debug_name", None)
    path = folder / "saved_model.pb"
    path.write_bytes(saved_model.SerializeToString(deterministic=True))
