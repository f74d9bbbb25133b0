"""A few cases of every attack (the long run is ``python -m tests.attack``), and that they do find what is wrong."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.errors import UserError

from . import configurations, crowd, damage, damaged_bytes, endurance, faults, hostile, kills, resealed, samples, scenes
from .__main__ import ATTACKS, in_memory, main
from .forked import each, note
from .reading import REFUSED, VALUE, attempt, fault_of
from .report import Result, put_into, report
from .scenes import SCENES, Scene, prepare_all

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def work() -> Iterator[Path]:
    """A folder in memory, if there is room for one."""
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        yield Path(folder)


def test_damaged_files(work: Path) -> None:
    tally = damaged_bytes.attack(7, 80, 1, work)
    assert not tally.findings and tally.cases == 80


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene.name in (
    "making data", "adding to data", "replacing data, folder", "keeping an optimum")],
                         ids=lambda scene: scene.name)
def test_kills_and_failing_writes(scene: Scene, work: Path) -> None:
    prepare_all([scene], work, 1)
    place = work / scene.name
    luck = random.Random(7)
    kept, kills.MOST = kills.MOST, 2
    try:
        assert kills._disturbed(scene, place, luck)[1] == ""
    finally:
        kills.MOST = kept
    last = faults._calls(scene, place)
    assert last > 5
    for way in faults.WAYS:
        assert faults._with_fault(scene, place, way, luck.randint(1, last)) == ""
    assert faults._with_fault(scene, place, "full at", 100) == ""


def test_what_is_written_twice_at_the_same_place_is_found_out(tmp_path: Path) -> None:
    """A scene that writes in place, and reports a failure as success."""
    def act() -> int:
        try:
            Path("x").write_text("new and longer")
        except OSError:
            pass
        return 0

    def look() -> None:
        assert Path("x").read_text() in ("old", "new and longer")

    scene = Scene("bad", act, lambda: Path("x").read_text(), look, lambda: Path("x").write_text("old"))
    scenes.prepare(scene, tmp_path / "bad")
    calls = faults._calls(scene, tmp_path / "bad")
    told = [faults._with_fault(scene, tmp_path / "bad", way, number)
            for way in faults.WAYS for number in range(1, calls + 1)]
    assert any("a file is not whole" in each for each in told)
    assert any("result differs" in each for each in told)


@pytest.mark.parametrize("module", [resealed, hostile], ids=["resealed", "hostile"])
def test_files_that_somebody_made(module: Any, work: Path) -> None:
    tally = module.attack(7, 12, 1, work)
    assert not tally.findings and tally.cases >= 12


def test_the_command_puts_its_report_into_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- attack -->\nNot made yet.\n<!-- /attack -->\nafter\n")
    assert main(["--only=configurations", "--configurations=1", "--workers=1", "--seed=3", f"--out={page}"]) == 0
    assert page.read_text().startswith("before\n<!-- attack -->\nMade by") and "1 in " in page.read_text()
    with pytest.raises(SystemExit):
        main(["--only=nothing"])
    assert "there is no attack nothing" in capsys.readouterr().err


def test_configurations(tmp_path: Path) -> None:
    tally = configurations.attack(3, 2, 1, tmp_path)
    assert not tally.findings and tally.cases == 2


def test_runs_at_the_same_time(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "crowd").mkdir()
    monkeypatch.setattr(crowd, "AGAIN", 1)
    tally = crowd.attack(3, 2, 1, work / "crowd")
    assert not tally.findings and tally.cases == 3
    record, = [file.parent for file in (work / "crowd/results/sacred/bc/xor").glob("*/config.json")
               if '"seed": 4' in file.read_text()]
    shutil.rmtree(record)
    assert "folder: seed 4 is there 0 times" in [*crowd._amiss({3, 4}, work / "crowd", True)]


def test_a_long_run(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "endurance").mkdir()
    monkeypatch.setattr(endurance, "SLOWER", 100.0)  # so few updates tell little
    tally = endurance.attack(3, 40, 1, work / "endurance")
    assert not tally.findings and "run of 40 updates" in next(iter(tally.kinds))


def test_crashes_and_endless_cases_are_findings() -> None:
    def case(number: int) -> tuple[str, str]:
        note(f"number {number}")
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 2:
            time.sleep(60)
        if number == 3:
            raise ValueError("x")
        return "good", ""

    tally = each(5, case, 2, 1.0)
    assert tally.kinds == {"good": 2, "crashed": 2, "raised": 1}
    assert sorted(tally.findings)[0] == "case 1: number 1: its process ended (SIGKILL)"
    assert sorted(tally.findings)[1] == "case 2: number 2: took more than 1 s"
    assert "case 3: number 3: ValueError: x (test_attack.py:" in sorted(tally.findings)[2]


def test_what_reading_comes_to() -> None:
    def refuse() -> str:
        raise UserError("the file is damaged; copy it again.")

    assert attempt(lambda: "a", "a") == (VALUE, "")
    assert attempt(lambda: "b", "a")[1] == "read to another value without a word"
    assert attempt(refuse) == (REFUSED, "")
    assert attempt(lambda: str(1 // 0))[1].startswith("ZeroDivisionError instead of a sentence")
    assert fault_of("no") and fault_of("Traceback (most recent call last):\n  here.") and not fault_of("a" * 30 + ".")


def test_damage_is_what_it_says() -> None:
    luck, whole, tree = random.Random(1), bytes(range(1, 200)), {"a": [1, {"b": "x"}], "c": None}
    kinds: dict[str, Any] = {}
    for _ in range(300):
        name, after = damage.of_bytes(whole, luck)
        kinds[name] = kinds.get(name, 0) + (after != whole)
    assert len(kinds) == 9 and all(kinds.values())
    changed = [damage.of_tree(tree, luck)[1] for _ in range(100)]
    assert sum(each != tree for each in changed) > 80 and tree == {"a": [1, {"b": "x"}], "c": None}


def test_report() -> None:
    tally = each(2, lambda number: ("fine", "case: odd" if number else ""), 1, 5)
    text = report([Result("bytes", "All is well", ["unit/test_x.py"], tally, 90.0)], "python -m tests.attack", 4)
    assert "| `bytes` | All is well. | `unit/test_x.py` | 2 in 90 s | 1 |" in text
    assert "- `bytes`, case 1: case: odd" in text and "(seed 4)" in text
    page = put_into("a\n<!-- attack -->\nold\n<!-- /attack -->\nb", text)
    assert page.startswith("a\n<!-- attack -->\nMade by") and page.endswith("<!-- /attack -->\nb") and "old" not in page


def test_guards_are_there() -> None:
    for module, _, _ in ATTACKS.values():
        for guard in module.GUARDS:
            assert (samples.Path(__file__).parents[1] / guard).is_file(), guard
