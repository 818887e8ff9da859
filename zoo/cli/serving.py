"""`zoo serve`: exports and presets behind TF Serving's interfaces, on this machine."""

import contextlib
import json
import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from zoo.cli.console import err, escape, out, quiet_import
from zoo.cli.exported import is_export
from zoo.cli.sources import exported_preset, models_of
from zoo.environment import joined_environment, read_environment
from zoo.files import MANIFEST, exports_in, read_json


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
    rest_port: Annotated[
        int, typer.Option(help="0 takes a free one.", min=0, max=65535)
    ] = 8501,
    grpc_port: Annotated[
        int, typer.Option(help="0 takes a free one.", min=0, max=65535)
    ] = 8500,
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
        float, typer.Option(help="Seconds between looks for new versions.", min=0.01)
    ] = 1.0,
    max_megabytes: Annotated[int, typer.Option(help="Largest request.", min=1)] = 32,
    max_requests: Annotated[
        int, typer.Option(help="Requests under way; more are refused.", min=1)
    ] = 64,
    timeout: Annotated[
        float, typer.Option(help="Seconds of a request.", min=0.001)
    ] = 30.0,
    grace: Annotated[
        float,
        typer.Option(help="Seconds that requests have to end at a stop.", min=0),
    ] = 10.0,
) -> None:
    """Serve exports as TF Serving does, for laptops, tests and demonstrations.

    New versions in a folder are taken up while the old one answers. This is not TF
    Serving: it has no encryption and no authentication, and is slower. The first Ctrl-C
    lets requests under way end, the second does not.
    """
    if bool(sources) == bool(config):
        raise typer.BadParameter("Name models, or pass --config; one of the two.")
    with _ended_by_signals() as ended, contextlib.ExitStack() as stack:
        # These two need no TensorFlow, which reads the environment when imported.
        from zoo.serving.batching_parameters import read_batching
        from zoo.serving.model_config import ModelConfig, read_models

        named = models_of(sources or [])
        parameters = read_batching(batching) if batching else None
        configs = read_models(config) if config else []
        there = [ModelConfig(n, Path(s)) for n, s in named.items() if is_export(s)]
        _set_environment([*configs, *there])
        stack.enter_context(_told("zoo.serving"))
        for name, source in named.items():
            base = _base_path(name, source, exports, stack)
            configs.append(ModelConfig(name, base))
        with quiet_import():
            from zoo.serving.models import Models
            from zoo.serving.server import Server
            from zoo.serving.workers import Limits
        limits = Limits(max_megabytes << 20, max_requests, timeout)
        models = Models(configs, parameters, poll)
        server = Server(models, host, rest_port, grpc_port, limits)
        given_up = _run(server, models, configs, ended, grace)
    err.print("Stopped.")
    if given_up:
        _end_at_once(1)


def _run(server, models, configs, ended, grace: float) -> int:
    """Serves until a signal; gives how many requests did not end in time."""
    with err.status("Loading"):
        server.start()
    try:
        _say(server, models, configs)
        ended.wait()
    finally:
        with err.status("Requests under way end"):
            given_up = server.stop(grace)
    return given_up


def _end_at_once(code: int) -> None:
    """Ends the process in spite of threads in which models compute."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


class _Ended(threading.Event):
    """Set by the first signal that comes while it is waited for.

    One that comes earlier or later is an interruption, by which temporary folders go.
    """

    def __init__(self):
        super().__init__()
        self._waited_for = False

    def wait(self, timeout: float | None = None) -> bool:
        self._waited_for = True
        return super().wait(timeout)

    def signalled(self, *_) -> None:
        if self.is_set() or not self._waited_for:
            raise KeyboardInterrupt
        self.set()


@contextlib.contextmanager
def _ended_by_signals():
    """Set by Ctrl-C and by what container engines send.

    Whatever is interrupted within tidies up, and then the process ends.
    """
    ended = _Ended()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ended.signalled) for number in numbers]
    try:
        yield ended
    except KeyboardInterrupt:
        err.print("[yellow]Interrupted.[/]")
        _end_at_once(130)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _base_path(name: str, source: str, exports: Path | None, stack) -> Path:
    """Where a model's versions lie, made of a preset if need be."""
    if is_export(source):
        return Path(source)
    if exports is None:
        exports = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zoo-")))
    exported_preset(source, exports / name)
    return exports / name


def _set_environment(configs) -> None:
    """Sets what the versions to be served ask for, where nothing else is set.

    What cannot be read is told and passed over: the version itself may still load.
    """
    wanted = []
    for config in configs:
        folders = exports_in(config.base_path)
        for version in config.policy.choose(folders):
            try:
                wanted.append((config.name, read_environment(folders[version])))
            except (ValueError, OSError) as error:
                err.print(f"[yellow]Warning:[/] {escape(str(error))}", soft_wrap=True)
    for name, value in joined_environment(wanted).items():
        os.environ.setdefault(name, value)


def _say(server, models, configs) -> None:
    host = f"[{server.host}]" if ":" in server.host else server.host
    rest = f"http://{host}:{server.rest_port}"
    lines, tries = [], []
    for config in configs:
        numbers = [
            status.version
            for status in models.status(config.name)
            if status.state == "AVAILABLE"
        ]
        versions = ", ".join(map(str, numbers))
        lines.append(f"{config.name}: version {versions} of {config.base_path}")
        folders = exports_in(config.base_path)
        if text := _first_text(folders.get(max(numbers, default=0))):
            body = json.dumps({"instances": [text]}, ensure_ascii=False)
            address = shlex.quote(f"{rest}/v1/models/{quote(config.name)}:predict")
            tries.append(f"Try: curl -d {shlex.quote(body)} {address}")
    _print(err, *lines)
    _print(out, f"REST {rest}  gRPC {host}:{server.grpc_port}")
    _print(err, *tries, "Ctrl-C stops.")


def _print(console, *lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _first_text(folder: Path | None) -> str | None:
    """A text that a version has answered when it was made."""
    if folder is None or not (folder / MANIFEST).is_file():
        return None
    try:
        sample = read_json(folder / MANIFEST)["signatures"]["serving_default"]["sample"]
        ((_, values),) = sample.items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return next((value for value in values if isinstance(value, str) and value), None)


@contextlib.contextmanager
def _told(name: str):
    """Shows what a logger has to say meanwhile, with where errors came from."""
    logger, told = logging.getLogger(name), _Told()
    level = logger.level
    logger.addHandler(told)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(told)


class _Told(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _print(err, self.format(record))
