"""Reading rows: what is refused, and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.reading import about_rules, curve_of, fault_of, read_rows, without_repeats

ROW: dict[str, Any] = {"env": "xor", "dataset": "good", "alg": "bc", "seed": 0, "headline": 1.0,
                       "headline_optimum": 1.0, "seconds": 2.0, "peak_mb": 300}


def test_folders_and_files_of_rows_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/b.json").write_text(json.dumps({**ROW, "seed": 1}, indent=1))
    (tmp_path / "rows/a.json").write_text(json.dumps(ROW))
    (tmp_path / "more.jsonl").write_text(f"{json.dumps({**ROW, 'seed': 2, 'curve': [[0, 0.5], [10, 1]]})}\n\n")
    rows = read_rows([tmp_path / "rows", tmp_path / "more.jsonl"])
    assert [row["seed"] for row in rows] == [0, 1, 2]
    assert [curve_of(row) for row in rows] == [[], [], [(0.0, 0.5), (10.0, 1.0)]]


@pytest.mark.parametrize(("text", "message"), [
    ('{"env": "xor", "dat', "line 1 is no whole JSON object"),
    ("[1]", "line 1 is something else; rows of sweeps are needed"),
    ('{"a": 1}', "line 1 has no usable 'env'; rows of sweeps are needed"),
    (json.dumps({**ROW, "seed": True}), "has no usable 'seed'"),
    (json.dumps({**ROW, "headline": "1"}), "has no usable 'headline'"),
    (json.dumps({**ROW, "headline": float("nan")}), "has a 'headline' that is no finite number"),
    (json.dumps({**ROW, "curve": [[0]]}), "'curve' that is no list of [t_env, value]"),
    (json.dumps({**ROW, "curve": [[0, float("inf")]]}), "'curve' that is no list of [t_env, value]"),
    (json.dumps({**ROW, "alg": " "}), "has an empty 'alg'"),
    (json.dumps({**ROW, "joint_action": [0, -1]}), "'joint_action' that is no list of the agents' actions"),
    (json.dumps({**ROW, "made_by": "me"}), "'made_by' that is no mapping with texts"),
    (json.dumps({**ROW, "made_by": {"code": 3}}), "'made_by' that is no mapping with texts"),
    (json.dumps({**ROW, "stopped": True}), "'stopped' that does not say by which observer"),
    (json.dumps({**ROW, "headline_random": "x"}), "has a 'headline_random' that is no finite number"),
    (json.dumps({**ROW, "tv": float("inf")}), "has a 'tv' that is no finite number"),
    *((json.dumps({**ROW, key: 10**400}), f"has a '{key}' that is no finite number of a usual size")
      for key in ("headline", "headline_optimum", "seconds", "peak_mb", "stacked", "score")),
    (json.dumps({**ROW, "curve": [[0, 10**400]]}), "'curve' that is no list of [t_env, value]"),
    (json.dumps({**ROW, "made_by": {"data": 5}}), "'made_by' that is no mapping with texts"),
    (json.dumps({**ROW, "alg": chr(0xD800)}), "has a text under 'alg' with letters that cannot be written"),
    ("", "holds none; rows of sweeps are needed"),
    ("[" * 100_000, "line 1 is no whole JSON object"),
])
def test_what_is_no_row_is_refused_in_one_sentence(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    with pytest.raises(UserError) as caught:
        read_rows([tmp_path / "rows.jsonl"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere cannot be read"):
        read_rows([tmp_path / "nowhere"])
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"binary.jsonl is not text"):
        read_rows([tmp_path / "binary.jsonl"])


def test_copies_of_a_run_count_once() -> None:
    assert without_repeats([ROW, {**ROW, "id": "x", "model": "y"}, {**ROW, "seed": 1}]) == [ROW, {**ROW, "seed": 1}]
    named = {**ROW, "id": "x"}
    assert without_repeats([named, {**named, "seconds": 9.0}]) == [named]  # the same run on another machine
    with pytest.raises(UserError, match=r"two rows of one run, .* with different results \("):
        without_repeats([named, {**named, "headline": named["headline"] - 0.5}])
    assert without_repeats([ROW, {**ROW, "made_by": {"code": "0" * 12}}]) == [ROW]
    mixed = [{**ROW, "version": "0.1.0"}, {**ROW, "seed": 1, "version": "0.2.0"}]
    assert without_repeats(mixed) == mixed, "code is told of, not refused"
    with pytest.raises(UserError, match=r"two different rows .*ids x and y"):
        without_repeats([named, {**ROW, "id": "y"}])


@pytest.mark.parametrize(("change", "message"), [
    ({"headline": 0.0}, "two different rows of bc on xor, good, seed 0"),
    ({"seed": 1, "headline_optimum": 2.0}, "the rows of xor have different optima (1 and 2)"),
])
def test_rows_of_different_settings_are_not_mixed(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        without_repeats([ROW, {**ROW, **change}])
    assert message in str(caught.value)


@pytest.mark.parametrize("overrides", [5, [1], "lr=1"])
def test_overrides_that_are_no_texts_are_told(overrides: Any) -> None:
    assert fault_of({**ROW, "with": overrides}) == "has a 'with' that is no list of texts"
    assert fault_of({**ROW, "with": ["lr=1"]}) == ""


def test_rows_of_different_rules_are_told_beside_their_table() -> None:
    rows = [{"alg": alg, "env": "xor", "dataset": "good", "seed": 0, "made_by": {"rules": rules}}
            for alg, rules in (("bc", "a1"), ("cpa_ar", "b2"), ("cql", "a1"))]
    assert about_rules(rows) == ["Different rules of xor made these rows: a1 those of bc, cql; b2 those of cpa_ar. "
                                 "They cannot be compared."]
    assert about_rules(rows[::2]) == []
