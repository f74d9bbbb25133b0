"""Rows are put together that agree in game, arguments, data, method and settings, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.analysis.score import score_of
from epymarl_cpa.experiments.reports.sections import other_section
from epymarl_cpa.experiments.rows.names import data_of, game_of, recipe_of, settings_of_row
from epymarl_cpa.experiments.rows.paper import Methods
from epymarl_cpa.experiments.rows.reading import grouped, without_repeats
from epymarl_cpa.experiments.rows.tables import compact, markdown
from epymarl_cpa.experiments.sweeps.grid import read_grid


def row(*words: str, **changes: Any) -> dict[str, Any]:
    return {"env": "permutation", "dataset": "good", "alg": "bc", "seed": 0, "headline": 1.0, "headline_optimum": None,
            "seconds": 2.0, "peak_mb": 300, "with": [*words], **changes}


def test_the_game_has_its_arguments_whatever_their_order_and_place() -> None:
    assert game_of(row()) == "permutation"
    one = row("env_args.episode_limit=3", "env_args.n_agents=4")
    two = row("env_args.n_agents=4", alg="bc env_args.episode_limit=3")
    assert game_of(one) == game_of(two) == "permutation n_agents=4 episode_limit=3"
    assert game_of(row("env_args.n_agents=3", alg="bc env_args.n_agents=4")) == "permutation n_agents=4"
    assert game_of(row("env_args.b=1", "env_args.a=2", env="gone")) == "gone a=2 b=1"


def test_recipes_and_files_are_known_by_what_they_hold() -> None:
    assert recipe_of(row("recipes.poor.episodes=9")) == () and data_of(row()) == "good"
    changed = row("recipes.good.per=step", "recipes.good.episodes=9")
    assert recipe_of(changed) == ("episodes=9", "per=step")
    assert [data for _, data, _ in grouped([row(), changed])] == ["good", "good episodes=9 per=step"]
    assert [data for _, data, _ in grouped([changed])] == ["good"]
    assert data_of(row(dataset="/home/me/a.npz", made_by={"data": "0123"})) == "a.npz 0123"
    assert data_of(row(dataset="..\\a.vlt")) == "a.vlt"


def test_settings_that_decide_nothing_do_not_count() -> None:
    words = ("hidden_dim=32", "log_interval=5", "env_args.n_agents=4", "observers=[]", "t_max=9")
    assert settings_of_row(row(*words)) == ("hidden_dim=32", "t_max=9")
    assert settings_of_row(row("hidden_dim=32", alg="gone")) == ("hidden_dim=32",)


def test_no_line_of_a_table_mixes_games_data_or_settings() -> None:
    rows = [row("env_args.key=a:one", env="pettingzoo"), row("env_args.key=b:two", env="pettingzoo", headline=3.0),
            row("t_max=5", seed=1, headline=5.0), row("t_max=6", seed=2, headline=7.0), row("t_max=6", seed=3,
                                                                                             headline=7.0)]
    assert [(*key, len(group)) for key, group in grouped(rows).items()] == [
        ("pettingzoo key=a:one", "good", "bc", 1), ("pettingzoo key=b:two", "good", "bc", 1),
        ("permutation", "good", "bc t_max=5", 1), ("permutation", "good", "bc t_max=6", 2)]
    for table in (markdown(rows), compact(rows)):
        assert all(value in table for value in ("1.0000 ± 0.0000", "3.0000", "5.0000 ± 0.0000", "7.0000 ± 0.0000"))
    lines = [[field.text for field in line] for line in other_section(rows)[0].rows]
    assert [line[:4] for line in lines] == [
        ["pettingzoo key=a:one", "good", "bc", "1.00 ± 0.00"], ["pettingzoo key=b:two", "good", "bc", "3.00 ± 0.00"],
        ["permutation", "good", "bc t_max=5", "5.00 ± 0.00"], ["permutation", "good", "bc t_max=6", "7.00 ± 0.00"]]


def test_rows_of_other_rules_are_not_mixed() -> None:
    old, new = row(made_by={"rules": "0" * 12}), row(seed=1, made_by={"rules": "1" * 12})
    with pytest.raises(UserError, match="the rows of permutation were made under different rules of it"):
        without_repeats([old, new])
    assert without_repeats([old, row(seed=1), {**new, "with": ["env_args.n_agents=4"]}])


def test_the_papers_cells_hold_one_kind_of_rows() -> None:
    methods = Methods(("BC",), {"bc": "BC"})
    plain, *changed = [row(*words, env="xor", headline_optimum=1.0, seed=seed)
                       for seed, words in enumerate(((), ("hidden_dim=9",), ("hidden_dim=8",)))]
    assert [[*task.values()] for task in methods.grouped([plain, *changed]).values()] == [[[plain]]]
    assert [[*task.values()] for task in methods.grouped(changed[:1]).values()] == [[changed[:1]]]
    with pytest.raises(UserError, match=r"the rows of BC on xor, good are of different settings \(hidden_dim=8 and "
                                        r"hidden_dim=9\)"):
        methods.grouped(changed)
    assert methods.grouped([row("env_args.n_agents=3", env="xor")]) == {}


def test_scores_of_variants_do_not_borrow_the_papers_random_team() -> None:
    known = {"headline_optimum": 1.0, "headline": 1.0}
    assert score_of(row(env="xor", **known)) == 1.0
    assert str(score_of(row("env_args.n_agents=3", env="xor", **known))) == "nan"
    assert str(score_of(row(env="mine", **known))) == "nan"


def test_students_get_the_teacher_of_their_own_variant(tmp_path: Path) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text("envs: [permutation]\ndatasets: [good]\nseeds: [0]\nparts:\n" + "".join(
        f"  - {{algs: [cpa_ar], with: [env_args.n_agents={n}]}}\n"
        f"  - {{algs: [cpa_pa], with: [env_args.n_agents={n}], teachers: cpa_ar}}\n" for n in (3, 4)))
    students = [spec for spec in read_grid(str(grid)) if spec.first is not None]
    assert len(students) == 2
    for spec in students:
        assert spec.first is not None and spec.first.config["env_args"] == spec.config["env_args"]
