"""How far a server answers as TF Serving's own code did: a table.

    python -m benchmarks.conformance [--out FILE.md]
    python -m benchmarks.conformance --rest http://HOST:8501 --grpc HOST:8500
    python -m benchmarks.conformance --export FOLDER

The first starts this project's server; the second asks any other, for example a TF
Serving, that has the models which the third writes, with a models.config. Run it in the
repository's folder. The requests and the recorded answers lie in tests/serving/data.

Answers are compared by value, numbers to their last digit; by lines, whatever their
order; and by character. TF Serving prints the names within an answer in the order of a
hash table, which changes from run to run: no server has all equal by character.
"""

import argparse
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
MONITORING = 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }'
VERSIONS = """\
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rest", help="such as http://127.0.0.1:8501")
    parser.add_argument("--grpc", help="such as 127.0.0.1:8500")
    parser.add_argument("--export", type=Path, help="write the models here, and end")
    parser.add_argument("--out", type=Path, help="write the table here too")
    arguments = parser.parse_args()
    if arguments.export:
        export(arguments.export.resolve())
        return
    with ExitStack() as stack:
        rest, grpc = arguments.rest, arguments.grpc
        if not (rest or grpc):
            rest, grpc = own_server(stack)
        table = compare(rest, grpc)
    print(table)
    if arguments.out:
        arguments.out.write_text(table + "\n", encoding="utf-8")


def own_server(stack: ExitStack) -> tuple[str, str]:
    """Starts this project's server until the stack ends; its two addresses."""
    from tests.serving.recorded_models import export_recorded
    from zoo.serving.models import Models
    from zoo.serving.server import Server

    folder = stack.enter_context(tempfile.TemporaryDirectory())
    server = Server(Models(export_recorded(folder)), rest_port=0, grpc_port=0)
    stack.enter_context(server)
    return f"http://127.0.0.1:{server.rest_port}", f"127.0.0.1:{server.grpc_port}"


def compare(rest: str | None, grpc: str | None) -> str:
    from tests.serving.conformance import compare_grpc, compare_rest, summary

    lines = ["| Port | Compared | Equal | Of |", "| --- | --- | ---: | ---: |"]
    differences = []
    for port, address, run in (
        ("REST", rest, compare_rest),
        ("gRPC", grpc, compare_grpc),
    ):
        if address is None:
            continue
        found = list(run(address))
        for kind, (equal, of) in summary(found).items():
            lines.append(f"| {port} | {kind} | {equal} | {of} |")
        differences += [
            f"\n{port}, {one.name}: {one.expected}, here {one.found}\n\n{quoted(one)}"
            for one in found
            if one.difference or not one.same_status
        ]
    return "\n".join([*lines, *differences])


def quoted(comparison) -> str:
    return "\n".join("    " + line for line in comparison.difference.splitlines())


def export(folder: Path) -> None:
    from tests.serving.recorded_models import export_recorded

    configs = export_recorded(folder)
    entries = [
        f'  config {{\n    name: "{config.name}"\n'
        f'    base_path: "{config.base_path}"\n    model_platform: "tensorflow"\n'
        f"{VERSIONS if config.labels else ''}  }}\n"
        for config in configs
    ]
    text = "model_config_list {\n" + "".join(entries) + "}\n"
    (folder / "models.config").write_text(text, encoding="utf-8")
    (folder / "monitoring.config").write_text(MONITORING + "\n", encoding="utf-8")
    print(
        f"tensorflow_model_server --model_config_file={folder}/models.config "
        f"--monitoring_config_file={folder}/monitoring.config "
        "--port=8500 --rest_api_port=8501 "
        "--allow_version_labels_for_unavailable_models"
    )


if __name__ == "__main__":
    main()
