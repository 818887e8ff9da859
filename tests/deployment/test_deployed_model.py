import pytest

from zoo.deployment import DeployedModel


def test_versions_are_ordered_by_number(made_export):
    versions = DeployedModel("translation", made_export(versions=(10, 9, 1))).versions
    assert list(versions) == [1, 9, 10]


def test_folders_that_are_no_versions_are_left_out(made_export):
    base = made_export(versions=(3,))
    for name in ("old", "04", ".5", "6"):
        (base / name).mkdir()
        if name != "6":
            (base / name / "saved_model.pb").touch()
    assert DeployedModel("translation", base).versions == {3: base / "3"}


def test_without_labels_the_newest_version_is_served(made_export):
    assert DeployedModel("a", made_export(versions=(1, 2))).served == [2]


def test_with_labels_their_versions_are_served(made_export):
    base = made_export(versions=(1, 2, 3, 5))
    labels = {"canary": 3, "stable": 1, "tested": 1}
    assert DeployedModel("a", base, labels).served == [1, 3]


def test_a_label_of_a_missing_version_is_refused(made_export):
    with pytest.raises(ValueError, match=r"no version 3 .* There is: 1, 2[.]"):
        DeployedModel("a", made_export(versions=(1, 2)), {"canary": 3})


@pytest.mark.parametrize("label", ["", "a/b", 'a"', "Stable", "a b"])
def test_a_label_that_could_not_stand_in_an_address_is_refused(made_export, label):
    with pytest.raises(ValueError, match="no label"):
        DeployedModel("a", made_export(), {label: 1})


def test_a_folder_without_versions_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"such as 1/saved_model\.pb"):
        DeployedModel("a", tmp_path)


def test_a_foreign_export_needs_no_environment(made_export):
    base = made_export()
    (base / "1" / "assets.extra" / "zoo.json").unlink()
    model = DeployedModel("a", base)
    assert (model.environment, model.manifest) == ({}, {})


def test_every_served_version_has_its_environment(made_export):
    base = made_export(versions=(1, 2), environment={"TF_ENABLE_ONEDNN_OPTS": "1"})
    (base / "2" / "assets.extra" / "zoo.json").write_text("{}")
    assert DeployedModel("a", base).environment == {}
    both = DeployedModel("a", base, {"x": 1, "y": 2}).environment
    assert both == {"TF_ENABLE_ONEDNN_OPTS": "1"}


def test_it_batches_by_itself_only_if_all_that_is_served_does(made_export):
    base = made_export(versions=(1, 2, 3), batching=True)
    assert DeployedModel("a", base).batches_by_itself
    (base / "2" / "batching_params.pbtxt").unlink()
    assert DeployedModel("a", base).batches_by_itself
    assert not DeployedModel("a", base, {"x": 2, "y": 3}).batches_by_itself


def test_the_size_is_that_of_the_largest_version(made_export):
    base = made_export(versions=(1, 2))
    (base / "1" / "variables" / "variables.data").write_bytes(b"7" * 10007)
    assert 10007 < DeployedModel("a", base).size < 11000
