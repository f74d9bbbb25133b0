"""EPyMARL's search files as grids."""

from __future__ import annotations

from pathlib import Path

import pytest

from epymarl_cpa.experiments.sweep import main
from epymarl_cpa.experiments.sweeps.grid import read_grid

SEARCH = """
exclude: null
grid-search:
  "--config":
    - "ar_bc"
    - "cpa_ar"
  lr:
    - 0.0003
    - 0.0005
  t_max: 20
  test_nepisode:
    - 4
  save_model:
    - False
grid-search-groups:
  env0:
    - "--env-config": "xor"
    - dataset: good
  env1:
    - "--env-config": "aloha"
    - env_args.cols: 2
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("search.yaml").write_text(SEARCH)


def test_every_combination_becomes_runs() -> None:
    specs = read_grid("search.yaml")
    assert len(specs) == 2 * 2 * 2 * 3
    assert [spec.task for spec in specs[:6]] == [
        ("xor", "good", 0), ("xor", "good", 1), ("xor", "good", 2),
        ("aloha", "medium", 0), ("aloha", "medium", 1), ("aloha", "medium", 2)]
    assert list(dict.fromkeys(spec.alg for spec in specs)) == [
        "ar_bc lr=0.0003", "ar_bc lr=0.0003 env_args.cols=2", "ar_bc lr=0.0005", "ar_bc lr=0.0005 env_args.cols=2",
        "cpa_ar lr=0.0003", "cpa_ar lr=0.0003 env_args.cols=2", "cpa_ar lr=0.0005", "cpa_ar lr=0.0005 env_args.cols=2"]
    config = specs[3].config
    assert (config["lr"], config["t_max"], config["save_model"], config["env_args"]["cols"]) == (0.0003, 20, False, 2)
    assert len(read_grid("search.yaml", seeds=1)) == 8


def test_a_search_without_groups_and_with_seeds_of_its_own() -> None:
    Path("search.yaml").write_text("""
grid-search:
  "--config": ar_bc
  "--env-config": xor
  hidden_dim: [8, 16]
  seed: [7, 9]
grid-search-groups: {}
""")
    assert [(spec.alg, spec.config["seed"]) for spec in read_grid("search.yaml")] == [
        ("ar_bc hidden_dim=8", 7), ("ar_bc hidden_dim=8", 9), ("ar_bc hidden_dim=16", 7), ("ar_bc hidden_dim=16", 9)]


@pytest.mark.parametrize(("change", "message"), [
    (("cpa_ar", "iql_ns"), "unknown --config=iql_ns"),
    (("aloha", "smaclite"), "unknown --env-config=smaclite"),
    (("lr:", "standardise_rewards:"), "unknown config key 'standardise_rewards'"),
    (('"--config"', "config"), "every combination needs '--config' and '--env-config'"),
    (("exclude: null", "exclude: [1]"), "'exclude' does nothing in EPyMARL"),
    (("exclude", "seeds"), "unknown key 'seeds' in a search file"),
    (("  lr:", '  "--workers":'), "the option '--workers' cannot be searched"),
    (("  env0:\n", "  env0: 3\n  envx:\n"), "the group 'env0' must hold a list of keys"),
    (("- 0.0003", "- 0 3"), "the values of 'lr' must be without spaces"),
    (("t_max: 20", "seed: x"), "'seed' must be a whole number, not 'x'"),
    (("grid-search:\n", "grid-search: 3\nx:\n"), "unknown key 'x'"),
    (("t_max: 20", "t_max: []"), "the list of 't_max' is empty, so that nothing would run"),
    (("t_max: 20", "t_max: soon"), "config key 't_max' must be a whole number"),
])
def test_a_bad_search_file_is_refused_in_one_sentence(change: tuple[str, str], message: str,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    Path("search.yaml").write_text(SEARCH.replace(*change))
    assert main(["search.yaml"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
