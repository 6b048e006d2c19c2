"""JSON and NPZ from others."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from barkyard import untrusted
from barkyard.errors import InvalidInput
from barkyard.untrusted import parse_json, read_npz


def test_json_is_read_as_it_is() -> None:
    assert parse_json('{"a": [1, -2, 0.5, null, true, "x", 1234567890123456789]}') == {
        "a": [1, -2, 0.5, None, True, "x", 1234567890123456789]
    }
    assert parse_json(b"[1]") == [1]


def test_what_is_too_long_or_too_deep_does_not_break_what_follows() -> None:
    assert parse_json("1" + "0" * 400) == float("inf")
    with pytest.raises(ValueError, match="too deeply"):
        parse_json("[" * 100_000)


def test_arrays_come_back(tmp_path: Path) -> None:
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", x=np.arange(6.0).reshape(2, 3), names=np.array(["a", "bc"]), other=np.zeros(3))
        found = read_npz(tmp_path / "a.npz", ("x", "names", "absent"))
        assert sorted(found) == ["names", "x"]
        np.testing.assert_array_equal(found["x"], np.arange(6.0).reshape(2, 3))
        assert found["names"].tolist() == ["a", "bc"]


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InvalidInput, match="plain arrays.*allow_pickle"):
        read_npz(tmp_path / "a.npz", ("x",))


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "LARGEST_ARRAYS", 1_000_000)
    np.savez_compressed(tmp_path / "zeros.npz", x=np.zeros(1_000_000))
    assert (tmp_path / "zeros.npz").stat().st_size < 20_000
    with pytest.raises(InvalidInput, match=r"take 8,000,128 bytes, of which 1,000,000 are read"):
        read_npz(tmp_path / "zeros.npz", ("x",))


def test_a_header_that_promises_too_much_is_not_believed(tmp_path: Path) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})  # type: ignore[no-untyped-call]
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", member.getvalue())
    with pytest.raises(InvalidInput, match="of which 2,000,000,000 are read"):
        read_npz(tmp_path / "a.npz", ("x",))
