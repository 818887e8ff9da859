"""Writes an export: audited, described, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

from zoo.export.audit import audit
from zoo.export.exportable import Exportable
from zoo.export.manifest import manifest_of
from zoo.files import MANIFEST, folder_written_whole, write_json


def export(exportable: Exportable, folder, card: Mapping | None = None) -> Path:
    """Writes the next version of a model that TF Serving can load.

    Args:
        exportable: module, signatures and samples.
        folder: the model's base path; versions are its numbered subfolders.
        card: the preset's card, for the manifest.

    Returns:
        The new version's folder.

    Raises:
        ExportRefused: an operation that TF Serving does not have.
        OSError: it could not be written.
    """
    import tensorflow as tf

    folder = Path(folder)
    concrete = {
        name: function.get_concrete_function()
        for name, function in exportable.signatures.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    version = folder / str(next_version(folder))
    with folder_written_whole(version) as beside:
        try:
            tf.saved_model.save(exportable.module, str(beside), signatures=concrete)
        except tf.errors.OpError as error:
            raise OSError(f"Cannot write {version}: {error.message}") from error
        _set_forms(beside, exportable.forms)
        audit(beside)
        (beside / "assets.extra").mkdir()
        if exportable.labels:
            lines = "".join(f"{name}\n" for name in exportable.labels)
            path = beside / "assets.extra" / "labels.txt"
            path.write_text(lines, encoding="utf-8", newline="")
        manifest = manifest_of(exportable, concrete, card)
        write_json(beside / MANIFEST, manifest)
    return version


def next_version(folder) -> int:
    """One more than the highest version there is."""
    versions = [
        int(path.name) for path in Path(folder).iterdir() if path.name.isdigit()
    ]
    return max(versions, default=0) + 1


def _set_forms(folder: Path, forms: Mapping[str, str]) -> None:
    """Says which signatures answer classify and regress requests.

    TensorFlow writes that all answer predict requests, and a server refuses the others.
    """
    if not forms:
        return
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString(path.read_bytes())
    for name, form in forms.items():
        saved_model.meta_graphs[0].signature_def[name].method_name = form
    path.write_bytes(saved_model.SerializeToString(deterministic=True))
