import os

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
    (folder / "notes").write_text("notes")
    other = DeployedModel("other", made_export("other"))
    write_deployment(Deployment("shop-window", [other]), folder, replace=True)
    assert os.listdir(folder / "models") == ["other"]
    assert (folder / "api_token").read_text() == "secret"
    assert (folder / "api_token").stat().st_mode & 0o777 == 0o600
    assert (folder / ".env").read_text() == "SITE_ADDRESS=x.example\n"
    assert not (folder / "notes").exists()


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
