"""Rows as lines of a file that may hold something already."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.lines import write_lines

ROW = {"id": "a", "headline": 1.0, "model": "models/a"}


def test_no_path_of_this_machine_is_written(tmp_path: Path) -> None:
    write_lines(tmp_path / "x.jsonl", [ROW])
    assert json.loads((tmp_path / "x.jsonl").read_text()) == {"id": "a", "headline": 1.0}
    assert [file.name for file in tmp_path.iterdir()] == ["x.jsonl"]


def test_what_is_no_row_is_kept_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As if somebody names the wrong file; what was kept before stays."""
    lines = ["a letter", '{"id": "a"}', "[1]", '{"id": 3}']
    for first in ("a letter", "another"):
        (tmp_path / "x.jsonl").write_text("\n".join([first, *lines[1:]]))
        write_lines(tmp_path / "x.jsonl", [ROW])
        assert "3 lines of" in capsys.readouterr().err
    assert (tmp_path / "x.left_out.jsonl").read_text().splitlines() == ["a letter", "[1]", '{"id": 3}', "another"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "bytes", "closed"])
def test_what_cannot_be_written_over_is_a_sentence(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "bytes":
        path.write_bytes(b"\xff\xfe")
    else:
        path = tmp_path / "nowhere" / "x.jsonl"
    with pytest.raises(UserError, match=r"x\.jsonl .*(no regular file|choose another file with --jsonl)"):
        write_lines(path, [ROW])
