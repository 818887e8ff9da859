"""The command by which a user first asks a model."""

import json
import shlex

from zoo.deployment.deployed_model import DeployedModel

_LONGEST = 500


def example_request(model: DeployedModel, signature: str = "serving_default") -> str:
    """A curl command with a request of which the export has recorded the answer.

    Of a foreign model, what asks for its inputs; of one that reads images, with a file
    to be named.
    """
    address = f"localhost:8501/v1/models/{model.name}"
    sample = model.manifest.get("signatures", {}).get(signature, {}).get("sample")
    if not sample:
        return f"$ curl {address}/metadata"
    if list(sample) == ["image_bytes"]:
        return (
            # Without the option for long lines, which not every base64 has.
            """$ (printf '{"inputs": {"image_bytes": [{"b64": "'; """
            """base64 < photo.jpg | tr -d '\\n'; printf '"}]}}') | """
            f"curl --data-binary @- {address}:predict"
        )
    first = {name: values[:1] for name, values in sample.items()}
    body = json.dumps({"inputs": first}, ensure_ascii=False)
    if len(body) > _LONGEST:
        return f"$ curl {address}/metadata"
    return f"$ curl -d {shlex.quote(body)} {address}:predict"
