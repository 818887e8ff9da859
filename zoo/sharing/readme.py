"""A model card as the hub shows it: what a preset's own card says, and metadata."""
# Metadata is YAML between two lines of "---"; its strings are written as those of JSON,
# which YAML reads alike.

import json
import math
import re

_TAGS = {
    "translation": "translation",
    "text_classification": "text-classification",
    "detection": "object-detection",
}
# What cards begin with, and what the hub calls it.
_LICENCES = {
    r"apache[- ](license,? (version )?)?2\.0": "apache-2.0",
    r"mit\b": "mit",
    r"mpl[- ]2\.0|mozilla public license,? (version )?2\.0": "mpl-2.0",
    r"cc[- ]by[- ]sa[- ]4\.0": "cc-by-sa-4.0",
    r"cc[- ]by[- ]sa[- ]3\.0": "cc-by-sa-3.0",
    r"cc[- ]by[- ]nc[- ]4\.0": "cc-by-nc-4.0",
    r"cc[- ]by[- ]4\.0": "cc-by-4.0",
    r"cc0[- ]1\.0": "cc0-1.0",
    r"bsd[- ]3": "bsd-3-clause",
    r"unknown\b": "unknown",
}
_METRICS = {
    "bleu": ("bleu", "BLEU"),
    "chrf": ("chrf", "chrF"),
    "accuracy": ("accuracy", "Accuracy"),
    "macro_f1": ("f1", "Macro F1"),
    "micro_f1": ("f1", "Micro F1"),
    "rmse": ("rmse", "RMSE"),
    "spearman": ("spearmanr", "Spearman"),
    "pearson": ("pearsonr", "Pearson"),
    "AP": ("mean_average_precision", "AP"),
    "AP50": ("mean_average_precision", "AP50"),
}
_DATASET = re.compile(r"[\w.-]+/[\w.-]+")


def readme(
    card: dict,
    name: str,
    task: str,
    has_labels: bool = True,
    languages: tuple[str, ...] = (),
    examples: tuple[str, ...] = (),
) -> str:
    """README.md of a repository.

    Args:
        card: of the preset.
        name: of the preset.
        task: of the preset.
        has_labels: whether a classifier of texts has a head.
        languages: their codes, those of a translation from which and into which.
        examples: inputs that the page offers to try.
    """
    return f"---\n{_yaml(_metadata(**locals()))}---\n\n{_body(card, name, task)}"


def licence_id(licence: str) -> str:
    """What the hub calls a licence; "other" if it has no name for it."""
    known = (
        name
        for pattern, name in _LICENCES.items()
        if re.match(pattern, licence, re.IGNORECASE)
    )
    return next(known, "other")


def _metadata(card, name, task, has_labels, languages, examples) -> dict:
    tag = _TAGS[task]
    if task == "text_classification" and not has_labels:
        tag = "feature-extraction"
    found = {
        "language": list(languages),
        **_licence(str(card.get("licence", "unknown"))),
        "library_name": "keras",
        "pipeline_tag": tag,
        "tags": ["attention-zoo", str(card.get("recipe", task))],
        "datasets": [
            source
            for source in _list(_dict(card.get("data")).get("sources"))
            if isinstance(source, str) and _DATASET.fullmatch(source)
        ],
    }
    base = _dict(card.get("source")).get("name")
    if _DATASET.fullmatch(str(base)):
        found["base_model"] = base
    if task != "detection":
        found["widget"] = [{"text": text} for text in examples]
    metrics = _metrics(card)
    found["metrics"] = sorted({kind for kind, _, _ in metrics})
    if metrics:
        found["model-index"] = [_index(card, name, tag, metrics)]
    return {key: value for key, value in found.items() if value}


def _licence(licence: str) -> dict:
    found = {"license": licence_id(licence)}
    if found["license"] == "other":
        found["license_name"] = licence
    return found


def _metrics(card: dict) -> list[tuple[str, str, float]]:
    scores = _dict(card.get("scores"))
    return [
        (*_METRICS[key], value)
        for key, value in scores.items()
        if key in _METRICS and isinstance(value, int | float) and math.isfinite(value)
    ]


def _index(card: dict, name: str, tag: str, metrics) -> dict:
    data = str(card["scores"].get("data", "test split"))
    return {
        "name": name,
        "results": [
            {
                "task": {"type": tag, "name": tag.replace("-", " ").capitalize()},
                "dataset": {"type": "custom", "name": data, "split": "test"},
                "metrics": [
                    {"type": kind, "name": shown, "value": value}
                    for kind, shown, value in metrics
                ],
            }
        ],
    }


def _body(card: dict, name: str, task: str) -> str:
    description = card.get("description") or f"A preset of {card.get('recipe', task)}."
    parts = [f"# {name.rpartition('/')[2]}", str(description), _usage(task)]
    if metrics := _metrics(card):
        rows = "".join(f"| {shown} | {value:.4g} |\n" for _, shown, value in metrics)
        parts.append(f"## Scores\n\n| Metric | Value |\n|---|---|\n{rows.rstrip()}")
        signatures = _dict(_dict(card.get("scores")).get("signatures"))
        parts += [f"{key}: `{value}`" for key, value in signatures.items()]
    data = _dict(card.get("data"))
    sources = [f"- {source}" for source in _list(data.get("sources"))]
    if splits := data.get("splits"):
        sources.append(f"\n{splits}")
    source = _dict(card.get("source"))
    for title, text in (
        ("Limits", card.get("limits")),
        ("Data", "\n".join(sources)),
        ("Licence", card.get("licence")),
        ("Notice", card.get("notice")),
        ("Made from", "\n".join(f"- {key}: {_shown(source[key])}" for key in source)),
    ):
        if text:
            parts.append(f"## {title}\n\n{text}")
    return "\n\n".join(parts) + "\n"


_CALLS = {
    "translation": 'model("A sentence.")',
    "text_classification": 'model("A text.")',
    "detection": 'model("image.jpg")',
}


def _usage(task: str) -> str:
    return (
        "```python\n# pip install attention-zoo[hub]\nimport zoo\n\n"
        f'model = zoo.load("hf://OWNER/NAME")\n{_CALLS[task]}\n```'
    )


def _shown(value) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _dict(value) -> dict:
    return value if isinstance(value, dict) else {}


def _list(value) -> list:
    return value if isinstance(value, list) else []


def _yaml(content, indent: str = "") -> str:
    """Dictionaries, lists and plain values in YAML's block style."""
    if isinstance(content, dict):
        lines = []
        for key, value in content.items():
            if isinstance(value, dict | list) and value:
                inner = indent + "  " if isinstance(value, dict) else indent
                lines.append(f"{indent}{key}:\n{_yaml(value, inner)}")
            else:
                lines.append(f"{indent}{key}: {_scalar(value)}\n")
        return "".join(lines)
    lines = []
    for item in content:
        if isinstance(item, dict):
            # The first key stands behind the dash.
            text = _yaml(item, indent + "  ")
            lines.append(f"{indent}- {text[len(indent) + 2 :]}")
        else:
            lines.append(f"{indent}- {_scalar(item)}\n")
    return "".join(lines)


def _scalar(value) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w./-]*", value):
        return value if value.lower() not in _WORDS else f'"{value}"'
    return json.dumps(value, ensure_ascii=False)


# Which YAML takes for something else; "no" is a language, too.
_WORDS = ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
