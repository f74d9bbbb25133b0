"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from epymarl_cpa.utils.files import reason, sync, write_text, write_with


def test_text_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("first", "zweite Fassung: äöü"):
        write_text(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"], "no temporary file is left"
    assert path.stat().st_mode & 0o777 == 0o644, "others may read it"


def half_written(file: BinaryIO) -> None:
    file.write(b"half")
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_a_failure_leaves_the_old_file_alone(failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    if failing != "write":
        monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        write_with(path, half_written if failing == "write" else lambda file: file.write(b"new"))
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path) -> None:
    def interrupted(file: BinaryIO) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_with(tmp_path / "a.txt", interrupted)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        write_text(tmp_path / "absent/a.txt", "x")
    with pytest.raises(OSError, match="absent"):
        sync(tmp_path / "absent")


def test_an_interrupt_right_after_the_move_stays_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def replaced(source: str, target: Path) -> None:
        real(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replaced)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a.txt", "new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize(("error", "said"), [
    (OSError(28, "No space left on device"), "the disk is full"),
    (OSError(122, "Disk quota exceeded"), "the quota of disk space is used up"),
    (PermissionError(13, "Permission denied", "x"), "Permission denied"), (OSError("of no number"), "of no number"),
    (OSError(), "OSError")], ids=str)
def test_what_the_system_says_is_put_in_a_few_words(error: OSError, said: str) -> None:
    assert reason(error) == said
