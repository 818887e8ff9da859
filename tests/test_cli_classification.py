"""The commands with a text classifier, from a CSV file to an answering export."""

import csv
import json

import pytest

import zoo
from zoo.presets import Preset, save_preset

pytestmark = [
    pytest.mark.filterwarnings("ignore::zoo.training.FineTuningWarning"),
    pytest.mark.filterwarnings("default::zoo.data.parallel_text.DataWarning"),
]
TINY = ["--set", "size=tiny", "--set", "vocabulary_size=80"]
SHORT = ["--set", "steps=20", "--set", "round_steps=20", "--set", "warmup_steps=0"]
BUY = ["我想买这本书", "请给我买一个", "买，买，买!", 'good, "really" good', "要买两个"]
NOT = ["我不要这本书", "太贵了，不行", "没用的东西", "bad, too dear", "不喜欢这个"]
ROWS = [
    (f"{text}{end}", label)
    for end in ("", "。", "！", "吧", "了")
    for texts, label in ((BUY, "买"), (NOT, "不买"))
    for text in texts
]


def write(path, rows, header=("text", "label"), encoding="utf-8", newline="\n"):
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator=newline)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Training and validation data; a quoted comma stands in both."""
    folder = tmp_path_factory.mktemp("files")
    train = write(folder / "train.csv", ROWS[:40])
    assert '"good, ""really"" good"' in train.read_text("utf-8")
    return train, write(folder / "valid.csv", ROWS[40:])


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A classifier of 买 and 不买 that was never trained."""
    from zoo.data.labelled_text import LabelledText

    recipe = zoo.get("text_classification_transformer", size="tiny", vocabulary_size=80)
    texts, labels = map(list, zip(*ROWS, strict=True))
    task = recipe.task.resolve().learn(
        LabelledText(texts, labels), **recipe.task.options
    )
    model = recipe.build_model(task.model_options())
    folder = tmp_path_factory.mktemp("presets") / "untrained"
    save_preset(Preset(recipe, task, model, {"note": "made up"}), folder)
    return folder


# The whole way


def test_one_command_makes_a_classifier_and_another_one_tunes_it(run, files, tmp_path):
    train, valid = files
    given = ["--train", train, "--valid", valid]
    code, out, err = run(
        "train", "text_classification_rnn", *given, "--out", tmp_path / "run", *TINY
    )
    preset = tmp_path / "run" / "preset"
    assert (code, out.strip()) == (0, str(preset)), err
    assert "2 labels: 不买 20, 买 20" in err
    assert "40 training and 10 validation examples" in err
    assert zoo.load(preset)._runner.score(zoo.load(preset).task.read(valid)) > 0.7

    # Other labels: refused, with the difference and the way out; then with a new head.
    mine = write(tmp_path / "mine.csv", [(t, f"{label}吗") for t, label in ROWS])
    given = ["finetune", preset, "--train", mine, "--out", tmp_path / "tuned"]
    code, out, err = run(*given)
    assert (code, out) == (1, "")
    said = " ".join(err.split())
    assert "2 of the 2 labels in the data are not in the label set" in said
    assert "'不买吗' (22" in said or "'不买吗' (23" in said
    assert "'不买', '买'" in said
    assert "--reset-head" in said and "--reuse-head" in said
    assert not (tmp_path / "tuned").exists()
    code, out, err = run(*given, "--reset-head", *SHORT)
    assert code == 0, err
    assert "held out by a hash of its content" in err
    assert "Validation data" in err and "before" in err and "after" in err
    tuned = zoo.load(tmp_path / "tuned" / "preset")
    assert tuned.task.labels.names == ("不买吗", "买吗")


@pytest.fixture
def test_file(tmp_path):
    return write(tmp_path / "test.csv", ROWS[:12])


def test_evaluate_tells_scores_a_baseline_and_draws_reliability(
    run, untrained, test_file, tmp_path
):
    picture = tmp_path / "reliability.svg"
    more = ["--baseline", test_file, "--reliability", picture]
    code, out, err = run("evaluate", untrained, "--data", test_file, *more, "--json")
    assert code == 0, err
    scores = json.loads(out)
    trained = zoo.load(untrained)
    expected = trained.evaluate(str(test_file))
    assert scores["accuracy"] == expected["accuracy"]
    assert 0 <= scores["baseline"]["accuracy"] <= 1
    assert picture.read_text("utf-8").lstrip().startswith("<?xml")
    code, out, _ = run("evaluate", untrained, "--data", test_file)
    assert f"accuracy {100 * expected['accuracy']:.2f}" in out
    assert "(12 examples)" in out
    assert "不买" in out and "Precision" in out


def test_predict_reads_arguments_and_standard_input(run, untrained):
    texts = ["我想买", "bad, too dear"]
    expected = zoo.load(untrained).predict(texts)
    code, out, err = run("predict", untrained, *texts)
    assert (code, err) == (0, "")
    for line, one in zip(out.splitlines(), expected, strict=True):
        assert line.startswith(f"{one.label} {one.score:.3f}   (")
    assert run("predict", untrained, stdin="\ufeff" + "\r\n".join(texts))[1] == out
    _, out, _ = run("predict", untrained, *texts, "--set", "top_k=1", "--json")
    found = json.loads(out)
    assert [row["label"] for row in found] == [one.label for one in expected]
    assert [len(row["scores"]) for row in found] == [1, 1]
    code, _, err = run("predict", untrained, "x", "--set", "beam_size=2")
    assert (code, "'beam_size'" in err) == (1, True)
    code, _, err = run("predict", untrained, "x", "--prefix", "y")
    assert (code, "--prefix goes with translation" in err) == (2, True)


def test_predict_says_what_was_cut(run, untrained):
    code, out, err = run("predict", untrained, "买" * 5_000)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "longer than the model reads" in err


@pytest.mark.parametrize("suffix", ["", ".html", ".svg"])
def test_plot_shades_a_text(run, untrained, tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    out_option = ["--out", path] if suffix else []
    code, out, err = run("plot", untrained, "我想买 it", "--without", *out_option)
    assert code == 0, err
    if not suffix:
        assert "想" in out and "it" in out
    else:
        assert (out, "Drawn:" in err) == ("", True)
        assert "想" in path.read_text("utf-8")


def test_an_export_answers_is_checked_and_evaluated_as_the_preset(
    run, untrained, test_file, tmp_path
):
    code, out, err = run("export", untrained, "--out", tmp_path / "export")
    assert code == 0, err
    version = out.strip()
    assert version == str(tmp_path / "export" / "1")
    names = ("serving_default", "with_attention", "embed", "classify")
    code, out, err = run("check-export", version, "--text", "我想买")
    assert code == 0, err
    for name in names:
        assert f"{name}: " in out
    (best,) = zoo.load(untrained).predict(["我想买"])
    assert f"我想买 -> {best.label} {best.score:.3f}" in out
    code, _, err = run("check-export", version, "--site", tmp_path)
    assert (code, "There is no TensorFlow in" in err) == (1, True)
    code, out, err = run("evaluate", version, "--data", test_file, "--json")
    assert code == 0, err
    expected = zoo.load(untrained).evaluate(str(test_file))
    found = json.loads(out)
    for name in ("accuracy", "macro_f1", "ece"):
        assert found[name] == pytest.approx(expected[name], abs=1e-5)


# What cannot be used


def refused(run, folder, rows, *more, **options):
    """The message, on one line, of a training with some file, which writes nothing."""
    train = write(folder / "bad.csv", rows, **options)
    valid = write(folder / "valid.csv", ROWS[40:])
    before = sorted(folder.iterdir())
    code, out, err = run(
        "train", "text_classification_rnn", "--train", train, "--valid", valid,
        "--out", folder / "run", *TINY, *more,
    )  # fmt: skip
    assert (code, out) == (1, "")
    assert sorted(folder.iterdir()) == before
    return " ".join(err.split())


def test_a_missing_column_is_named_with_those_there_are(run, tmp_path):
    said = refused(run, tmp_path, ROWS, header=("review", "label"))
    assert "has no column 'text'. Its columns are" in said
    assert "review, label" in said.replace("'", "") and "--columns review" in said


def test_a_single_class_is_refused(run, tmp_path):
    said = refused(run, tmp_path, [row for row in ROWS if row[1] == "买"])
    assert "all have the label '买'" in said


def test_a_column_of_ids_is_refused(run, tmp_path):
    said = refused(run, tmp_path, [(f"text {n}", f"id{n}") for n in range(5_000)])
    assert "5000 different labels for 5000 examples look like" in said
    assert "max_labels=5000" in said


def test_a_label_that_only_the_validation_data_has_is_refused(run, tmp_path):
    rows = [(text, "别的" if label == "买" else label) for text, label in ROWS]
    said = refused(run, tmp_path, rows)
    assert "'买' (5" in said and "valid.csv" in said


def test_a_label_with_a_line_break_is_refused(run, tmp_path):
    said = refused(run, tmp_path, [*ROWS, ("one more", "买\n不买")])
    assert "line" in said and "52" in said


def test_nothing_but_empty_texts_is_refused(run, tmp_path):
    said = refused(run, tmp_path, [("  ", label) for _, label in ROWS])
    assert "bad.csv" in said


@pytest.mark.parametrize(
    "options", [{"encoding": "utf-8-sig"}, {"newline": "\r\n"}], ids=["BOM", "CRLF"]
)
def test_files_of_other_systems_are_read_alike(run, tmp_path, untrained, options):
    plain = write(tmp_path / "plain.csv", ROWS[:12])
    other = write(tmp_path / "other.csv", ROWS[:12], **options)
    assert plain.read_bytes() != other.read_bytes()
    found = [
        run("evaluate", untrained, "--data", path, "--json")[1]
        for path in (plain, other)
    ]
    assert found[0] == found[1] != ""


def test_empty_texts_are_left_out_with_a_warning(run, tmp_path, untrained):
    path = write(tmp_path / "some.csv", [*ROWS[:12], (" ", "买")])
    code, out, err = run("evaluate", untrained, "--data", path)
    assert code == 0
    assert "Warning:" in err and "14" in err
    assert "(12 examples)" in out


def test_a_name_that_nobody_has_is_no_label_of_the_preset(run, tmp_path, untrained):
    path = write(tmp_path / "other.csv", [("a", "卖"), ("b", "买")] * 6)
    code, _, err = run("evaluate", untrained, "--data", path)
    assert code == 1
    assert "'卖' (6" in err


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["--reset-head", "--reuse-head"], 2, "exclude each other"),
        (["--unfreeze", "embedding/.*"], 2, "--unfreeze takes PATTERN=STEP"),
        (["--set", "monitor=bleu"], 1, "accuracy, macro_f1, perplexity"),
        (["--layer-decay", "2"], 1, "layer_decay must be above 0"),
        (["--reset", "poling/.*"], 1, "Did you mean 'pooling/.*'"),
        (["--freeze", "embeding/.*"], 1, "Did you mean 'embedding/.*'"),
        (["--kind", "multi"], 1, "--reset-head"),
        (["--valid-target", "x"], 2, "--valid-target"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_written(
    run, untrained, tmp_path, arguments, code, message
):
    mine = write(tmp_path / "mine.csv", ROWS)
    given = ["finetune", untrained, "--train", mine, "--out", tmp_path / "run"]
    found, out, err = run(*given, *arguments)
    assert (found, out) == (code, "")
    assert message in " ".join(err.split())
    assert not (tmp_path / "run").exists()


def test_every_likely_label_of_several_is_named_and_no_more_than_three_others():
    from zoo.cli.using import _lines
    from zoo.tasks.text_classification_runner import Classification

    scores = {name: 1 - n / 10 for n, name in enumerate("abcdefghi")}
    for count, shown in ((0, "-   (a 1.000)   (b 0.900)   (c 0.800)"),
                         (1, "a 1.000   (b 0.900)   (c 0.800)"),
                         (4, "a 1.000, b 0.900, c 0.800, d 0.700")):  # fmt: skip
        result = Classification(tuple("abcd"[:count]), 0.7, scores, False)
        assert _lines(result) == [shown]


def test_an_export_of_pairs_is_asked_for_pairs(monkeypatch, tmp_path):
    from zoo.cli.exported import evaluate_export
    from zoo.export import check_export

    (tmp_path / "1" / "assets.extra").mkdir(parents=True)
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"")
    about = {"task": "text_classification", "labels": {"kind": "single"}}
    manifest = json.dumps({"details": about})
    (tmp_path / "1" / "assets.extra" / "zoo.json").write_text(manifest)
    # Names are read from here: of very many the manifest does not list them.
    labels = "不买\n买\n"
    (tmp_path / "1" / "assets.extra" / "labels.txt").write_text(labels, "utf-8")
    asked = []

    def answer(folder, requests):
        asked.extend(requests)
        return [
            {"probabilities": [[0.1, 0.9]] * len(inputs["texts"])}
            for _, inputs in requests
        ]

    monkeypatch.setattr(check_export, "answer_export", answer)
    rows = [(f"one {n}", f"other {n}", "买") for n in range(70)]
    data = write(tmp_path / "pairs.csv", rows, ("text", "text_pair", "label"))
    found = evaluate_export(tmp_path, data, None, {"columns": None})
    assert found["accuracy"] == 1.0
    assert [len(inputs["texts"]) for _, inputs in asked] == [64, 6]
    assert asked[1][1]["text_pairs"] == [row[1] for row in rows[64:]]
