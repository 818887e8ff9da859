"""The client's words for each task, over both protocols."""

import math

import pytest

from tests.client.canned import (
    alignment,
    attention,
    floats,
    labels,
    objects,
    picture,
)
from zoo.answers import Translation
from zoo.client import Client


@pytest.fixture
def client(server):
    with Client(server.url, "tiny", retries=0) as client:
        yield client


def found_translations(signature, inputs):
    """Translations in capitals, two hypotheses a text, of an empty one only one."""
    texts, count = inputs["texts"], len(inputs["texts"])
    upper = [text.upper() for text in texts]
    truncated = [len(text) > 9 for text in texts]
    if signature == "serving_default":
        return {"translations": upper, "scores": floats([-0.5] * count)} | {
            "truncated": truncated
        }
    if signature == "n_best":
        return {
            "translations": [[text, f"{text}!" if text else ""] for text in upper],
            "scores": floats([[-0.5, -0.75]] * count),
            "truncated": truncated,
            "target_lengths": [[3, 2 if text else 0] for text in texts],
        }
    assert signature == "score"
    pairs = zip(texts, inputs["translations"], strict=True)
    logs = [-float(len(text) + 10 * len(other)) for text, other in pairs]
    return {"scores": floats(logs) / 7, "log_probabilities": floats(logs)}


def test_texts_are_translated_in_their_order_batch_by_batch(server, client):
    server.answer = found_translations
    texts = [f"é {number}" for number in range(131)]
    assert client.translate(texts) == [f"É {number}" for number in range(131)]
    assert [len(inputs["texts"]) for _, inputs in server.asked] == [64, 64, 3]
    assert {signature for signature, _ in server.asked} == {"serving_default"}


def test_no_texts_need_no_server(server, client):
    assert client.translate([]) == client.n_best([]) == client.score([], []) == []
    assert client.classify([]) == client.regress([]) == client.detect([]) == []
    assert client.embed([]).shape == (0, 0)
    assert server.requests == []


def test_the_best_translations_are_those_that_were_found(server, client):
    server.answer = found_translations
    best, empty, long = client.n_best(["ab", "", "long enough"])
    assert best == [Translation("AB", -0.5, False), Translation("AB!", -0.75, False)]
    assert empty == [Translation("", -0.5, False)]
    assert [one.truncated for one in long] == [True, True]


def test_given_translations_are_scored(server, client):
    server.answer = found_translations
    assert client.score(["a", "bb"], ["xyz", ""]) == [-31.0, -2.0]
    assert server.asked == [
        ("score", {"texts": ["a", "bb"], "translations": ["xyz", ""]})
    ]
    with pytest.raises(ValueError, match="2 texts, 1 translations"):
        client.score(["a", "bb"], ["xyz"])


def test_an_alignment_is_that_of_pieces_without_padding(server, client, tmp_path):
    server.answer = alignment
    found = client.align("the cat")
    assert found.translation == Translation("猫", -0.25, False)
    assert found.source_pieces == ["▁the", "▁cat", "</s>"]
    assert found.target_pieces == ["▁", "猫", "</s>"]
    assert found.weights.dtype == "float32"
    assert found.weights.tolist() == [
        [0.75, 0.25, 0],
        [0.125, 0.75, 0.125],
        [0, 0.25, 0.75],
    ]
    path = found.plot(tmp_path / "heatmap.png", title="the cat")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_texts_are_classified(server, client):
    server.answer = labels
    assert client.classify(["a", "é"]) == [
        [("a", 0.75), ("other", 0.25)],
        [("é", 0.75), ("other", 0.25)],
    ]
    assert client.classify(["a"], pairs=["b"])[0][0] == ("ab", 0.75)
    assert server.asked[-1] == (
        "serving_default",
        {"texts": ["a"], "text_pairs": ["b"]},
    )
    with pytest.raises(ValueError, match="1 texts, 2 pairs"):
        client.classify(["a"], ["b", "c"])


def test_numbers_of_texts_are_numbers(server, client):
    server.answer = lambda _, inputs: {
        "values": floats([len(text) + 0.5 for text in inputs["texts"]]),
        "truncated": [False] * len(inputs["texts"]),
    }
    assert client.regress(["abc", ""]) == [3.5, 0.5]
    with pytest.raises(ValueError, match=r"answers truncated, values; expected labels"):
        client.classify(["abc"])


def test_a_highlight_is_of_words_in_their_places(server, client, tmp_path):
    server.answer = attention
    found = client.highlight("sehr schön neu")
    assert found.words == ["sehr", "schön", "neu"]
    assert found.weights.tolist() == [0.25, 0.5, 0.25]
    assert found.title == "positive 0.75"
    assert found.sentences is None
    assert found.save(tmp_path / "highlight.html").stat().st_size
    assert server.asked == [("with_attention", {"texts": ["sehr schön neu"]})]


def test_a_pair_is_highlighted_as_one_text_of_two_lines(server, client):
    server.answer = attention
    found = client.highlight("sehr", pair="schön neu")
    assert found.text == "sehr\nschön neu"
    assert found.weights.tolist() == [0.25, 0.5, 0.25]
    assert server.asked[0][1] == {"texts": ["sehr"], "text_pairs": ["schön neu"]}


def test_sentences_are_highlighted_where_the_model_weighs_them(server, client):
    server.answer = lambda *asked: (
        attention(*asked)
        | {
            "sentence_starts": [[0, 5, 0]],
            "sentence_ends": [[4, 15, 0]],
            "sentence_attention": floats([[0.25, 0.75, 0.0]]),
        }
    )
    found = client.highlight("sehr schön neu")
    # Places come in bytes, and "ö" is two.
    assert found.sentences == [(0, 4, 0.25), (5, 14, 0.75)]


def test_the_highlight_of_a_number_has_it_for_a_title(server, client):
    def numbers(*asked):
        answer = attention(*asked)
        places = {key: answer[key] for key in ("starts", "ends", "attention")}
        return places | {"values": floats([3.14159])}

    server.answer = numbers
    assert client.highlight("sehr schön neu").title == "3.142"


def test_vectors_come_as_they_are(server):
    server.answer = lambda signature, inputs: {
        "embeddings": floats([[len(text), 0.5, -1] for text in inputs["texts"]]),
        "truncated": [False] * len(inputs["texts"]),
    }
    with Client(server.url, "tiny", max_batch=2) as client:
        found = client.embed(["a", "bb", "ccc"])
    assert found.dtype == "float32"
    assert found.tolist() == [[1, 0.5, -1], [2, 0.5, -1], [3, 0.5, -1]]
    assert [signature for signature, _ in server.asked] == ["embed", "embed"]


FOUND = [
    {"label": "cat", "score": 0.75, "box": [5.0, 10.0, 25.0, 30.5]},
    {"label": "dog", "score": 0.5, "box": [30.0, 5.0, 55.0, 35.0]},
]


def test_objects_are_found_in_files_and_bytes(server, client, tmp_path):
    server.answer = objects
    path = tmp_path / "图.png"
    path.write_bytes(picture())
    found = client.detect([path, str(path), picture()] * 3)
    assert [image.plain for image in found] == [FOUND] * 9
    assert [len(inputs["image_bytes"]) for _, inputs in server.asked] == [8, 1]


def test_large_images_go_in_requests_of_a_bounded_size(server, client, monkeypatch):
    server.answer = objects
    monkeypatch.setattr("zoo.client.images._MOST_BYTES", 100)
    sizes = [40, 60, 41, 60, 101, 3, 5]
    found = client.detect([bytes(size) for size in sizes])
    assert [image.plain for image in found] == [FOUND] * 7
    asked = [len(inputs["image_bytes"]) for _, inputs in server.asked]
    assert asked == [2, 1, 1, 1, 2]
    status = iter(["ok", "ok", "no image"])
    server.answer = lambda *asked: (
        objects(*asked) | {"status": [next(status) for _ in asked[1]["image_bytes"]]}
    )
    with pytest.raises(ValueError, match="Image 2 of 7 cannot be read"):
        client.detect([bytes(size) for size in sizes])


def test_a_request_of_images_in_base64_is_below_what_servers_take():
    from zoo.client.images import _MOST_BYTES
    from zoo.serving.workers import Limits

    assert Limits().max_body_bytes > _MOST_BYTES * 4 / 3 + 100_000


def test_images_arrive_to_the_last_byte(grpc_server, tmp_path):
    grpc_server.answer = objects
    content = bytes(range(256)) + b"\0\0"
    (tmp_path / "a").write_bytes(content)
    with Client(grpc_server.url, "tiny") as client:
        client.detect([tmp_path / "a", content])
    assert grpc_server.asked[0][1]["image_bytes"] == [content, content]


def test_an_image_that_cannot_be_read_is_told_by_name(server, client, tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("no image")
    server.answer = lambda *asked: objects(*asked) | {"status": ["ok", "no image"]}
    with pytest.raises(ValueError, match=r"note\.txt cannot be read: no image"):
        client.detect([picture(), path])
    with pytest.raises(ValueError, match="Image 1 of 2 cannot be read: no image"):
        client.detect([path, b"no image"])


def test_what_is_no_image_is_refused_before_it_is_sent(client, server, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image '.*missing\.png'"):
        client.detect([tmp_path / "missing.png"])
    with pytest.raises(IsADirectoryError, match="is a folder"):
        client.look(tmp_path)
    with pytest.raises(TypeError, match="Received: int"):
        client.detect([3])
    with pytest.raises(TypeError, match=r"Of one image pass \[image\]"):
        client.detect(picture())
    assert server.requests == []


def test_where_a_detector_looked_is_cut_to_the_image_and_drawn(
    server, client, tmp_path
):
    server.answer = objects
    found = client.look(picture())
    assert found.found.plain == FOUND
    assert found.pixels.shape == (40, 60, 3)
    assert found.attention.shape == (2, 5, 8)
    assert found.attention[0, 2, 1] == found.attention[1, 1, 5] == 1
    assert found.cells == (4.5, 7.25)
    assert found.self_attention.shape == (2, 3, 2, 3)
    assert found.self_attention[1, 2, 0, 1] == 1
    for path in (
        found.plot(tmp_path / "queries.png"),
        found.plot(tmp_path / "points.png", points=[(50, 30)]),
        found.draw(tmp_path / "boxes.png"),
    ):
        assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="60 pixels wide and 40 high"):
        found.plot(tmp_path / "outside.png", points=[(60, 30)])


@pytest.mark.parametrize("method", ["translate", "n_best", "classify", "embed"])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("Hello.", r"list of strings. Received: str. Of one text pass \[text\]"),
        (b"Hello.", "Received: bytes"),
        (None, "Received: NoneType"),
        ({"a"}, "Received: set"),
        (["a", b"b"], "Received at 1: bytes"),
        (["a", "b", math.pi], r"Received at 2: float '3\.14"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_before_it_is_sent(
    client, server, method, wrong, words
):
    with pytest.raises(TypeError, match=words):
        getattr(client, method)(wrong)
    assert server.requests == []


def test_a_model_of_another_task_is_told_with_what_it_answers(server, client):
    server.answer = labels
    words = r"model 'tiny' answers labels, probabilities.*expected translations"
    with pytest.raises(ValueError, match=words):
        client.translate(["a"])
