from pathlib import Path

import pytest

from zoo.serving.model_config import ModelConfig, VersionPolicy, read_models


def _read(tmp_path, text):
    path = tmp_path / "models.config"
    path.write_text(text, encoding="utf-8")
    return read_models(path)


def test_a_file_of_tf_serving_is_read(tmp_path):
    text = """
    model_config_list {
      config { name: "one" base_path: "/models/one" model_platform: "tensorflow" }
      config {
        name: "two" base_path: "/models/two"
        model_version_policy { specific { versions: 3 versions: 5 } }
        version_labels { key: "stable" value: 3 }
        version_labels { key: "canary" value: 5 }
      }
      config {
        name: "three" base_path: "/models/three"
        model_version_policy { latest { num_versions: 2 } }
      }
      config { name: "four" base_path: "/f" model_version_policy { all {} } }
    }
    """
    one, two, three, four = _read(tmp_path, text)
    assert one == ModelConfig("one", Path("/models/one"))
    assert two.policy == VersionPolicy(specific=(3, 5))
    assert two.labels == {"stable": 3, "canary": 5}
    assert three.policy == VersionPolicy(latest=2)
    assert four.policy == VersionPolicy(every=True)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (VersionPolicy(), [11]),
        (VersionPolicy(latest=2), [11, 7]),
        (VersionPolicy(latest=9), [11, 7, 2]),
        (VersionPolicy(every=True), [11, 7, 2]),
        (VersionPolicy(specific=(2, 5, 7)), [7, 2]),
    ],
)
def test_a_policy_chooses_from_what_there_is(policy, expected):
    assert policy.choose([2, 11, 7]) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model_config_list { config { nme: 'x' } }", "nme"),
        ("model_config_list { config { name: 'x' } }", "needs name and base_path"),
        ("model_config_list { }", "holds no model"),
        ("", "no model_config_list"),
        (
            "model_config_list { config { name: 'x' base_path: '/x' } "
            "config { name: 'x' base_path: '/y' } }",
            "names a model twice",
        ),
        (
            "model_config_list { config { name: 'x' base_path: '/x' "
            "model_platform: 'onnx' } }",
            "'onnx'",
        ),
        (
            "model_config_list { config { name: 'x' base_path: '/x' "
            "model_version_policy { specific {} } } }",
            "none named",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, text, told):
    with pytest.raises(ValueError, match=r"models\.config") as raised:
        _read(tmp_path, text)
    assert told in str(raised.value)
