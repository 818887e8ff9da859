"""Marian's checkpoints, against NumPy and, where it is installed, their own library."""

import json
import re
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

from tests.converters import marian_checkpoints as checkpoints
from tests.converters import torch_files
from tests.converters.marian_checkpoints import CONFIG, ENGLISH, GENERATION, GERMAN
from tests.references import marian
from tests.references.generate import generate
from zoo import registry
from zoo.converters.marian import FAMILY, convert_marian
from zoo.converters.parity_marian import compare_marian, compare_translator
from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID
from zoo.export.audit import audit
from zoo.presets import load_preset, save_preset
from zoo.weights import assign_arrays, model_arrays

TEXTS = [
    "The lazy fox jumps.",
    "dogs",
    ">>deu<< The quick dog or zebras.",
    ">>deu<<brown",
    ">>xyz<< fox",
    "x >>deu<< fox",
    "Füchse 🙂🙂 über 知识",
    "  two \t spaces\u3000",
    "</s> <unk> <pad> <s>",
    "",
]
# Of pairs without padding: source and target pieces.
LENGTHS = ((7, 5), (2, 9), (5, 1), (11, 4))
KINDS = {
    "shared": {},
    "separate": {
        "activation_function": "relu",
        "scale_embedding": False,
        "share_encoder_decoder_embeddings": False,
    },
    "untied": {"activation_function": "gelu", "tie_word_embeddings": False},
}


class Original(NamedTuple):
    """A checkpoint as its tests know it."""

    kind: str
    folder: object
    config: dict
    arrays: dict
    tables: list

    def ids(self, text) -> list[int]:
        """What Marian's tokenizer gives, by sentencepiece and vocab.json alone."""
        proto = (self.folder / "source.spm").read_bytes()
        processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
        code = ""
        if text.startswith(">>") and "<<" in text:
            code = text[: text.index("<<") + 2]
        pieces = [code] if code else []
        pieces += processor.encode(text[len(code) :], out_type=str)
        table = self.tables[0]
        return [*(table.get(p, table["<unk>"]) for p in pieces), table["</s>"]]

    def logits(self, source, target):
        return marian.logits(source, target, self.arrays, self.config)

    @property
    def padding(self) -> int:
        return self.tables[-1]["<pad>"]

    def log_probs(self, source, ids):
        """As `generate` with renormalize_logits: padding is never written."""
        logits = self.logits(source, [self.padding, *ids])[-1]
        logits[self.padding] = -np.inf
        highest = logits.max()
        return logits - highest - np.log(np.exp(logits - highest).sum())

    def write(self, ids) -> str:
        """Joined pieces without the special ones."""
        pieces = {number: piece for piece, number in self.tables[-1].items()}
        special = ("</s>", "<unk>", "<pad>")
        text = "".join(pieces[n] for n in ids if pieces[n] not in special)
        return text.replace("▁", " ").strip()


@pytest.fixture(scope="module")
def spms():
    return checkpoints.learn(ENGLISH, 41), checkpoints.learn(GERMAN, 47)


@pytest.fixture(scope="module", params=KINDS)
def original(request, spms, tmp_path_factory):
    return make(request.param, spms, tmp_path_factory.mktemp("marian"))


def make(kind, spms, parent, **changes):
    """A checkpoint of one of the kinds, on disk."""
    random = np.random.default_rng(11)
    config = CONFIG | KINDS[kind] | changes
    sources, targets = map(checkpoints.pieces_of, spms)
    # Tables do not have all that is cut, and have what is never cut.
    sources.remove("z")
    if kind == "separate":
        tables = [checkpoints.number(sources), checkpoints.number(targets)]
        config["decoder_start_token_id"] = tables[1]["<pad>"]
    else:
        order = random.permutation([*targets, *sources, ">>deu<<", "🙂🙂", "知识"])
        tables = [checkpoints.number(order.tolist())]
    arrays = checkpoints.make_arrays(
        random,
        config,
        len(tables[0]),
        len(tables[-1]),
        shared=kind != "separate",
        tied=kind != "untied",
    )
    folder = checkpoints.write(parent / kind, config, arrays, *spms, tables)
    return Original(kind, folder, config, arrays, tables)


@pytest.fixture(scope="module")
def preset(original):
    return convert_marian(original.folder)


def own_ids(preset, original, side, ids):
    """Ids of the checkpoint as ids of the preset."""
    vocabulary = (preset.task.source_vocabulary, preset.task.target_vocabulary)[side]
    table = {number: piece for piece, number in original.tables[side and -1].items()}
    special = {"<pad>": PADDING_ID, "</s>": END_ID, "<unk>": UNKNOWN_ID}
    return [special.get(table[n]) or vocabulary.ids[table[n]] for n in ids]


def pairs(original):
    """Sources and targets of the checkpoint's ids, without what is special."""
    random = np.random.default_rng(5)
    for length, target in LENGTHS:
        yield (
            [*random.integers(2, len(original.tables[0]) - 1, size=length), 0],
            [*random.integers(2, len(original.tables[-1]) - 1, size=target)],
        )


def largest_difference(model, preset, original) -> float:
    """Of the logits of a padded batch, from those of each pair alone."""
    found = [*pairs(original)]
    sources, targets = np.zeros((4, 12), "int32"), np.zeros((4, 10), "int32")
    for row, (source, target) in enumerate(found):
        sources[row, : len(source)] = own_ids(preset, original, 0, source)
        targets[row, 0] = START_ID
        targets[row, 1 : len(target) + 1] = own_ids(preset, original, 1, target)
    logits = np.asarray(model({"source_ids": sources, "target_ids": targets}))
    columns = range(len(original.tables[-1]) - 1)
    own = own_ids(preset, original, 1, columns)
    worst = 0.0
    for row, (source, target) in enumerate(found):
        expected = original.logits(source, [original.padding, *target])
        difference = logits[row, : len(expected), own].T - expected[:, columns]
        worst = max(worst, np.abs(difference).max())
    return worst


# Numbers


def test_logits_are_those_of_the_papers_equations(preset, original):
    assert largest_difference(preset.model, preset, original) < 1e-4
    # The start is never written; padding is neither, if `generate` leaves it out.
    bias = model_arrays(preset.model)["output_bias"]
    np.testing.assert_array_equal(bias[[PADDING_ID, START_ID]], -100.0)


@pytest.mark.parametrize("original", ["shared"], indirect=True)
@pytest.mark.parametrize(
    "wrong",
    [
        {"position_layout": "interleaved"},
        {"position_layout": "tensor2tensor"},
        {"embedding_scale": 1.01},
        {"norm": "pre"},
        {"activation": "tanh"},
        "output_bias",
        "decoder_0/cross_attention/value/bias",
    ],
    ids=str,
)
def test_a_model_that_differs_in_one_thing_is_seen(wrong, preset, original):
    part = preset.recipe.model
    changes = wrong if isinstance(wrong, dict) else {}
    model = part.resolve()(**part.options | preset.task.model_options() | changes)
    model.build(None)
    arrays = model_arrays(preset.model)
    if isinstance(wrong, str):
        arrays[wrong] = np.zeros_like(arrays[wrong])
    reset = ["(en|de)coder_norm/.*"] if "norm" in changes else []
    assign_arrays(model, arrays, "here", reset=reset)
    assert largest_difference(model, preset, original) > 1e-3


# Texts


def test_texts_have_the_ids_of_sentencepiece_and_the_table(preset, original):
    expected = [own_ids(preset, original, 0, original.ids(text)) for text in TEXTS]
    if original.kind == "shared":
        unknown = [row.count(UNKNOWN_ID) for row in expected]
        # "z", the code that is none, and "Fü": the table has "🙂🙂", "ü" and "知识",
        # which SentencePiece does not know.
        assert (unknown[2], unknown[4], unknown[6]) == (1, 1, 1)
    source = preset.task.codecs[0]
    ids, truncated = source.encode(tf.constant(TEXTS))
    assert ids.to_list() == expected
    assert not truncated.numpy().any()
    processor = preset.task.source_vocabulary.processor
    assert processor.encode(TEXTS) == [row[:-1] for row in expected]
    pieces = processor.encode(TEXTS, out_type=str)
    assert [*map(len, pieces)] == [len(row) - 1 for row in expected]


def test_pieces_say_where_they_stand(preset):
    source = preset.task.codecs[0]
    starts, ends = (side.numpy() for side in source.spans(tf.constant(TEXTS)))
    for row, pieces in enumerate(
        preset.task.source_vocabulary.processor.encode(TEXTS, out_type=str)
    ):
        text = TEXTS[row].encode()
        for piece, start, end in zip(pieces, starts[row], ends[row], strict=False):
            found = re.sub(r"\s", "", text[start:end].decode())
            assert found == piece.replace("▁", ""), (TEXTS[row], piece)


def test_ids_are_written_as_joined_pieces_without_special_ones(preset, original):
    random = np.random.default_rng(3)
    rows = random.integers(0, len(original.tables[-1]) - 1, size=(13, 9))
    expected = [original.write(row) for row in rows]
    own = [own_ids(preset, original, 1, row) for row in rows]
    found = preset.task.codecs[1].decode(own)
    assert [text.decode() for text in found.numpy()] == expected
    processor = preset.task.target_vocabulary.processor
    assert [processor.decode(row) for row in own] == expected


@pytest.mark.parametrize("original", ["shared"], indirect=True)
def test_its_export_translates_as_generate_does(preset, original, tmp_path):
    """The same texts and scores by plain loops over the reference's numbers."""
    save_preset(preset, tmp_path / "mine")
    again = load_preset(tmp_path / "mine")
    assert again.task.decoding == preset.task.decoding
    assert again.task.max_pieces == preset.task.max_pieces
    exported = again.task.runner(again.model).exported(num_hypotheses=3)
    translate = exported.signatures["n_best"]
    tf.saved_model.save(exported.module, tmp_path / "served", translate)
    assert "LookupTableFindV2" in audit(tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served").signatures["serving_default"]
    texts = ["fox", "", "Dogs.", "zx"]
    found = {
        name: values.numpy()
        for name, values in served(texts=tf.constant(texts)).items()
    }
    tokens = [n for n in range(1, len(original.tables[-1])) if n != original.padding]
    for row, text in enumerate(texts):
        source = original.ids(text)
        longest = 2 * len(source) + 10 if text else 1
        expected = generate(
            partial(original.log_probs, source), tokens, 0, longest, beams=3
        )
        written = [one.decode() for one in found["translations"][row]]
        count = len(expected)
        assert written[:count] == [original.write(ids) for _, ids in expected]
        scores = [score for score, _ in expected]
        np.testing.assert_allclose(found["scores"][row, :count], scores, atol=1e-4)
        target, width = len(expected[0][1]), len(source)
        weights = found["alignment"][row, 0, :target, :width]
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize(
    "asked, decoding",
    [
        ({}, {}),
        ({"early_stopping": True, "length_penalty": 0.6}, {"stopping": "full"}),
        ({"early_stopping": "never", "num_beams": None}, {"stopping": "sure"}),
        ({"min_length": 4, "no_repeat_ngram_size": 3}, {"min_length": 3}),
        ({"bad_words_ids": [[5], [1]]}, {"allow_unknown": False}),
    ],
)
def test_it_is_decoded_as_its_config_says(asked, decoding, spms, tmp_path):
    original = make("shared", spms, tmp_path)
    path = original.folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | asked))
    task = convert_marian(original.folder).task
    usual = {"length_form": "plain", "stopping": "likely", "allow_unknown": True}
    usual["beam_size"] = asked.get("num_beams", 3) or 1
    usual["length_penalty"] = asked.get("length_penalty", 1.0)
    if "no_repeat_ngram_size" in asked:
        usual["no_repeat_ngram"] = 3
    if "bad_words_ids" in asked:
        pieces = {number: piece for piece, number in original.tables[0].items()}
        usual["suppress"] = [pieces[5]]
    assert task.decoding == usual | decoding
    # 53 tokens, the start among them.
    assert task.max_pieces == 52


def test_padding_counts_where_generate_counts_it(spms, tmp_path):
    original = make("shared", spms, tmp_path)
    path = original.folder / "generation_config.json"
    path.write_text(json.dumps(GENERATION | {"renormalize_logits": False}))
    model = convert_marian(original.folder).model
    padding = original.arrays["final_logits_bias"][0, original.padding]
    bias = model_arrays(model)["output_bias"]
    np.testing.assert_allclose(bias[[PADDING_ID, START_ID]], [padding, -100.0])


# Presets


def test_drawn_pieces_spell_the_same_text(preset):
    vocabulary = preset.task.target_vocabulary
    one, other = (vocabulary.sample(GERMAN, seed) for seed in (1, 2))
    assert one != other
    assert one == vocabulary.sample(GERMAN, 1)
    assert [vocabulary.processor.decode(row) for row in one] == GERMAN


def test_its_card_says_what_to_begin_a_text_with(preset, original):
    assert preset.card["source"]["family"] == "marian"
    codes = preset.card.get("target_codes")
    assert codes == (None if original.kind == "separate" else [">>deu<<"])


# Files


def test_pickles_of_torch_are_read_as_tensors(spms, tmp_path):
    original = make("shared", spms, tmp_path)
    expected = model_arrays(convert_marian(original.folder).model)
    (original.folder / "model.safetensors").unlink()
    torch_files.write(original.folder / "pytorch_model.bin", original.arrays)
    found = model_arrays(convert_marian(original.folder).model)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_words_are_found_under_any_of_their_names(spms, tmp_path):
    original = make("shared", spms, tmp_path)
    expected = model_arrays(convert_marian(original.folder).model)
    words = [name for name in original.arrays if "embed_" in name or "shared" in name]
    for kept in (*words, "lm_head.weight"):
        arrays = {
            name: array
            for name, array in original.arrays.items()
            if name == kept or name not in (*words, "lm_head.weight")
        }
        rewrite(original, arrays)
        found = model_arrays(convert_marian(original.folder).model)
        np.testing.assert_array_equal(
            found["embedding/embeddings"], expected["embedding/embeddings"]
        )


def rewrite(original, arrays):
    (original.folder / "model.safetensors").unlink()
    path = original.folder.parent / "again"
    checkpoints.write(path, original.config, arrays, b"", b"", original.tables)
    (path / "model.safetensors").rename(original.folder / "model.safetensors")
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


def test_stored_positions_must_be_the_computed_ones(spms, tmp_path):
    original = make("shared", spms, tmp_path)
    name = "model.encoder.embed_positions.weight"
    table = [marian.positions.halves(n, 12) for n in range(61)]
    rewrite(original, original.arrays | {name: np.array(table, "float32")})
    convert_marian(original.folder)
    table = [marian.positions.interleaved(n, 12) for n in range(61)]
    rewrite(original, original.arrays | {name: np.array(table, "float32")})
    with pytest.raises(ValueError, match=f"{re.escape(name)} .* other positions"):
        convert_marian(original.folder)


CHANGES = {
    "needed False": ("config.json", {"normalize_before": True}),
    "activation_function: 'tanh'": ("config.json", {"activation_function": "tanh"}),
    r"as many heads .*\[3, 2\]": ("config.json", {"decoder_attention_heads": 2}),
    "Of another shape: .*fc1.weight is": ("config.json", {"encoder_ffn_dim": 20}),
    "Left over: model.decoder.layers.0": ("config.json", {"decoder_layers": 0}),
    "encoder_layers=10{6}, and there are": ("config.json", {"encoder_layers": 10**6}),
    "Missing: model.encoder.layers.2.fc1": ("config.json", {"encoder_layers": 3}),
    "numbers eos 0, and config.json says 7": ("config.json", {"eos_token_id": 7}),
    r"repetition_penalty: 1.2": ("generation_config.json", {"repetition_penalty": 1.2}),
    "length_penalty .* Received: None": (
        "generation_config.json",
        {"length_penalty": None},
    ),
    "length_penalty must be at least 0": (
        "generation_config.json",
        {"length_penalty": -0.5},
    ),
    "num_beams in .* from 1 on. Received: -2": (
        "generation_config.json",
        {"num_beams": -2},
    ),
    "max_length in .* from 2 on": ("generation_config.json", {"max_length": 1}),
    "min_length in .*'five'": ("generation_config.json", {"min_length": "five"}),
    "early_stopping in .*'often'": (
        "generation_config.json",
        {"early_stopping": "often"},
    ),
    "bad_words_ids in .* Received: 5000": (
        "generation_config.json",
        {"bad_words_ids": [[5000]]},
    ),
    "max_position_embeddings in .*'61'": (
        "config.json",
        {"max_position_embeddings": "61"},
    ),
    "bad_words_ids of several": (
        "generation_config.json",
        {"bad_words_ids": [[4, 5]]},
    ),
    "each number once": ("vocab.json", {"<unk>": 0}),
    "vocab.json. Of another shape": ("vocab.json", {"more": None}),
    "no piece '<end>', which is its eos": (
        "tokenizer_config.json",
        {"eos_token": {"content": "<end>"}},
    ),
}


@pytest.mark.parametrize("message", CHANGES)
def test_what_does_not_go_together_is_refused_by_name(message, spms, tmp_path):
    original = make("shared", spms, tmp_path)
    file, change = CHANGES[message]
    content = json.loads((original.folder / file).read_text())
    if "more" in change:
        change = {"more": len(content)}
    (original.folder / file).write_text(json.dumps(content | change))
    if message.startswith("Left over"):
        message = "decoder_layers=0, and there are"
    with pytest.raises(ValueError, match=message):
        convert_marian(original.folder)


def test_what_states_a_size_must_be_there_before_a_model_is_made(
    spms, tmp_path, monkeypatch
):
    original = make("shared", spms, tmp_path)
    name = "model.decoder.layers.0.fc1.weight"
    arrays = dict(original.arrays)
    del arrays[name]
    rewrite(original, arrays)
    monkeypatch.setattr(registry, "get", lambda *_, **__: pytest.fail("it was made"))
    with pytest.raises(ValueError, match=f"Missing: {name}"):
        convert_marian(original.folder)


def test_texts_have_an_end_whatever_a_config_says(spms, tmp_path):
    original = make("shared", spms, tmp_path, max_position_embeddings=10**12)
    path = original.folder / "generation_config.json"
    path.write_text(json.dumps(GENERATION | {"max_length": 10**12}))
    assert convert_marian(original.folder).task.max_pieces == 4096


@pytest.mark.parametrize("name", ["source.spm", "target.spm", "vocab.json"])
def test_a_missing_or_damaged_file_is_named(name, spms, tmp_path):
    original = make("shared", spms, tmp_path)
    (original.folder / name).write_bytes(b"\x00nothing")
    with pytest.raises(ValueError, match=re.escape(name)):
        convert_marian(original.folder)
    (original.folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"no {re.escape(name)}"):
        convert_marian(original.folder)


def test_only_its_own_folders_are_recognised(original, tmp_path):
    assert FAMILY.recognises(original.folder)
    assert not FAMILY.recognises(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert not FAMILY.recognises(tmp_path)


# Beside the library


def test_a_comparison_sees_the_model_and_what_differs(preset, original):
    def ask(kind, calls):
        assert kind == "translator"
        (call,) = calls
        found = np.zeros((*call["decoder_input_ids"].shape, len(original.tables[-1])))
        for row, (source, real, target) in enumerate(zip(*call.values(), strict=True)):
            found[row] = original.logits(source[real > 0], target)
        return [{"logits": found}]

    rows = compare_translator(preset, ask, original.folder)
    assert [name for name, _ in rows] == [f"logits, sentence {n}" for n in (1, 2, 3, 4)]
    assert max(value for _, value in rows) < 1e-4
    original.arrays["final_logits_bias"][0, 9] += 0.01
    rows = compare_translator(preset, ask, original.folder)
    original.arrays["final_logits_bias"][0, 9] -= 0.01
    assert min(value for _, value in rows) > 5e-3


def test_logits_are_those_of_transformers(preset, original):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    rows = compare_marian(preset, original.folder)
    assert max(value for _, value in rows) < 1e-4
