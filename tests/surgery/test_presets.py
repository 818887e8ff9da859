from itertools import pairwise

import numpy as np
import pytest

from tests.surgery.models import texts as words
from zoo import registry
from zoo.data.table_vocabulary import TableVocabulary
from zoo.data.vocabulary import END_ID, Vocabulary
from zoo.presets import Preset, load_preset, save_preset
from zoo.pretrained import Pretrained
from zoo.surgery import extend_vocabulary, trim_vocabulary
from zoo.surgery.corpora import frequent_joins, texts_of
from zoo.surgery.piece_change import PieceChange
from zoo.surgery.presets import new_pieces
from zoo.tasks.translation import TranslationTask

CLASSIFIERS = ("rnn", "bert")
CORPUS = ["the cat saw the fox", "Rain. Rain, and the owl! ☃", ""]


def made(name, **options):
    """A preset of random weights, none of them as layers make them."""
    recipe = registry.get(name, size="tiny", **options)
    kind = recipe.task.resolve()
    task = kind.learn(kind.made_up(60), **recipe.task.options)
    return filled(Preset(recipe, task, recipe.build_model(task.model_options()), {}))


def filled(preset):
    random = np.random.default_rng(7)
    for weight in preset.model.weights:
        if weight.dtype == "float32":
            numbers = random.normal(scale=0.3, size=tuple(weight.shape))
            weight.assign(numbers.astype("float32"))
    preset.card |= {"licence": "MIT", "scores": {"accuracy": 0.5}, "commands": {}}
    return preset


@pytest.fixture(scope="module", params=CLASSIFIERS)
def classifier(request):
    return made(f"text_classification_{request.param}")


@pytest.fixture(scope="module", params=["shared", "separate"])
def translator(request):
    return made("translation_transformer", vocabulary=request.param, vocabulary_size=60)


def scores(preset, texts):
    """What a classifier says of texts, to the last bit."""
    ids = preset.task.codec.encode(texts)[0].to_tensor()
    return np.asarray(preset.model({"token_ids": ids})).tolist()


# Trimming


def test_an_encoder_answers_to_its_corpus_to_the_last_bit(classifier, tmp_path):
    done = trim_vocabulary(classifier, [CORPUS])
    assert (done.texts, done.changed) == (3, 0)
    ((before, after),) = done.pieces
    assert after < before == classifier.task.vocabulary.size
    assert done.weights[1] < done.weights[0] == classifier.model.count_params()
    assert done.preset.model.count_params() == done.weights[1]
    assert scores(done.preset, CORPUS) == scores(classifier, CORPUS)
    save_preset(done.preset, tmp_path / "mine")
    again = load_preset(tmp_path / "mine")
    assert scores(again, CORPUS) == scores(classifier, CORPUS)
    assert again.recipe.training == classifier.recipe.training
    assert again.card["licence"] == "MIT"
    assert "scores" not in again.card
    assert again.card["vocabulary"] == [
        {"parent": "unnamed", "done": "trimmed", "pieces": [[before, after]]}
    ]


def test_documents_are_cut_into_sentences_as_before():
    """Each sentence begins with a piece of its own kind."""
    recipe = registry.get("text_classification_hierarchical", size="tiny")
    kind = recipe.task.resolve()
    task = kind.learn(kind.made_up(60), **recipe.task.options)
    preset = Preset(recipe, task, recipe.build_model(task.model_options()), {})
    done = trim_vocabulary(preset, [CORPUS])
    assert (done.texts, done.changed) == (3, 0)
    assert done.pieces[0][1] < done.pieces[0][0]


def test_too_few_pieces_change_texts_and_say_so(classifier):
    least = trim_vocabulary(classifier, [[""]]).pieces[0][1]
    done = trim_vocabulary(classifier, [CORPUS], keep=least)
    assert done.pieces[0][1] == least
    assert done.changed == 2
    with pytest.raises(ValueError, match=f"Received: keep={least - 1}"):
        trim_vocabulary(classifier, [CORPUS], keep=least - 1)


def ids(preset, side, texts):
    return preset.task.codecs[side].encode(texts)[0].to_tensor().numpy()


def test_a_translator_s_logits_stay_those_of_the_pieces_that_stay(translator):
    sources, targets = ["sun moon", "tree", "rain"], ["月日", "木", "雨风"]
    done = trim_vocabulary(translator, [sources, targets])
    assert (done.texts, done.changed) == (6, 0)
    assert len(done.pieces) == (1 if translator.model.share_embeddings else 2)
    small, answers = done.preset, []
    for preset in (translator, small):
        source, target = (
            ids(preset, side, texts) for side, texts in enumerate((sources, targets))
        )
        inputs = {"source_ids": source, "target_ids": target}
        answers.append(np.asarray(preset.model(inputs)))
    former, now = (
        [v.id_to_piece(n) for n in range(v.get_piece_size())]
        for v in (one.task.target_vocabulary.processor for one in (translator, small))
    )
    assert len(now) < len(former)
    kept = [former.index(piece) for piece in now]
    np.testing.assert_allclose(answers[1], answers[0][..., kept], atol=1e-5)


def test_a_translator_whose_target_pieces_all_stay_writes_the_same():
    recipe = registry.get("translation_transformer", size="tiny")
    # The target has nothing but characters.
    target = Vocabulary.learn(["日月雨风木叶根种"] * 9, 13, keep_characters=True)
    task = TranslationTask(Vocabulary.learn(words(300), 90), target)
    preset = filled(Preset(recipe, task, recipe.build_model(task.model_options()), {}))
    sources = ["the cats ran", "old", "raining dogs catalogue 知识"]
    done = trim_vocabulary(preset, [sources, ["木"]])
    # Only the source has become smaller.
    assert done.pieces[0][1] < done.pieces[0][0]
    assert done.pieces[1][1] == done.pieces[1][0]
    greedy = {"beam_size": 1}
    assert Pretrained(done.preset)(sources, **greedy) == Pretrained(preset)(
        sources, **greedy
    )


def test_a_translator_with_tables_is_trimmed():
    """As checkpoints of Marian have them: two models of SentencePiece, one table."""
    shared = TranslationTask.learn(TranslationTask.made_up(60), 60, shared=True)
    cut = shared.source_vocabulary.processor
    pieces = [cut.id_to_piece(n) for n in range(cut.get_piece_size())]
    # Numbered otherwise than in the model, with a code and a piece of no model.
    pieces = [*pieces[:4], ">>zho<<", "strange", "stranger", *pieces[:3:-1]]
    sides = [TableVocabulary(cut.serialized_model_proto(), pieces) for _ in range(2)]
    recipe = registry.get("translation_transformer", size="tiny", vocabulary="shared")
    task = TranslationTask(*sides, decoding={"suppress": ["strange"]})
    model = recipe.build_model(task.model_options())
    preset = filled(Preset(recipe, task, model, {}))
    texts = [[">>zho<< sun moon", "tree"], ["月日", "木"]]
    done = trim_vocabulary(preset, texts)
    assert (done.texts, done.changed) == (4, 0)
    small = done.preset.task
    assert small.source_vocabulary.pieces == small.target_vocabulary.pieces
    assert ">>zho<<" in small.source_vocabulary.pieces
    assert "strange" in small.source_vocabulary.pieces
    assert "stranger" not in small.source_vocabulary.pieces
    assert done.pieces[0] == done.pieces[1]
    for side in (0, 1):
        before, after = (
            [
                one.task.source_vocabulary.pieces[n]
                for n in ids(one, side, texts[side]).ravel()
            ]
            for one in (preset, done.preset)
        )
        assert before == after
    # Nothing is unknown that was not.
    others = ["seed root leaf wind", "猫"]
    for one in (preset, done.preset):
        assert (ids(one, 0, others) == 3).sum() == (ids(preset, 0, others) == 3).sum()
    with pytest.raises(ValueError, match="keep is not for"):
        trim_vocabulary(preset, texts, keep=20)
    with pytest.raises(ValueError, match="cannot be extended"):
        extend_vocabulary(preset, [["x"], []])


# Extending


NEW = {"bert": ["foxcat", "##owlowl"], "": ["▁foxcat", "owlowl"]}


def test_new_pieces_start_as_the_mean_of_their_parts(classifier):
    is_bert = classifier.recipe.name.endswith("bert")
    new = NEW["bert" if is_bert else ""]
    done = extend_vocabulary(classifier, [new])
    before = classifier.task.vocabulary.size
    assert done.pieces == [(before, before + 2)]
    name = "word_embedding" if is_bert else "embedding"
    old, rows = (
        np.asarray(getattr(one.model, name).embeddings)
        for one in (classifier, done.preset)
    )
    np.testing.assert_array_equal(rows[:-2], old)
    (found,) = done.preset.task.codec.encode(["foxcat owl"])[0].to_list()
    assert before in found
    (parts,) = classifier.task.codec.encode(["foxcat"])[0].to_list()
    special = classifier.task.vocabulary.special_ids if is_bert else (END_ID,)
    parts = [n for n in parts if n not in special]
    assert len(parts) > 1
    np.testing.assert_allclose(rows[before], old[parts].mean(0), atol=1e-6)
    # Texts without them are answered as before.
    assert scores(done.preset, CORPUS) == scores(classifier, CORPUS)


def test_outputs_of_new_pieces_start_as_means_too(translator):
    is_shared = translator.model.share_embeddings
    text = "sunrain" if is_shared else "雨木根日"
    new = [f"▁{text}"]
    done = extend_vocabulary(translator, [new] if is_shared else [[], new])
    old = np.asarray(translator.model.output_bias)
    bias = np.asarray(done.preset.model.output_bias)
    np.testing.assert_array_equal(bias[:-1], old)
    parts = translator.task.target_vocabulary.processor.encode(text, out_type=int)
    assert len(parts) > 1
    assert bias[-1] == pytest.approx(old[parts].mean(), abs=1e-6)


def test_rows_are_carried_along_any_axis(random):
    rows = random.normal(size=(5, 7)).astype("float32")
    change = PieceChange(None, ((4,), (0,), (1, 1, 3)))
    expected = np.stack([rows[4], rows[0], (2 * rows[1] + rows[3]) / 3])
    np.testing.assert_allclose(change.carried(rows), expected, rtol=1e-6)
    np.testing.assert_allclose(change.carried(rows.T, 1), expected.T, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_joins_are_those_of_counting_anew_each_time(seed):
    """Byte-pair encoding as its paper has it, slowly."""
    random = np.random.default_rng(seed)
    rows = [list(random.choice(list("abc "), size=9)) for _ in range(11)]

    def joins(first, second):
        return None if " " in first + second else first + second

    texts, expected = [list(row) for row in rows], []
    while len(expected) < 6:
        counts = {}
        for row in texts:
            for pair in pairwise(row):
                if joins(*pair):
                    counts[pair] = counts.get(pair, 0) + 1
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < 2:
            break
        for row in texts:
            at = 0
            while at < len(row) - 1:
                if tuple(row[at : at + 2]) == best:
                    row[at : at + 2] = ["".join(best)]
                at += 1
        if "".join(best) not in expected:
            expected.append("".join(best))
    assert frequent_joins(rows, joins, 6, fewest=2) == expected


def test_learnt_pieces_make_a_corpus_shorter(classifier):
    corpus = ["foxcat owlrain foxcat", "the foxcat owlrain"] * 3
    (new,) = found = new_pieces(classifier, [corpus], 30)
    done = extend_vocabulary(classifier, found)
    lengths = [
        one.task.codec.encode(corpus)[0].flat_values.shape[0]
        for one in (classifier, done.preset)
    ]
    assert 0 < len(new) <= 30
    assert lengths[1] < lengths[0]


# Corpora and commands


def test_a_corpus_is_data_or_lines(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("one\n\n two \n", encoding="utf-8")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("a b\tc\nd\te\n", encoding="utf-8")
    assert texts_of(TranslationTask, text) == [["one", " two "]] * 2
    assert texts_of(TranslationTask, pairs) == [["a b", "d"], ["c", "e"]]
    text.write_text("\n")
    with pytest.raises(ValueError, match="holds no text"):
        texts_of(TranslationTask, text)


def test_the_commands_write_presets(classifier, run, tmp_path):
    save_preset(classifier, tmp_path / "mine")
    text = tmp_path / "text.txt"
    text.write_text("\n".join(CORPUS), encoding="utf-8")
    given = ("vocabulary", "trim", tmp_path / "mine", "--data", text, "--out")
    code, out, err = run(*given, tmp_path / "small")
    assert (code, out.strip()) == (0, str(tmp_path / "small"))
    assert "All 2 texts are cut into the same pieces as before." in err
    assert scores(load_preset(tmp_path / "small"), CORPUS) == scores(classifier, CORPUS)
    is_bert = classifier.recipe.name.endswith("bert")
    pieces = tmp_path / "pieces.txt"
    pieces.write_text("\n".join(NEW["bert" if is_bert else ""]), encoding="utf-8")
    given = ("vocabulary", "extend", tmp_path / "mine", "--out", tmp_path / "large")
    code, _, err = run(*given)
    assert (code, (tmp_path / "large").exists()) == (2, False)
    code, out, err = run(*given, "--pieces", pieces)
    size = classifier.task.vocabulary.size
    assert f"Vocabulary: {size:,} → {size + 2:,} pieces" in err
    assert load_preset(tmp_path / "large").task.vocabulary.size == size + 2


@pytest.mark.parametrize("given", [("trim", "--data"), ("extend", "--pieces")])
def test_the_commands_overwrite_nothing(given, run, tmp_path):
    name, option = given
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "precious").touch()
    # Neither preset nor texts are there: nothing was read.
    given = (tmp_path / "none", option, tmp_path / "x", "--out", tmp_path / "small")
    code, out, err = run("vocabulary", name, *given)
    assert (code, out) == (1, "")
    assert "holds something already" in err


def test_a_vocabulary_a_language_has_pieces_of_its_own(run, tmp_path):
    preset = made("translation_transformer", vocabulary="separate")
    save_preset(preset, tmp_path / "mine")
    (tmp_path / "pieces.txt").write_text("▁sunmoon\n", encoding="utf-8")
    given = ("vocabulary", "extend", tmp_path / "mine", "--out", tmp_path / "large")
    given += ("--pieces", tmp_path / "pieces.txt")
    code, _, err = run(*given)
    assert code == 2
    assert "--side source or target" in " ".join(err.replace("│", " ").split())
    assert run(*given, "--side", "source")[0] == 0
    task = load_preset(tmp_path / "large").task
    assert task.source_vocabulary.size == preset.task.source_vocabulary.size + 1
    assert task.target_vocabulary.size == preset.task.target_vocabulary.size
