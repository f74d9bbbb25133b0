"""The rule against going round in circles, in training and in exported agents, beside a literal reading of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import Built

from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.config import resolve
from epymarl_cpa.conventions.repeats import unworn, usual_repeats
from epymarl_cpa.deploy.policy import Habits
from epymarl_cpa.run import prepare

N, A, T, B = 2, 3, 6, 7


@pytest.fixture
def episodes() -> EpisodeBatch:
    """Episodes in which few things are seen and done, and some actions are not available."""
    rng = np.random.default_rng(0)
    built = Built("cpa_pa", "aloha", "env_args.rows=1", "env_args.cols=2", f"env_args.episode_limit={T}",
                  "hidden_dim=8", "policy_input=obs", "improvement=imitation", "env_args.observation=local")
    batch = built.batch(B)
    size = built.info.n_actions
    batch["obs"][:] = th.from_numpy(rng.integers(2, size=batch["obs"].shape)).float()
    actions = rng.integers(size, size=(B, T + 1, N))
    batch["actions"][..., 0] = th.from_numpy(actions)
    batch["actions_onehot"][:] = th.eye(size)[batch["actions"][..., 0]]
    mask = rng.random((B, T + 1, N, size)) < 0.8
    mask[..., 0] |= ~mask.any(-1)
    batch["avail_actions"][:] = th.from_numpy(mask).int()
    return batch


def literally(batch: EpisodeBatch, t: int, row: int, agent: int, limit: int) -> list[bool]:
    """What the agent may do at time t, by a count of its own."""
    available = batch["avail_actions"][row, t, agent].tolist()
    times = [0] * len(available)
    for before in range(t):
        if batch["obs"][row, before, agent].tolist() == batch["obs"][row, t, agent].tolist():
            times[int(batch["actions"][row, before, agent, 0])] += 1
    rounds = [count // limit for count in times]
    least = min(each for each, may in zip(rounds, available, strict=True) if may)
    return [bool(may) and each == least for each, may in zip(rounds, available, strict=True)]


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("rows", [slice(None), [5, 0, 3], [2], "array", "tensor"])
def test_what_was_done_least_at_a_sight_is_what_counting_says(limit: int, rows: Any, episodes: EpisodeBatch) -> None:
    chosen = {"array": np.array([6, 1]), "tensor": th.tensor([4, 4, 0])}.get(rows, rows) \
        if isinstance(rows, str) else rows
    numbers = np.arange(B)[chosen.numpy() if isinstance(chosen, th.Tensor) else chosen]
    forbidden = 0
    for t in range(T + 1):
        found = unworn(episodes, t, chosen, limit) & episodes["avail_actions"][chosen, t].bool()
        assert found.shape == (len(numbers), N, episodes["avail_actions"].shape[-1])
        for k, row in enumerate(numbers):
            for agent in range(N):
                assert found[k, agent].tolist() == literally(episodes, t, int(row), agent, limit), (t, row, agent)
        forbidden += int((episodes["avail_actions"][chosen, t].bool() & ~found).sum())
    assert forbidden or len(numbers) < B, "the rule does something"


def literal_repeats(batch: EpisodeBatch, lengths: list[int]) -> int:
    """The least number that is no less than what was done at most in one episode, for three quarters of the steps."""
    steps: list[tuple[Any, ...]] = []
    most: dict[tuple[Any, ...], int] = {}
    for row, length in enumerate(lengths):
        for agent in range(N):
            done = [(tuple(batch["obs"][row, t, agent].tolist()), int(batch["actions"][row, t, agent, 0]))
                    for t in range(length)]
            for each in done:
                most[each] = max(most.get(each, 0), done.count(each))
            steps += done
    each_step = sorted(most[step] for step in steps)
    return next(k for k in each_step if sum(one <= k for one in each_step) >= 0.75 * len(each_step))


@pytest.mark.parametrize("lengths", [[T] * B, [1, 2, 3, 4, 5, 6, 6], [1] * B, [0, 0, 0, 0, 6, 6, 6]])
def test_how_often_recorded_agents_repeat_themselves(lengths: list[int], episodes: EpisodeBatch) -> None:
    for row, length in enumerate(lengths):
        episodes["filled"][row, :, 0] = (th.arange(T + 1) <= length - (length == 0)).to(episodes["filled"])
        if 0 < length < T:
            episodes["terminated"][row, length - 1] = 1
            episodes["filled"][row, length] = 0  # nothing is recorded behind an end
    assert usual_repeats(episodes) == literal_repeats(episodes, lengths)


def test_nothing_recorded_is_no_limit(episodes: EpisodeBatch) -> None:
    episodes["filled"][:] = 0
    assert usual_repeats(episodes) == 0


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_an_exported_agent_counts_as_its_controller_does(limit: int, episodes: EpisodeBatch) -> None:
    habits = Habits(limit)
    for row in range(B):
        habits.begin()
        for t in range(T + 1):
            seen = episodes["obs"][row, t, 1].numpy()
            mask = episodes["avail_actions"][row, t, 1].bool().numpy()
            expected = literally(episodes, t, row, 1, limit) if limit else mask.tolist()
            assert habits.unworn(seen, mask).tolist() == expected
            habits.add(seen, mask, int(episodes["actions"][row, t, 1, 0]))


def test_there_is_always_something_to_do() -> None:
    habits, mask = Habits(1), np.array([False, True, False])
    seen = np.zeros(2, dtype=np.float32)
    for _ in range(3):
        assert habits.unworn(seen, mask).tolist() == [False, True, False]
        habits.add(seen, mask, 1)
    assert habits.unworn(-seen, np.ones(3, dtype=bool)).tolist() == [True, False, True], "-0.0 is 0.0"
    assert habits.unworn(seen + 1, np.ones(3, dtype=bool)).all(), "another sight"


def test_a_team_with_a_limit_does_not_stay_where_it_is() -> None:
    """Networks that always say the same, at one sight: with a limit of 2 both actions come in turn, two by two."""
    built = Built("cpa_pa", "xor", "env_args.episode_limit=8", "policy_input=obs", "improvement=imitation",
                  "hidden_dim=8", "repeat_limit=2", "test_greedy=true", "pool_size=2")
    mac, batch = built.mac, built.played(3)
    mac.enter("students")
    mac.init_hidden(3)
    for param in mac.agent.parameters():
        param.data.zero_()
    mac.agent.last_bias.data[..., 1] = 1.0
    done = []
    for t in range(8):
        actions = mac.select_actions(batch, t, 0, test_mode=True)
        batch.update({"actions": actions[..., None]}, ts=t, mark_filled=False)
        done.append(actions[0].tolist())
    assert [each[0] for each in done] == [1, 1, 0, 0, 1, 1, 0, 0] and all(a == b for a, b in done)


LOCAL = ("env_args.rows=1", "env_args.cols=2", f"env_args.episode_limit={T}", "env_args.observation=local",
         "policy_input=obs", "hidden_dim=8", "plans=1")


@pytest.mark.parametrize(("words", "limited"), [
    (["improvement=imitation"], True), (["improvement=imitation", "repeat_limit=0"], False),
    (["improvement=stationary"], False)])
def test_the_limit_is_that_of_the_data_where_they_are_imitated(words: list[str], limited: bool, tmp_path: Path,
                                                               ) -> None:
    config = resolve("cpa_pa", "aloha", [*LOCAL, *words, "seed=0", "dataset=good", "recipes.good.episodes=30",
                                         f"datasets_path={tmp_path}", f"local_results_path={tmp_path}"])
    trial = prepare(config, None, logging.getLogger("test"))
    mac: Any = trial.mac
    mac.enter("students")
    usual = usual_repeats(trial.runner.episodes(th.arange(30)))  # type: ignore[attr-defined]
    assert usual > 0
    assert mac.repeat_limit == (usual if limited else 0)
    mac.save_models(str(tmp_path))
    mac.agent.repeats.fill_(9)
    mac.load_models(str(tmp_path))
    assert mac.repeat_limit == (usual if limited else 0), "it is kept with the model"


def test_a_model_of_before_has_no_limit_of_the_datas(tmp_path: Path) -> None:
    built = Built("cpa_pa", "aloha", *LOCAL, "improvement=imitation")
    built.mac.enter("students")
    state = built.mac.agent.state_dict()
    del state["repeats"]
    built.mac.agent.repeats.fill_(3)
    assert built.mac.repeat_limit == 3
    built.mac.agent.load_state_dict(state)
    assert built.mac.repeat_limit == 0


def test_a_run_of_before_that_meant_to_improve_without_a_table_imitates_too(tmp_path: Path) -> None:
    """It had not found out yet that none is possible, and goes on."""
    config = resolve("cpa_pa", "bridge", ["env_args.observation=local", "policy_input=obs", "hidden_dim=8", "plans=1",
                                          "seed=0", "dataset=medium", "recipes.medium.episodes=20",
                                          f"datasets_path={tmp_path}", f"local_results_path={tmp_path}"])
    learner: Any = prepare(config, None, logging.getLogger("test")).learner.learners[-1]
    assert not learner.improves
    learner.load_state_dict({**learner.state_dict(), "improves": True})
    assert not learner.improves
