import os
import shutil

import pytest

from zoo.deployment import DeployedModel, Deployment, write, write_deployment


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_models_and_files_are_there(deployment, tmp_path):
    folder = write_deployment(deployment, tmp_path / "new" / "shop-window")
    found = files(folder)
    assert {"compose.yaml", "config/models.config", ".dockerignore"} <= found
    assert {f"models/translation/{n}/saved_model.pb" for n in (1, 2, 10)} <= found
    assert "models/fast/1/variables/variables.index" in found
    pb = folder / "models" / "translation" / "10" / "saved_model.pb"
    assert pb.read_bytes() == b"graph of 10"


def test_models_take_no_room_a_second_time(deployment, tmp_path):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    source = deployment.models[1].base_path / "1" / "saved_model.pb"
    place = folder / "models" / "fast" / "1" / "saved_model.pb"
    assert os.stat(source).st_ino == os.stat(place).st_ino


def test_models_are_copied_where_there_are_no_links(deployment, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(write.os, "link", refuse)
    folder = write_deployment(deployment, tmp_path / "shop-window")
    source = deployment.models[1].base_path / "1" / "saved_model.pb"
    place = folder / "models" / "fast" / "1" / "saved_model.pb"
    assert os.stat(source).st_ino != os.stat(place).st_ino
    assert place.read_bytes() == source.read_bytes()


def test_the_server_may_read_what_only_its_owner_might(deployment, tmp_path):
    source = deployment.models[1].base_path / "1" / "saved_model.pb"
    source.chmod(0o600)
    old = os.umask(0o077)
    try:
        folder = write_deployment(deployment, tmp_path / "shop-window")
    finally:
        os.umask(old)
    assert source.stat().st_mode & 0o777 == 0o600
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o444 == 0o444, path
        assert path.is_file() or path.stat().st_mode & 0o111 == 0o111, path


def test_what_is_there_stays(deployment, tmp_path):
    folder = tmp_path / "shop-window"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match="--replace"):
        write_deployment(deployment, folder)
    with pytest.raises(ValueError, match="no deployment, so it is not replaced"):
        write_deployment(deployment, folder, replace=True)
    assert files(folder) == {"mine"}


def test_a_deployment_is_replaced_whole_and_the_users_files_kept(
    deployment, made_export, tmp_path
):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    (folder / "api_token").write_text("secret")
    (folder / "api_token").chmod(0o600)
    (folder / ".env").write_text("SITE_ADDRESS=x.example\n")
    withdrawn = folder / "withdrawn" / "fast-1" / "saved_model.pb"
    withdrawn.parent.mkdir(parents=True)
    withdrawn.write_bytes(b"the only copy")
    other = DeployedModel("other", made_export("other"))
    write_deployment(Deployment("shop-window", [other]), folder, replace=True)
    assert os.listdir(folder / "models") == ["other"]
    assert (folder / "api_token").read_text() == "secret"
    assert (folder / "api_token").stat().st_mode & 0o777 == 0o600
    assert (folder / ".env").read_text() == "SITE_ADDRESS=x.example\n"
    assert withdrawn.read_bytes() == b"the only copy"


@pytest.mark.parametrize(
    "name", ["config/models.config", "compose.yaml", "Caddyfile", "README.md"]
)
def test_a_file_that_was_changed_is_not_replaced(deployment, tmp_path, name):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    with (folder / name).open("a") as file:
        file.write("# mine\n")
    with pytest.raises(ValueError, match=f"would be lost: {name}[.]"):
        write_deployment(deployment, folder, replace=True)
    (folder / name).rename(tmp_path / "mine")
    write_deployment(deployment, folder, replace=True)
    assert "# mine" not in (folder / name).read_text()


def test_a_version_that_only_the_deployment_has_is_not_replaced(
    deployment, made_export, tmp_path
):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    own = folder / "models" / "fast" / "2"
    own.mkdir()
    (own / "saved_model.pb").write_bytes(b"exported here")
    with pytest.raises(ValueError, match=r"would be lost.*: models/fast/2[.]"):
        write_deployment(deployment, folder, replace=True)
    other = Deployment("shop-window", [DeployedModel("other", made_export("other"))])
    with pytest.raises(ValueError, match=r"models/fast/2[.]"):
        write_deployment(other, folder, replace=True)
    assert (own / "saved_model.pb").read_bytes() == b"exported here"
    again = DeployedModel("fast", folder / "models" / "fast")
    write_deployment(Deployment("shop-window", [again]), folder, replace=True)
    assert (own / "saved_model.pb").read_bytes() == b"exported here"


def test_a_version_whose_source_is_gone_is_not_replaced(
    deployment, made_export, tmp_path
):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    shutil.rmtree(deployment.models[1].base_path)
    other = Deployment("shop-window", [DeployedModel("other", made_export("other"))])
    with pytest.raises(ValueError, match=r"would be lost.*: models/fast/1[.]"):
        write_deployment(other, folder, replace=True)


def test_another_content_under_a_number_is_not_replaced(deployment, tmp_path):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    graph = folder / "models" / "fast" / "1" / "saved_model.pb"
    graph.unlink()
    graph.write_bytes(b"another")
    with pytest.raises(ValueError, match=r"would be lost.*: models/fast/1[.]"):
        write_deployment(deployment, folder, replace=True)


def test_a_file_among_the_models_is_named(deployment, tmp_path):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    (folder / "models" / "fast" / ".export.x").mkdir()
    (folder / "models" / "notes").touch()
    with pytest.raises(ValueError, match=r"models/fast/\.export\.x, models/notes"):
        write_deployment(deployment, folder, replace=True)


def test_a_deployment_without_a_record_is_not_replaced(deployment, tmp_path):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    (folder / ".deployment.json").unlink()
    with pytest.raises(ValueError, match="what was changed there is not known"):
        write_deployment(deployment, folder, replace=True)


def test_editing_a_deployment_leaves_its_source_alone(made_export, tmp_path):
    base = made_export("own", batching=True)
    folder = write_deployment(
        Deployment("shop-window", [DeployedModel("own", base)]), tmp_path / "window"
    )
    for name in ("batching_params.pbtxt", "assets.extra/zoo.json"):
        before = (base / "1" / name).read_bytes()
        (folder / "models" / "own" / "1" / name).write_text("mine")
        assert (base / "1" / name).read_bytes() == before


def test_a_deployment_may_be_made_of_the_one_it_replaces(deployment, tmp_path):
    folder = write_deployment(deployment, tmp_path / "shop-window")
    own = DeployedModel("fast", folder / "models" / "fast")
    write_deployment(Deployment("shop-window", [own]), folder, replace=True)
    pb = folder / "models" / "fast" / "1" / "saved_model.pb"
    assert pb.read_bytes() == b"graph of 1"


def test_a_failure_leaves_nothing(deployment, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(write, "_place_file", fail)
    with pytest.raises(OSError, match="disk full"):
        write_deployment(deployment, tmp_path / "new" / "shop-window")
    assert os.listdir(tmp_path / "new") == []
