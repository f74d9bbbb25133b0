"""Data of other programs in the terms of their game: rewards, actions, and episodes without their last state."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import Env, register, spaces
from helpers import settings
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from epymarl_cpa.build import build_env
from epymarl_cpa.components.transitions import transitions
from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.fitting import fitted, remarks
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.mapped import MappedDataset
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.data.validate import check_game
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.errors import UserError
from epymarl_cpa.learners.ar_bc_learner import ArBcLearner
from epymarl_cpa.learners.base import Learner
from epymarl_cpa.learners.bc_learner import BcLearner
from epymarl_cpa.runners.offline_runner import OfflineRunner
from epymarl_cpa.settings import Settings

T = 3


class Counting(ParallelEnv[str, Any, int]):  # type: ignore[misc]
    """Two agents, three steps, cut off; each is paid 1 for the action that equals the step."""

    metadata = {"name": "counting"}  # noqa: RUF012 (PettingZoo's own way)
    possible_agents, max_cycles = ["x", "y"], T

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(3)

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 9, (1,))

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.t = ["x", "y"], 0
        return dict.fromkeys("xy", np.zeros(1, np.float32)), {"x": {}, "y": {}}

    def step(self, actions: dict[str, int]) -> Any:
        paid = {agent: float(action == self.t) for agent, action in actions.items()}
        self.t += 1
        over = self.t == T
        self.agents = [] if over else ["x", "y"]
        seen = dict.fromkeys("xy", np.full(1, self.t, np.float32))
        return seen, paid, dict.fromkeys("xy", False), dict.fromkeys("xy", over), {"x": {}, "y": {}}


def game(way: str = "sum") -> Game:
    made = make_game("pettingzoo", key=f"{__name__}:Counting")
    made.reward_scalarisation = way
    return made


class Uneven(Counting):
    """The second agent has two actions only."""

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(3 if agent == "x" else 2)


def foreign(lengths: tuple[int, ...] = (T, T, 2), **meta: Any) -> OfflineDataset:
    """Episodes of random play that another program recorded without the states after the last actions."""
    data = generate(game(), {"episodes": len(lengths), "mixture": {"random": 1.0}}, 0)
    time, length = np.arange(T + 1), np.array(lengths)[:, None]
    arrays = {key: array.copy() for key, array in data.arrays.items()}
    arrays |= {"filled": time <= length, "no_next": time == length - 1, "terminated": np.zeros_like(data.filled)}
    arrays["behaviour"][:] = -1
    own = arrays["agent_reward"]
    return OfflineDataset(**{**arrays, "reward": own.mean(2)}, meta={"format": "vault", **meta}, source="theirs")


@pytest.mark.parametrize(("way", "scale"), [("sum", 2.0), ("mean", 1.0)])
def test_rewards_are_in_the_unit_of_the_game(way: str, scale: float) -> None:
    theirs = foreign()
    data = fitted(theirs, game(way))
    np.testing.assert_allclose(data.reward, scale * theirs.reward)
    assert data.digest == theirs.digest  # that of the file
    ours = generate(game(), {"episodes": 3, "mixture": {"random": 1.0}}, 0)
    assert fitted(ours, game(way)) is ours
    with pytest.raises(UserError, match="was recorded with reward_scalarisation=sum, but this run plays "
                                        "reward_scalarisation=mean"):
        check_game(ours, game("mean"))


def test_episodes_are_selected_by_the_returns_of_the_game(tmp_path: Path) -> None:
    theirs = foreign((T,) * 12)
    theirs.save(tmp_path / "theirs.npz")
    least = float(np.median(fitted(theirs, game()).returns)) - 0.1
    keep = fitted(theirs, game()).returns >= least
    assert 0 < (theirs.returns >= least).sum() < keep.sum() < 12
    words = ["select", str(tmp_path / "theirs.npz"), f"--min-return={least}", "--env-config=pettingzoo",
             f"env_args.key={__name__}:Counting"]
    assert main([*words, f"--out={tmp_path / 'some.npz'}"]) == 0
    found = OfflineDataset.load(tmp_path / "some.npz")
    assert found.reward.tobytes() == theirs.reward[keep].tobytes(), "written as they are"


class TeamPaid(Env[Any, Any]):
    """Two agents that are paid one number together."""

    observation_space = spaces.Tuple([spaces.Box(0, 9, (1,))] * 2)
    action_space = spaces.Tuple([spaces.Discrete(3)] * 2)
    max_steps = T

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return (np.zeros(1, np.float32),) * 2, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return (np.zeros(1, np.float32),) * 2, 5.0, False, False, {}


register("cpa-test/TeamPaid-v0", TeamPaid, disable_env_checker=True)


def test_copies_of_the_teams_reward_are_not_added_up() -> None:
    paid = make_game("gymma", key="cpa-test/TeamPaid-v0")
    assert paid.pays_team() and make_game("xor").pays_team() and not game().pays_team()
    theirs = foreign()
    copies = theirs.with_arrays(agent_reward=np.repeat(theirs.reward[..., None], 2, 2))
    assert fitted(copies, paid) is copies
    np.testing.assert_allclose(fitted(copies, game()).reward, 2 * theirs.reward)


def test_games_that_pay_the_team_take_the_team_reward_as_it_is() -> None:
    theirs = foreign()
    assert fitted(theirs, make_game("xor")) is theirs


def test_actions_that_nobody_played_are_those_of_the_game() -> None:
    whole = foreign()
    fewer = {"avail_actions": whole.avail_actions[..., :2], "actions": whole.actions % 2}
    two = OfflineDataset(**{**whole.arrays, **fewer}, meta={"format": "vault", "unrecorded": ["avail_actions"]})
    data = fitted(two, game())
    assert data.avail_actions.shape[3] == 3 and data.avail_actions.all()
    check_game(data, game())
    uneven = make_game("pettingzoo", key=f"{__name__}:Uneven")
    assert fitted(two, uneven).avail_actions[0, 0].tolist() == [[True, True, True], [True, True, False]]
    with pytest.raises(UserError, match="an agent took an action that was not available"):
        fitted(two.with_arrays(actions=two.actions + 1, avail_actions=whole.avail_actions), uneven)
    with pytest.raises(UserError, match="has 2 actions, but pettingzoo has 3"):  # masks that were recorded count
        check_game(fitted(two.with_arrays(meta={"format": "vault"}), game()), game())


def test_data_on_the_disk_are_fitted_as_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the masks of all their steps in memory."""
    monkeypatch.setattr("epymarl_cpa.data.formats.mapped.IN_MEMORY", 0)
    uneven = make_game("pettingzoo", key=f"{__name__}:Uneven")
    whole = foreign((T,) * 6, unrecorded=["avail_actions"])
    sound = OfflineDataset(**{**whole.arrays, "actions": whole.actions % 2}, meta=whole.meta)
    write_dataset(split(sound), tmp_path / "x.mapped")
    data, wanted = fitted(load(tmp_path / "x.mapped"), uneven), fitted(sound, uneven)
    assert isinstance(data, MappedDataset)
    masks = data.avail_actions
    assert masks.strides[:2] == (0, 0) and (masks[wanted.filled] == wanted.avail_actions[wanted.filled]).all()
    assert data.reward.tobytes() == wanted.reward.tobytes() and data.digest == sound.digest
    data.check()
    write_dataset(split(whole), tmp_path / "wrong.mapped")
    read = load(tmp_path / "wrong.mapped")
    read.check()
    wrong = fitted(read, uneven)
    assert (whole.actions[:, :T, 1] == 2).any()
    for look in (wrong.check, lambda: wrong.take(np.arange(6)), lambda: [*split(wrong)], lambda: wrong.actions):
        with pytest.raises(UserError, match=r"key 'actions', episode .*: an agent took an action that was not"):
            look()
    read.check()
    with pytest.raises(UserError, match="key 'reward', episode 0, step 1: the reward is not finite"):
        read.with_arrays(reward=np.where(np.arange(T + 1) == 1, np.nan, read.reward).astype(np.float32))
    with pytest.raises(UserError, match="key 'avail_actions' has"):
        read.with_arrays(avail_actions=masks[:, :2])


def test_what_is_said_of_missing_last_states() -> None:
    assert [*remarks(foreign(), game())] == [
        "theirs: 3 of 3 episodes end without the state after their last action; 2 of them last as long as pettingzoo "
        "does (3 steps), which is taken for their true end; 1 were cut off before, so that only returns and imitation "
        "(bc, ar_bc) use their last step."]
    assert not [*remarks(generate(game(), {"episodes": 3, "mixture": {"random": 1.0}}, 0), game())]
    assert [*remarks(foreign((T,), assumed=["it is so"]), game())][1:] == ["theirs: it is so."]


def test_what_is_said_of_data_sets_that_were_merged() -> None:
    """Each of them has its say, however often they were merged."""
    merged = [{"assumed": ["it is so"], "unrecorded": ["avail_actions"]}, {"merged": [{"assumed": ["it is so"]}, {}]}]
    whole = generate(game(), {"episodes": 3, "mixture": {"random": 1.0}}, 0)
    data = OfflineDataset(**whole.arrays, meta={"behaviours": ["random"], "merged": merged}, source="theirs")
    assert [*remarks(data, game())] == [
        "theirs: it is so.", "theirs: 1 of the 3 data sets that it was merged from do not say which actions were "
        "available; in their episodes all count as available."]
    odd = OfflineDataset(**whole.arrays, meta={"behaviours": ["random"], "merged": [{"assumed": 3, "unrecorded": "x"}]})
    assert not [*remarks(odd, game())]


@pytest.mark.parametrize("learner", [Learner, BcLearner, ArBcLearner])
def test_steps_without_a_state_after_them(learner: type[Learner], tmp_path: Path) -> None:
    """All count in returns; beyond the horizon nothing follows; what was cut off before is only imitated."""
    theirs, path = foreign(), tmp_path / "theirs.npz"
    theirs.save(path)
    args = settings(Settings, "bc", "pettingzoo", f"env_args.key={__name__}:Counting", f"dataset={path}", "seed=1")
    runner = OfflineRunner(args, build_env(args), logging.getLogger("test"))
    np.testing.assert_allclose(runner.dataset.returns, (2 * theirs.reward * theirs.steps).sum(1))
    batch = runner.episodes(th.arange(3))
    step = transitions(batch, batch["state"], outcomes=learner.outcomes)
    played = theirs.steps.copy()
    played[2, 1] = not learner.outcomes
    np.testing.assert_array_equal(np.stack([step.episode, step.time], 1), np.argwhere(played))
    assert step.done.tolist() == [float(t == T - 1) for t in step.time]
    np.testing.assert_allclose(step.reward, runner.dataset.reward[played])


def runner_of(alg: str, path: Path, batch_size: int) -> OfflineRunner:
    args = settings(Settings, alg, "pettingzoo", f"env_args.key={__name__}:Counting", f"dataset={path}", "seed=1",
                    f"batch_size={batch_size}")
    return OfflineRunner(args, build_env(args), logging.getLogger("test"))


@pytest.mark.parametrize("size", [1, 3])
def test_no_batch_is_without_a_step_to_learn_from(size: int, tmp_path: Path) -> None:
    """Episodes are drawn as ever; batches that would end the run are passed over, which imitation does not need."""
    foreign((1,) * 9 + (T, T)).save(tmp_path / "theirs.npz")
    generator = th.Generator().manual_seed(1)
    order = th.cat([th.randperm(11, generator=generator) for _ in range(60)])[:60 * size].view(60, size)
    for alg, wanted in (("bc", order), ("cpa_ar", order[(order >= 9).any(1)])):
        runner = runner_of(alg, tmp_path / "theirs.npz", size)
        assert len(wanted) > 5
        for rows in wanted:
            assert runner.next_rows().tolist() == rows.tolist()


def test_data_without_any_step_to_learn_from_are_refused_at_the_start(tmp_path: Path) -> None:
    foreign((1,) * 4).save(tmp_path / "theirs.npz")
    assert len(runner_of("bc", tmp_path / "theirs.npz", 2).next_rows()) == 2
    with pytest.raises(UserError, match=r"theirs\.npz has no step whose outcome is known, and cpa_ar learns from no "):
        runner_of("cpa_ar", tmp_path / "theirs.npz", 2)


def test_one_long_episode_is_said_to_have_no_marked_end() -> None:
    time = np.arange(7)[None]
    arrays = {"state": np.zeros((1, 7, 2), np.float32), "actions": np.zeros((1, 7, 2), np.int64),
              "avail_actions": np.ones((1, 7, 2, 3), np.bool_), "reward": np.zeros((1, 7), np.float32),
              "terminated": time < 0, "filled": time < 7, "behaviour": np.array([-1])}
    data = OfflineDataset(**arrays, meta={}, source="never")
    with pytest.raises(UserError, match=r"never has episodes of 6 steps, but pettingzoo ends after 3: no step is "
                                        r"marked as an end .* mark the ends in the data, or, if they are, set "
                                        r"env_args\.time_limit=6"):
        check_game(data, game())


def test_epymarls_buffers_keep_what_is_known_of_last_steps(tmp_path: Path) -> None:
    """They know no keys but their own, and cut batches to the longest episode by the sum of ``filled``."""
    path = tmp_path / "theirs.npz"
    foreign((2, 2, 2)).save(path)
    args = settings(Settings, "bc", "pettingzoo", f"env_args.key={__name__}:Counting", f"dataset={path}", "seed=1",
                    "batch_size=3")
    runner = OfflineRunner(args, build_env(args), logging.getLogger("test"))
    batch, buffer = runner.run(), runner.info.buffer(3, 0)
    buffer.insert_episode_batch(batch)
    again = buffer.sample(3)
    assert again.max_t_filled() == batch.max_seq_length == 3
    for outcomes, steps in ((True, 3), (False, 6)):
        assert len(transitions(again[:, :3], again[:, :3]["state"], outcomes=outcomes).reward) == steps
