"""The files of a deployment as text."""

import json

from zoo.deployment.deployed_model import DeployedModel
from zoo.deployment.deployment import Deployment
from zoo.deployment.example_request import example_request
from zoo.deployment.template import fill

# The newest release, by which exports are audited.
SERVER = "2.20.0"
CADDY = "2.11"
PROMETHEUS = "v3.5.0"

_FILES = {
    "Caddyfile": "Caddyfile",
    "Dockerfile": "Dockerfile",
    "README.md": "README.md",
    "alerts.yml": "alerts.yml",
    "beam_job.py": "beam_job.py",
    "compose.yaml": "compose.yaml",
    "config/batching_params.pbtxt": "batching_params.pbtxt",
    "config/healthy.sh": "healthy.sh",
    "config/models.config": "models.config",
    "config/monitoring.config": "monitoring.config",
    "environment": "environment",
    ".dockerignore": "dockerignore",
    "kserve.yaml": "kserve.yaml",
    "kubernetes.yaml": "kubernetes.yaml",
    "prometheus.yml": "prometheus.yml",
    "ray_app.py": "ray_app.py",
}


def render(deployment: Deployment) -> dict[str, str]:
    """Texts by path in the deployment's folder; the models are not among them."""
    own = {
        "config/models.config": {"models": _model_configs(deployment)},
        "environment": {"environment": _lines(deployment.environment, "{}={}")},
        "Dockerfile": {
            "environment": _lines(deployment.environment, 'ENV {}="{}"'),
            "flags": ", \\\n".join(map(json.dumps, deployment.flags)) + " \\",
        },
        "compose.yaml": {"flags": _items(deployment.flags)},
        "kserve.yaml": {"services": _kserve_services(deployment)},
        "README.md": {
            "models": _table(deployment),
            "request": example_request(deployment.models[0]),
        },
    }
    values = _common(deployment)
    files = dict(_FILES)
    if deployment.batches_by_models:
        files["config/batching_params.pbtxt"] = "batching_threads.pbtxt"
    return {
        path: fill(template, values | own.get(path, {}))
        for path, template in files.items()
    }


def _common(deployment: Deployment) -> dict[str, str]:
    names = [model.name for model in deployment.models]
    return {
        "name": deployment.name,
        "first": names[0],
        "image": deployment.image or f"{deployment.name}:1",
        "cpus": str(deployment.cpus),
        "memory": str(deployment.memory_gb),
        "replicas": str(deployment.replicas),
        "most_replicas": str(4 * deployment.replicas),
        "healthy": ", ".join(map(json.dumps, ["bash", "/config/healthy.sh", *names])),
        "server": SERVER,
        "caddy": CADDY,
        "prometheus": PROMETHEUS,
    }


def _model_configs(deployment: Deployment) -> str:
    return "\n".join(map(_model_config, deployment.models))


def _model_config(model: DeployedModel) -> str:
    policy = "latest { num_versions: 1 }"
    if model.labels:
        versions = " ".join(f"versions: {version}" for version in model.served)
        policy = f"specific {{ {versions} }}"
    labels = "".join(
        f'  version_labels {{ key: "{label}" value: {version} }}\n'
        for label, version in sorted(model.labels.items())
    )
    return (
        "config {\n"
        f'  name: "{model.name}"\n'
        f'  base_path: "/models/{model.name}"\n'
        '  model_platform: "tensorflow"\n'
        f"  model_version_policy {{ {policy} }}\n"
        f"{labels}}}"
    )


def _kserve_services(deployment: Deployment) -> str:
    return "".join(
        fill(
            "kserve_service",
            _common(deployment)
            | {
                "model": model.name,
                "flags": _items(_kserve_flags(deployment, model)),
                "environment": _variables(model.environment),
            },
        )
        for model in deployment.models
    )


def _kserve_flags(deployment: Deployment, model: DeployedModel) -> list[str]:
    # There the server has no files but the model's own.
    batching = deployment.batching_flags if model.batches_by_itself else []
    return [*batching, *deployment.thread_flags]


def _variables(environment: dict[str, str]) -> str:
    pairs = [{"name": key, "value": value} for key, value in environment.items()]
    return "".join(f"- {json.dumps(pair)}\n" for pair in pairs) or "[]"


def _items(values: list[str]) -> str:
    return "".join(f"- {value}\n" for value in values)


def _lines(environment: dict[str, str], form: str) -> str:
    return "".join(form.format(*pair) + "\n" for pair in environment.items())


def _table(deployment: Deployment) -> str:
    rows = [
        f"| `{model.name}` | {', '.join(map(str, model.versions))} | {_served(model)} |"
        for model in deployment.models
    ]
    return "\n".join(["| model | versions | served |", "|---|---|---|", *rows])


def _served(model: DeployedModel) -> str:
    if not model.labels:
        return "the newest"
    return ", ".join(f"{v} as `{label}`" for label, v in sorted(model.labels.items()))
