"""The benchmark command: it runs, small, and what it writes is sound.  No time is ever asserted."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th

from epymarl_cpa.commands.dispatch import entry
from epymarl_cpa.config.files import names
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments import benchmark
from epymarl_cpa.experiments.measure import beside_hand, peers, results
from epymarl_cpa.experiments.measure.methods import HAND
from epymarl_cpa.experiments.measure.others import child
from epymarl_cpa.experiments.measure.plan import PARTS, Plan
from epymarl_cpa.experiments.measure.results import BEGIN, END, Table, put_into
from epymarl_cpa.experiments.measure.shapes import NAME, Shape, shaped
from epymarl_cpa.experiments.measure.timing import interleaved
from epymarl_cpa.experiments.measure.trials import trial_of

#: those that need no process of their own
INSIDE = ("hand", "methods", "seeds", "students", "play", "latency", "data", "scale")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one small benchmark of all parts that run in this process wrote."""
    folder = tmp_path_factory.mktemp("benchmark")
    page = folder / "page.md"
    page.write_text(f"# Speed\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    threads = th.get_num_threads()
    assert benchmark.main(["--quick", f"--only={','.join(INSIDE)}", f"--out={folder / 'out/speed.json'}",
                           f"--page={page}", f"--datasets={folder / 'kept'}"]) == 0
    th.set_num_threads(threads)
    assert not (folder / "kept").exists()  # small data are not kept where whole ones are looked for
    found: dict[str, Any] = json.loads((folder / "out/speed.json").read_text())
    return {**found, "page": page.read_text()}


def rows(small: dict[str, Any], part: str, table: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = small["parts"][part][table]["rows"]
    return found


def test_the_file_says_what_was_measured_and_on_what(small: dict[str, Any]) -> None:
    assert [*small["parts"]] == [*INSIDE]
    assert {"processor", "cores", "torch"} <= set(small["made"]["machine"])
    assert small["made"]["quick"] is True and small["made"]["command"].startswith("epymarl-cpa benchmark --quick")
    numbers = [value for tables in small["parts"].values() for table in tables for row in table["rows"]
               for value in row.values() if isinstance(value, int | float)]
    assert len(numbers) > 60 and all(math.isfinite(value) and value >= 0 for value in numbers)


def test_the_page_holds_the_tables_between_its_marks(small: dict[str, Any]) -> None:
    page = small["page"]
    assert page.startswith(f"# Speed\n\n{BEGIN}\nMade by `epymarl-cpa benchmark") and "\nold\n" not in page
    assert page.endswith(f"{END}\n\nafter\n") and "only show that the parts work" in page
    assert "| method | xor ms |" in page and "### Time and memory against agents" in page


def test_every_method_has_a_time_without_and_with_a_memory(small: dict[str, Any]) -> None:
    for table, more in ((0, {HAND}), (1, set())):
        times = {row["method"]: row["xor ms"] for row in rows(small, "methods", table)}
        assert set(times) == {*names("algs")} | more
        assert all(time > 0 for time in times.values())


def test_the_loop_by_hand_and_the_seeds_stand_beside_one_run(small: dict[str, Any]) -> None:
    hand, = rows(small, "hand")
    assert {"product ms", "by hand ms", "rate over by hand", "rate over the best"} <= set(hand)
    seeds, = rows(small, "seeds")
    assert seeds["together / one"] > 0


def test_sizes_make_a_picture(small: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    from epymarl_cpa.experiments.figures.scale import scale_figure

    figure = scale_figure([Table("agents", rows(small, "scale")), Table("state", [
        {"state": 1, "step ms": 1.0, "memory MB": 9.0}, {"state": 8, "step ms": 2.0, "memory MB": 10.0}])])
    lines = [ax.get_lines()[0].get_xydata() for ax in figure.axes]
    assert len(lines) == 4
    np.testing.assert_allclose(lines[1], [[1, 1.0], [8, 2.0]])


# ------------------------------------------------------------------------------------------------- in turns
def test_things_that_are_compared_take_turns_after_a_warm_up() -> None:
    order: list[str] = []
    found = interleaved({name: lambda name=name: order.append(name) for name in "ab"}, rounds=2, times=2, warm=1)
    assert "".join(order) == "ab" + "aabb" * 2
    assert {name: len(timing.rounds) for name, timing in found.items()} == {"a": 2, "b": 2}


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    slow, fast = results_of(4.0, 6.0, 100.0), results_of(2.0, 2.0, 10.0)
    assert slow.over(fast) == 3.0 and slow.seconds == 6.0 and slow.ms == 6000.0


def results_of(*rounds: float) -> Any:
    from epymarl_cpa.experiments.measure.timing import Timing

    return Timing(rounds)


def test_a_shape_is_a_game_only_while_it_is_measured(tmp_path: Path) -> None:
    from epymarl_cpa.envs import REGISTRY

    sizes = Shape(agents=3, actions=4, state=5, steps=2, batch=6, episodes=7, hidden=8)
    with shaped(sizes) as env:
        trial = trial_of(Plan(folder=tmp_path), "cpa_ar", env)
    info = trial.runner.info
    assert (info.n_agents, info.n_actions, info.state_shape, info.episode_limit) == (3, 4, 5, 2)
    assert (trial.args.batch_size, trial.runner.dataset.n_episodes) == (6, 7)  # type: ignore[attr-defined]
    assert trial.learner.learners[0].args.hidden_dim == 8 and NAME not in REGISTRY


# ------------------------------------------------------------------------------------------------- mistakes
@pytest.mark.parametrize(("words", "sentence"), [
    (["--only=hnad"], "no part 'hnad' (did you mean 'hand'?)"),
    (["--only=latency", "--page=nowhere.md"], "the page nowhere.md cannot be read"),
    (["--only=latency", "--quick", "--out=taken/x.json"], "taken/x.json cannot be written"),
])
def test_mistakes_are_sentences(words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    assert entry(["epymarl-cpa", "benchmark", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_what_cannot_be_measured_here_says_so_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                   capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert benchmark.main(["--quick", "--only=latency,peers", "--peer=."]) == 0
    out = capsys.readouterr().out
    assert "peers: not measured" in out and "holds no program that the benchmark knows" in out
    assert "One decision of one agent" in out


@pytest.mark.skipif(th.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_its_part_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark.main(["--quick", "--only=gpu", "--device=cuda"]) == 0
    assert "there is no GPU here" in capsys.readouterr().out


def test_some_games_are_measured_and_each_part_is_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                  capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "speed.json"

    def interrupted(plan: Plan) -> list[Table]:
        assert json.loads(out.read_text())["parts"].keys() == {"seeds"}
        raise KeyboardInterrupt

    monkeypatch.setattr("epymarl_cpa.experiments.measure.play.measure", interrupted)
    words = ["--quick", "--only=seeds,play", "--games=permutation", f"--out={out}"]
    assert benchmark.main(words) == 130
    assert [row["game"] for row in json.loads(out.read_text())["parts"]["seeds"][0]["rows"]] == ["permutation"]
    assert "permutation" in capsys.readouterr().out
    assert benchmark.main(["--games=xor,brigde"]) == 2
    assert "does not measure 'brigde'" in (said := capsys.readouterr().err) and "did you mean 'bridge'" in said


def test_only_parts_that_need_nothing_are_made_unasked() -> None:
    assert benchmark._chosen("", Plan()) == [name for name in PARTS if name not in ("peers", "gpu")]
    assert "peers" in benchmark._chosen("", Plan(peers=(Path("x"),)))
    assert benchmark._chosen("seeds,hand", Plan()) == ["hand", "seeds"]


def test_a_page_must_have_its_marks_once() -> None:
    for page in ("none", f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"):
        with pytest.raises(UserError, match="once each"):
            put_into(page, "tables")
    assert put_into(f"a{BEGIN}b{END}c", "t\n") == f"a{BEGIN}\nt\n{END}c"


def test_cells_are_short() -> None:
    assert [results.shown(value) for value in (1234.5, 12.3456, 1234, "-")] == ["1,234", "12.35", "1,234", "-"]


# ------------------------------------------------------------------------------------------------- others
def test_a_child_makes_as_many_updates_as_it_is_told() -> None:
    made: list[int] = []
    said: list[dict[str, Any]] = []
    child.serve(lambda: (lambda: made.append(1), 6.0), ["3\n", "x\n", "2\n"], lambda **answer: said.append(answer))
    assert said[0] == {} and said[1]["transitions"] == 18 and said[1]["seconds"] >= 0
    assert said[2]["error"].startswith("ValueError") and len(said) == 3 and len(made) == 4  # one before it is ready


def test_a_program_that_is_not_there_says_what_it_lacks(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", state=np.zeros(1))
    with pytest.raises(UserError, match="it failed with ModuleNotFoundError: No module named 'controllers'"), \
            peers.started(sys.executable, "maicq", tmp_path, tmp_path / "data.npz", {"env": "xor"}):
        pass


def test_programs_are_recognised_by_a_file(tmp_path: Path) -> None:
    for name, kind in peers.KINDS.items():
        file = tmp_path / name / kind.mark
        file.parent.mkdir(parents=True)
        file.touch()
        assert peers._recognised(tmp_path / name) == name


def test_programs_of_others_run_in_this_python_unless_another_is_named(tmp_path: Path) -> None:
    assert benchmark._program("") == ""
    assert benchmark._program(sys.executable) == sys.executable
    assert benchmark._program("no-such-python") == "no-such-python"


@pytest.mark.slow
def test_this_program_can_be_the_other_one(tmp_path: Path) -> None:
    row = peers._row(Plan(quick=True, folder=tmp_path), "ourselves", Path(__file__).parents[2], "xor")
    assert row["game"] == "xor" and row["theirs, 1/s"] > 0 and row["teacher / theirs"] > 0


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"no C\+\+ compiler"):
        beside_hand.compiled()
