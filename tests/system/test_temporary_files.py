"""A folder of temporary files that is full, or gone, costs a finished run nothing and is told in a sentence."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcome import Outcome

from epymarl_cpa.deploy import __main__ as deploy
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.store import Store
from epymarl_cpa.host import configs

Run = Callable[..., Outcome]


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))


def test_a_run_ends_well_without_its_last_files(gone: None, tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    done = tiny_run("t_max=1")
    assert done.record("run")["status"] == "COMPLETED" and done.steps() == [1]
    said = "".join(capsys.readouterr())
    assert said.count("the run's record lacks some of manifest.json, data.json, row.jsonl (") == 1
    assert said.count("No such file") == 1 and "Traceback" not in said


def test_a_run_ends_well_where_nothing_can_be_removed(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As disks without room for a new version of a folder, and quotas, have it."""
    real = os.unlink

    def full(path: Any, **named: Any) -> None:
        if "dir_fd" in named:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        real(path)

    monkeypatch.setattr(os, "unlink", full)
    done = tiny_run("t_max=1")
    assert done.record("run")["status"] == "COMPLETED"
    assert done.sacred and {"manifest.json", "data.json", "row.jsonl"} <= {file.name for file in done.sacred.iterdir()}


def test_agents_that_cannot_be_tried(gone: None, tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    models = tiny_run("t_max=0", "student_t_max=1", "pool_hidden=8", alg="cpa_pa").models
    assert deploy.main(["check", str(models)]) == 2
    assert "the agents cannot be tried: nothing can be written to the folder of temporary files (No such file" \
        in capsys.readouterr().err


def test_settings_for_epymarl(gone: None) -> None:
    with pytest.raises(UserError, match=r"choose another with TMPDIR=<folder>\.$"):
        configs._written("alg", {"lr": 0.1})


def test_a_sweeps_lock_names_its_process_whoever_held_it_before(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("a longer number than any process has\n")
    with Store(tmp_path).locked():
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
        with pytest.raises(UserError, match=rf"process {os.getpid()}\)"), Store(tmp_path).locked():
            pass
