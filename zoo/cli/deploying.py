"""The command that writes deployments."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.console import err, out
from zoo.cli.exported import is_export
from zoo.cli.options import Set, pairs_of
from zoo.cli.sources import exported_preset, models_of
from zoo.files import exports_in


def deploy(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Exports' base paths, or presets to be exported; each as NAME=SOURCE "
            "or, under its own name, as SOURCE."
        ),
    ],
    folder: Annotated[Path, typer.Option("--out", help="The deployment's new folder.")],
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            help="A label of a version, as NAME/LABEL=VERSION, such as "
            "translation/canary=2; repeatable. Then only such versions are served.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the deployment; else the folder's.")
    ] = None,
    image: Annotated[
        str, typer.Option(help="Of the image with the models; else NAME:1.")
    ] = "",
    cpus: Annotated[int, typer.Option(help="Processors of a server.", min=1)] = 2,
    memory: Annotated[
        int, typer.Option(help="Of a server in GB; else by the models' size.", min=0)
    ] = 0,
    replicas: Annotated[
        int, typer.Option(help="Servers that Kubernetes starts with.", min=1)
    ] = 2,
    weights: Annotated[
        str, typer.Option(help="Of presets: float32 or int8.")
    ] = "float32",
    settings: Set = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Replace the deployment that is there, if nothing of yours would be "
            "lost.",
        ),
    ] = False,
) -> None:
    """Write a folder with which exports are deployed: by Docker, on Kubernetes and
    KServe, on Ray, and by Beam."""
    from zoo.deployment import (
        DeployedModel,
        Deployment,
        check_image,
        check_name,
        check_writable,
        write_deployment,
    )

    sources = models_of(models)
    versions = _labels(labels, sources)
    folder = folder.absolute()
    there = {
        each: exports_in(source) if is_export(source) else None
        for each, source in sources.items()
    }
    check_writable(folder, there, replace)
    for each in sources:
        check_name(each)
    name = name or folder.name
    check_name(name, "deployment (--name)")
    check_image(image)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}.", dir=folder.parent
    ) as work:
        deployment = Deployment(
            name,
            [
                DeployedModel(
                    each,
                    _base_path(each, source, Path(work), weights, settings),
                    versions.get(each, {}),
                )
                for each, source in sources.items()
            ],
            image=image,
            cpus=cpus,
            memory=memory,
            replicas=replicas,
        )
        write_deployment(deployment, folder, replace)
    err.print(f"Written: {folder}. README.md in it says how to go on.")
    out.print(str(folder), markup=False, highlight=False, soft_wrap=True)


def _labels(labels: list[str] | None, sources: dict) -> dict[str, dict[str, int]]:
    """Reads --label NAME/LABEL=VERSION."""
    found: dict[str, dict[str, int]] = {}
    for key, version in pairs_of(labels, "--label").items():
        name, slash, label = key.partition("/")
        if not slash or not version.isdigit():
            raise typer.BadParameter(
                f"--label takes NAME/LABEL=VERSION. Received: {key}={version}."
            )
        if name not in sources:
            raise typer.BadParameter(
                f"--label {key}: no model is called {name}. There is: "
                f"{', '.join(sources)}."
            )
        found.setdefault(name, {})[label] = int(version)
    return found


def _base_path(name: str, source: str, work: Path, weights: str, settings) -> Path:
    """Where a model's exports lie, made of a preset if need be."""
    if is_export(source):
        return Path(source)
    options = pairs_of(settings, "--set")
    exported_preset(source, work / name, weights, **options)
    return work / name
