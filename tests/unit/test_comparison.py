"""Table 1 from rows: the paper's facts, marks, ties, and scores over all tasks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import OUR_ENVS

from epymarl_cpa.config import FOLDER, read_yaml
from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.score import score
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.analysis.aggregate import Aggregate
from epymarl_cpa.experiments.analysis.comparison import Cell, PaperComparison
from epymarl_cpa.experiments.analysis.score import score_of
from epymarl_cpa.experiments.reports.sections import short_table
from epymarl_cpa.experiments.rows.paper import Methods, Task, Value, table1

METHODS = Methods.read()
XOR, BRIDGE = Task("xor", "good"), Task("bridge", "medium")


def rows(alg: str, values: list[float], task: Task = XOR, **more: Any) -> list[dict[str, Any]]:
    optimum = {"xor": 1.0, "bridge": -1.2354525995574737}[task.env]
    return [{"alg": alg, "env": task.env, "dataset": task.dataset, "seed": seed, "headline": value,
             "headline_optimum": optimum, "seconds": 10.0 + seed, "peak_mb": 300 + seed, **more}
            for seed, value in enumerate(values)]


def cell(given: list[dict[str, Any]], method: str, task: Task = XOR) -> Cell:
    return PaperComparison.of(given, METHODS).cells[task, method]


def test_the_papers_table_is_whole() -> None:
    table = table1()
    assert len(table.names) == 15
    assert len(table.values) == 15 * 7
    assert [*table.names][:4] == [("xor", "good"), ("xor", "medium"), ("xor", "poor"), ("permutation", "poor")]
    assert table.names[XOR] == ("XOR", "AB+BA")
    assert table.values[Task("xor", "good"), "BC"] == (0.80, 0.40)
    assert table.values[Task("bridge", "poor"), "AlberDICE"] == (-1.40, 0.26)
    assert table.values[Task("sensor", "medium"), "BCQ"] == (6.22, 7.21)
    assert table.values[Task("aloha", "good"), "PA"] == (75.34, 0.84)
    assert round(sum(value.mean for value in table.values.values()), 2) == 888.67
    assert round(sum(value.std for value in table.values.values()), 2) == 135.1
    assert {task.env for task in table.names} <= set(OUR_ENVS)


@pytest.mark.parametrize("env", [*table1().random])
def test_the_random_team_gets_what_the_table_says(env: str) -> None:
    args = read_yaml(FOLDER / "envs" / f"{env}.yaml").get("env_args", {})
    game = make_game(env, **{key: value for key, value in args.items() if key not in ("map_name", "seed")})
    rng, n = np.random.default_rng(0), 4000
    state, total, running = game.initial(n, rng), np.zeros(n), np.arange(n)
    for _ in range(game.episode_limit):
        mask = game.available(state)
        step = game.transition(state, (rng.random(mask.shape) * mask).argmax(2), rng)
        if game.headline == "return":
            total[running] += step.reward
        else:
            total[running] = step.info[game.headline]
        state, running = step.state[~step.done], running[~step.done]
        if not len(running):
            break
    assert abs(total.mean() - table1().random[env]) < 4 * total.std() / np.sqrt(n)


def test_a_cell_is_mean_and_population_deviation_beside_the_papers() -> None:
    found = cell(rows("bc", [1.0, 1.0, 0.0, 0.0, 0.0]), "BC")
    assert found.ours == pytest.approx((0.4, 0.4898979))
    assert found.seeds == (0, 1, 2, 3, 4)
    assert found.paper == Value(0.8, 0.4)
    assert found.reached is True  # 0.4 is 0.8 less one deviation
    assert cell(rows("bc", [0.39]), "BC").reached is False
    assert cell(rows("ar_bc", [0.0]), "AR-BC").reached is None
    assert cell(rows("alberdice", [-1.2904], BRIDGE), "AlberDICE", BRIDGE).reached  # the paper rounds to -1.29


def test_the_best_methods_and_those_tied_with_them_are_marked() -> None:
    given = [*rows("bc", [0.5, 0.5]), *rows("cql", [0.9, 1.0]), *rows("bcq", [0.95, 0.95]),
             *rows("maicq", [0.89, 0.89])]
    marks = {method: cell(given, method).best for method in ("BC", "CQL", "BCQ", "MAICQ")}
    assert marks == {"BC": False, "CQL": True, "BCQ": True, "MAICQ": False}  # 0.06 is more than 0.05
    given = [*rows("bc", [1.0, 1.0]), *rows("cql", [1.0 - 1e-12] * 2), *rows("bcq", [1.0 - 1e-6] * 2)]
    assert [cell(given, method).best for method in ("BC", "CQL", "BCQ")] == [True, True, False]


@pytest.mark.parametrize("runs", [2, 3, 5, 20])
def test_one_failure_of_any_size_among_many_runs_is_no_tie(runs: int) -> None:
    """The gap and its standard error are the same then, but for the last digits."""
    for failure in np.random.default_rng(0).random(40):
        given = [*rows("cql", [1.0] * runs), *rows("bcq", [1.0] * (runs - 1) + [1.0 - failure])]
        assert not cell(given, "BCQ").best and cell(given, "CQL").best


def test_a_seed_counts_once_whatever_its_method_is_called() -> None:
    given = [*rows("maicq_tuned", [1.0]), *rows("maicq alpha=1", [0.0])]
    methods = Methods(("MAICQ tuned",), {"maicq_tuned": "MAICQ tuned", "maicq alpha=1": "MAICQ tuned"})
    with pytest.raises(UserError, match="two rows of MAICQ tuned on xor, good, seed 0, under different names"):
        PaperComparison.of(given, methods)


def test_a_row_that_does_not_know_the_optimum_is_told() -> None:
    with pytest.raises(UserError, match="the rows of bc on xor, good, do not know the game's optimum"):
        PaperComparison.of(rows("bc", [1.0], headline_optimum=None), METHODS)


def test_columns_follow_the_list_of_methods() -> None:
    given = [*rows("something new", [1.0]), *rows("newest", [1.0]), *rows("cpa_pa pool_size=1 beta=1", [1.0]),
             *rows("bc", [1.0]), *rows("qmix", [1.0])]
    assert PaperComparison.of(given, METHODS).methods == ["BC", "PA", "newest"]  # qmix learns online
    took = PaperComparison.of(rows("bc", [1.0, 1.0, 1.0]), METHODS).times["BC"]
    assert (took.runs, took.mean, took.longest, took.peak_mb) == (3, 11.0, 12.0, 302.0)


def test_cells_as_good_as_the_papers_are_counted() -> None:
    given = [*rows("bc", [0.39]), *rows("bc", [-1.24], BRIDGE), *rows("ar_bc", [1.0])]
    found = PaperComparison.of(given, METHODS)
    assert (found.reached("BC"), found.reached("AR-BC")) == ("1 of 2", "")
    assert short_table(found) == (
        "| game | data | BC | AR-BC | optimum |\n|---|---|---|---|---|\n"
        "| xor | good | 0.39 ± 0.00 | **1.00 ± 0.00** | 1.00 |\n"
        "| bridge | medium | **-1.24 ± 0.00** |  | -1.24 |\n"
        "| as good as in the paper | | 1 of 2 |  | |\n")


def test_scores_run_from_the_random_team_to_the_optimum() -> None:
    assert score_of(rows("bc", [0.5])[0]) == 0.0
    assert score_of(rows("bc", [1.0])[0]) == 1.0
    assert score_of(rows("bc", [-17.558572], BRIDGE)[0]) == 0.0
    assert score_of(rows("bc", [-1.2354525995574737], BRIDGE)[0]) == 1.0
    assert score_of(rows("bc", [0.5], headline_random=0.0)[0]) == 0.5, "what the row says wins over the paper's table"
    assert score_of(rows("bc", [0.5])[0], headline=1.0) == 1.0
    worse, better = score(-20.0, -17.5, -1.2), score(-10.0, -17.5, -1.2)
    assert worse is not None and better is not None
    assert worse < 0 < better < 1
    assert score(1.0, 1.0, 1.0) is None
    assert math.isnan(score_of(rows("bc", [1.0], headline_random=1.0)[0]))


def test_only_methods_with_all_tasks_are_compared_over_tasks() -> None:
    optimum = -1.2354525995574737
    given = [*rows("bc", [1.0, 0.5]), *rows("bc", [optimum] * 2, BRIDGE), *rows("cql", [0.5]),
             *rows("cql", [-17.558572], BRIDGE), *rows("bcq", [1.0])]
    found = Aggregate.of(given, METHODS, repetitions=100)
    assert found.tasks == [XOR, BRIDGE]
    assert found.left_out == {"BCQ": 1}
    assert {name: estimate.value for name, estimate in found.estimates["BC"].items()} == pytest.approx(
        {"IQM": 1.0, "mean": 0.75, "median": 0.75, "optimality gap": 0.25})
    assert found.improvements["BC", "CQL"].value == pytest.approx((0.75 + 1) / 2)
    assert found.improvements["CQL", "BC"].value == pytest.approx(0.125)
    alone = Aggregate.of([row for row in given if row["alg"] == "bc"], METHODS, repetitions=100)
    assert alone.estimates["BC"] == found.estimates["BC"]


@pytest.mark.parametrize(("text", "message"), [
    ("BC: bc", "'BC' must hold the list"), ("'B,C': [bc]", "must not hold a comma"),
    ("BC: [bc]\nCQL: [bc]", "'bc' belongs to both 'BC' and 'CQL'"), ("[", "is not valid YAML")])
def test_a_bad_list_of_methods_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "methods.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        Methods.read(tmp_path / "methods.yaml")
    assert message in str(caught.value)
