import builtins
import pickle
import zipfile

import numpy as np
import pytest

from tests.converters.torch_files import (
    Call,
    Opcodes,
    Storage,
    tensor,
    write,
    write_legacy,
)
from zoo.converters.torch_pickle import Opaque, read_torch_pickle


@pytest.fixture
def content(random):
    return {
        "model": {
            "weight": random.normal(size=(3, 5)).astype("float32"),
            "bias": random.normal(size=7).astype("float32"),
        },
        "epoch": 11,
        "rates": [0.1, (None, True)],
    }


def assert_same(found, content):
    assert found["model"].keys() == content["model"].keys()
    for name, expected in content["model"].items():
        np.testing.assert_array_equal(found["model"][name], expected)
        assert found["model"][name].dtype == expected.dtype
    rest = {name: found[name] for name in ("epoch", "rates")}
    assert rest == {name: content[name] for name in rest}


@pytest.mark.parametrize("writer", [write, write_legacy])
def test_tensors_come_back_as_they_were_saved(writer, content, tmp_path):
    assert_same(read_torch_pickle(writer(tmp_path / "weights.pth", content)), content)


def test_halves_become_float32_and_integers_stay(tmp_path):
    numbers = np.array([1.5, -2.0, 0.25], "float32")
    shorter = (numbers.view("uint32") >> 16).astype("uint16")
    content = {
        "half": numbers.astype("float16"),
        "bfloat": tensor(Storage("BFloat16", "b", 3), 0, (3,), (1,)),
        "long": np.array([2**40, -3]),
        "flags": np.array([True, False]),
    }
    path = write(tmp_path / "w.pth", content, {"b": shorter.tobytes()})
    found = read_torch_pickle(path)
    for name in ("half", "bfloat"):
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], numbers)
    np.testing.assert_array_equal(found["long"], [2**40, -3])
    assert found["flags"].dtype == bool


def test_tensors_may_share_a_storage(tmp_path):
    storage = Storage("Float", "s", 12)
    numbers = np.arange(12, dtype="float32")
    content = [
        tensor(storage, 0, (3, 4), (4, 1)),
        tensor(storage, 1, (4, 2), (1, 4)),
        tensor(storage, 11, (), ()),
        tensor(storage, 0, (0, 4), (4, 1)),
    ]
    path = write(tmp_path / "w.pth", content, {"s": numbers.tobytes()})
    whole, turned, one, none = read_torch_pickle(path)
    np.testing.assert_array_equal(whole, numbers.reshape(3, 4))
    np.testing.assert_array_equal(turned, [[1, 5], [2, 6], [3, 7], [4, 8]])
    assert one == 11 and none.shape == (0, 4)


# What must not happen


def making(path):
    """Of a pickle that would make a file, were it loaded in the usual way."""
    return {
        "os": Call("os", "mkdir", (str(path),)),
        "posix": Call("posix", "mkdir", (str(path),)),
        "builtins": Call("builtins", "exec", (f"open({str(path)!r}, 'w')",)),
        "torch": Call("torch.storage", "_load_from_bytes", (b"",)),
        "numpy": Call("numpy", "ones", (3,)),
        "a part of what is known": Call("collections", "deque", ()),
        "a dotted name": Call("collections", "OrderedDict.fromkeys", ([1],)),
    }


@pytest.mark.parametrize("writer", [write, write_legacy])
@pytest.mark.parametrize("kind", making(""))
def test_a_pickle_that_calls_anything_else_is_refused(writer, kind, tmp_path):
    marker = tmp_path / "made"
    call = making(marker)[kind]
    path = writer(tmp_path / "weights.pth", {"model": {}, "more": call})
    with pytest.raises(ValueError, match="is refused") as refused:
        read_torch_pickle(path)
    assert f"'{call.module}.{call.name}' to be imported" in str(refused.value)
    assert not marker.exists()


def test_such_a_pickle_would_have_made_a_file(tmp_path):
    """Or the tests above show nothing."""
    marker = tmp_path / "made"
    path = write(tmp_path / "weights.pth", making(marker)["os"])
    pickle.loads(zipfile.ZipFile(path).read("archive/data.pkl"))
    assert marker.exists()


def test_nothing_is_imported_for_a_namespace(content, tmp_path, monkeypatch):
    state = {"nheads": 8, "dilation": True}
    content["args"] = Call("argparse", "Namespace", (), state)
    path = write(tmp_path / "weights.pth", content)
    imported, usual = [], builtins.__import__

    def noted(name, *arguments):
        imported.append(name)
        return usual(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", noted)
    found = read_torch_pickle(path)
    monkeypatch.undo()
    assert "argparse" not in imported
    assert isinstance(found["args"], Opaque)
    assert found["args"].state == state
    assert_same(found, content)


# Damage


@pytest.mark.parametrize("writer", [write, write_legacy])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.98])
def test_a_file_that_was_cut_short_is_refused(writer, share, content, tmp_path):
    path = writer(tmp_path / "weights.pth", content)
    octets = path.read_bytes()
    path.write_bytes(octets[: int(len(octets) * share)])
    with pytest.raises(ValueError, match="is damaged, was not copied whole"):
        read_torch_pickle(path)


@pytest.mark.parametrize(
    "changed",
    [
        tensor(Storage("Float", "s", 6), 0, (3, 3), (2, 1)),
        tensor(Storage("Float", "s", 6), 5, (2,), (1,)),
        tensor(Storage("Float", "s", 6), -1, (2,), (1,)),
        tensor(Storage("Float", "s", 6), 3, (2,), (-1,)),
        tensor(Storage("Float", "s", 6), 0, (-2, 3), (3, 1)),
        tensor(Storage("Float", "s", 6), 0, (1_000, 3), (0, 0)),
        tensor(Storage("Float", "s", 7), 0, (6,), (1,)),
        tensor(Storage("Float", "other", 6), 0, (6,), (1,)),
    ],
    ids=[
        "too many",
        "beyond the end",
        "before the start",
        "backwards",
        "negative",
        "one number for all",
        "another size",
        "no storage",
    ],
)
def test_a_tensor_must_lie_within_its_storage(changed, tmp_path):
    octets = np.zeros(6, "float32").tobytes()
    path = write(tmp_path / "w.pth", {"model": changed}, {"s": octets})
    with pytest.raises(ValueError, match="is damaged"):
        read_torch_pickle(path)


def test_another_archive_is_refused(content, tmp_path):
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"not one of torch\.save"):
        read_torch_pickle(path)
    octets = zipfile.ZipFile(write(path, content)).read("archive/data.pkl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", octets)
    with pytest.raises(ValueError, match="compressed"):
        read_torch_pickle(path)


def test_what_says_the_order_of_bytes_is_short_and_not_compressed(content, tmp_path):
    path = write(tmp_path / "weights.pth", content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/byteorder", b"little")
    assert_same(read_torch_pickle(path), content)
    for kind, message in (
        (zipfile.ZIP_DEFLATED, "compressed"),
        (zipfile.ZIP_STORED, "byteorder has 1009 bytes, and 6 at most"),
    ):
        path = write(tmp_path / f"{kind}.pth", content)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("archive/byteorder", bytes(1009), kind)
        with pytest.raises(ValueError, match=message):
            read_torch_pickle(path)


@pytest.mark.parametrize("writer", [write, write_legacy])
def test_a_container_in_many_places_is_looked_into_once(writer, content, tmp_path):
    """61 lists, each of which holds the one before it twice."""
    doubled = b"]q\x00" + b"".join(
        b"](" + bytes([ord("h"), n]) * 2 + bytes([ord("e"), ord("q"), n + 1])
        for n in range(61)
    )
    # All but the last are in a tuple, to lie on no stack.
    content["nested"] = Opcodes(b"(" + doubled + b"t")
    found = read_torch_pickle(writer(tmp_path / "weights.pth", content))
    assert_same(found, content)
    *_, last = found["nested"]
    for _ in range(61):
        assert last[0] is last[1]
        last = last[0]
    assert last == []


def test_a_list_that_holds_itself_is_refused(tmp_path):
    path = write(tmp_path / "w.pth", {"loop": Opcodes(b"]q\x00h\x00a")})
    with pytest.raises(ValueError, match="RecursionError"):
        read_torch_pickle(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights\.pth"):
        read_torch_pickle(tmp_path / "weights.pth")


# Beside torch


@pytest.mark.parametrize("legacy", [False, True])
def test_files_of_torch_itself_are_read(legacy, tmp_path):
    torch = pytest.importorskip("torch")
    import argparse

    torch.manual_seed(5)
    layer = torch.nn.Conv2d(3, 5, 2)
    content = {
        "model": layer.state_dict(),
        "turned": layer.weight.data.transpose(0, 1)[1:],
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "bfloat": torch.randn(7).bfloat16(),
        "half": torch.randn(7).half(),
        "long": torch.tensor(11),
        "size": torch.Size([2, 3]),
        "args": argparse.Namespace(nheads=3),
    }
    path = tmp_path / "weights.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    found = read_torch_pickle(path)
    assert found["args"].state == {"nheads": 3}
    assert found["size"] == (2, 3)
    for name, expected in (content["model"] | content).items():
        if isinstance(expected, torch.Tensor):
            array = found["model"].get(name, found.get(name))
            expected = expected.detach()
            if expected.is_floating_point():
                expected = expected.float()
            np.testing.assert_array_equal(array, expected.numpy(), err_msg=name)
