"""Nobody looks for garbage while a run begins, and somebody does once it has."""

from __future__ import annotations

import gc
import sys

import pytest

from epymarl_cpa.utils.garbage import started, starting


def test_garbage_is_looked_for_again_once_started_or_at_the_end() -> None:
    frozen = gc.get_freeze_count()
    with starting():
        assert not gc.isenabled()
        with starting():
            assert not gc.isenabled()
        assert not gc.isenabled()
        started()
        assert gc.isenabled()
        started()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), starting():
        1 / 0  # noqa: B018
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen  # torch was there before


def test_what_is_imported_at_first_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = sys.modules["torch"]
    monkeypatch.delitem(sys.modules, "torch")
    try:
        with starting():
            monkeypatch.setitem(sys.modules, "torch", torch)
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_garbage_collection_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with starting():
            started()
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
