"""`zoo serve`: exports and presets behind TF Serving's interfaces, on this machine."""

import contextlib
import json
import logging
import os
import signal
import tempfile
import threading
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.console import err, out, quiet_import
from zoo.cli.exported import is_export
from zoo.files import MANIFEST, read_json


def serve(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="An export's folder of versions, or a preset; NAME=SOURCE to name it."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TF Serving's models.config, instead.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    rest_port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8501,
    grpc_port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8500,
    batching: Annotated[
        Path | None,
        typer.Option(
            help="TF Serving's batching parameters, for exports without their own."
        ),
    ] = None,
    exports: Annotated[
        Path | None,
        typer.Option(help="Where presets are exported to, and stay; else temporary."),
    ] = None,
    poll: Annotated[
        float, typer.Option(help="Seconds between looks for new versions.")
    ] = 1.0,
    max_megabytes: Annotated[int, typer.Option(help="Largest request.")] = 32,
    max_requests: Annotated[
        int, typer.Option(help="Requests under way; more are refused.")
    ] = 64,
    timeout: Annotated[float, typer.Option(help="Seconds of a request.")] = 30.0,
    grace: Annotated[
        float, typer.Option(help="Seconds that requests have to end at a stop.")
    ] = 10.0,
) -> None:
    """Serve exports as TF Serving does, for laptops, tests and demonstrations.

    New versions in a folder are taken up while the old one answers. This is not TF
    Serving: it has no encryption and no authentication, and is slower.
    """
    if bool(sources) == bool(config):
        raise typer.BadParameter("Name models, or pass --config; one of the two.")
    with contextlib.ExitStack() as stack:
        folders = _folders(sources or (), exports, stack)
        _set_environment(folders)
        with quiet_import():
            from zoo.serving.batching_parameters import read_batching
            from zoo.serving.model_config import ModelConfig, read_models
            from zoo.serving.models import Models
            from zoo.serving.server import Server
            from zoo.serving.workers import Limits
        logging.getLogger("zoo.serving").addHandler(_Told())
        configs = [ModelConfig(name, base) for name, base in folders.items()]
        if config is not None:
            configs = read_models(config)
        models = Models(configs, read_batching(batching) if batching else None, poll)
        limits = Limits(max_megabytes << 20, max_requests, timeout)
        server = Server(models, host, rest_port, grpc_port, limits)
        with err.status("Loading"):
            server.start()
        try:
            ended = _ended_by_signals()
            _say(server, models, configs)
            ended.wait()
        finally:
            with err.status("Requests under way end"):
                server.stop(grace)
    err.print("Stopped.")


def _ended_by_signals() -> threading.Event:
    """Set by Ctrl-C and by what container engines send."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended


def _folders(sources, exports, stack) -> dict[str, Path]:
    """Base paths by name; presets are exported first."""
    found = {}
    for source in sources:
        name, equals, path = source.partition("=")
        if not equals:
            name, path = Path(source.rstrip("/")).name, source
        if name in found:
            raise ValueError(
                f"Two models are called {name}. Name them apart: first={path} …"
            )
        found[name] = _base_path(name, path, exports, stack)
    return found


def _base_path(name: str, source: str, exports: Path | None, stack) -> Path:
    folder = Path(source)
    if (folder / "saved_model.pb").is_file():
        raise ValueError(
            f"{folder} is one version. Serve the folder that holds its versions: "
            f"{folder.parent}."
        )
    if is_export(source):
        return folder
    from zoo.presets import preset_folder

    preset_folder(source)
    if exports is None:
        exports = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zoo-")))
    with quiet_import():
        from zoo.pretrained import load
    with err.status(f"Exporting {source}"):
        load(source).export(exports / name)
    return exports / name


def _set_environment(folders: dict[str, Path]) -> None:
    """What exports ask for; TensorFlow reads it when it is imported."""
    wanted = {}
    for base in folders.values():
        for path in base.glob(f"*/{MANIFEST}"):
            for name, value in read_json(path).get("environment", {}).items():
                if wanted.setdefault(name, value) != value:
                    raise ValueError(
                        f"Models ask for different values of {name}: serve them by "
                        "servers of their own."
                    )
    for name, value in wanted.items():
        os.environ.setdefault(name, value)


def _say(server, models, configs) -> None:
    for config in configs:
        numbers = [
            str(status.version)
            for status in models.status(config.name)
            if status.state == "AVAILABLE"
        ]
        err.print(f"{config.name}: version {', '.join(numbers)} of {config.base_path}")
    rest = f"http://{server.host}:{server.rest_port}"
    out.print(f"REST {rest}  gRPC {server.host}:{server.grpc_port}", soft_wrap=True)
    for config in configs:
        if text := _first_text(config.base_path):
            body = json.dumps({"instances": [text]}, ensure_ascii=False)
            body = body.replace("'", "'\\''")
            err.print(
                f"Try: curl -d '{body}' {rest}/v1/models/{config.name}:predict",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    err.print("Ctrl-C stops.")


def _first_text(base: Path) -> str | None:
    """A text that an export has answered when it was made."""
    for path in sorted(base.glob(f"*/{MANIFEST}")):
        default = read_json(path)["signatures"].get("serving_default", {})
        for values in default.get("sample", {}).values():
            texts = [value for value in values if isinstance(value, str) and value]
            if texts and len(default["sample"]) == 1:
                return texts[0]
    return None


class _Told(logging.Handler):
    """Shows what the server has to say while it runs."""

    def emit(self, record: logging.LogRecord) -> None:
        err.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)
