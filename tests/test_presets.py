import dataclasses
import json
import re
import shutil
import subprocess
import sys

import keras
import pytest

import zoo
from zoo import presets, registry
from zoo.data.parallel_text import ParallelText
from zoo.presets import Preset, load_preset, preset_folder, save_preset
from zoo.pretrained import Pretrained
from zoo.tasks.translation import TranslationTask

SHIPPED = "translation_rnn/en-zh"
SENTENCES = [
    "Hello.",
    "I am happy.",
    "Knowledge is power.",
    "Where is the nearest station?",
    "The cat is sitting on the table.",
    "I would like to drink a cup of tea with my friends.",
    "He has been working in this company for more than ten years, and he likes it.",
    "",
]
PARALLEL = ParallelText(
    ["a cat sat", "a dog ran", "a cat ran fast", "the dog sat here"],
    [["猫坐，"], ["狗跑？"], ["猫跑快！"], ["狗坐（这里）；"]],
    [""] * 4,
)


@pytest.fixture(scope="module")
def translator():
    return zoo.load(SHIPPED)


@pytest.fixture(scope="module")
def tiny():
    """A preset that was never trained: all that is on disk, in no time."""
    recipe = zoo.get("translation_rnn", size="tiny")
    task = TranslationTask.learn(PARALLEL, **recipe.task.options)
    model = recipe.build_model(task.model_options())
    return Preset(recipe, task, model, {"note": "made up"})


@pytest.fixture
def folder(tiny, tmp_path):
    """A saved preset, to be damaged."""
    save_preset(tiny, tmp_path / "preset")
    return tmp_path / "preset"


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


# What ships


CAT = {
    "en": "The cat is sitting on the table.",
    "de": "Die Katze sitzt auf dem Tisch.",
    "zh": "猫坐在桌子上。",
}
CAT_IN = {"en": r"[Cc]at\b.*\.", "de": r"Katze\b.*\.", "zh": r"猫[\u4e00-\u9fff]+。"}


def shipped(task):
    """The shipped presets of a task."""
    return [
        name
        for name in zoo.preset_names()
        if registry.entry(name.split("/")[0]).task == task
    ]


@pytest.mark.parametrize("name", shipped("translation"))
def test_every_shipped_preset_translates(name):
    source, target = name.split("/")[1].split("-")[:2]
    text = zoo.load(name)(CAT[source])
    if "no-attention" in name:
        assert re.fullmatch(r"[\u4e00-\u9fff]+。?", text)
    else:
        assert re.search(CAT_IN[target], text), text


LIKE = ["How do I reset my password?", "I forgot my login code, what can I do?"]
UNLIKE = "The cat is sitting on the table."


ENCODERS = [
    name
    for name in shipped("text_classification")
    if not (preset_folder(name) / "vocabulary" / "labels.json").exists()
]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_shipped_encoder_finds_like_texts_near(name):
    one, other, third = zoo.load(name).embed([*LIKE, UNLIKE])
    assert one @ other > 0.4 > one @ third
    assert one @ other > other @ third


def test_presets_are_found_by_name_and_by_folder():
    assert SHIPPED in zoo.preset_names()
    folder = preset_folder(SHIPPED)
    assert preset_folder(folder) == preset_folder(str(folder)) == folder


def test_an_unknown_preset_is_refused_with_the_nearest():
    message = rf"No preset '{SHIPPED}x'\. Did you mean '{SHIPPED}'\?"
    with pytest.raises(ValueError, match=message):
        zoo.load(SHIPPED + "x")


# Translating


def test_one_text_gives_a_string_and_a_list_gives_a_list(translator):
    one = translator("Knowledge is power.")
    assert isinstance(one, str)
    assert translator(["Knowledge is power."]) == [one]
    assert translator(("Knowledge is power.", "")) == [one, ""]
    assert translator([]) == []
    assert translator.predict([]) == []


@pytest.mark.parametrize("wrong", [3, None, b"Hello.", ["Hello.", 3], [None], {"a"}])
def test_what_is_no_text_is_refused(translator, wrong):
    with pytest.raises(TypeError, match=r"Expected a list of strings\. Received"):
        translator(wrong)


@pytest.mark.parametrize("wrong", ["Hello.", 3, None])
def test_predict_wants_a_list(translator, wrong):
    with pytest.raises(TypeError, match=r"Expected a list of strings\. Received"):
        translator.predict(wrong)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_text_is_translated_alike_alone_and_among_others(translator, beam_size):
    together = translator.predict(SENTENCES, beam_size=beam_size)
    for text, found in zip(SENTENCES, together, strict=True):
        (alone,) = translator.predict([text], beam_size=beam_size)
        assert alone.text == found.text
        assert alone.score == pytest.approx(found.score, abs=1e-5)
        assert not found.truncated


def test_results_come_in_the_order_of_the_texts(translator):
    backwards = translator(SENTENCES[::-1], beam_size=1)
    assert backwards == translator(SENTENCES, beam_size=1)[::-1]


def test_more_texts_than_a_batch_are_all_translated(translator):
    found = translator(["Hello."] * 65 + ["I am happy."], beam_size=1)
    assert len(set(found[:65])) == 1
    assert found[65] == translator("I am happy.", beam_size=1) != found[0]


@pytest.mark.parametrize("text", ["", "   ", "\t\n", "\u3000"])
def test_an_empty_text_has_an_empty_translation(translator, text):
    (found,) = translator.predict([text], beam_size=1)
    assert (found.text, found.truncated) == ("", False)


def test_ten_thousand_characters_are_cut_and_said_to_be(translator):
    long, short = translator.predict(["word " * 2_000, "A word."], beam_size=1)
    assert long.truncated
    assert not short.truncated


def test_odd_characters_do_no_harm(translator):
    odd = ["😀👩‍👩‍👧", "\0", "\ufeff", "﷽", "e\u0301" * 50, "<s> </s> <unk>", "$5%"]
    assert len(translator(odd, beam_size=1)) == len(odd)


def test_half_a_surrogate_pair_is_refused_by_name(translator):
    with pytest.raises(ValueError, match=r"surrogate|UTF-8"):
        translator("Hello \ud800 there.")


@pytest.mark.parametrize(
    "options",
    [
        {"beam_size": 0},
        {"beam_size": -4},
        {"length_penalty": -0.5},
        {"length_penalty": float("nan")},
        {"beam_size": 2.5},
        {"beam_size": "many"},
        {"length_penalty": None},
    ],
)
def test_an_option_out_of_range_is_refused_by_name(translator, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        translator("Hello.", **options)


def test_an_unknown_option_is_refused_by_name(translator):
    for call in (translator, translator.attention):
        with pytest.raises((TypeError, ValueError), match="'beam'"):
            call("Hello.", beam=3)


def test_attention_names_its_pieces_and_its_rows_sum_to_1(translator):
    found = translator.attention("The cat is here.")
    assert found.source_pieces[-1] == found.target_pieces[-1] == "</s>"
    assert found.weights.shape == (len(found.target_pieces), len(found.source_pieces))
    assert found.weights.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert "".join(found.target_pieces[:-1]).strip("▁") == found.translation.text
    assert found.translation.text == translator("The cat is here.")


def test_a_model_without_attention_says_so():
    with pytest.raises(ValueError, match=r"has no attention.*Load a preset with"):
        zoo.load("translation_rnn/en-zh-no-attention").attention("Hello.")


def test_setting_keras_seeds_does_no_harm(tiny):
    trained = Pretrained(tiny)
    keras.utils.set_random_seed(1)
    first = trained("a cat sat", beam_size=1)
    keras.utils.set_random_seed(1)
    assert trained("a cat sat", beam_size=1) == first
    assert trained.predict(["a cat sat"], beam_size=1)[0].text == first


def test_the_global_state_of_keras_is_left_alone(tiny, folder):
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(5)
    expected = float(keras.random.uniform(()))
    keras.utils.set_random_seed(5)
    load_preset(folder)
    assert float(keras.random.uniform(())) == expected
    assert keras.config.dtype_policy() is policy


def test_chinese_punctuation_is_given_back_as_it_was_learnt():
    import tensorflow as tf

    task = TranslationTask.learn(PARALLEL, 200)
    codec = task.codecs[1]
    ids = codec.encode(tf.constant(PARALLEL.targets))[0].to_tensor()
    decoded = [text.decode() for text in codec.decode(ids).numpy()]
    assert decoded == PARALLEL.targets


# Saving and loading

ASK = """
import json, sys, zoo
found = zoo.load(sys.argv[1]).predict(sys.argv[2:], beam_size=1)
print(json.dumps([[one.text, one.score] for one in found]))
"""


def test_a_saved_preset_answers_the_same_in_a_new_process(tiny, folder):
    texts = ["a cat sat", "the dog ran here", ""]
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(folder), *texts],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = Pretrained(tiny).predict(texts, beam_size=1)
    for (text, score), here in zip(json.loads(done.stdout), expected, strict=True):
        assert text == here.text
        assert score == pytest.approx(here.score, abs=1e-5)


def test_less_precision_takes_less_room_and_translates_the_same(translator, tmp_path):
    sizes = {}
    for precision in ("float32", "float16", "int8"):
        folder = tmp_path / precision
        translator.save(folder, precision)
        sizes[precision] = (folder / "weights.safetensors").stat().st_size
    assert sizes["float16"] < 0.51 * sizes["float32"]
    assert sizes["int8"] < 0.27 * sizes["float32"]
    loaded = zoo.load(tmp_path / "int8")
    assert loaded(SENTENCES, beam_size=1) == translator(SENTENCES, beam_size=1)


def test_a_shipped_preset_is_in_int8_and_saving_it_again_changes_nothing(
    translator, tmp_path
):
    translator.save(tmp_path / "preset", "int8")
    saved, shipped = (
        (folder / "weights.safetensors").read_bytes()
        for folder in (tmp_path / "preset", preset_folder(SHIPPED))
    )
    assert saved == shipped


def test_a_preset_keeps_recipe_card_and_vocabularies(tiny, folder):
    assert names_in(folder) == [
        "card.json",
        "config.json",
        "vocabulary",
        "weights.safetensors",
    ]
    loaded = load_preset(folder)
    assert loaded.recipe == tiny.recipe
    assert loaded.card == tiny.card
    assert loaded.task.describe() == tiny.task.describe()


def test_the_options_of_a_recipe_are_kept(tiny, tmp_path):
    recipe = zoo.get("translation_rnn", size="tiny", cell="lstm", attention="none")
    model = recipe.build_model(tiny.task.model_options())
    save_preset(Preset(recipe, tiny.task, model, {}), tmp_path / "preset")
    assert load_preset(tmp_path / "preset").recipe.options == recipe.options


def test_a_preset_is_replaced_by_a_newer_one(tiny, folder):
    save_preset(dataclasses.replace(tiny, card={"note": "newer"}), folder)
    assert presets.read_card(folder) == {"note": "newer"}
    assert names_in(folder.parent) == ["preset"]


def test_an_empty_folder_may_be_saved_in(tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    save_preset(tiny, tmp_path / "empty")
    assert load_preset(tmp_path / "empty").card == tiny.card


def test_a_folder_of_something_else_is_left_alone(tiny, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ValueError, match="thesis exists and is no preset"):
        save_preset(tiny, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"
    assert names_in(tmp_path / "thesis") == ["chapter.txt"]
    assert names_in(tmp_path) == ["thesis"]


def test_a_training_folder_is_no_preset_and_left_alone(tiny, folder):
    (folder / "train.npz").write_bytes(b"days of training")
    with pytest.raises(ValueError, match="no preset"):
        save_preset(tiny, folder)
    assert (folder / "train.npz").read_bytes() == b"days of training"


def test_a_file_is_no_folder_to_save_in(tiny, tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(ValueError, match="file exists and is no preset"):
        save_preset(tiny, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "text"


def test_a_preset_saved_in_place_keeps_its_test_split(tiny, folder):
    (folder / "test.tsv.gz").write_bytes(b"pairs")
    save_preset(dataclasses.replace(tiny, card={"note": "newer"}), folder)
    assert presets.read_card(folder) == {"note": "newer"}
    assert (folder / "test.tsv.gz").read_bytes() == b"pairs"


@pytest.mark.parametrize("other", ["options", "vocabulary"])
def test_the_test_split_of_another_preset_is_not_lost(tiny, folder, other):
    (folder / "test.tsv.gz").write_bytes(b"pairs")
    recipe, task = tiny.recipe, tiny.task
    if other == "options":
        recipe = zoo.get("translation_rnn", size="tiny", attention="none")
    else:
        text = ParallelText(["x y z"] * 2, [["甲乙丙"]] * 2)
        task = TranslationTask.learn(text, 200)
    model = recipe.build_model(task.model_options())
    with pytest.raises(ValueError, match=r"test split of another preset"):
        save_preset(Preset(recipe, task, model, {}), folder)
    assert load_preset(folder).card == tiny.card
    assert (folder / "test.tsv.gz").read_bytes() == b"pairs"


def test_a_preset_knows_its_name_but_not_its_machine(tiny, folder):
    assert load_preset(SHIPPED).name == SHIPPED
    assert load_preset(folder).name == f"{folder.parent.name}/preset"


def test_a_save_that_fails_leaves_the_old_preset(tiny, folder, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("No space left on device")

    monkeypatch.setattr(presets, "write_arrays", fail)
    with pytest.raises(OSError, match="No space left"):
        save_preset(dataclasses.replace(tiny, card={"note": "newer"}), folder)
    assert load_preset(folder).card == tiny.card
    assert names_in(folder.parent) == ["preset"]


# Presets that cannot be loaded


def test_a_folder_without_config_is_no_preset(folder):
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match=r"no preset: it has no config\.json"):
        load_preset(folder)


@pytest.mark.parametrize(
    "part",
    ["weights.safetensors", "vocabulary/source.model", "vocabulary/target.model"],
)
def test_a_missing_part_is_named(folder, part):
    (folder / part).unlink()
    with pytest.raises(FileNotFoundError, match=part.rpartition("/")[2]):
        load_preset(folder)


@pytest.mark.parametrize("size", [0, 5, 500, -1])
def test_truncated_weights_are_refused_by_name(folder, size):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"weights\.safetensors is damaged or was not"):
        load_preset(folder)


def test_a_damaged_vocabulary_is_refused_by_name(folder):
    (folder / "vocabulary" / "source.model").write_bytes(b"garbage")
    with pytest.raises(ValueError, match=r"source\.model"):
        load_preset(folder)


def test_weights_of_another_model_are_refused_with_both_lists(tiny, folder, tmp_path):
    recipe = zoo.get("translation_rnn", size="tiny", attention="none")
    model = recipe.build_model(tiny.task.model_options())
    save_preset(Preset(recipe, tiny.task, model, {}), tmp_path / "other")
    shutil.copy(tmp_path / "other" / "weights.safetensors", folder)
    with pytest.raises(
        ValueError, match=r"do not fit the model\. Missing: .*attention"
    ):
        load_preset(folder)


def test_the_weights_of_another_vocabulary_are_refused(folder, tmp_path):
    recipe = zoo.get("translation_rnn", size="tiny")
    text = ParallelText(["x y z"] * 2, [["甲乙丙"]] * 2, [""] * 2)
    task = TranslationTask.learn(text, 200)
    model = recipe.build_model(task.model_options())
    save_preset(Preset(recipe, task, model, {}), tmp_path / "other")
    shutil.copy(tmp_path / "other" / "weights.safetensors", folder)
    with pytest.raises(ValueError, match=r"Of another shape: .*embedding"):
        load_preset(folder)


@pytest.mark.parametrize(
    "content", ["", "{", "\x00\x01", "[1, 2", "ü".encode("latin-1")]
)
def test_a_config_that_is_no_json_is_refused_by_name(folder, content):
    content = content if isinstance(content, bytes) else content.encode()
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.json is not readable JSON"):
        load_preset(folder)


@pytest.mark.parametrize("content", ["[]", "3", "{}", "null", '{"format": 2}'])
def test_a_config_of_another_format_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json has another format than 1"):
        load_preset(folder)


@pytest.mark.parametrize("content", ['{"format": 1}', '{"format": 1, "recipe": "x"}'])
def test_a_config_that_lacks_something_is_refused(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json"):
        load_preset(folder)


def test_a_config_with_an_unknown_recipe_is_refused(folder):
    change_config(folder, recipe="translation_rn")
    with pytest.raises(ValueError, match=r"No recipe 'translation_rn'"):
        load_preset(folder)


def test_a_config_with_an_unknown_option_is_refused(folder):
    change_config(folder, options={"size": "tiny", "sell": "gru"})
    with pytest.raises(ValueError, match=r"No option 'sell'\. Did you mean 'cell'\?"):
        load_preset(folder)


@pytest.mark.parametrize("options", [{"size": "huge"}, {"cell": 3}, {"cell": None}])
def test_a_config_with_a_wrong_value_is_refused(folder, options):
    change_config(folder, options=options)
    with pytest.raises(ValueError, match=next(iter(options))):
        load_preset(folder)


def test_a_config_with_options_that_are_none_is_refused(folder):
    change_config(folder, options=[1, 2])
    with pytest.raises(ValueError, match=r"config\.json"):
        load_preset(folder)
