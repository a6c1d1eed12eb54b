"""Atomic writes: what an error names, and what of an old folder stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from trainer import files


def content(folder: Path) -> dict[str, bytes]:
    return {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def test_an_error_names_what_was_to_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full while the file is written, as the system says it: without a name."""

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for path, write in (
        (tmp_path / "a.txt", lambda: files.write(tmp_path / "a.txt", b"1")),
        (tmp_path / "folder", lambda: files.write_folder(tmp_path / "folder", {"a.txt": b"1"})),
    ):
        with pytest.raises(OSError) as found:
            write()
        assert (found.value.filename, found.value.errno) == (str(path), errno.ENOSPC)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_something_else_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "inside", tmp_path / "file" / "inside" / "deeper"):
        with pytest.raises(OSError) as found:
            files.write_folder(path, {"a": b""})
        assert found.value.filename in (str(tmp_path / "file"), str(path.parent))
    with pytest.raises(FileNotFoundError) as missing, files.replaced(tmp_path / "new"):
        (tmp_path / "nothing").read_bytes()
    assert missing.value.filename == str(tmp_path / "nothing") and not (tmp_path / "new").exists()


def test_kept_entries_move_into_the_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    files.write_folder(
        folder, {"old": b"", "notes": b"n", "part/old": b"", "part/notes": b"p", "gone/notes": b"g"}
    )
    with files.replaced(folder, keep=["notes", "part/notes", "gone/notes"]) as fresh:
        files.write(fresh / "part" / "new", b"1")
        assert content(folder)["old"] == b"", "until the block ends the old folder stands"
    assert content(folder) == {"notes": b"n", "part/new": b"1", "part/notes": b"p", "gone/notes": b"g"}
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


def test_after_an_error_the_old_folder_stays(tmp_path: Path) -> None:
    files.write_folder(tmp_path / "mine", {"old": b"1"})
    with pytest.raises(ZeroDivisionError), files.replaced(tmp_path / "mine") as fresh:
        files.write(fresh / "new", b"")
        raise ZeroDivisionError
    assert content(tmp_path) == {"mine/old": b"1"}
