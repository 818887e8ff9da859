"""Low-rank adaptation: thin factors learn, kernels stay, and it all merges."""

import itertools
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.tasks.classification import DATA, random_model, recipe_of
from tests.training import small_classifier
from zoo.data.labelled_text import LabelledText
from zoo.data.parallel_text import ParallelText
from zoo.presets import Preset
from zoo.recipe import TrainingPlan
from zoo.tasks.text_classification import TextClassificationTask
from zoo.tasks.translation import TranslationTask
from zoo.training import parents, prepare_finetuning, train_run
from zoo.training.lora import add_lora, dense_kernels, merged_arrays, merged_model
from zoo.training.parts import frozen_weights
from zoo.weights import model_arrays, read_arrays, weight_address

pytestmark = [
    pytest.mark.filterwarnings("ignore:Even though the"),
    pytest.mark.filterwarnings("ignore::zoo.training.FineTuningWarning"),
    pytest.mark.filterwarnings("ignore::zoo.data.parallel_text.DataWarning"),
]
KNOWN = DATA.chosen([*range(6)] * 4)
RANK = 3
TEXTS = ["the cat", "a dog", "cat dog", "the dog"] * 6
SHORT = LabelledText(TEXTS, ["cat", "dog", "both", "dog"] * 6)
QUICK = {"steps": 6, "round_steps": 3, "average_last": 1, "warmup_steps": 0}
QUICK |= {"lora_rank": RANK, "learning_rate": 0.01, "patience": 9}
IDS = {"token_ids": np.array([[5, 6, 7, 2], [8, 9, 2, 0]])}


@pytest.fixture
def eagerly():
    tf.config.run_functions_eagerly(True)
    with small_classifier.registered():
        yield
    tf.config.run_functions_eagerly(False)


def make_base():
    recipe = recipe_of("transformer", vocabulary_size=90, dropout=0.1)
    task = TextClassificationTask.learn(KNOWN, 90)
    return Preset(recipe, task, random_model(task, recipe, 0.3), {}, "some/base")


@pytest.fixture(scope="module")
def base():
    return make_base()


def plan(**changes):
    return TrainingPlan(**{"lora_rank": RANK} | changes)


def differing(one, other):
    return {name for name in one if not np.array_equal(one[name], other[name])}


# Factors


def test_factors_start_without_effect_beside_every_dense_kernel_but_the_head():
    base = make_base()
    before = np.asarray(base.model(IDS))
    kernels = set(dense_kernels(base.model))
    add_lora(base.model, plan())
    np.testing.assert_array_equal(base.model(IDS), before)
    with_factors = {
        weight_address(w).removesuffix("/lora_kernel_a")
        for w in base.model.weights
        if weight_address(w).endswith("lora_kernel_a")
    }
    last = {name for name in kernels if name.startswith(("head/", "pooling/"))}
    assert with_factors == {name.rpartition("/")[0] for name in kernels - last}
    assert len(with_factors) == 6


def test_only_factors_and_the_head_are_trained():
    base = make_base()
    add_lora(base.model, plan())
    frozen = {weight_address(w) for w in frozen_weights(base.model, plan())}
    rest = {weight_address(w) for w in base.model.trainable_weights} - frozen
    assert all(
        "lora_kernel" in name or name.startswith(("head/", "pooling/", "encoder_norm/"))
        for name in rest
    )
    assert "head/bias" in rest
    assert "encoder_0/attention/query/bias" in frozen
    assert "embedding/embeddings" in frozen


def test_merged_the_model_computes_the_same(random):
    base = make_base()
    add_lora(base.model, plan(lora_alpha=6.0))
    kernel = "encoder_0/attention/query/kernel"
    layer = dense_kernels(base.model)[kernel]
    old = model_arrays(base.model)[kernel]
    for weight in base.model.weights:
        if "lora_kernel" in weight.path:
            weight.assign(random.normal(scale=0.3, size=weight.shape))
    expected = np.asarray(base.model(IDS))
    a, b = np.asarray(layer.lora_kernel_a), np.asarray(layer.lora_kernel_b)
    merged = merged_arrays(base.model)
    np.testing.assert_allclose(merged[kernel], old + 6.0 / RANK * a @ b, atol=1e-5)
    plain = merged_model(base.model, base.recipe, base.task.model_options())
    assert not any("lora" in weight.path for weight in plain.weights)
    np.testing.assert_allclose(plain(IDS), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["lora", "freeze"])
def test_patterns_that_match_nothing_are_refused(kind, base, tmp_path):
    changes = {"lora": ["encodr_0/.*"]} if kind == "lora" else {"freeze": ["encodr/.*"]}
    with pytest.raises(ValueError, match=rf"{kind}='encodr.*matches no weight\. Did"):
        prepare_finetuning(base, KNOWN, KNOWN, tmp_path / "run", **QUICK | changes)
    # A pattern of weights that are no dense kernels matches nothing either.
    with pytest.raises(ValueError, match=r"lora='embedding/\.\*' matches no weight"):
        add_lora(make_base().model, plan(lora=["embedding/.*"]))
    assert list(tmp_path.iterdir()) == []


def test_patterns_without_a_rank_are_refused():
    with pytest.raises(ValueError, match="lora_rank=8"):
        TrainingPlan(lora=["encoder_0/.*"])


# A fine-tuning


class StopAfter(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.last = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch > self.last:
            raise KeyboardInterrupt


def test_kernels_change_by_thin_products_and_all_else_but_the_head_stays(
    tmp_path, eagerly, monkeypatch
):
    scores = itertools.count()
    found = lambda _: {"accuracy": float(next(scores))}  # noqa: E731
    monkeypatch.setattr(parents, "_evaluated", found)
    recipe = zoo.get("small_classifier")
    task = TextClassificationTask.learn(SHORT, 90)
    base = Preset(recipe, task, random_model(task, recipe, 0.3), {}, "some/base")
    own = QUICK | {"monitor": "perplexity"}
    prepare_finetuning(base, SHORT, SHORT, tmp_path / "run", **own)
    shutil.copytree(tmp_path / "run", tmp_path / "broken")
    tuned = train_run(tmp_path / "run")
    old, new = model_arrays(base.model), model_arrays(tuned.model)
    assert set(old) == set(new)
    kernels = {"hidden/kernel"}
    assert differing(old, new) == {*kernels, "head/kernel", "head/bias"}
    for name in kernels:
        sizes = np.linalg.svd(new[name] - old[name], compute_uv=False)
        assert sizes[RANK] < 1e-4 * sizes[0]
    # What was trained with factors is what the merged preset answers.
    texts = SHORT.texts[:3]
    answers = tuned.task.runner(tuned.model).predict(texts)
    loaded = zoo.load(tmp_path / "run" / "preset").predict(texts)
    for one, other in zip(answers, loaded, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-5)

    # Killed after a round and resumed, it ends with the same bits.
    with pytest.raises(KeyboardInterrupt):
        train_run(tmp_path / "broken", [StopAfter(0)])
    train_run(tmp_path / "broken")
    files = [
        tmp_path / name / "preset" / "weights.safetensors" for name in ("run", "broken")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert read_arrays(files[0])[0].keys() == old.keys()


def test_an_export_answers_as_the_merged_preset_does(random, tmp_path):
    from zoo.export import export

    base = make_base()
    add_lora(base.model, plan())
    for weight in base.model.weights:
        if "lora_kernel" in weight.path:
            weight.assign(random.normal(scale=0.3, size=weight.shape))
    with_factors = base.task.runner(base.model).predict(KNOWN.texts[:3])
    plain = merged_model(base.model, base.recipe, base.task.model_options())
    version = export(base.task.runner(plain).exported(), tmp_path)
    loaded = tf.saved_model.load(str(version))
    answer = loaded.signatures["serving_default"](tf.constant(KNOWN.texts[:3]))
    for row, expected in enumerate(with_factors):
        assert answer["labels"].numpy()[row, 0].decode() == expected.label
        found = answer["scores"].numpy()[row]
        np.testing.assert_allclose(found, [*expected.scores.values()], atol=1e-5)


def test_a_translator_is_adapted_too(random):
    data = ParallelText(["a cat", "a dog", "the cat"], [["猫"], ["狗"], ["猫"]])
    recipe = zoo.get("translation_transformer", size="tiny")
    task = TranslationTask.learn(data, **recipe.task.options)
    model = recipe.build_model(task.model_options())
    add_lora(model, plan())
    frozen = {weight_address(w) for w in frozen_weights(model, plan())}
    learning = {weight_address(w) for w in model.trainable_weights} - frozen
    assert not learning & (set(dense_kernels(model)) | {"embedding/embeddings"})
    assert any("lora_kernel_b" in name for name in learning)
    for weight in model.weights:
        if "lora_kernel" in weight.path:
            weight.assign(random.normal(scale=0.3, size=weight.shape))
    plain = merged_model(model, recipe, task.model_options())
    some = IDS["token_ids"] % 5
    ids = {"source_ids": some, "target_ids": some[:, :3]}
    expected = np.asarray(model(ids))
    np.testing.assert_allclose(plain(ids), expected, atol=1e-4)
    before = np.asarray(recipe.build_model(task.model_options())(ids))
    assert np.abs(before - expected).max() > 0.1
