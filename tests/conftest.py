"""What every test may use."""

import io
import os
import sys
import warnings

import numpy as np
import pytest

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def randomize(random):
    """Fills all weights of a layer: a bias or gain at its start would hide mistakes."""

    def fill(layer, scale=0.7):
        for weight in layer.weights:
            numbers = random.normal(scale=scale, size=tuple(weight.shape))
            weight.assign(numbers.astype("float32"))
        return layer

    return fill


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command here; any exception that a user would see fails the test."""
    import zoo.cli

    # `main` replaces it.
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        content = stdin if isinstance(stdin, bytes) else stdin.encode()
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", text)
        with pytest.raises(SystemExit) as ended:
            zoo.cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return ended.value.code, out, err

    return run
