import struct
import zipfile

import numpy as np
import pytest

from tests.converters.marian_files import CONFIG, write_bin, write_items
from zoo.converters.marian_binary import read_marian

TEXT = ("special:model.yml", 0x0101, (6,), b"a: b\n\0")


@pytest.fixture
def arrays(random):
    return {
        "Wemb": random.normal(size=(5, 3)).astype("float32"),
        "decoder_l1_rnn_W": random.normal(size=(3, 7)).astype("float32"),
        "decoder_l1_rnn_bf": random.normal(size=(1, 7)).astype("float32"),
    }


@pytest.mark.parametrize("int8", [True, False])
def test_a_file_gives_the_numbers_that_it_stands_for(tmp_path, arrays, int8):
    path = tmp_path / "model.bin"
    meant = write_bin(path, arrays, int8=int8)
    found = read_marian(path)
    assert found.config == CONFIG
    for name, array in meant.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert np.abs(array - arrays[name]).max() < 0.02
    assert set(found.steps) == ({"Wemb", "decoder_l1_rnn_W"} if int8 else set())
    if int8:
        assert found.steps["Wemb"] == pytest.approx(np.abs(arrays["Wemb"]).max() / 127)


def test_half_precision_and_npz_are_read(tmp_path, arrays):
    half = arrays["Wemb"].astype("float16")
    item = ("Wemb", 0x0402, half.shape, half.tobytes())
    write_items(tmp_path / "model.bin", [item, TEXT])
    found = read_marian(tmp_path / "model.bin").arrays["Wemb"]
    np.testing.assert_array_equal(found, half.astype("float32"))
    config = np.frombuffer(b"a: b\n\0", "int8")
    np.savez(tmp_path / "model.npz", **arrays, **{"special:model.yml": config})
    found = read_marian(tmp_path / "model.npz")
    assert found.config == "a: b\n"
    np.testing.assert_array_equal(found.arrays["Wemb"], arrays["Wemb"])


def test_a_file_cut_anywhere_is_refused(tmp_path, arrays):
    path = tmp_path / "model.bin"
    write_bin(path, arrays)
    whole = path.read_bytes()
    for length in (0, 9, 40, 400, 700, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no whole file of Marian's weights"):
            read_marian(path)


def test_headers_that_lie_are_refused(tmp_path):
    path = tmp_path / "model.bin"
    numbers = np.zeros(6, "float32").tobytes()
    for items, message in (
        ([("x", 0x0404, (300, 2), numbers), TEXT], "bytes for the shape"),
        ([("x", 0x4101, (16, 16), bytes(256)), TEXT], "bytes for the shape"),
        ([("x", 0x0404, (2, -3), numbers), TEXT], r"has the shape \(2, -3\)"),
        ([("x", 0x0404, (1,) * 9, numbers), TEXT], "9 axes"),
        ([("x", 0x0404, (2, 3), numbers)] * 2 + [TEXT], "one name"),
        ([("x", 0x0404, (2, 3), numbers)], "no special:model.yml"),
        ([("x", 0x4101, (2, 3), bytes(10)), TEXT], r"multiplied by 0\.0"),
        ([("x", 0x0404, (1, 1), struct.pack("<f", np.nan)), TEXT], "not finite"),
    ):
        write_items(path, items)
        with pytest.raises(ValueError, match=message):
            read_marian(path)


def test_packed_matrices_and_other_versions_say_so(tmp_path):
    path = tmp_path / "model.bin"
    write_items(path, [("x", 0x1801, (2, 3), bytes(6)), TEXT])
    with pytest.raises(ValueError, match=r"type 0x1801.*intgemm8"):
        read_marian(path)
    write_items(path, [TEXT], version=2)
    with pytest.raises(ValueError, match="version is 2"):
        read_marian(path)


def npy(shape, octets=b"") -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    return (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(header))
        + (header.encode() + octets)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy((2**40, 3)), r"bytes for the shape \(1099511627776, 3\)"),
        (npy((5, -3)), r"bytes for the shape \(5, -3\)"),
        (npy((2**20,), bytes(2**22)), "32 times as large"),
        (b"nothing", "magic"),
        (b"\x93NUMPY\x07\x00", r"version \(7, 0\)"),
    ],
    ids=["too large", "negative", "packed zeros", "no array", "version"],
)
def test_an_npz_is_no_larger_than_its_file(tmp_path, content, message, monkeypatch):
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Wemb.npy", content)
    # Looked at before anything is read.
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=f"no whole file of Marian.*{message}"):
        read_marian(path)


def test_an_npz_for_which_the_memory_is_too_small_is_refused(
    tmp_path, arrays, monkeypatch
):
    np.savez(tmp_path / "model.npz", **arrays)

    def full(*_, **__):
        raise MemoryError("no room")

    monkeypatch.setattr(np, "load", full)
    with pytest.raises(ValueError, match="no room"):
        read_marian(tmp_path / "model.npz")


def test_a_pickle_in_an_npz_is_not_opened(tmp_path):
    harm = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "model.npz", harm=harm)
    with pytest.raises(ValueError, match="allow_pickle"):
        read_marian(tmp_path / "model.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.bin"):
        read_marian(tmp_path / "model.bin")
