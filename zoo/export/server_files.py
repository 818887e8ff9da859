"""Files of a version's folder that are for whoever runs a server.

A loader reads `saved_model.pb`, `variables/`, `assets/` and, if told to,
`batching_params.pbtxt`; it passes over all else, such as the card.
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from zoo.export.exportable import CLASSIFY, REGRESS
from zoo.export.manifest import contract
from zoo.files import BATCHING

CARD = "README.md"
# How long the first request of a batch waits for others, and how many batches wait.
_TIMEOUT_MICROS, _MOST_WAITING = 5_000, 100
# A longer sample is no example to copy.
_MOST_CHARACTERS = 400
_VERBS = {CLASSIFY: "classify", REGRESS: "regress"}


def write_server_files(folder, exportable, manifest: Mapping, name: str, server: str):
    """Writes how to batch a version's requests, and its card.

    Args:
        folder: the version's, with its SavedModel.
        exportable: what was exported.
        manifest: what `zoo.json` says.
        name: of the model, in the card's commands.
        server: the release of TF Serving that it was audited against.
    """
    folder = Path(folder)
    (folder / BATCHING).write_text(batching_text(exportable.largest_batch))
    (folder / CARD).write_text(
        card_text(folder, exportable, manifest, name, server), encoding="utf-8"
    )


def batching_text(largest_batch: int) -> str:
    """TF Serving's text file of batching parameters for one model.

    There are no allowed sizes, to which batches would be filled up: a graph runs
    batches of all sizes, and rows that nobody asked for cost as much as others.
    """
    return (
        f"max_batch_size {{ value: {largest_batch} }}\n"
        f"batch_timeout_micros {{ value: {_TIMEOUT_MICROS} }}\n"
        f"max_enqueued_batches {{ value: {_MOST_WAITING} }}\n"
    )


def card_text(folder, exportable, manifest: Mapping, name: str, server: str) -> str:
    """The card: what each signature takes and gives, and the commands to ask it."""
    card, signatures = manifest["card"], contract(folder)
    title = card.get("description") or f"A model for {exportable.details.get('task')}."
    parts = [f"# {name}", title, *_serving(exportable, manifest, name, server)]
    for key in exportable.signatures:
        parts += _signature(key, signatures[key], exportable, manifest, name)
    parts += _about(card)
    return "\n\n".join(parts) + "\n"


def _serving(exportable, manifest, name, server) -> list[str]:
    variables = [f"-e {key}={value}" for key, value in exportable.environment.items()]
    image = f"tensorflow/serving:{server}.0"
    command = (
        "docker run -p 127.0.0.1:8501:8501 -p 127.0.0.1:8500:8500 "
        '-v "$PWD:/models/{0}" -e MODEL_NAME={0}'
    ).format(shlex.quote(name))
    parts = [
        "## Serve it",
        "In the folder that holds this version's numbered folder:",
        _code(" ".join([command, *variables, image])),
        f"Releases of TF Serving that have its operations: "
        f"{', '.join(manifest['servers'])}.",
    ]
    if exportable.environment:
        names = ", ".join(f"`{k}={v}`" for k, v in exportable.environment.items())
        parts.append(f"The server's environment must have {names}.")
    parts.append(
        "With `--enable_batching --enable_per_model_batching_parameters` a server "
        "joins "
        f"requests as `{BATCHING}` says, {exportable.largest_batch} rows at most, and "
        "refuses a request of more. Joined requests must agree in all sizes but "
        "their rows. Axes that are as long as the longest row needs are then as long "
        "as the longest of all joined rows needs."
    )
    return parts


def _signature(key, spec, exportable, manifest, name) -> list[str]:
    sample = manifest["signatures"][key]["sample"]
    parts = [f"## `{key}`", _table(spec, exportable.meanings)]
    verb = _VERBS.get(spec["method"])
    if verb:
        parts.append(_curl(name, verb, _examples_request(key, sample)))
        return parts
    if len(json.dumps(sample)) > _MOST_CHARACTERS:
        sample = {
            one: _smallest(info["dtype"], info["shape"], one)
            for one, info in spec["inputs"].items()
        }
    rows = list(zip(*sample.values(), strict=True))[:2]
    if len(sample) == 1:
        instances = [row[0] for row in rows]
    else:
        instances = [dict(zip(sample, row, strict=True)) for row in rows]
    chosen = {} if key == "serving_default" else {"signature_name": key}
    columns = {one: values[:2] for one, values in sample.items()}
    parts += ["By rows:", _curl(name, "predict", chosen | {"instances": instances})]
    parts += ["By columns:", _curl(name, "predict", chosen | {"inputs": columns})]
    return parts


def _examples_request(key: str, sample: Mapping) -> dict:
    """Rows as TF Serving's REST takes examples: features by name."""
    import base64

    import tensorflow as tf

    row = base64.b64decode(sample["inputs"][0]["b64"])
    features = tf.train.Example.FromString(row).features.feature
    return {
        "signature_name": key,
        "examples": [
            {
                name: feature.bytes_list.value[0].decode()
                for name, feature in sorted(features.items())
            }
        ],
    }


# Stands for a file in base64.
_FILE = "@FILE@"


def _smallest(dtype: str, shape: list, name: str):
    """One row of an input, as small as it can be."""
    value = 0
    if dtype == "string":
        value = {"b64": _FILE} if name.endswith("_bytes") else "text"
    for size in reversed(shape):
        value = [value] * (size or 1)
    return value


def _curl(name: str, verb: str, body: Mapping) -> str:
    text = json.dumps(body, ensure_ascii=False)
    address = f"http://localhost:8501/v1/models/{quote(name)}:{verb}"
    if _FILE not in text:
        return _code(f"curl -d {shlex.quote(text)} {address}")
    # The shell puts the file in; curl reads what it prints, which may be long.
    text = shlex.quote(text).replace(_FILE, "'\"$(base64 < photo.jpg | tr -d '\\n')\"'")
    return _code(f"printf %s {text} | curl -d @- {address}")


def _table(spec: Mapping, meanings: Mapping[str, str]) -> str:
    lines = ["| | name | type | shape | |", "|---|---|---|---|---|"]
    for side in ("inputs", "outputs"):
        for name, info in spec[side].items():
            shape = ", ".join("any" if n is None else str(n) for n in info["shape"])
            meaning = meanings.get(name, "")
            lines.append(
                f"| {side[:-1]} | `{name}` | {info['dtype']} | ({shape}) | {meaning} |"
            )
    return "\n".join(lines)


def _about(card: Mapping) -> list[str]:
    parts = []
    if card.get("limits"):
        parts += ["## Limits", card["limits"]]
    if card.get("licence"):
        parts += ["## Licence", card["licence"]]
    sources = card.get("data", {}).get("sources", [])
    if sources:
        parts += ["## Data", "\n".join(f"- {source}" for source in sources)]
    return parts


def _code(command: str) -> str:
    return f"```console\n$ {command}\n```"
