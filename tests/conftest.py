"""What every test may use."""

import io
import os
import sys
import warnings

import numpy as np
import pytest

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker a core: threads of several workers would only wait for one another.
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


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


# Tests of minutes, which begin first: else a worker ends on one of them alone.
_LONG = ("test_readme.py", "test_resume.py", "test_cli_detection.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in _LONG)
