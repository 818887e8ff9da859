"""Tiny students with random weights against Marian's decoder in NumPy."""

import numpy as np
import pytest
import sentencepiece

from tests.converters.marian_files import (
    CONFIG,
    H,
    M,
    N,
    U,
    marian_arrays,
    marian_vocabulary,
    write_bin,
)
from tests.references import bergamot
from zoo import registry
from zoo.converters.bergamot import FAMILY, convert_bergamot
from zoo.data.vocabulary import END_ID, START_ID
from zoo.presets import load_preset, save_preset
from zoo.weights import model_arrays

SOURCES = ["a cat sat on the mat", "the dog"]


@pytest.fixture(scope="module")
def vocabulary():
    return marian_vocabulary()


def rows_of(proto) -> int:
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    return processor.get_piece_size()


@pytest.fixture(scope="module")
def student(tmp_path_factory, vocabulary):
    """A folder, and what its weights stand for."""
    folder = tmp_path_factory.mktemp("enpt")
    arrays = marian_arrays(np.random.default_rng(3), rows_of(vocabulary))
    meant = write_bin(folder / "model.enpt.intgemm.alphas.bin", arrays)
    (folder / "vocab.enpt.spm").write_bytes(vocabulary)
    (folder / "lex.50.50.enpt.s2t.bin").write_bytes(b"not read")
    return folder, meant


@pytest.fixture(scope="module")
def preset(student):
    return convert_bergamot(student[0])


def expected(source_ids, target_ids, weights, tables):
    """Logits and the first head's alignment along a target, by Marian's ids."""
    memory = bergamot.encode(source_ids, weights, N, H, tables[0])
    cells, logits, shares = bergamot.start(M, U), [], []
    for number, word in enumerate([None, *target_ids]):
        row, cells, seen = bergamot.step(
            word, number, cells, memory, weights, H, tables[1]
        )
        logits.append(row)
        shares.append(seen[0])
    return np.array(logits), np.array(shares)


def check(preset, weights, protos, tables=("Wemb", "Wemb")):
    """Both ways through the model, on a padded batch."""
    source, target = (
        sentencepiece.SentencePieceProcessor(model_proto=proto) for proto in protos
    )
    ids, _ = preset.task.codecs[0].encode(SOURCES)
    ids, model = ids.to_tensor().numpy(), preset.model
    assert ids[1, -1] == 0
    written = target.encode("gato na mesa o")
    inputs = np.array([[START_ID, *(n + 2 for n in written)]] * 2)
    logits, weights_of = (np.array(each) for each in model.force(ids, inputs))
    memory = model.encode(ids)
    state = model.initial_state(memory)
    stepped = []
    for column in inputs.T:
        row, state, _ = model.step(column, state, memory)
        stepped.append(np.array(row))
    np.testing.assert_allclose(np.stack(stepped, 1), logits, atol=1e-5)
    for n, text in enumerate(SOURCES):
        given = [*source.encode(text), 0]
        wanted, seen = expected(given, written, weights, tables)
        # The end and unknown, which came first, and then all others as they were.
        np.testing.assert_allclose(logits[n, :, 2:], wanted, atol=1e-4)
        np.testing.assert_allclose(
            weights_of[n, :, : len(given)], seen, atol=1e-5, rtol=1e-4
        )
        assert (logits[n, :, :2] < -99).all()


def test_logits_and_alignment_are_those_of_marian(student, preset, vocabulary):
    check(preset, student[1], [vocabulary, vocabulary])


def test_languages_with_a_vocabulary_each_are_read(tmp_path, random):
    protos = [
        marian_vocabulary(texts=["a cat sat on the mat", "dogs sat"]),
        marian_vocabulary(texts=["um gato na mesa", "o cachorro come"]),
    ]
    sizes = [rows_of(proto) for proto in protos]
    assert sizes[0] != sizes[1]
    arrays = marian_arrays(random, sizes[1], ["decoder_Wemb"])
    arrays["encoder_Wemb"] = random.normal(size=(sizes[0], U)).astype("float32")
    config = CONFIG.replace("embeddings: false", "embeddings: true")
    config = config.replace("embeddings-all: true", "embeddings-all: false")
    weights = write_bin(tmp_path / "model.bin", arrays, config, int8=False)
    for side, proto in zip(("src", "trg"), protos, strict=True):
        (tmp_path / f"{side}vocab.enpt.spm").write_bytes(proto)
    preset = convert_bergamot(tmp_path)
    check(preset, weights, protos, ("encoder_Wemb", "decoder_Wemb"))


def test_a_preset_of_it_comes_back_and_says_where_it_is_from(preset, tmp_path):
    save_preset(preset, tmp_path / "preset")
    again = load_preset(tmp_path / "preset")
    arrays, expected = model_arrays(again.model), model_arrays(preset.model)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
    assert again.task.source_vocabulary is again.task.target_vocabulary
    assert again.task.source_vocabulary.sha256 == preset.task.source_vocabulary.sha256
    assert again.recipe.options["alignment_head"] == 0
    assert "Mozilla Public License" in again.card["notice"]
    assert again.card["source"]["written_by"] == "Marian v1.9.56 94aeaa46"


def test_folders_are_recognised_by_their_files(student, tmp_path):
    assert FAMILY.recognises(student[0])
    assert not FAMILY.recognises(tmp_path)
    assert not FAMILY.recognises(tmp_path / "nothing")
    (tmp_path / "model.bin").write_bytes(b"")
    assert not FAMILY.recognises(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dec-cell", "gru", "dec-cell: 'gru', needed 'ssru'"),
        ("transformer-decoder-autoreg", "self-attention", "needed 'rnn'"),
        ("transformer-preprocess", "n", "transformer-preprocess: 'n'"),
        ("transformer-heads", "five", "does not state its sizes"),
        ("transformer-tied-layers", "1", "transformer-tied-layers"),
        ("tied-embeddings-all", "false", "must be tied"),
        ("enc-depth", str(N + 1), rf"Missing: .*encoder_l{N + 1}_ffn_W1"),
        ("dec-depth", str(M - 1), rf"Left over: .*decoder_l{M}_rnn_W"),
        ("enc-depth", str(10**12), "enc-depth=10{12}, and has"),
        ("dec-depth", "0", "dec-depth=0, and has"),
        ("dim-emb", str(2 * U), rf"Of another shape: Wemb is .*{U}\), not .*{2 * U}"),
    ],
)
def test_other_architectures_are_refused(
    tmp_path, random, vocabulary, name, value, message, monkeypatch
):
    lines = [
        f"{name}: {value}" if line.startswith(f"{name}:") else line
        for line in CONFIG.splitlines()
    ]
    lines += [] if f"{name}:" in CONFIG else [f"{name}: {value}"]
    arrays = marian_arrays(random, rows_of(vocabulary))
    write_bin(tmp_path / "model.bin", arrays, "\n".join(lines), int8=False)
    (tmp_path / "vocab.spm").write_bytes(vocabulary)
    # What costs memory is seen before a model is made.
    if name in ("enc-depth", "dim-emb"):
        monkeypatch.setattr(registry, "get", lambda *_, **__: pytest.fail("made"))
    with pytest.raises(ValueError, match=message):
        convert_bergamot(tmp_path)


def test_files_of_other_models_are_refused(student, tmp_path, random, vocabulary):
    arrays = marian_arrays(random, rows_of(vocabulary) + 3)
    write_bin(tmp_path / "model.bin", arrays)
    with pytest.raises(FileNotFoundError, match=r"one vocabulary.*vocab\.\*\.spm"):
        convert_bergamot(tmp_path)
    (tmp_path / "vocab.spm").write_bytes(vocabulary)
    with pytest.raises(ValueError, match="the vocabulary is of another model"):
        convert_bergamot(tmp_path)
    (tmp_path / "model.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"Found: model\.bin, model\.npz"):
        convert_bergamot(tmp_path)


def test_an_empty_text_is_only_its_end(preset):
    ids, _ = preset.task.codecs[0].encode([""])
    assert ids.to_list() == [[END_ID]]
