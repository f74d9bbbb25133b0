"""The names at the top of the package: what scripts and notebooks use instead of the command line."""

from __future__ import annotations

import ast
import json
import logging
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from outcome import SMALL as SMALL_WORDS
from outcome import Outcome, equal
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

import epymarl_cpa
from epymarl_cpa import (
    TrainedRun,
    UserError,
    compare,
    dataset_from_arrays,
    evaluate,
    export,
    load_dataset,
    load_policy,
    make_env,
    select,
    train,
)
from epymarl_cpa.config import parse_overrides, word
from epymarl_cpa.deploy.policy import Policy
from epymarl_cpa.errors import Diverged
from epymarl_cpa.experiments.rows.reading import fault_of

SRC = Path(epymarl_cpa.__file__).parent
BOTH = ("agent_0", "agent_1")
XOR_VIEW = np.tile([0.0, 1.0], (2, 2))  # what both agents see, [N, O]
SMALL: dict[str, Any] = {"t_max": 6, "test_interval": 3, "test_nepisode": 8, "hidden_dim": 8, "batch_size": 8,
                         "recipes": {"medium": {"episodes": 40}}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def students(folder: Path) -> TrainedRun:
    with pytest.warns(UserWarning, match="THE STUDENTS HAVE NOT LEARNED"):
        run = train("cpa_pa", "xor", seed=1, **SMALL, **places(folder), student_t_max=4, pool_hidden=8, pool_size=4)
    assert "THE STUDENTS HAVE NOT LEARNED" in run.warnings[0]
    return run


def places(folder: Path) -> dict[str, Any]:
    return {"local_results_path": folder / "out", "datasets_path": folder / "data"}


def begun(game: str) -> Any:
    env = make_env(game)
    env.reset(seed=np.int64(0))
    return env


def test_the_stub_names_what_the_package_has() -> None:
    """And no file of the package has a public name, whose import would put a module in its place."""
    stub = ast.parse((SRC / "__init__.pyi").read_text())
    named = {(alias.asname, f"{node.module}") for node in stub.body if isinstance(node, ast.ImportFrom)
             for alias in node.names}
    assert named == set(epymarl_cpa._HOMES.items())
    assert set(epymarl_cpa.__all__) == {"__version__", *epymarl_cpa._HOMES} <= set(dir(epymarl_cpa))
    assert not {path.stem for path in SRC.iterdir()} & set(epymarl_cpa._HOMES)
    for name in epymarl_cpa._HOMES:
        assert getattr(epymarl_cpa, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        epymarl_cpa.nothing  # noqa: B018


def test_a_run_is_that_of_the_command_line(tiny_run: Callable[..., Outcome], tmp_path: Path) -> None:
    words = {**SMALL_WORDS, "seed": "3"}
    said = tiny_run("seed=3", alg="ar_bc")
    keys = parse_overrides(f"{key}={value}" for key, value in words.items())
    run = train("ar_bc", "xor", **keys)
    assert said.sacred is not None and said.models is not None
    assert {name: list(zip(series.t_env.tolist(), series.values.tolist(), strict=True))
            for name, series in run.history.items()} == said.series()
    result = said.result()
    assert (run.mean_return, run.score, run.optimum) == (result["return"], result["score"], result["optimum"])
    row = json.loads((said.sacred / "row.jsonl").read_text())
    assert {key: value for key, value in row.items() if key not in ("seconds", "peak_mb", "with")} == {
        key: value for key, value in run.row.items() if key not in ("seconds", "peak_mb", "with")}
    assert [word.split("=")[0] for word in run.row["with"]] == [
        "t_max", "batch_size", "hidden_dim", "test_nepisode", "test_interval", "recipes"]
    assert run.model == said.models.parent.absolute() / run.model.name != said.models.absolute()
    assert equal(said.state(), Outcome(0, None, run.model).state())


def test_nothing_else_of_the_process_is_changed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)

    def state() -> list[Any]:
        logger = logging.getLogger("epymarl_cpa")
        return [random.getstate(), np.random.get_state()[1].tolist(), th.get_rng_state().tolist(), Path.cwd(),  # type: ignore[index]
                [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)], th.get_num_threads(),
                th.get_default_dtype(), th.is_grad_enabled(), [*logger.handlers], logger.level, logger.propagate,
                [*logging.getLogger().handlers]]

    th.set_num_threads(2)
    th.set_default_dtype(th.float64)
    try:
        with th.no_grad():
            before = state()
            run = train("bc", "xor", seed=0, **SMALL, **places(folder))
            evaluate(run.model, 4)
            run.policy().act({"agent_0": [0, 1, 0, 1], "agent_1": [0, 1, 0, 1]})
            assert state() == before
            kept = train("bc", "xor", seed=0, **SMALL, **places(folder), record=True)
            assert state() == before
    finally:
        th.set_num_threads(1)
        th.set_default_dtype(th.float32)
    assert capsys.readouterr().out == "" and not list(tmp_path.iterdir())
    assert kept.record is not None and json.loads((kept.record / "run.json").read_text())["status"] == "COMPLETED"
    assert run.record is None and kept.mean_return == run.mean_return
    assert {name: series.values.tolist() for name, series in kept.history.items()} == {
        name: series.values.tolist() for name, series in run.history.items()}
    assert set(kept.evaluation.values) == set(run.evaluation.values)
    assert fault_of(dict(kept.row)) == fault_of(dict(run.row)) == ""


def test_an_evaluation_is_the_runs_last_one_again(students: TrainedRun) -> None:
    again = evaluate(students.model, episodes=8)
    assert again.mean_return == students.mean_return and again.score == students.score
    for name, values in students.evaluation.values.items():
        assert np.array_equal(again.values[name], values), name
    other = evaluate(students.model, episodes=300, greedy=True, seed=5)
    assert len(other.values["return"]) == 300 and "joint_entropy" not in other.values
    assert {*other.values["return"]} in ({0.0}, {1.0})  # always the same entry


def test_a_team_acts_the_same_by_the_same_seed_one_at_a_time_or_all_at_once(students: TrainedRun) -> None:
    policy = load_policy(students.model)
    env = make_env("xor")
    seen, _ = env.reset(seed=0)
    alone = []
    policy.reset(seed=4)
    for _ in range(30):
        chosen = policy.act(seen, state=env.state())
        assert list(chosen) == env.possible_agents
        alone.append(list(chosen.values()))
        policy.reset()
    policy.reset(seed=4, episodes=30)
    views = np.stack([seen[agent]["observation"] for agent in env.possible_agents])
    assert policy.act(np.repeat(views[None], 30, 0)).tolist() == alone
    policy.reset(seed=5, episodes=30)
    assert policy.act(np.repeat(views[None], 30, 0)).tolist() != alone


def test_a_team_plays_the_numbers_of_its_evaluation(folder: Path) -> None:
    """By the environment that anybody sees, a team with memory and masks has the return that evaluations tell."""
    run = train("ar_bc", "sensor", seed=0, t_max=2, test_nepisode=2, hidden_dim=8, batch_size=8, test_greedy=True,
                recipes={"medium": {"episodes": 20}}, env_args={"rows": 2, "cols": 3}, obs_last_action=True,
                use_rnn=True, **places(folder))
    env, policy = make_env("sensor", rows=2, cols=3), run.policy()
    game, rng = policy.team.game, np.random.default_rng([0, 1_000_003])
    state = game.initial(2, rng)
    policy.reset(episodes=2)
    total = np.zeros(2)
    for _ in range(game.episode_limit):
        step = game.transition(state, policy.act(game.observe(state), game.global_state(state), game.available(state)),
                               rng)
        total, state = total + step.reward, step.state
    assert total.tolist() == run.evaluation.values["return"].tolist()
    with pytest.raises(UserError, match="longer than sensor can be"):
        policy.act(game.observe(state), game.global_state(state))
    seen, _ = env.reset(seed=0)
    policy.reset(seed=0)
    while env.agents:
        seen, *_ = env.step(policy.act(seen, state=env.state()))


@pytest.mark.parametrize("record", [False, True])
def test_a_run_that_diverges_says_so(folder: Path, record: bool) -> None:
    with pytest.raises(Diverged, match="What was learned by t_env"):
        train("bc", "xor", seed=0, **{**SMALL, "lr": 1e30}, **places(folder), record=record)


def test_a_run_goes_on_from_another(folder: Path) -> None:
    first = train("bc", "xor", seed=3, **SMALL, **places(folder))
    then = train("bc", "xor", checkpoint_path=first.model, **{**SMALL, "t_max": 8}, **places(folder))
    assert then.seed == 3 and then.history["test_return_mean"].t_env.tolist() == [6, 8]


def test_own_arrays_are_learned_from(folder: Path) -> None:
    joint = np.array([[0, 1], [1, 0]] * 20)
    data = dataset_from_arrays(np.tile([0.0, 1.0], (40, 2, 2)), joint, np.ones(40), np.ones(40))
    small = {key: value for key, value in SMALL.items() if key != "recipes"}
    run = train("bc", "xor", dataset=data, seed=0, **small, **places(folder))
    assert Path(run.dataset).parent == folder / "data" and load_dataset(run.dataset).digest == data.digest
    assert load_dataset("xor", run.dataset).returns.tolist() == [1.0] * 40


def test_data_and_environments_by_name(folder: Path) -> None:
    data = load_dataset("sensor", "good", seed=2, datasets_path=folder / "data", rows=2, cols=2, n_preys=1)
    assert data.actions.shape[2] == 4 and data.meta["seed"] == 2
    assert make_env("sensor", rows=2, cols=2, n_preys=1).possible_agents == [f"agent_{i}" for i in range(4)]
    assert make_env("sensor", kind="gym", rows=2, cols=3).n_agents == 6
    assert make_env("aloha", kind="epymarl").get_env_info()["n_agents"] == 10
    assert make_env("bridge", render_mode="ansi").render_mode == "ansi"


def test_runs_side_by_side(folder: Path, students: TrainedRun, tmp_path: Path) -> None:
    runs = [train("bc", "xor", seed=seed, **SMALL, **places(folder)) for seed in range(3)]
    table = compare(students, runs, repetitions=100)
    assert [(line.method, line.seeds) for line in table.lines] == [("cpa_pa", 1), ("bc", 3)]
    values = [run.mean_return for run in runs]
    line = table.lines[1]
    assert line.result.value == np.mean(values) and min(values) <= line.result.low <= line.result.high <= max(values)
    assert line.score is not None and line.score.value == pytest.approx(2 * np.mean(values) - 1)  # random play: 0.5
    assert "| xor  | medium | bc " in str(table) and table._repr_markdown_() == str(table)
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(run.row)}\n" for run in runs))
    assert compare(tmp_path / "rows.jsonl", students.row, repetitions=100).lines[0] == line


def test_agents_leave(students: TrainedRun, tmp_path: Path) -> None:
    files = export(students.model, tmp_path / "agents")
    assert [file.name for file in files] == ["agent_0.npz", "agent_1.npz"]
    assert (tmp_path / "agents/policy.py").is_file()
    agents, policy = [Policy.load(file) for file in files], students.policy()
    for agent in agents:
        agent.agree(7)
    policy.reset(seed=7, episodes=20)
    together = policy.act(np.repeat(XOR_VIEW[None], 20, 0))
    assert together.tolist() == [[agent.act(XOR_VIEW[0], episode=number) for agent in agents] for number in range(20)]


def test_agents_that_have_left_are_left_out(students: TrainedRun) -> None:
    """As in training they see zeros and can only choose action 0; the others go on."""
    policy = students.policy()
    policy.team.info = replace(policy.team.info, episode_limit=3)
    policy.reset(seed=0)
    assert list(policy.act({"agent_1": XOR_VIEW[0], "agent_0": XOR_VIEW[0]})) == ["agent_0", "agent_1"]
    assert list(policy.act({"agent_1": XOR_VIEW[0]})) == ["agent_1"]
    assert policy._batch["avail_actions"][0, 1].tolist() == [[1, 0], [1, 1]]
    with pytest.raises(UserError, match="2 agents, but observations are of 1: green"):
        policy.act({"green": XOR_VIEW[0]})
    policy.reset(seed=0)
    with pytest.raises(UserError, match=r"of 2: blue, red\. They must be of agent_0, agent_1, or an array"):
        policy.act({"blue": XOR_VIEW[0], "red": XOR_VIEW[0]})


class Sided(ParallelEnv[str, Any, int]):  # type: ignore[misc]
    """Pays for left 1 and right 0; observations come in another order than possible_agents, as PettingZoo allows.

    An environment of somebody else whose ``close()`` fails.
    """

    metadata, max_cycles, render_mode = {"name": "sided_v0"}, 1, None
    possible_agents = ("left", "right")

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 1, (1,))

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = ["left", "right"]
        return {agent: np.ones(1, np.float32) for agent in ("right", "left")}, {}

    def step(self, actions: Any) -> Any:
        paid = dict.fromkeys(self.agents, float(actions["left"] == 1 and actions["right"] == 0))
        self.agents = []
        seen = {agent: np.ones(1, np.float32) for agent in ("right", "left")}
        return seen, paid, dict.fromkeys(paid, True), dict.fromkeys(paid, False), {}

    def close(self) -> None:
        raise RuntimeError("socket gone")


def test_agents_act_by_their_names_whatever_the_order_of_their_observations(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    monkeypatch.setattr(logging.getLogger("epymarl_cpa"), "warning", lambda text, *args: told.append(text % args))
    key = f"{__name__}:Sided"
    run = train("bc", "pettingzoo", dataset="random", seed=0, t_max=1, hidden_dim=8, batch_size=8, test_nepisode=4,
                recipes={"random": {"episodes": 10}}, env_args={"key": key}, test_greedy=True)
    assert run.model.is_dir(), "close() fails after all has been learned"
    assert told == [f"close() of {key} failed (RuntimeError: socket gone); what was learned and evaluated counts all "
                    "the same."], "once, however many environments there are"
    policy = load_policy(run.model, key=key)
    assert policy.team.game.agents == ("left", "right")
    seen = {"right": np.array([1.0]), "left": np.array([0.0])}
    policy.act(seen)
    assert policy._batch["obs"][0, 0].tolist() == [[0.0], [1.0]]
    policy.reset(seed=0)
    policy.act({"agent_1": [1.0], "agent_0": [0.0]})
    assert policy._batch["obs"][0, 0].tolist() == [[0.0], [1.0]]


class Paying(Sided):
    """Pays either agent 1 whatever is done."""

    def step(self, actions: Any) -> Any:
        seen, paid, *rest = super().step(actions)
        return seen, dict.fromkeys(paid, 1.0), *rest

    def close(self) -> None: ...


@pytest.mark.parametrize(("words", "worth"), [({"reward_scalarisation": "mean"}, 1.0), ({}, 2.0)])
def test_a_trained_team_is_paid_as_in_its_run(words: dict[str, Any], worth: float, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    key = f"{__name__}:Paying"
    run = train("bc", "pettingzoo", dataset="random", seed=0, t_max=1, hidden_dim=8, batch_size=8, test_nepisode=4,
                recipes={"random": {"episodes": 10}}, env_args={"key": key}, **words)
    assert run.mean_return == evaluate(run.model, 4, key=key).mean_return == worth


@pytest.mark.parametrize("value", [
    None, True, False, 3, -1, 1e-5, 0.1, 2e30, "medium", "a b", "true", "1e-3", "null", "", "[1", "ü 🎲 \n\"\\",
    "{a: b}", [1, 2.5, "x"], {"a": {"b": [None, "no"]}}, {}, []])
def test_a_value_reads_back_as_it_was(value: Any) -> None:
    read = parse_overrides([word("key", value)])["key"]
    assert read == value and type(read) is type(value)


def test_numbers_of_numpy_and_paths_are_values_too() -> None:
    words = [word("a", np.float32(0.5)), word("b", np.int64(3)), word("c", Path("x/y")), word("d", (1, 2))]
    assert words == ["a=0.5", "b=3", "c=x/y", "d=[1, 2]"]


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda run: train("bcc", "xor"), "unknown --config=bcc (did you mean 'bc"),
    (lambda run: train("bc", "xor", lr=-1.0), "config key 'lr' must be at least 0.0"),
    (lambda run: train("bc", "xor", learning_rate=0.1), "(did you mean 'lr'?)"),
    (lambda run: train("bc", "xor", lr=object()), "the config key 'lr' cannot be <object"),
    (lambda run: train("bc", "xor", seed=-1), "seed must be a whole number in 0 .. 2147483647, not -1."),
    (lambda run: train("bc", "xor", evaluate=True), "train() does not take 'evaluate'; use evaluate(model)."),
    (lambda run: train("bc", "xor", dataset="nothing"), "there is no recipe and no file 'nothing'"),
    (lambda run: train("bc", "xor", runner="record", record_to="x.npz"), "train() does not take 'record_to'"),
    (lambda run: train("bc", "xor", record=True, dataset="nothing"), "there is no recipe and no file 'nothing'"),
    (lambda run: make_env("sensr"), "unknown --env-config=sensr (did you mean 'sensor'?)"),
    (lambda run: make_env("sensor", row=2), "unknown config key 'env_args.row' of sensor (did you mean 'rows'?)"),
    (lambda run: make_env("sensor", kind="aec"), "kind must be parallel, gym or epymarl, not 'aec'."),
    (lambda run: make_env("sensor", kind=np.array([1, 2])), "kind must be parallel, gym or"),  # type: ignore[call-overload]
    (lambda run: make_env("xor", render_mode=np.array([1])), "render_mode must be"),  # type: ignore[call-overload]
    (lambda run: train("bc", "xor", record="no"), "record must be True or False, not 'no'."),  # type: ignore[arg-type]
    (lambda run: train("bc", "xor", verbose=1), "verbose must be True or False, not 1."),
    (lambda run: select(run.model, way=np.array([1, 2])), "way must be"),  # type: ignore[arg-type]
    (lambda run: load_dataset("sensor"), "'sensor' is a game; name its data set, too"),
    (lambda run: load_dataset("nothing.npz"), "there is no file or folder nothing.npz"),
    (lambda run: load_dataset("sensor", "mediun"), "(did you mean 'medium'?)"),
    (lambda run: evaluate("nothing"), "nothing"),
    (lambda run: evaluate(run.model, 10**12), "episodes=1000000000000 would take"),
    (lambda run: evaluate(None), "model must be a name or a path, not None."),  # type: ignore[arg-type]
    (lambda run: train(3, "xor"), "method must be a name or a path, not 3."),  # type: ignore[arg-type]
    (lambda run: train("bc", "xor", 3), "dataset must be a name or a path, not 3."),  # type: ignore[arg-type]
    (lambda run: make_env(3), "game must be a name or a path, not 3."),  # type: ignore[call-overload]
    (lambda run: load_dataset(3), "source must be a name or a path, not 3."),  # type: ignore[arg-type]
    (lambda run: load_dataset("xor", "good", seed="a"), "seed must be a whole"),  # type: ignore[arg-type]
    (lambda run: train("bc", "xor", local_results_path=""), "local_results_path is empty, perhaps since a"),
    (lambda run: train("bc", "xor", datasets_path=""), "datasets_path is empty"),
    (lambda run: train("bc", "xor", seed=np.array([1, 2])), "seed must be"),  # type: ignore[arg-type]
    (lambda run: load_dataset(""), "source is empty"), (lambda run: export(run.model, ""), "out is empty"),
    (lambda run: export(run.model, 3), "out must be a name or a path, not 3."),  # type: ignore[arg-type]
    (lambda run: evaluate(run.model, 0), "episodes must be a whole number of at least 1, not 0."),
    (lambda run: evaluate(run.model, seed=1.5), "seed must be a whole number"),
    (lambda run: evaluate(run.model, greedy="False"), "greedy must be True or False, not"),  # type: ignore[arg-type]
    (lambda run: load_policy(run.model, greedy=1), "greedy must be True or False, not 1."),
    (lambda run: compare(run, seed="a"), "seed must be a whole number"),  # type: ignore[arg-type]
    (lambda run: compare(run, repetitions=10.5), "repetitions must be a positive whole"),  # type: ignore[arg-type]
    (lambda run: compare(run, repetitions=0), "repetitions must be a positive whole number."),
    (lambda run: select([]), "there is nothing to choose from; give model folders."),
    (lambda run: run.policy().act(np.zeros((3, 4))), "observations must have the shape (2, 4), not (3, 4)."),
    (lambda run: run.policy().act({"agent_0": [0, 1, 0, 1]}), "xor has 2 agents, but observations are of 1: agent_0."),
    (lambda run: run.policy().act(XOR_VIEW * np.nan), "observations hold a value that is not finite"),
    (lambda run: run.policy().act(XOR_VIEW.repeat(2, 1)[:, :4], action_masks=[1]), "action_masks must have the shape"),
    (lambda run: run.policy().act({key: [0, 1] for key in BOTH}), "observation of agent_0 must be 4 numbers, not 2."),
    (lambda run: run.policy().act({key: {"x": 1} for key in BOTH}), "the observation of agent_0 must be 4 numbers"),
    (lambda run: run.policy().act({key: [0, 1, 0, 1] for key in "ab"}), "They must be of agent_0, agent_1, or an"),
    (lambda run: run.policy().reset(episodes=0), "episodes must be a whole number of at least 1"),
    (lambda run: run.policy().reset(episodes=10**400), "episodes must be 9223372036854775807 at most"),
    (lambda run: evaluate(run.model, 10**5000), "episodes must be 9223372036854775807 at most"),
    (lambda run: evaluate(run.model, np.array([1, 2])), "episodes must be"),  # type: ignore[arg-type]
    (lambda run: evaluate(run.model, seed=np.array([1, 2])), "seed must be"),  # type: ignore[arg-type]
    (lambda run: run.policy().reset(seed=10**5000), "seed must be a whole number in 0 .. 2147483647, not a value of"),
    (lambda run: run.policy().act([[10**400] * 4] * 2), "observations must be numbers of the shape (2, 4)."),
    (lambda run: run.policy().act({key: [10**400] * 4 for key in BOTH}), "the observation of agent_0 must be 4 num"),
    (lambda run: run.policy().act({key: [np.nan] * 4 for key in BOTH}), "of agent_0 holds a value that is not finite"),
    (lambda run: select(None), "models must be model folders, not None."),  # type: ignore[arg-type]
    (lambda run: select(run.model, updates=np.array([1])), "updates must be"),  # type: ignore[arg-type]
    (lambda run: load_dataset("x" * 300), "there is no file or folder xxx"),
    (lambda run: load_dataset("x" * 5000), "source must be a name or a path; no file can be called 'xxx"),
    (lambda run: load_dataset("a\udc00\ud800"), "source must be a name or a path; no file can be called"),
    (lambda run: load_dataset("xor", "medium", datasets_path="a\0b"), "datasets_path must be a name or a path; no"),
    (lambda run: export(run.model, "a\0b"), "out must be a name or a path; no file can be called 'a\\x00b'."),
    (lambda run: compare("a\0b"), "a file of rows must be a name or a path; no file can be called"),
    (lambda run: make_env("xor").reset(seed=-1), "seed must be a whole number of at least 0, or None, not -1."),
    (lambda run: make_env("xor").reset(seed=1.5), "seed must be a whole"),  # type: ignore[arg-type]
    (lambda run: make_env("xor", kind="gym").reset(seed=-1), "seed must be a whole number of at least 0"),
    (lambda run: make_env("xor", kind="gym").reset(seed=1.5), "seed must be a whole"),  # type: ignore[arg-type]
    (lambda run: make_env("xor", kind="epymarl").reset(seed=-1), "seed must be a whole number of at least 0"),
    (lambda run: make_env("xor", kind="epymarl").seed(-1), "seed must be a whole number of at least 0"),
    (lambda run: begun("xor").step(None), "step() of xor takes a dict with"),  # type: ignore[arg-type]
    (lambda run: compare(), "compare() was given no runs"),
    (lambda run: compare(3), "compare() cannot read 3; give results of train()"),
    (lambda run: compare({"alg": "bc"}), "a row given to compare() has no usable 'env'."),
    (lambda run: dataset_from_arrays([], [], [], []), "key 'observations' must have 3 axes")])
def test_a_mistake_is_a_sentence(call: Callable[[TrainedRun], object], sentence: str, students: TrainedRun,
                                 tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as told:
        call(students)
    assert sentence in str(told.value)
    assert not list(tmp_path.glob("*/models"))


def test_data_made_of_arrays_are_kept_only_for_a_run_that_can_be(tmp_path: Path,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = dataset_from_arrays(np.tile([0.0, 1.0], (4, 2, 2)), np.eye(2)[[0, 1, 0, 1]], np.ones(4), np.ones(4))
    with pytest.raises(UserError, match="'lr'"):
        train("bc", "xor", dataset=data, lr=-1.0)
    assert not list(tmp_path.iterdir())


def test_data_that_a_game_counts_in_its_way_can_be_kept_and_learned_from(tmp_path: Path,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what a game makes of them, files tell the digest of what is in them."""
    monkeypatch.chdir(tmp_path)
    data = dataset_from_arrays(np.tile([0.0, 1.0, 0.0, 1.0], (4, 2, 1)), np.zeros((4, 2)), np.ones(4), np.ones(4))
    data.save(Path("mine.npz"))  # one action occurs; the game has two
    found = load_dataset("xor", "mine.npz")
    assert found.digest == data.digest and found.avail_actions.shape[3] == 2
    found.save(Path("copy.npz"))
    assert load_dataset("copy.npz").digest == found.own_digest != data.digest
    for each in (found, data):
        train("bc", "xor", dataset=each, **SMALL)


def test_an_agent_that_can_do_nothing_does_0(students: TrainedRun) -> None:
    policy = students.policy()
    policy.reset(seed=4, episodes=20)
    seen = np.repeat(XOR_VIEW[None], 20, 0)
    masks = np.ones((20, 2, 2))
    masks[:, 1] = 0
    assert set(policy.act(seen, action_masks=masks)[:, 1].tolist()) == {0}


def test_actions_that_no_state_has_are_never_chosen() -> None:
    game = make_env("sensor").game
    assert np.array_equal(game.possible(), game.available(game.initial(1, np.random.default_rng(0)))[0])
    assert not game.possible().all()


def test_warnings_of_a_recorded_run_are_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    data = dataset_from_arrays(np.tile([0.0, 1.0, 0.0, 1.0], (4, 2, 1)), np.eye(2)[[0, 1, 0, 1]], np.ones(4),
                               np.zeros(4), np.ones(4))
    with pytest.warns(UserWarning, match="without the state after their last action"):
        run = train("bc", "xor", dataset=data, record=True, **SMALL)
    assert len(run.warnings) == 1 and run.record is not None
    assert "without the state after" in (run.record / "cout.txt").read_text()
    assert capsys.readouterr().out == ""
