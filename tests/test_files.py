"""Files are there whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from barkyard.files import make_folder, synchronise, write_whole


def test_writes_and_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    for content in (b"first", b"", b"second\x00"):
        write_whole(path, content)
        assert path.read_bytes() == content
        assert os.listdir(path.parent) == ["file.bin"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_alone(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file"
    write_whole(path, b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_the_error_is_the_one_that_happened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "file" / "below", b"")
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "taken", b"")
    assert sorted(os.listdir(tmp_path)) == ["file", "taken"]


@pytest.mark.parametrize(
    ("partial", "name"), [(None, f".file.{os.getpid()}.tmp"), (".partial", ".file.partial")], ids=["pid", "partial"]
)
def test_order_of_what_reaches_the_disk(
    partial: str | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_sync(descriptor: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        steps.append(f"sync {place.name} {place.stat().st_size if place.is_file() else ''}".strip())
        fsync(descriptor)

    def note_rename(source: Path, target: Path) -> None:
        steps.append(f"rename {source.name} {target.name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_rename)
    write_whole(tmp_path / "file", b"12345", partial)
    assert steps == [f"sync {name} 5", f"rename {name} file", f"sync {tmp_path.name}"]


def test_new_folders_are_synced_into_their_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir() and synced == [str(tmp_path), str(tmp_path / "a")]
    make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_synchronise_needs_something_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        synchronise(tmp_path / "absent")
