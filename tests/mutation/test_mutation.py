"""The sample of small faults: what counts as one, which tests are asked, and what the result is worth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray")
pytest.importorskip("coverage")

from . import __main__
from .__main__ import Tried, report, wilson
from .mutants import Mutant, essence, sample, statement
from .trials import Reach

SOURCE = '''"""Adds."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    A = 1 + 2


def add(a: int | None, b: int = 3) -> int | None:
    """3 + 4."""
    if a is None:
        return b
    return (a
            + b)
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part").mkdir()
    (tmp_path / "part/adding.py").write_text(SOURCE)
    return Path("part/adding.py")


def test_only_what_is_ever_run_counts() -> None:
    for old, new in (("int | None, b", "int & None, b"), ("3 + 4", "3 - 4"), ("1 + 2", "1 - 2"),
                     ("-> int |", "-> int +"), ("if TYPE", "if not TYPE")):
        assert old in SOURCE and essence(SOURCE.replace(old, new)) == essence(SOURCE)
    for old, new in (("+ b", "- b"), ("= 3", "= 4"), ("is None:", "is not None:")):
        assert old in SOURCE and essence(SOURCE.replace(old, new)) != essence(SOURCE)


def test_a_larger_sample_begins_with_a_smaller_one(place: Path) -> None:
    every = [*sample("part", 1000, 1, "core/ReplaceBinaryOperator_BitOr_.*")]
    assert [*sample("part", 5, 1, "core/ReplaceBinaryOperator_BitOr_.*")] == every[:5]
    assert {mutant.line for mutant in every} == {8, 10, 13} and len({mutant.name for mutant in every}) == len(every)
    assert [*sample("part", 1000, 2, "core/ReplaceBinaryOperator_BitOr_.*")] != every
    assert {mutant.operator for mutant in every if mutant.line == 10} == {
        "ReplaceComparisonOperator_Is_IsNot", "AddNot"}


@pytest.mark.parametrize(("line", "lines"), [(8, [8]), (10, [10]), (11, [11]), (13, [12, 13])])
def test_the_statement_around_a_line(line: int, lines: list[int]) -> None:
    assert [*statement(SOURCE, line)] == lines


def test_the_nearest_and_fastest_tests_come_first(place: Path) -> None:
    for name, text in (("near.py", "from part import adding"), ("far.py", "")):
        Path(name).write_text(text)
    seconds = {"far.py::a": 0.1, "far.py::b": 0.2, "near.py::c": 3.0, "near.py::d": 1.0, "near.py::e": 0.0}
    lines = {"8": [""], "10": ["far.py::a", "near.py::c", "near.py::d"], "12": ["near.py::d"]}
    reach = Reach(seconds, {str(place): lines})

    def asked(line: int) -> list[str]:
        return reach.tests_of(Mutant("part", place, line, "", 0, ""))

    assert asked(10) == ["near.py::d", "near.py::c", "far.py::a"]
    assert asked(13) == ["near.py::d"] and asked(11) == []
    assert asked(8) == ["near.py::e", "near.py::d", "near.py::c", "far.py::a"], "all that could notice an import"


def test_a_sample_is_tried_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a small project of its own: of the faults in a sum, all but those in what no test runs are noticed."""
    (tmp_path / "part").mkdir()
    (tmp_path / "part/adding.py").write_text("def add(a, b):\n    return a + b\n\n\ndef never(a):\n    return a + 1\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_adding.py").write_text(
        "from part.adding import add\n\n\ndef test_sums():\n    assert add(5, 3) == 8 and add(2, 2) == 4\n")
    (tmp_path / "tests/mutation.toml").write_text(
        '[cosmic-ray]\nmodule-path = ["part"]\ntest-command = "python -m pytest -q tests"\n'
        '[cosmic-ray.filters.operators-filter]\nexclude-operators = ["core/ReplaceBinaryOperator_BitOr_.*"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(__main__, "LIBRARIES", ("hypothesis",))
    for number in (1, 5):
        __main__.main([f"--each={number}", "--out=found.jsonl"])
    found = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert len({each["name"] for each in found}) == len(found) == 5
    assert {(each["name"].split()[0], each["by"]) for each in found} == {
        ("part/adding.py:2", "tests/test_adding.py::test_sums"), ("part/adding.py:6", "")}


def test_the_report() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4) and wilson(5, 5)[1] == pytest.approx(1.0)
    text = report([Tried("a", "a/x.py:1 AddNot 0", "-x\n+y", 3, by, 1.0) for by in ("t", "t", "")])
    assert "| `a` | 3 | 2 (66.7%) | 20.8% to 93.9% |" in text
    assert text.endswith("a/x.py:1 AddNot 0\n-x\n+y")
