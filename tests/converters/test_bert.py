"""BERT checkpoints, against NumPy and, where they are installed, their own library."""

import json

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tests.converters import checkpoints
from tests.converters.checkpoints import BERT, HEADS, LAYERS, PIECES, bert_arrays
from tests.references import bert
from zoo import registry
from zoo.converters import convert
from zoo.presets import load_preset
from zoo.pretrained import Pretrained

TEXTS = ["The cats sat.", "猫坐。", "a", "Dog 狗"]
PAIRS = ["on the dog", "狗", "the cat sat on the dog", ""]
LABELS = {"id2label": {"0": "坏", "1": "good", "2": "so-so"}}


def ids_of(preset, pairs=PAIRS):
    """Padded ids of texts, with pairs."""
    second = None if pairs is None else tf.constant(pairs)
    ids, _ = preset.task.codec.encode(tf.constant(TEXTS), second)
    return ids.to_tensor().numpy()


def types_of(ids):
    """0 for [CLS] text [SEP], 1 for pair [SEP]."""
    end = PIECES.index("[SEP]")
    return [int(end in ids[:place].tolist()) for place in range(len(ids))]


def rows_of(ids):
    """Each row without its padding, with its types."""
    for row in ids:
        own = row[row > 0]
        yield own, types_of(own)


def assert_states_are_right(preset, arrays, atol=1e-5):
    ids = ids_of(preset)
    assert (ids == 0).any() and {1} < {sum(types_of(row[row > 0])) for row in ids}
    found = [np.asarray(states) for states in preset.model.states(ids)]
    assert len(found) == LAYERS + 1
    for place, (row, types) in enumerate(rows_of(ids)):
        expected = bert.states(row, types, arrays, HEADS, LAYERS)
        for layer, states in enumerate(expected):
            np.testing.assert_allclose(
                found[layer][place, : len(row)], states, atol=atol
            )


# Written by hand


def test_an_encoder_has_the_states_of_the_paper_s_equations(random, tmp_path):
    arrays = bert_arrays(random)
    preset = convert(checkpoints.write(tmp_path / "bert", BERT, arrays))
    assert_states_are_right(preset, arrays)
    assert preset.task.labels is None
    assert preset.card["source"]["architecture"] == "BertModel"
    # Attention pooling, which it adds, starts at the mean.
    ids = ids_of(preset, pairs=None)
    vectors, _ = preset.model.read(ids)
    states = np.asarray(preset.model.states(ids)[-1])
    for vector, row, own in zip(np.asarray(vectors), ids, states, strict=True):
        np.testing.assert_allclose(vector, own[row > 0].mean(axis=0), atol=1e-5)


@pytest.mark.parametrize(
    "problem, count, kind",
    [
        (None, 3, "single"),
        ("single_label_classification", 3, "single"),
        ("multi_label_classification", 3, "multi"),
        ("regression", 1, "regression"),
        (None, 1, "regression"),
    ],
)
def test_a_classifier_keeps_its_head_and_its_labels(
    problem, count, kind, random, tmp_path
):
    arrays = bert_arrays(random, count)
    config = BERT | {"problem_type": problem, "_name_or_path": "someone/bert"}
    config |= LABELS if count > 1 else {"id2label": {"0": "LABEL_0"}}
    preset = convert(checkpoints.write(tmp_path / "bert", config, arrays))
    labels = preset.task.labels
    assert labels.kind == kind
    assert labels.names == (("坏", "good", "so-so") if count > 1 else ())
    assert preset.card["source"]["name"] == "someone/bert"
    ids = ids_of(preset)
    found = np.asarray(preset.model({"token_ids": ids}))
    for output, (row, types) in zip(found, rows_of(ids), strict=True):
        expected = bert.outputs(row, types, arrays, HEADS, LAYERS)
        np.testing.assert_allclose(output, expected, atol=1e-5)
    # What it says of a text is by the labels' names.
    (answer,) = Pretrained(preset).predict([TEXTS[0]])
    (row,) = ids_of(preset, None)[:1]
    row = row[row > 0]
    outputs = bert.outputs(row, types_of(row), arrays, HEADS, LAYERS)
    if kind == "single":
        shares = np.exp(outputs) / np.exp(outputs).sum()
        assert answer.label == labels.names[outputs.argmax()]
        assert answer.score == pytest.approx(shares.max(), abs=1e-5)
    elif kind == "multi":
        assert answer.label == tuple(
            labels.names[n] for n in np.argsort(-outputs) if outputs[n] > 0
        )
    else:
        assert answer.label == pytest.approx(outputs[0], abs=1e-5)


@pytest.mark.parametrize("problem", [None, "multi_label_classification"])
def test_labels_without_names_are_numbered(problem, random, tmp_path):
    """A config leaves out the names of two labels that have none of their own."""
    config = BERT | {"problem_type": problem}
    folder = checkpoints.write(tmp_path / "bert", config, bert_arrays(random, 2))
    assert convert(folder).task.labels.names == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("count", "length", "longest"), [(3, 211, 211), (3, 521, 512), (0, 211, 128)]
)
def test_a_classifier_reads_what_it_was_trained_to_read(
    count, length, longest, random, tmp_path
):
    arrays = bert_arrays(random, count)
    positions = random.normal(size=(length, checkpoints.UNITS)).astype("float32")
    arrays["embeddings.position_embeddings.weight"] = positions
    config = BERT | {"max_position_embeddings": length} | (LABELS if count else {})
    preset = convert(checkpoints.write(tmp_path / "bert", config, arrays))
    ids, truncated = preset.task.codec.encode(tf.constant(["cat " * (longest - 2)]))
    assert ids.to_tensor().shape == (1, longest) and not truncated.numpy().any()
    ids, truncated = preset.task.codec.encode(tf.constant(["cat " * (longest - 1)]))
    assert ids.to_tensor().shape == (1, longest) and truncated.numpy().all()


def test_one_output_without_a_name_is_a_number(random, tmp_path):
    folder = checkpoints.write(tmp_path / "bert", BERT, bert_arrays(random, 1))
    assert convert(folder).task.labels.kind == "regression"


def distilled(name):
    """A tensor's name in DistilBERT's layout."""
    for ours, theirs in (
        ("encoder.layer", "transformer.layer"),
        ("attention.self.query", "attention.q_lin"),
        ("attention.self.key", "attention.k_lin"),
        ("attention.self.value", "attention.v_lin"),
        ("attention.output.dense", "attention.out_lin"),
        ("attention.output.LayerNorm", "sa_layer_norm"),
        ("intermediate.dense", "ffn.lin1"),
        ("pooler.dense", "pre_classifier"),
    ):
        name = name.replace(ours, theirs)
    if name.startswith("transformer"):
        name = name.replace("output.dense", "ffn.lin2")
        name = name.replace("output.LayerNorm", "output_layer_norm")
    return name if "classifier" in name else f"distilbert.{name}"


DISTIL = {
    "model_type": "distilbert",
    "dim": checkpoints.UNITS,
    "hidden_dim": checkpoints.HIDDEN,
    "n_heads": HEADS,
    "n_layers": LAYERS,
    "activation": "gelu",
    "dropout": 0.1,
    "max_position_embeddings": checkpoints.LENGTH,
}


def test_distilbert_has_no_types_and_another_pooler(random, tmp_path):
    arrays = bert_arrays(random, 3)
    del arrays["embeddings.token_type_embeddings.weight"]
    theirs = {distilled(name): array for name, array in arrays.items()}
    preset = convert(checkpoints.write(tmp_path / "bert", DISTIL | LABELS, theirs))
    assert_states_are_right(preset, arrays)
    ids = ids_of(preset)
    found = np.asarray(preset.model({"token_ids": ids}))
    for output, (row, types) in zip(found, rows_of(ids), strict=True):
        first = bert.states(row, types, arrays, HEADS, LAYERS)[-1][0]
        pooled = np.maximum(bert.dense(first, arrays, "pooler.dense"), 0)
        expected = bert.dense(pooled, arrays, "classifier")
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_old_names_prefixes_shards_and_spare_tensors_are_read(random, tmp_path):
    arrays = bert_arrays(random)
    old = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in arrays.items()
    }
    old["bert.embeddings.position_ids"] = np.arange(5)[None]
    old["cls.predictions.bias"] = np.zeros(7, "float32")
    # A table may be filled up to a round number.
    words = "bert.embeddings.word_embeddings.weight"
    old[words] = np.concatenate([old[words], np.ones((3, checkpoints.UNITS), "f4")])
    folder = checkpoints.write(tmp_path / "bert", BERT, old, shards=3)
    assert_states_are_right(convert(folder), arrays)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_read(dtype, random, tmp_path):
    arrays = {name: array.astype(dtype) for name, array in bert_arrays(random).items()}
    preset = convert(checkpoints.write(tmp_path / "bert", BERT, arrays))
    exact = {name: array.astype("float64") for name, array in arrays.items()}
    assert_states_are_right(preset, exact)


# What is refused


def broken(change):
    """A checkpoint's config and tensors after something went wrong."""
    config, arrays = dict(BERT), bert_arrays(np.random.default_rng(3))
    change(config, arrays)
    return config, arrays


REFUSED = {
    "Missing: encoder.layer.1.output.dense.weight. Left over: none": lambda c, a: a.pop(
        "encoder.layer.1.output.dense.weight"
    ),
    "Missing: none. Left over: encoder.layer.2.extra": lambda c, a: a.update(
        {"encoder.layer.2.extra": np.zeros(2, "float32")}
    ),
    "says model_type='gpt2'": lambda c, a: c.update(model_type="gpt2"),
    "says model_type=None": lambda c, a: c.pop("model_type"),
    "position_embedding_type='relative_key'": lambda c, a: c.update(
        position_embedding_type="relative_key"
    ),
    "activation": lambda c, a: c.update(hidden_act="silu"),
    "word embeddings for 16 pieces: the tokenizer's files": lambda c, a: a.update(
        {"embeddings.word_embeddings.weight": np.zeros((9, 12), "float32")}
    ),
    "Of another shape: classifier.weight is": lambda c, a: a.update(
        {"classifier.weight": np.zeros((3, 13), "float32")}
    ),
    "Of another shape: embeddings.word_embeddings.weight is": lambda c, a: a.update(
        {"embeddings.word_embeddings.weight": np.zeros((16, 13), "float32")}
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_refused_by_name(message, tmp_path):
    folder = checkpoints.write(tmp_path / "bert", *broken(REFUSED[message]))
    with pytest.raises(ValueError, match=message):
        convert(folder)


def test_the_tokenizer_of_another_family_is_refused(random, tmp_path):
    folder = checkpoints.write(tmp_path / "bert", BERT, bert_arrays(random))
    config = json.dumps({"tokenizer_class": "BertJapaneseTokenizer"})
    (folder / "tokenizer_config.json").write_text(config)
    with pytest.raises(ValueError, match="BertJapaneseTokenizer"):
        convert(folder)


def test_a_shard_that_is_missing_and_a_damaged_one_are_refused(random, tmp_path):
    folder = checkpoints.write(tmp_path / "bert", BERT, bert_arrays(random), shards=2)
    shard = folder / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged"):
        convert(folder)
    shard.unlink()
    with pytest.raises(FileNotFoundError, match="model-00002-of-00002"):
        convert(folder)


def test_no_folder_at_all_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such checkpoint"):
        convert(tmp_path / "none")


@pytest.mark.parametrize(
    "name",
    [
        "embeddings.word_embeddings.weight",
        "embeddings.position_embeddings.weight",
        "embeddings.token_type_embeddings.weight",
        "encoder.layer.1.intermediate.dense.weight",
    ],
)
def test_what_states_a_size_must_be_there_before_a_model_is_made(
    name, random, tmp_path, monkeypatch
):
    arrays = bert_arrays(random)
    del arrays[name]
    folder = checkpoints.write(tmp_path / "bert", BERT, arrays)
    monkeypatch.setattr(registry, "get", lambda *_, **__: pytest.fail("it was made"))
    with pytest.raises(ValueError, match=f"Missing: {name}"):
        convert(folder)


# The command


def test_the_command_writes_a_preset_that_answers_the_same(run, random, tmp_path):
    config = BERT | LABELS
    folder = checkpoints.write(tmp_path / "bert", config, bert_arrays(random, 3))
    code, out, err = run("convert", folder, "--out", tmp_path / "mine")
    assert (code, out.strip()) == (0, str(tmp_path / "mine"))
    assert "a classifier of 3 outputs" in err
    found = Pretrained(load_preset(tmp_path / "mine")).predict(TEXTS)
    expected = Pretrained(convert(folder)).predict(TEXTS)
    assert [one.scores for one in found] == [one.scores for one in expected]


@pytest.mark.parametrize("message", [*REFUSED][:2])
def test_the_command_leaves_nothing_half_written(run, tmp_path, message):
    folder = checkpoints.write(tmp_path / "bert", *broken(REFUSED[message]))
    code, out, err = run("convert", folder, "--out", tmp_path / "mine")
    assert (code, out) == (1, "")
    assert "are not those of its config.json" in err
    assert [path.name for path in tmp_path.iterdir()] == ["bert"]


def test_what_is_there_is_not_overwritten(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").touch()
    for place in ("mine", "mine/precious"):
        # The source is not there, either: nothing was read.
        code, out, err = run("convert", tmp_path / "x", "--out", tmp_path / place)
        assert (code, out) == (1, "")
        assert "holds something already" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["precious"]


# Beside the library that they come from


def transformers_model(kind, problem, count):
    """A model of random weights, larger than its usual ones, and its config."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    names = dict(enumerate(["坏", "good", "so-so"][:count]))
    about = {"id2label": names, "label2id": {v: k for k, v in names.items()}}
    about |= {"problem_type": problem, "num_labels": count} if count else {}
    prefix = "DistilBert" if kind == "distilbert" else "Bert"
    own = DISTIL if kind == "distilbert" else BERT
    own = {key: own[key] for key in own if key not in ("model_type", "architectures")}
    config = getattr(transformers, f"{prefix}Config")(
        **own | {"vocab_size": len(PIECES)} | (about if count else {})
    )
    name = f"{prefix}ForSequenceClassification" if count else f"{prefix}Model"
    torch.manual_seed(5)
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4)
    return torch, model


@pytest.mark.parametrize(
    "kind, problem, count",
    [
        ("bert", None, 0),
        ("bert", "single_label_classification", 3),
        ("bert", "multi_label_classification", 3),
        ("bert", "regression", 1),
        ("distilbert", "single_label_classification", 3),
    ],
)
def test_states_and_outputs_are_those_of_transformers(kind, problem, count, tmp_path):
    torch, model = transformers_model(kind, problem, count)
    model.save_pretrained(tmp_path, safe_serialization=True, max_shard_size="4KB")
    (tmp_path / "vocab.txt").write_text("".join(f"{p}\n" for p in PIECES), "utf-8")
    preset = convert(tmp_path)
    ids = ids_of(preset)
    types = [types_of(row) for row in ids]
    given = {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(ids > 0)}
    if kind == "bert":
        given["token_type_ids"] = torch.tensor(types)
    with torch.no_grad():
        answer = model(**given, output_hidden_states=True)
    own = preset.model.states(ids)
    for found, expected in zip(own, answer.hidden_states, strict=True):
        difference = np.abs(np.asarray(found) - expected.numpy())[ids > 0]
        assert difference.max() < 1e-5
    if count:
        outputs = np.asarray(preset.model({"token_ids": ids}))
        np.testing.assert_allclose(outputs, answer.logits.numpy(), atol=1e-5)
