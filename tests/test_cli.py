import json
import subprocess
import sys
import time

import pytest

import zoo.cli
from zoo.data.parallel_text import ParallelText
from zoo.presets import Preset, save_preset

PRESET = "translation_rnn/en-zh"
TUNE = ("--train", "nowhere.tsv", "--out", "run")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The folder of a preset that was never trained: commands answer quickly."""
    from zoo.tasks.translation import TranslationTask

    recipe = zoo.get("translation_rnn", size="tiny")
    text = ParallelText(
        ["a cat sat", "a dog ran", "the cat ran"],
        [["猫坐"], ["狗跑"], ["猫跑"]],
        [""] * 3,
    )
    task = TranslationTask.learn(text, **recipe.task.options)
    model = recipe.build_model(task.model_options())
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    save_preset(Preset(recipe, task, model, {"note": "[made] up"}), folder)
    return folder


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a cat sat\t猫坐\nthe dog ran\t狗跑\n" * 6, encoding="utf-8")
    return path


def training(pairs, folder, *more):
    data = ["--train", pairs, "--valid", pairs, "--out", folder]
    return ["train", "translation_rnn", *data, "--set", "size=tiny", *more]


# What there is


@pytest.mark.parametrize("command", [[], ["list"], ["train"], ["predict"], ["plot"]])
def test_every_command_explains_itself(run, command):
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "Usage:" in out


def test_help_names_every_command(run):
    _, out, _ = run("--help")
    for command in ("list", "describe", "train", "evaluate", "predict", "plot"):
        assert command in out
    assert "finetune" in out
    for command in ("export", "check-export", "demo"):
        assert command in out


def test_list_shows_recipes_and_their_presets(run):
    code, out, _ = run("list")
    assert code == 0
    assert "translation_rnn" in out
    assert PRESET in out


def test_list_as_json_is_json(run):
    code, out, err = run("list", "--task", "translation", "--json")
    (row,) = [row for row in json.loads(out) if row["recipe"] == "translation_rnn"]
    assert (code, err) == (0, "")
    assert row["task"] == "translation"
    assert PRESET in row["presets"]


def test_list_answers_at_once_and_without_tensorflow():
    script = (
        "import sys, atexit, zoo.cli\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sacrebleu'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        "sys.argv = ['zoo', 'list']; zoo.cli.main()"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert time.perf_counter() - started < 3
    assert PRESET in done.stdout
    assert done.stdout.endswith("[]\n")


def test_describe_a_recipe(run):
    code, out, _ = run("describe", "translation_rnn")
    assert code == 0
    assert "bahdanau" in out
    assert "learning_rate: 0.001" in out
    code, out, _ = run("describe", "translation_rnn", "--json")
    content = json.loads(out)
    assert content["options"]["size"]["default"] == "small"
    assert content["training"]["steps"] > 0


def test_describe_a_preset_by_name_and_by_folder(run, tiny):
    code, out, _ = run("describe", PRESET, "--json")
    assert code == 0
    assert json.loads(out)["recipe"] == "translation_rnn"
    assert run("describe", tiny) == (0, "note: [made] up\n", "")


# Mistakes


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["lst"], 2, "Did you mean 'list'?"),
        (["list", "--tsk", "x"], 2, "--task"),
        (["list", "--task", "translatoin"], 1, "Did you mean 'translation'?"),
        (["describe", "translation_rn"], 1, "Did you mean 'translation_rnn'?"),
        (["describe", PRESET + "x"], 1, f"Did you mean '{PRESET}'?"),
        (["predict", PRESET + "x", "Hi."], 1, f"Did you mean '{PRESET}'?"),
        (["evaluate", PRESET + "x"], 1, f"Did you mean '{PRESET}'?"),
        (["export", PRESET + "x", "--out", "x"], 1, f"Did you mean '{PRESET}'?"),
        (["demo", "--preset", PRESET + "x"], 1, f"Did you mean '{PRESET}'?"),
        (["train", "translation_rn"], 1, "Did you mean 'translation_rnn'?"),
        (["train", "translation_rnn"], 2, "Missing: --train, --valid, --out."),
        (["train", "--resume", "nowhere"], 1, "nowhere holds no prepared training"),
        (["train", "--resume", "x", "--train", "y"], 2, "--resume goes with --set"),
        (["train", "--resume", "x", "--columns", "1,2"], 2, "--resume goes with --set"),
        (["train", "--resume", "x", "--set", "stps=3"], 1, "Did you mean 'steps'?"),
        (["finetune"], 2, "Missing: PRESET, --train, --out."),
        (["finetune", "--resume", "nowhere"], 1, "holds no prepared training"),
        (["finetune", "--resume", "x", "--freeze", "y"], 2, "--resume goes with --set"),
        (["finetune", PRESET + "x", *TUNE], 1, f"Did you mean '{PRESET}'?"),
        (["finetune", PRESET, *TUNE, "--set", "stps=3"], 1, "Did you mean 'steps'?"),
        (["finetune", PRESET, *TUNE, "--rate", "x"], 2, "--rate takes PATTERN=FACTOR"),
        (
            ["finetune", PRESET, *TUNE, "--freeze", "x", "--set", "freeze=y"],
            2,
            "--freeze and --set freeze say it twice",
        ),
        (["plot", PRESET, "Hi."], 2, "--out"),
        (["check-export", "nowhere"], 1, "nowhere holds no export"),
        (["evaluate", PRESET, "--target", "zh.txt"], 2, "--data"),
    ],
)
def test_a_mistake_is_one_message_and_an_exit_code(
    run, monkeypatch, tmp_path, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--set", "sizes=tiny"], 1, "Did you mean 'size'?"),
        (["--set", "size=tinny"], 1, "Did you mean 'tiny'?"),
        (["--set", "steps=many"], 1, "steps must be an int"),
        (["--set", "steps"], 2, "--set takes key=value. Received: steps."),
        (["--columns", "1;2"], 2, "--columns takes numbers such as 1,2"),
        (["--columns", "0,1"], 1, "counted from 1"),
        (["--columns", "1,5"], 1, "2 columns instead of 5"),
        (["--repeat", "web=2"], 1, "No pair comes from web"),
        (["--repeat", "web=two"], 2, "--repeat takes"),
    ],
)
def test_a_training_is_refused_before_anything_is_written(
    run, pairs, tmp_path, arguments, code, message
):
    found, out, err = run(*training(pairs, tmp_path / "run", *arguments))
    assert (found, out) == (code, "")
    assert message in err
    assert not (tmp_path / "run").exists()


def test_a_training_names_the_file_that_is_missing(run, pairs, tmp_path):
    code, _, err = run(*training(tmp_path / "nowhere.tsv", tmp_path / "run"))
    assert code == 1
    assert "nowhere.tsv" in err
    assert not (tmp_path / "run").exists()


def test_a_training_needs_an_existing_place_for_a_new_folder(run, pairs, tmp_path):
    code, _, err = run(*training(pairs, tmp_path / "no" / "run"))
    assert (code, "no does not exist; create it" in err) == (1, True)
    code, _, err = run(*training(pairs, tmp_path))
    assert (code, "is not empty" in err) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.tsv"]


def test_a_third_column_is_refused_and_the_advice_works(run, tmp_path):
    path = tmp_path / "three.tsv"
    lines = [f"a cat {n}\t猫{n}\tby author {n}\n" for n in range(12)]
    path.write_text("".join(lines), encoding="utf-8")
    code, _, err = run(*training(path, tmp_path / "run", "--prepare-only"))
    assert code == 1
    assert "--columns 1,2" in err
    code, _, err = run(
        *training(path, tmp_path / "run", "--prepare-only", "--columns", "1,2")
    )
    assert code == 0, err
    assert "12 training and 12 validation examples" in err


def test_a_prepared_training_says_how_to_go_on(run, pairs, tmp_path):
    code, _, err = run(*training(pairs, tmp_path / "run", "--prepare-only"))
    assert code == 0
    assert f"zoo train --resume {tmp_path / 'run'}" in err.replace("\n", "")
    assert (tmp_path / "run" / "config.json").is_file()


def test_a_damaged_training_folder_is_refused_by_name(run, pairs, tmp_path):
    run(*training(pairs, tmp_path / "run", "--prepare-only"))
    arrays = tmp_path / "run" / "train.npz"
    arrays.write_bytes(arrays.read_bytes()[:100])
    code, _, err = run("train", "--resume", tmp_path / "run")
    assert code == 1
    assert "train.npz" in err


def test_a_fine_tuning_tells_its_data_and_plan_before_it_begins(run, tiny, tmp_path):
    path, folder = tmp_path / "mine.tsv", tmp_path / "run"
    lines = [f"a cat ran{' sat' * n}\t猫跑{'坐' * n}\n" for n in range(30)]
    path.write_text("".join(lines), encoding="utf-8")
    arguments = ["finetune", tiny, "--train", path, "--out", folder, "--prepare-only"]
    patterns = ["--freeze", "encoder/.*", "--rate", "readout/.*=0.5"]
    code, out, err = run(*arguments, *patterns, "--set", "patience=3")
    assert (code, out) == (0, "")
    assert "27 examples to train on, 3 to validate on, held out by a hash" in err
    assert "Frozen: 23,616 of " in err
    assert "learning_rate=0.001  schedule=cosine" in err
    assert "patience=3  freeze=encoder/.*  rates=readout/.*=0.5" in err
    assert f"zoo finetune --resume {folder}" in err
    code, _, err = run(*arguments[:-2], tmp_path / "other", "--columns", "2,1")
    assert (code, "sides of the training data are swapped" in err) == (1, True)
    assert not (tmp_path / "other").exists()


def test_a_training_from_scratch_is_no_fine_tuning(run, pairs, tmp_path):
    run(*training(pairs, tmp_path / "run", "--prepare-only"))
    code, _, err = run("finetune", "--resume", tmp_path / "run")
    assert (code, "zoo train --resume" in err) == (1, True)


# Using a preset


def test_predict_translates_its_arguments(run):
    code, out, err = run("predict", PRESET, "The cat is here.", "--set", "beam_size=1")
    assert (code, err) == (0, "")
    assert "猫" in out
    assert out.count("\n") == 1


def test_predict_translates_standard_input_line_by_line(run, tiny):
    code, out, _ = run("predict", tiny, stdin="a cat sat\n\nthe dog ran\n")
    lines = out.split("\n")
    assert code == 0
    assert len(lines) == 4
    assert lines[1] == lines[3] == ""


@pytest.mark.parametrize("content", [b"a cat \xff\xfe\n", b"a cat \xe7\x8c\n"])
def test_input_that_is_not_utf_8_is_translated_all_the_same(run, tiny, content):
    code, out, err = run("predict", tiny, stdin=content)
    assert code == 0, err
    assert out.count("\n") == 1


def test_a_byte_order_mark_is_no_text_to_translate(run, tiny):
    marked = run("predict", tiny, stdin="\ufeffa cat sat\n")
    assert marked == run("predict", tiny, "a cat sat")


def test_predict_without_input_prints_nothing(run, tiny):
    assert run("predict", tiny, stdin="") == (0, "", "")


def test_predict_as_json_tells_scores_and_what_was_cut(run, tiny):
    texts = ["a cat [bold]sat[/]", "cat " * 2_500]
    code, out, _ = run("predict", tiny, "--json", *texts, "--set", "beam_size=1")
    first, second = json.loads(out)
    assert code == 0
    assert first["input"] == texts[0]
    assert first["score"] < 0
    assert (first["truncated"], second["truncated"]) == (False, True)


def test_predict_warns_of_a_text_that_was_cut(run, tiny):
    _, _, err = run("predict", tiny, "cat " * 2_500, "--set", "beam_size=1")
    assert "longer than the model reads" in err


@pytest.mark.parametrize(
    "setting, message",
    [
        ("beam=2", "Did you mean 'beam_size'?"),
        ("beam_size=x", "beam_size must be an int"),
        ("beam_size=0", "beam_size must be at least 1"),
        ("length_penalty=nan", "length_penalty must be"),
        ("suppress=Elefant", "takes pieces of the target vocabulary"),
        ("replace_unknown=perhaps", "replace_unknown must be a bool"),
        ("method=bean", "Did you mean 'beam'?"),
        ("num_hypotheses=9", "num_hypotheses must be at most beam_size"),
    ],
)
def test_a_wrong_search_option_is_refused(run, tiny, setting, message):
    code, out, err = run("predict", tiny, "a cat sat", "--set", setting)
    assert (code, out) == (1, "")
    assert message in err


def test_predict_begins_with_a_prefix_and_tells_alternatives(run, tiny):
    settings = ["num_hypotheses=2", "no_repeat_ngram=3", "suppress=坐 跑"]
    more = [part for setting in settings for part in ("--set", setting)]
    arguments = ["predict", tiny, "a cat sat", "--prefix", "猫", *more]
    code, out, err = run(*arguments)
    best, other = out.splitlines()
    assert (code, err) == (0, "")
    assert best.startswith("猫")
    score, text = other.split()
    assert text.startswith("猫") and text != best
    assert not set("坐跑") & set(best[1:] + text[1:])
    _, out, _ = run(*arguments, "--json")
    (found,) = json.loads(out)
    (alternative,) = found["alternatives"]
    assert (found["text"], alternative["text"]) == (best, text)
    assert f"{alternative['score']:.3f}" == score


def test_score_tells_a_log_probability_a_line(run, tiny, pairs):
    code, out, err = run("score", tiny, "--data", pairs)
    assert (code, err) == (0, "")
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[1:] for line in lines] == [
        ["a cat sat", "猫坐"],
        ["the dog ran", "狗跑"],
    ] * 6
    found = zoo.load(tiny).log_probabilities(
        ["a cat sat", "the dog ran"], ["猫坐", "狗跑"]
    )
    assert [line[0] for line in lines[:2]] == [f"{one:.4f}" for one in found]
    _, out, _ = run("score", tiny, "--data", pairs, "--json")
    first = json.loads(out)[0]
    assert (first["source"], first["target"]) == ("a cat sat", "猫坐")
    assert abs(first["log_probability"] - found[0]) < 1e-4


def test_evaluate_tells_scores_as_json(run, tiny, pairs):
    code, out, _ = run("evaluate", tiny, "--data", pairs, "--json")
    scores = json.loads(out)
    assert code == 0
    assert scores["sentences"] == 12
    assert 0 <= scores["bleu"] <= 100
    assert "tok:zh" in scores["signatures"]["bleu"]


def test_evaluate_reads_two_files_too(run, tiny, tmp_path):
    (tmp_path / "en.txt").write_text("a cat sat\nthe dog ran\n", encoding="utf-8")
    (tmp_path / "zh.txt").write_text("猫坐\n狗跑\n", encoding="utf-8")
    code, out, _ = run(
        "evaluate", tiny, "--data", tmp_path / "en.txt", "--target", tmp_path / "zh.txt"
    )
    assert code == 0
    assert "(2 sentences)" in out


def test_evaluate_without_any_data_says_what_is_missing(run, tiny):
    code, out, err = run("evaluate", tiny)
    assert (code, out) == (1, "")
    assert "no test split of its own: give --data" in err


@pytest.mark.filterwarnings("default::zoo.data.parallel_text.DataWarning")
def test_damaged_lines_are_a_warning(run, tiny, pairs):
    pairs.write_text(pairs.read_text(encoding="utf-8") + "no tab\n", encoding="utf-8")
    code, out, err = run("evaluate", tiny, "--data", pairs)
    assert code == 0
    assert "Warning:" in err
    assert "line 13" in err
    assert "(12 sentences)" in out


# Pictures


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_draws_an_alignment(run, tiny, tmp_path, suffix):
    path = tmp_path / f"alignment{suffix}"
    code, out, err = run("plot", tiny, "a cat sat", "--out", path)
    assert (code, out) == (0, "")
    assert "Drawn:" in err
    assert path.stat().st_size > 1_000


def test_plot_finds_a_shipped_preset_by_its_name(run, tmp_path):
    path = tmp_path / "alignment.png"
    code, _, err = run("plot", PRESET, "The cat is here.", "--out", path)
    assert code == 0, err
    assert path.is_file()


def test_plot_of_a_preset_without_attention_says_why_not(run, tmp_path):
    name, path = "translation_rnn/en-zh-no-attention", tmp_path / "a.png"
    code, _, err = run("plot", name, "Hello.", "--out", path)
    assert code == 1
    assert "has no attention" in err
    assert not path.exists()


@pytest.mark.parametrize("name", ["a.bmp", "a"])
def test_plot_refuses_other_formats(run, tiny, tmp_path, name):
    code, _, err = run("plot", tiny, "a cat sat", "--out", tmp_path / name)
    assert code == 1
    assert ".png, .svg, .pdf" in err
    assert list(tmp_path.iterdir()) == []


# Exports


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "tiny"
    return zoo.load(tiny).export(folder, num_hypotheses=2)


def test_an_export_is_evaluated_as_its_preset_is(run, tiny, exported, pairs):
    # The folder of its versions will do.
    code, out, err = run("evaluate", exported.parent, "--data", pairs, "--json")
    assert code == 0, err
    found = json.loads(out)
    _, out, _ = run("evaluate", tiny, "--data", pairs, "--json")
    expected = json.loads(out)
    del expected["by_length"]
    assert found == expected


@pytest.mark.parametrize("more", [[], ["--set", "beam_size=1"], ["--record"]])
def test_an_export_is_evaluated_as_it_is(run, exported, pairs, more):
    data = ["--data", pairs] if more else []
    code, out, err = run("evaluate", exported, *data, *more)
    assert (code, out) == (2, "")
    assert "it is as it is" in err


def test_export_below_a_file_is_refused(run, tiny, tmp_path):
    (tmp_path / "file").write_text("text")
    code, out, err = run("export", tiny, "--out", tmp_path / "file" / "export")
    assert (code, out) == (1, "")
    assert "Error:" in err and str(tmp_path / "file") in err.replace("\n", "")
    assert (tmp_path / "file").read_text() == "text"


def test_check_export_refuses_an_empty_folder(run, tmp_path):
    code, out, err = run("check-export", tmp_path)
    assert (code, out) == (1, "")
    assert "holds no export" in err


def test_an_export_is_no_preset_to_predict_with(run, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"")
    code, _, err = run("predict", tmp_path, "a cat sat")
    assert code == 1
    assert "is no preset" in err


def test_an_export_without_its_record_is_reported(run, tmp_path):
    folder = tmp_path / "1"
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"garbage")
    code, _, err = run("check-export", tmp_path)
    assert code == 1
    assert "Error:" in err


# Leaving


def test_an_interruption_is_no_traceback(run, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.registry.names", interrupt)
    code, _, err = run("list")
    assert code == 130
    assert "Interrupted" in err
