"""Environments of other packages as games, on a tiny one made here."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import Env, register, spaces
from helpers import settings
from pettingzoo import AECEnv, ParallelEnv  # type: ignore[import-untyped]
from pettingzoo.utils.conversions import parallel_to_aec  # type: ignore[import-untyped]

from epymarl_cpa.build import build_env
from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.components.transitions import transitions
from epymarl_cpa.config import resolve
from epymarl_cpa.controllers import Controller
from epymarl_cpa.data.describe import describe
from epymarl_cpa.data.generate import generate
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.multi_agent_env import MultiAgentEnv
from epymarl_cpa.errors import UserError
from epymarl_cpa.runners.episode_runner import EpisodeRunner
from epymarl_cpa.settings import Settings

N, A, WIDTH, T = 3, 3, 4, 3  # agents, actions, values of an observation, steps


class Tiny(ParallelEnv[str, Any, int]):  # type: ignore[misc]
    """Three agents that differ in everything; ``b`` leaves after the first step.

    The mask of ``a`` is in its observation, that of ``c`` in its info.  At step t (from 1) agent i is paid
    10 t + i.  Three steps are played; how they end can be chosen.
    """

    metadata = {"name": "tiny", "is_parallelizable": True}  # noqa: RUF012 (PettingZoo's own way)

    def __init__(self, max_cycles: int = T, cut: bool = True, own_state: bool = False, fault: str = "") -> None:
        self.possible_agents, self.agents = ["a", "b", "c"], []
        self.max_cycles, self.cut, self.own_state, self.fault = max_cycles, cut, own_state, fault
        self.render_mode = None
        self.played: list[dict[str, int]] = []
        if fault == "no limit":
            del self.max_cycles

    def observation_space(self, agent: str) -> Any:
        if self.fault == "sequence":
            return spaces.Sequence(spaces.Discrete(2))
        return {"a": spaces.Dict({"observation": spaces.Box(0, 9, (2, 1)), "action_mask": spaces.MultiBinary(2)}),
                "b": spaces.Box(0, 9, (3,)), "c": spaces.Discrete(4)}[agent]

    def action_space(self, agent: str) -> Any:
        if self.fault == "continuous":
            return spaces.Box(0, 1, (2,))
        return {"a": spaces.Discrete(2), "b": spaces.Discrete(3, start=5), "c": spaces.Discrete(2)}[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        self.agents = self.possible_agents[: 2 if self.fault == "subset" else 3]
        self.t, self.luck = 0, int(np.random.default_rng(seed).integers(1, 9))
        return self._seen()

    def step(self, actions: dict[str, int]) -> tuple[Any, Any, Any, Any, Any]:
        self.played.append(actions)
        self.t += 1
        there, over = self.agents, self.t == T
        paid = {agent: 10.0 * self.t + "abc".index(agent) for agent in there}
        ended = {agent: (over and not self.cut) or (agent == "b" and self.t == 1) for agent in there}
        seen, infos = self._seen()
        cut = dict.fromkeys(there, over and self.cut)
        self.agents = [agent for agent in there if not (ended[agent] or cut[agent])]
        self.agents += {"stranger": ["d"], "late": ["b"] if self.t == 2 else []}.get(self.fault, [])
        return seen, paid, ended, cut, infos

    def _seen(self) -> tuple[Any, Any]:
        mask = np.array([self.t % 2, 1], dtype=np.int8)
        seen = {"a": {"observation": np.array([[self.luck], [self.t]], np.float32), "action_mask": mask},
                "b": np.full(3, self.t, np.float32), "c": min(self.t, 3)}
        infos: dict[str, Any] = {"a": {}, "b": {}, "c": {"action_mask": np.array([1, 0] if self.t < 2 else [0, 0])}}
        if self.fault == "mask":
            infos["c"] = {"action_mask": np.ones(5)}
        if self.fault == "size":
            seen["b"] = np.zeros(2, np.float32)
        return {a: seen[a] for a in self.agents}, {a: infos[a] for a in self.agents}

    def state(self) -> Any:
        if not self.own_state:
            raise NotImplementedError
        return np.full((len(self.agents) if self.fault == "state" else 2, 1), self.t)


def turns(**kwargs: Any) -> Any:
    """The same, turn by turn."""
    return parallel_to_aec(Tiny(**kwargs))


class InTurn(AECEnv[str, Any, int]):  # type: ignore[misc]
    """Nothing but the fact that its agents act in turn."""

    metadata = {"is_parallelizable": False}  # noqa: RUF012


def broken() -> ParallelEnv[str, Any, int]:
    raise RuntimeError("no display")


class TinyGym(Env[Any, Any]):
    """Two agents for EPyMARL's ``gymma``; paid 1 and 2 until the third step, which ends it."""

    def __init__(self, mask: bool = False, pays: str = "list", single: bool = False) -> None:
        self.mask, self.pays = mask, pays
        if single:
            self.observation_space, self.action_space = spaces.Box(0, 9, (2,)), spaces.Discrete(2)
            return
        self.observation_space = spaces.Tuple((spaces.Box(0, 9, (2,)), spaces.Box(0, 9, (1,))))
        self.action_space = spaces.Tuple((spaces.Discrete(2), spaces.Discrete(4)))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return self._seen()

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.t += 1
        seen, info = self._seen()
        return seen, [1.0, 2.0] if self.pays == "list" else 3.0, self.t == T, False, info

    def _seen(self) -> tuple[Any, dict[str, Any]]:
        seen = (np.full(2, self.t, np.float32), np.ones(1, np.float32))
        return seen, {"action_mask": [np.array([0, 1]), np.array([1, 0, 0, 1])]} if self.mask else {}


register("cpa-test/Tiny-v0", TinyGym, disable_env_checker=True)
register("cpa-test/Limited-v0", TinyGym, disable_env_checker=True, max_episode_steps=T)
KEY, GYM = f"{__name__}:Tiny", "cpa-test/Tiny-v0"


def tiny(time_limit: int | None = None, key: str = KEY, **kwargs: Any) -> Game:
    return make_game("pettingzoo", key=key, time_limit=time_limit, kwargs=kwargs)


def played(game: Game, steps: int = T) -> list[Any]:
    """The first allowed action of everybody, in one episode: states and steps in turn."""
    rng = np.random.default_rng(0)
    story: list[Any] = [game.initial(1, rng)]
    for _ in range(steps):
        step = game.transition(story[-1], game.available(story[-1]).argmax(2), rng)
        story += [step, step.state]
    return story


# --------------------------------------------------------------------------------- what is shown and paid
@pytest.mark.parametrize("key", [KEY, f"{__name__}:turns"])
def test_agents_that_differ_are_padded_and_masked(key: str) -> None:
    game = tiny(key=key)
    assert (game.n_agents, game.n_actions, game.episode_limit) == (N, A, T)
    assert (game.obs_dim, game.state_dim) == (WIDTH, N * WIDTH)
    start, _, after, *_ = played(game)
    luck = game.observe(start)[0, 0, 0]
    assert luck >= 1
    np.testing.assert_array_equal(game.observe(start)[0], [[luck, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(game.available(start)[0], [[0, 1, 0], [1, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(game.global_state(start)[0], game.observe(start)[0].ravel())
    np.testing.assert_array_equal(game.view(game.global_state(start)), game.observe(start))
    # b has left: it sees nothing and can do nothing
    np.testing.assert_array_equal(game.observe(after)[0], [[luck, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(game.available(after)[0], [[1, 1, 0], [1, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize("cut", [True, False])
def test_the_last_step_counts_and_says_how_it_ended(cut: bool) -> None:
    game = tiny(cut=cut)
    _, one, _, two, _, three, end = played(game)
    assert [step.rewards[0].tolist() for step in (one, two, three)] == [[10, 11, 12], [20, 0, 22], [30, 0, 32]]
    assert [step.reward.tolist() for step in (one, two, three)] == [[33], [42], [62]]
    assert [step.done.tolist() for step in (one, two, three)] == [[False], [False], [True]]
    assert [step.terminated.tolist() for step in (one, two, three)] == [[False], [False], [not cut]]
    np.testing.assert_array_equal(game.observe(end)[0, :, 1], [3, 0, 0])
    np.testing.assert_array_equal(game.observe(end)[0, 2], [0, 0, 0, 1])
    np.testing.assert_array_equal(game.available(end)[0], [[1, 1, 0], [1, 0, 0], [1, 0, 0]])
    again = game.transition(end, np.zeros((1, N), dtype=np.int64), np.random.default_rng(0))
    assert (again.reward, again.done, again.terminated) == (0.0, True, not cut)


def test_only_agents_that_are_there_are_sent_actions_under_their_own_names() -> None:
    game = tiny()
    state = played(game, 1)[-1]
    env = game._episodes[int(state[0, 1])].world.env  # type: ignore[attr-defined]
    game.transition(state, np.array([[1, 0, 1]]), np.random.default_rng(0))
    assert env.played == [{"a": 1, "b": 5, "c": 0}, {"a": 1, "c": 1}]
    with pytest.raises(UserError, match="action 2 of 'a' is not an action"):
        game.transition(game.initial(1, np.random.default_rng(0)), np.array([[2, 0, 0]]), np.random.default_rng(0))


def test_time_limits() -> None:
    game = tiny(time_limit=2)
    assert game.episode_limit == 2
    *_, last, _ = played(game, 2)
    assert (last.done, last.terminated, last.truncated) == (True, False, True)
    assert tiny(time_limit=9).episode_limit == T
    assert tiny(time_limit=9, fault="no limit").episode_limit == 9
    assert tiny(max_cycles=5).episode_limit == 5


def test_a_state_of_its_own() -> None:
    game = tiny(own_state=True)
    story = played(game)
    assert [game.global_state(state)[0].tolist() for state in story[::2]] == [[0, 0], [1, 1], [2, 2], [3, 3]]
    with pytest.raises(UserError, match="does not follow from its state"):
        game.view(np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(UserError, match="has 2 values now and had 3"):
        played(tiny(own_state=True, fault="state"))


def test_the_mean_of_the_rewards() -> None:
    game = tiny()
    game.reward_scalarisation = "mean"
    assert played(game, 1)[1].reward.tolist() == [11.0]
    assert game.spec()["reward_scalarisation"] == "mean" != tiny().spec()["reward_scalarisation"]


# ----------------------------------------------------------------------------------- one game, many users
def test_users_do_not_disturb_one_another() -> None:
    game, rng = tiny(), np.random.default_rng(0)
    mine, actions = game.initial(2, rng), np.array([[1, 0, 0]] * 2)
    mine = game.transition(mine, actions, rng).state
    theirs = game.initial(3, rng)
    seen = game.observe(mine)
    for _ in range(T):
        theirs = game.transition(theirs, np.array([[1, 0, 0]] * 3), rng).state
    np.testing.assert_array_equal(game.observe(mine), seen)
    assert not game.transition(mine, actions, rng).done.any()


def test_objects_are_used_again_once_an_episode_is_over_or_given_up() -> None:
    game, rng = tiny(), np.random.default_rng(0)
    old = played(game)[-1]
    assert game.global_state(old).any()
    game.initial(1, rng)
    with pytest.raises(UserError, match="is over and its environment plays another one"):
        game.global_state(old)
    world = MultiAgentEnv("pettingzoo", key=KEY, seed=1)
    for _ in range(4):
        world.reset()
        world.step([1, 0, 0])
    assert len(world.game._episodes) <= 2  # type: ignore[attr-defined]
    world.close()
    assert not world.game._episodes  # type: ignore[attr-defined]
    world.reset()


def test_states_are_played_from_once_and_in_order() -> None:
    game, rng, none = tiny(), np.random.default_rng(0), np.array([[1, 0, 0]])
    start = game.initial(1, rng)
    with pytest.raises(UserError, match="occurs twice in a batch"):
        game.transition(np.repeat(start, 2, 0), np.repeat(none, 2, 0), rng)
    game.transition(start, none, rng)
    with pytest.raises(UserError, match="cannot go back: its episode 0 is at step 1, not at step 0"):
        game.transition(start, none, rng)
    assert game.global_state(start).shape == (1, N * WIDTH)  # the past can be read
    assert game.draw(start[0]) == f"{KEY}  step 0 of 3"


# --------------------------------------------------------------------------------------- EPyMARL's contract
@pytest.mark.parametrize("cut", [True, False])
def test_epymarl_is_told_of_truncation(cut: bool) -> None:
    world = MultiAgentEnv("pettingzoo", key=KEY, kwargs={"cut": cut}, common_reward=False)
    world.reset(seed=1)
    results = [world.step([1, 0, 0]) for _ in range(T)]
    assert [result[1] for result in results] == [[10, 11, 12], [20, 0, 22], [30, 0, 32]]
    assert [result[2:4] for result in results] == [(False, False)] * 2 + [(not cut, cut)]
    assert results[-1][4] == ({"episode_limit": True} if cut else {})


@pytest.mark.parametrize(("word", "returns"), [("sum", 137.0), ("mean", 137.0 / 3)])
def test_epymarl_scalarises_rewards(word: str, returns: float) -> None:
    world = MultiAgentEnv("pettingzoo", key=KEY, reward_scalarisation=word)
    world.reset(seed=1)
    assert sum(float(world.step([1, 0, 0])[1]) for _ in range(T)) == pytest.approx(returns)  # type: ignore[arg-type]


class FirstAllowed(Controller):
    """Everybody takes the first action that is allowed."""

    def build(self) -> None:
        self.agent = th.nn.Identity()

    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Any = slice(None),
                       test_mode: bool = False) -> th.Tensor:
        return self.forward(ep_batch, t_ep)[bs].argmax(-1)

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> th.Tensor:
        return ep_batch["avail_actions"][:, t]


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("common", [True, False])
def test_episode_runner_and_evaluation(cut: bool, common: bool) -> None:
    args = settings(Settings, "iql", "pettingzoo", f"env_args.key={KEY}", f"env_args.kwargs.cut={str(cut).lower()}",
                    f"common_reward={str(common).lower()}", "test_nepisode=3", "seed=1")
    runner = EpisodeRunner(args, build_env(args), logging.getLogger("test"))
    assert runner.info.scheme == {
        "state": {"vshape": N * WIDTH}, "obs": {"vshape": WIDTH, "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
        "avail_actions": {"vshape": (A,), "group": "agents", "dtype": th.int},
        "reward": {"vshape": (1 if common else N,)}, "terminated": {"vshape": (1,), "dtype": th.uint8}}
    runner.use(FirstAllowed(runner.info, args))
    batch = runner.run()
    assert batch["terminated"][0, :, 0].tolist() == [0, 0, 0 if cut else 1, 0]
    assert batch["filled"][0, :, 0].tolist() == [1, 1, 1, 1]
    assert batch["reward"][0, :T].sum(-1).tolist() == [33, 42, 62]
    step = transitions(batch, batch["state"])
    assert step.reward.tolist() == [33, 42, 62] and step.done.tolist() == [0, 0, float(not cut)]
    assert step.next_available[-1].tolist() == [[True, True, False], [True, False, False], [True, False, False]]
    results = runner.evaluate()
    assert results["return"].tolist() == [137] * 3 and results["ep_length"].tolist() == [T] * 3
    assert [results[f"agent_{i}_return"].tolist() for i in range(N)] == [[60] * 3, [11] * 3, [66] * 3]
    logged = {**runner.take_statistics(), **runner.stats_of(results)}
    assert logged["test_return_mean"] == logged["return_mean"] == 137 and "test_regret_mean" not in logged
    for prefix in ("", "test_"):
        own = {key: value for key, value in logged.items() if key.startswith((f"{prefix}agent", f"{prefix}total"))
               and key.endswith("mean")}
        assert own == ({} if common else {f"{prefix}agent_0_return_mean": 60, f"{prefix}agent_1_return_mean": 11,
                                          f"{prefix}agent_2_return_mean": 66, f"{prefix}total_return_mean": 137})


def test_environments_of_others_are_played_together_too() -> None:
    args = settings(Settings, "iql", "pettingzoo", f"env_args.key={KEY}", "env_args.kwargs.cut=true", "seed=1",
                    "batch_size_run=3", "common_reward=false")
    runner = EpisodeRunner(args, build_env(args), logging.getLogger("test"))
    runner.use(FirstAllowed(runner.info, args))
    for count in (3, 6):
        batch = runner.run()
        assert batch["reward"][:, :T].sum(-1).tolist() == [[33, 42, 62]] * 3
        assert batch["terminated"].sum() == 0, "cut off, not ended"
        step = transitions(batch, batch["state"])
        assert step.reward.tolist() == [33, 42, 62] * 3 and not step.done.any()
        assert runner.episodes == count and runner.t_env == count * T
    stats = runner.take_statistics()
    assert [stats[f"agent_{i}_return_mean"] for i in range(N)] == [60, 11, 66]


@pytest.mark.parametrize("cut", [True, False])
def test_random_data(cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epymarl_cpa.data.generate.AT_ONCE", 4)
    game = tiny(cut=cut)
    data = generate(game, {"episodes": 10, "mixture": {"random": 1.0}}, 0)
    assert data.returns.tolist() == [137] * 10 and data.filled.all()
    assert data.terminated.sum(1).tolist() == [0 if cut else 1] * 10
    assert data.obs is not None and data.obs.shape == (10, T + 1, N, WIDTH)
    assert data.agent_reward is not None and data.agent_reward[:, :T].sum(1).tolist() == [[60, 11, 66]] * 10
    assert len(set(data.obs[:, 0, 0, 0])) > 1 and len(game._episodes) <= 4  # type: ignore[attr-defined]
    assert data.digest == generate(tiny(cut=cut), {"episodes": 10, "mixture": {"random": 1.0}}, 0).digest
    assert "expected return of the best policy unknown" in " ".join(describe(data, game).split())


# --------------------------------------------------------------------------------------------------- gymma
def test_gymma() -> None:
    game = make_game("gymma", key=GYM, time_limit=5)
    assert (game.n_agents, game.n_actions, game.obs_dim, game.state_dim, game.episode_limit) == (2, 4, 2, 4, 5)
    start, step, *_, last, _ = played(game)
    assert game.observe(start)[0].tolist() == [[0, 0], [1, 0]] and step.rewards.tolist() == [[1, 2]]
    assert game.available(start)[0].tolist() == [[True, True, False, False], [True] * 4]
    assert (last.done, last.truncated) == (True, False)
    masked = make_game("gymma", key=GYM, time_limit=2, kwargs={"mask": True})
    start, *_, last, _ = played(masked, 2)
    assert masked.available(start)[0].tolist() == [[False, True, False, False], [True, False, False, True]]
    assert (last.done, last.truncated) == (True, True)
    assert make_game("gymma", key="cpa-test/Limited-v0").episode_limit == T


def test_our_own_games_through_their_adapters() -> None:
    for name, key in (("gymma", "epymarl_cpa.envs:cpa/Sensor-v0"), ("pettingzoo", "cpa/sensor-v0")):
        game = make_game(name, key=key)
        assert (game.n_agents, game.n_actions, game.episode_limit) == (15, 9, 10)
        assert not game.available(game.initial(1, np.random.default_rng(0))).all()


# ------------------------------------------------------------------------------------------------ refusals
@pytest.mark.parametrize(("key", "kwargs", "words"), [
    (KEY, {"fault": "continuous"}, r"actions of 'a' in .*Box.*discrete actions"),
    (KEY, {"fault": "sequence"}, r"observations of 'a' in .*Sequence.*no fixed size"),
    (KEY, {"fault": "no limit"}, r"does not say after how many steps .*env_args\.time_limit"),
    (KEY, {"fault": "subset"}, r"starts without 'c'"),
    (KEY, {"wings": 2}, r"cannot be built with env_args\.kwargs=.*wings"),
    (f"{__name__}:broken", {}, r"cannot be built .*RuntimeError: no display"),
    (f"{__name__}:N", {}, r"names no environment: .* has no N"),
    (f"{__name__}:InTurn", {}, r"act in turn"), ("datetime:datetime.now", {}, r"names no environment"),
    ("builtins:dict", {}, r"builds a dict, not an environment"),
    ("epymarl_cpa.errors", {}, r"has no parallel_env, nor env"),
    ("no_such_package.game_v1", {}, r"Python finds no module no_such_package; if it is your own file.* PYTHONPATH"),
    ("epymarl_cpa.nothing", {}, r"there is no epymarl_cpa\.nothing"), ("", {}, r"no name of a module"),
    ("cpa/senso-v0", {}, r"PettingZoo's registry has no 'cpa/senso-v0' \(did you mean"),
])
def test_pettingzoo_refuses(key: str, kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        make_game("pettingzoo", key=key, kwargs=kwargs)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


@pytest.mark.parametrize(("fault", "words"), [
    ("stranger", r"agent 'd' of .* is not one of possible_agents"), ("late", r"agent 'b' of .* joins in the middle"),
    ("mask", r"action mask of 'c' in .* has 5 entries"), ("size", r"observation of 'b' in .* 2 values, .* has 3")])
def test_what_goes_wrong_on_the_way_is_told(fault: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        played(tiny(fault=fault))


@pytest.mark.parametrize(("args", "words"), [
    ({"key": "CartPole-v1"}, "no environment of many agents"), ({"key": GYM}, r"set env_args\.time_limit"),
    ({"key": "NoSuch-v0"}, "no environment that Gymnasium knows"),
    ({"key": "no_such_package:X-v0"}, "Python finds no module no_such_package; if it is your own file"),
    ({"key": ":X"}, "is no id of an environment, nor a module and an id"),
    ({"key": GYM, "time_limit": 0}, "at least 1"), ({"key": GYM, "kwargs": {"wings": 2}}, "cannot be built.*wings"),
    ({"key": GYM, "pretrained_wrapper": "PretrainedTag"}, "pretrained_wrapper=PretrainedTag .* must be null"),
    ({}, r"env_args\.key of gymma must be given")])
def test_gymma_refuses(args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_game("gymma", **args)


@pytest.mark.parametrize(("word", "own"), [("sum", 1.5), ("mean", 3.0)])
def test_gymma_takes_a_reward_of_the_team(word: str, own: float) -> None:
    game = make_game("gymma", key=GYM, time_limit=2, kwargs={"pays": "one"})
    game.reward_scalarisation = word
    for step in played(game, 2)[1::2]:
        assert step.reward.tolist() == [3.0] and step.rewards.tolist() == [[own, own]]


def test_gymma_needs_many_agents() -> None:
    with pytest.raises(UserError, match="no environment of many agents"):
        make_game("gymma", key=GYM, time_limit=2, kwargs={"single": True})


@pytest.mark.parametrize(("words", "label"), [
    (["env_args.key=lbforaging:Foraging-8x8-2p-3f-v3"], "lbforaging-Foraging-8x8-2p-3f-v3"),
    (["env_args.key=my_games:cpa/Bridge-v0"], "my_games-cpa-Bridge-v0"), (["env_args.key=../x"], "x"),
    (["env_args.key=a", "env_args.map_name=b"], "b")])
def test_results_are_filed_under_the_key(words: list[str], label: str) -> None:
    config = resolve("bc", "gymma", [*words, "env_args.kwargs.max_player_level=3"])
    assert config["env_args"]["map_name"] == label and config["env_args"]["kwargs"] == {"max_player_level": 3}
    with pytest.raises(UserError, match=r"env_args\.kwargs' must be a mapping or null"):
        resolve("bc", "gymma", ["env_args.kwargs=3"])
    with pytest.raises(UserError, match=r"unknown config key 'env_args\.sight'"):
        resolve("bc", "gymma", ["env_args.sight=3"])
