"""Scores and windows: table 4 of Luong et al. (2015), on a small budget.

Every score sees the target through every window, in one recurrent translator that is
otherwise the same, trained on the same batches for as many steps. Training needs no
TensorFlow: a prepared folder can go to a machine with an accelerator and JAX and come
back to be measured.
"""
# Departures from the paper: the decoder of "bahdanau" is Bahdanau's own, which attends
# before its step; all others are Luong's with input feeding. Windows are narrower than
# the paper's D = 10, for shorter sentences.
# Nothing heavy is imported up here: the command line reads the options' defaults.

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo import registry
from zoo.files import write_json
from zoo.studies.checks import check_names
from zoo.studies.measurements import Measurements, Tell

WINDOWED = ("bahdanau", "location", "dot", "general", "concat", "cosine")
GLOBAL_ONLY = ("none", "hard")
WINDOWS = ("global", "local_m", "local_p")
BASELINE = ("general", "global")  # Whose time is 1.


@dataclass(frozen=True)
class ScoresOptions:
    """What the measurements depend on.

    Attributes:
        attentions: which, of `WINDOWED` and `GLOBAL_ONLY`.
        size: of the recipe `translation_rnn`.
        steps: of training, for each.
        batch_tokens: target positions in a batch.
        longest: most pieces a side of a training pair; longer pairs are left out, so
            that every batch has one shape.
        window_width: D of the local windows, in pieces.
        seeds: of weights, dropout and data order; every model is trained once a seed.

    Raises:
        ValueError: an unknown attention, or a number that is not positive.
    """

    attentions: tuple[str, ...] = (*GLOBAL_ONLY, *WINDOWED)
    size: str = "mini"
    steps: int = 2_000
    batch_tokens: int = 8_192
    longest: int = 24
    window_width: int = 3
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self):
        for name in ("attentions", "seeds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            if not getattr(self, name):
                raise ValueError(f"{name} must name at least one.")
        check_names("attention", self.attentions, (*GLOBAL_ONLY, *WINDOWED))
        for name in ("steps", "batch_tokens", "longest", "window_width"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1. Received: {getattr(self, name)}."
                )
        self.recipe("none", "global")

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Every attention with every window it takes."""
        return [
            (attention, window)
            for attention in self.attentions
            for window in (WINDOWS if attention in WINDOWED else WINDOWS[:1])
        ]

    @property
    def models(self) -> list[tuple[str, str, int]]:
        """Attention, window and seed of every model to train."""
        return [(*cell, seed) for seed in self.seeds for cell in self.cells]

    def recipe(self, attention: str, window: str, seed: int = 0):
        rounds = next(count for count in (4, 2, 1) if self.steps % count == 0)
        return registry.get(
            "translation_rnn",
            size=self.size,
            attention=attention,
            window=window,
            window_width=self.window_width,
            input_feeding=attention not in ("none", "bahdanau"),
            steps=self.steps,
            round_steps=self.steps // rounds,
            batch_tokens=self.batch_tokens,
            learning_rate=2e-3,
            warmup_steps=min(500, self.steps // 2),
            monitor="perplexity",
            average_last=1,
            seed=seed,
        )


def prepare(folder, train, valid, options: ScoresOptions) -> None:
    """Learns vocabularies and encodes the data.

    Args:
        folder: new or empty; its parent must exist.
        train, valid: parallel text.
        options: kept in the folder; later phases go by them.
    """
    from zoo.training import prepare_run

    folder = Path(folder)
    prepare_run(options.recipe("none", "global"), train, valid, folder)
    (folder / "models").mkdir()
    write_json(folder / "study.json", {"study": "scores", "options": asdict(options)})


def read_options(folder) -> ScoresOptions:
    """The options of a prepared folder.

    Raises:
        ValueError: the folder is none.
    """
    path = Path(folder) / "study.json"
    if not path.is_file():
        raise ValueError(
            f"{folder} holds no prepared study of scores. Give --train and --valid to "
            "prepare it."
        )
    return ScoresOptions(**json.loads(path.read_text(encoding="utf-8"))["options"])


def train(folder, tell: Tell, stop=lambda: False) -> bool:
    """Trains every model that is not trained yet; each goes on where it stopped.

    Args:
        folder: prepared.
        tell: is told of progress.
        stop: asked before each model whether to leave the rest for later.

    Returns:
        Whether all models are trained.
    """
    from zoo.studies.scores_models import train_model_of

    folder, options = Path(folder), read_options(folder)
    for number, model in enumerate(options.models):
        if result_file(folder, model).is_file():
            continue
        if stop():
            return False
        tell(f"training {name_of(model)}", number, len(options.models))
        train_model_of(folder, options, model)
    return True


def measure(folder, test, tell: Tell) -> Measurements:
    """Scores every trained model on a test set, and times their steps side by side.

    Args:
        folder: trained.
        test: parallel text.
        tell: is told of progress.
    """
    from zoo.studies.scores_models import quality, times

    folder, options = Path(folder), read_options(folder)
    head = asdict(options) | {"test": len(test)}
    measurements = Measurements(folder, "scores", head)
    for number, model in enumerate(options.models):
        names = dict(zip(("attention", "window", "seed"), model, strict=True))
        if measurements.find(kind="quality", **names):
            continue
        tell(f"scoring {name_of(model)}", number, len(options.models))
        measurements.add(
            kind="quality", **names, **quality(folder, options, model, test)
        )
    if not measurements.find(kind="time"):
        for (attention, window), row in times(folder, options, tell).items():
            measurements.add(kind="time", attention=attention, window=window, **row)
    return measurements


def name_of(model) -> str:
    """Attention, window and perhaps seed, in a file name."""
    return "-".join(map(str, model))


def result_file(folder, model) -> Path:
    """Written when a model is trained; its weights stand beside it."""
    return folder / "models" / name_of(model) / "result.json"
