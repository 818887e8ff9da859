"""What the tools that read the files say of them, where they are installed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deployment.tools import tool
from zoo.deployment.rendering import render

RUFF = ["ruff", "check", "--config", str(Path(__file__).parents[2] / "pyproject.toml")]


@pytest.fixture
def texts(deployment):
    return render(deployment)


def test_kubernetes_knows_every_field(texts):
    yaml = pytest.importorskip("yaml")
    validate = pytest.importorskip("kubernetes_validate").validate
    kinds = []
    for document in yaml.safe_load_all(texts["kubernetes.yaml"]):
        validate(document, "1.32", strict=True)
        kinds.append(document["kind"])
    assert kinds == [
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
    ]


def compose(text):
    """Parsed with its variables replaced by their defaults, as Docker does."""
    reader = pytest.importorskip("compose_spec").PyCompose
    found = reader.from_yaml(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    found.validate()
    return found


def test_compose_knows_every_field(texts):
    found = compose(texts["compose.yaml"])
    assert set(found.services) == {"serving", "proxy", "prometheus"}


def test_compose_would_refuse_a_mistake(texts):
    pytest.importorskip("compose_spec")
    with pytest.raises(ValueError, match="happy"):
        compose(texts["compose.yaml"].replace("service_healthy", "service_happy"))


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("Dockerfile", ["hadolint"]),
        ("Caddyfile", ["caddy", "validate", "--adapter", "caddyfile", "--config"]),
        ("prometheus.yml", ["promtool", "check", "config"]),
        ("config/healthy.sh", ["bash", "-n"]),
        ("ray_app.py", RUFF),
        ("beam_job.py", RUFF),
    ],
)
def test_the_tool_that_reads_a_file_accepts_it(texts, tmp_path, path, command):
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [tool(command[0]), *command[1:], path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
