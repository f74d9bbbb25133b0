"""The grids of the paper's tables and figures."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from epymarl_cpa.config import FOLDER
from epymarl_cpa.experiments.sweep import main
from epymarl_cpa.experiments.sweeps import others
from epymarl_cpa.experiments.sweeps.grid import RunSpec, read_grid
from epymarl_cpa.settings import CORE, Decides, Key

ENVS = {"xor", "permutation", "bridge", "sensor", "aloha"}
BASELINES = ("bc", "bcq", "cql", "maicq", "maicq_tuned", "alberdice", "ar_bc")
RESULTS = Path(__file__).parents[2] / "docs/results"
PA = "cpa_pa pool_size=1 beta=1"


@cache
def grid(name: str) -> list[RunSpec]:
    return read_grid(name)


def ids(name: str, alg: str = "") -> set[str]:
    return {spec.id for spec in grid(name) if alg in ("", spec.alg)}


@pytest.mark.parametrize("name", sorted(file.stem for file in (FOLDER / "sweeps").glob("*.yaml")))
def test_every_grid_resolves(name: str) -> None:
    specs = grid(name)
    assert specs
    assert len({spec.id for spec in specs}) == len(specs)


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.jsonl")), ids=lambda file: file.stem)
def test_committed_rows_are_of_their_grids_present_settings(file: Path) -> None:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines and {line["id"] for line in lines} <= ids(file.stem)


def test_table_1_is_complete() -> None:
    specs = grid("table1")
    assert {spec.env for spec in specs} == ENVS
    counts = Counter((spec.alg, spec.env, spec.config["dataset"]) for spec in specs)
    assert counts == {(alg, env, data): 20 if env == "xor" else 5
                      for alg in (*BASELINES, "cpa_ar", PA) for env in ENVS for data in ("good", "medium", "poor")}
    assert {(spec.alg, spec.env) for spec in specs if spec.stack} == {
        (alg, env) for alg in BASELINES for env in ("xor", "permutation")}
    assert {spec.alg for spec in specs if spec.first} == {PA}


def test_runs_that_several_grids_have_are_the_same_runs() -> None:
    """So that rows of one count in another."""
    assert ids("teacher") < ids("table1", "cpa_ar")
    assert ids("students", PA) < ids("table1", PA)
    assert ids("figure3") | ids("figure4") < ids("diversity")
    assert ids("figure5", "cpa_ar") < ids("teacher")
    assert {spec.first.id for spec in grid("successors") if spec.first} < ids("table1", "cpa_ar")


def test_a_hundred_seeds_are_those_for_reports() -> None:
    counts = Counter((spec.alg, spec.env, spec.config["dataset"]) for spec in grid("hundred"))
    runs = [(alg, env) for alg in ("cpa_ar", PA) for env in ENVS] + [("cpa_pa beta=1 test_greedy=true", "aloha")]
    assert counts == {(alg, env, data): 100 if env in ("xor", "permutation", "bridge") else 20
                      for alg, env in runs for data in ("good", "medium", "poor")}
    assert {spec.config["seed"] for spec in grid("hundred")} == set(range(1000, 1100))
    assert {spec.first.alg for spec in grid("hundred") if spec.first} == {"cpa_ar"}


def test_the_smoke_test_has_every_method() -> None:
    """That the page of methods names; one's own may be added, but need not be."""
    table = (Path(__file__).parents[2] / "docs/methods.md").read_text().split("## cpa_ar")[0]
    methods = {name for line in table.splitlines() if line.startswith("| `")
               for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    known = {file.stem for file in (FOLDER / "algs").glob("*.yaml")}
    assert methods | {"qmix_offline"} <= {spec.alg.split()[0] for spec in grid("smoke")} <= known
    assert len(methods) >= 16
    assert {spec.env for spec in grid("smoke")} == {"xor", "bridge"}


def test_the_smoke_test_has_methods_that_are_found_by_being_there(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    without = ids("smoke")  # before more is there: it is read once
    (tmp_path / "algs").mkdir()
    for name, base in (("mine", "cpa_pa"), ("my_play", "iql"), ("bc", "bc")):
        (tmp_path / f"algs/{name}.yaml").write_text(f"extends: {base}\nname: {name}\n")
    monkeypatch.setattr(others, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path / "algs")
    specs = read_grid("smoke")
    more = {spec.id: spec for spec in specs if spec.id not in without}
    assert without < {spec.id for spec in specs}
    assert Counter((spec.alg, spec.config["dataset"]) for spec in more.values()) == {
        ("mine", "medium"): 2, ("my_play", "online"): 2}
    lengths = {(spec.config["t_max"], spec.config.get("student_t_max")) for spec in more.values()}
    assert lengths == {(20, 20), (200, None)}


def test_only_grids_that_ask_have_them(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text('envs: [xor]\ndatasets: [good]\nseeds: [0]\nwith: [t_max=5, student_t_max=6]\nalgs: ["*"]\n')
    found = {spec.alg: spec.config for spec in read_grid(str(file))}
    played = {"qmix", "vdn", "iql"}
    assert set(found) == {each.stem for each in (FOLDER / "algs").glob("*.yaml")} - played
    assert {config["t_max"] for config in found.values()} == {5}
    taught = {alg for alg, config in found.items() if config.get("student_t_max") == 6}
    assert taught == {"cpa_pa", "cpa_pa_printed", "kd"}


@pytest.mark.parametrize("decides", [*Decides])
def test_only_keys_that_decide_results_name_rows(decides: Decides, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a new key that shows something, or says where a file lies, leaves all rows as they are."""
    spec = grid("smoke")[0]
    monkeypatch.setitem(CORE, "brand_new", Key(int, decides=decides))
    told = {replace(spec, config={**spec.config, "brand_new": value}).id for value in (1, 2)}
    if decides in (Decides.WATCHING, Decides.FILES):
        assert told == {spec.id}
    else:
        assert len(told | {spec.id}) == 3
        monkeypatch.setitem(CORE, "brand_new", Key(int, decides=decides, before=1))
        assert replace(spec, config={**spec.config, "brand_new": 1}).id == spec.id


@pytest.mark.slow
def test_every_method_runs(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert main(["smoke"]) == 0
