"""A sweep's folder belongs to one sweep at a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.store import LOCK, Store


def test_another_sweep_is_told_whose_folder_it_is(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    with one.locked():
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
        with pytest.raises(UserError, match=rf"another sweep is writing to .* \(process {os.getpid()}\)"), \
                other.locked():
            pass
    with other.locked():
        pass


@pytest.mark.parametrize("call", ["ftruncate", "pwrite"])
def test_a_full_disk_is_a_sentence(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(UserError, match=r"cannot be written \(.*disk is full.*\); choose another folder"), \
                Store(tmp_path).locked():
            pass
    with Store(tmp_path).locked():
        pass
