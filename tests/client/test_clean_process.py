"""A client in a process of its own, which must not load TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.client.canned import alignment, attention, objects, picture

ROOT = Path(__file__).parents[2]
CODE = """
import json, sys
from zoo.client import Client

url, folder = sys.argv[1:]
with Client(url, "tiny") as client:
    found = client.align("the cat")
    after_texts = sorted({name.partition(".")[0] for name in sys.modules})
    found.plot(f"{folder}/heatmap.png")
    client.highlight("sehr schön neu").save(f"{folder}/highlight.svg")
    client.highlight("sehr schön neu").save(f"{folder}/highlight.png")
    client.look(f"{folder}/picture.png").plot(f"{folder}/look.png")
after_drawing = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps([after_texts, after_drawing]))
"""
HEAVY = {"tensorflow", "tensorflow_text", "tensorflow_serving", "keras", "jax", "torch"}


def answer(signature, inputs):
    if "image_bytes" in inputs:
        return objects(signature, inputs)
    of_text = {"with_alignment": alignment, "with_attention": attention}
    return of_text[signature](signature, inputs)


def test_answers_are_drawn_without_tensorflow(server, tmp_path):
    server.answer = answer
    (tmp_path / "picture.png").write_bytes(picture())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, server.url, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    after_texts, after_drawing = map(set, json.loads(done.stdout))
    assert not HEAVY & after_drawing
    # Nor is what the other protocol needs, nor what only pictures need.
    other = {"grpc", "google"} if server.url.startswith("http") else {"httpx"}
    assert not (other | {"matplotlib", "PIL"}) & after_texts
    for name in ("heatmap.png", "highlight.svg", "highlight.png", "look.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_the_heatmap_is_the_one_that_python_would_draw(server, tmp_path):
    from zoo.client import Client
    from zoo.plots import plot_alignment

    server.answer = alignment
    with Client(server.url, "tiny") as client:
        path = client.align("the cat").plot(tmp_path / "served.png")
    weights = np.array([[0.75, 0.25, 0], [0.125, 0.75, 0.125], [0, 0.25, 0.75]])
    pieces = ["▁the", "▁cat", "</s>"], ["▁", "猫", "</s>"]
    own = plot_alignment(*pieces, weights, tmp_path / "own.png")
    assert path.read_bytes() == own.read_bytes()
