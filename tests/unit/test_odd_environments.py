"""Environments as people write them: what is unambiguous is played, the rest is told in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Env, register, spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from epymarl_cpa.envs.multi_agent_env import MultiAgentEnv
from epymarl_cpa.errors import UserError

T = 3
NAMES = ("x", "y")


class Zoo(ParallelEnv[str, Any, int]):  # type: ignore[misc]
    """Two agents, paid 1 for the action that equals the time; ``pays``, ``gives`` and ``fault`` say what is odd."""

    def __init__(self, pays: str = "float", fault: str = "", stay: bool = False) -> None:
        self.possible_agents, self.pays, self.fault, self.stay = list(NAMES), pays, fault, stay
        self.metadata, self.render_mode, self.max_cycles = {"name": "zoo_v0"}, None, T

    def observation_space(self, agent: str) -> Any:
        if self.fault == "space":
            return None
        if self.fault == "space fails":
            raise KeyError(agent)
        return spaces.Dict(p=spaces.Box(0, 9, (2,))) if self.fault == "observation" else spaces.Box(0, 9, (2,))

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(3)

    def _seen(self) -> dict[str, Any]:
        return {agent: np.array([self.t, 1], np.float32) for agent in NAMES}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents, self.t = list(NAMES), 0
        infos = None if self.fault == "no infos" else {agent: None for agent in NAMES}
        return self._seen() if self.fault == "old reset" else (self._seen(), infos)

    def step(self, actions: dict[str, int]) -> Any:
        pay: dict[str, Any] = {agent: float(actions[agent] == self.t) for agent in NAMES}
        pay = {"float": pay, "one": {a: np.array([v]) for a, v in pay.items()}, "none": dict.fromkeys(pay),
               "zerod": {a: np.array(v) for a, v in pay.items()}, "missing": {"x": 1.0},
               "text": dict.fromkeys(pay, "a"), "nan": dict.fromkeys(pay, float("nan")),
               "two": {a: [1, 2] for a in pay}, "list": [1.0, 1.0]}[self.pays]
        self.t += 1
        if self.fault == "crash" and self.t == 2:
            raise RuntimeError("simulator lost")
        over = dict.fromkeys(NAMES, self.t == T)
        ended = {"x": self.t >= 2, "y": over["y"]} if self.stay else over
        if all(ended.values()):
            self.agents = []
        five = self._seen(), pay, ended, dict.fromkeys(NAMES, False), None if self.fault == "no infos" else {}
        return five[:2] + five[3:] if self.fault == "old step" else five


class NoSeed(Zoo):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


class Odd(Zoo):
    """As above, with one thing that is done ``how`` no other does it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.possible_agents = {"numbers": [0, (1, "b")], "twins": ["x", "x"], "alike": [1, "1"], "list": 3,
                                "unhashable": [["x"], ["y"]]}.get(how, list(NAMES))

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(10**9) if self.how == "actions" else spaces.Discrete(3)

    def _named(self, given: Any) -> Any:
        names = dict(zip(NAMES, self.possible_agents, strict=True))
        return {names[agent]: value for agent, value in given.items()} if isinstance(given, dict) else given

    def _odd(self, seen: Any, infos: Any) -> tuple[Any, Any]:
        seen = self._named(seen)
        if self.how == "nan" and self.t == 2:
            seen["y"] = np.array([np.nan, 1], np.float32)
        if self.how == "beyond":
            seen["x"] = np.array([1e300, 1])
        if self.how == "absent" and self.t == 2:
            del seen["y"]
        seen = {"none": None, "sequence": [*seen.values()]}.get(self.how, seen) if self.t else seen
        infos = {"info": {"x": ["?"]}, "huge": {"x": {"hash": 10**400, "one": 1}}}.get(self.how, infos)
        return seen, infos

    def _list(self) -> None:
        self.agents = list(self.possible_agents) if self.agents else []
        if self.how == "no agents":
            del self.agents
        if self.how == "agents none":
            self.agents = None

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        seen, infos = super().reset(seed)
        self._list()
        return self._odd(seen, self._named(infos))

    def step(self, actions: dict[Any, int]) -> Any:
        own = {own: actions[name] for own, name in zip(NAMES, self.possible_agents, strict=True)}
        seen, pay, ended, cut, _ = super().step(own)
        self._list()
        seen, infos = self._odd(seen, {})
        cut = {"text": dict.fromkeys(cut, "no"), "arrays": {a: np.array([v]) for a, v in cut.items()},
               "ints": {a: int(v) for a, v in cut.items()}}.get(self.how, cut)
        return seen, self._named(pay), self._named(ended), self._named(cut), infos

    def state(self) -> Any:
        if self.how == "empty state":
            return np.zeros(0)
        if self.how == "nan state":
            return np.array([1, np.inf])
        raise NotImplementedError


class Gym(Env[Any, Any]):
    """Two agents for ``gymma``; ``pays`` 0.5 each for three steps."""

    def __init__(self, pays: str = "list", fault: str = "") -> None:
        self.observation_space = spaces.Tuple([spaces.Box(0, 9, (2,))] * 2)
        self.action_space = spaces.Tuple([spaces.Discrete(3)] * 2)
        self.pays, self.fault = pays, fault

    def _seen(self) -> Any:
        seen = np.zeros(2, np.float32)
        return {"one": seen, "text": ["a", "b"], "inf": [seen, seen + np.inf]}.get(self.fault, [seen] * 2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.t = 0
        return self._seen() if self.fault == "old reset" else (self._seen(), None if self.fault == "no info" else {})

    def step(self, action: Any) -> Any:
        self.t += 1
        pay: Any = {"list": [0.5, 0.5], "zerod": [np.array(0.5)] * 2, "column": np.full((2, 1), 0.5), "scalar": 1.0,
                    "int": 1, "array": np.array(1.0), "one": np.array([1.0]), "three": [1.0] * 3, "none": None,
                    "nans": [float("nan"), 1.0], "words": ["a", "b"], "dict": {"a": 1.0}}[self.pays]
        info = None if self.fault == "no info" else {"action_mask": 3} if self.fault == "mask" else {}
        over = self.t == T
        ended = {"flag dict": {0: False, 1: False}, "flag text": "no", "flag none": None, "flag two": [0, 2],
                 "flag ints": [int(over)] * 2, "flag array": np.full(2, over)}.get(self.fault, over)
        five = self._seen(), pay, ended, False, info
        return five[:2] + five[3:] if self.fault == "old step" else five


register("cpa-odd/Gym-v0", Gym, disable_env_checker=True)


def returned(env: str, key: str, scalarisation: str = "sum", common: bool = True, **kwargs: Any) -> Any:
    """The return of an episode in which all play the action that equals the time."""
    world = MultiAgentEnv(env, seed=0, key=key, time_limit=T, kwargs=kwargs, common_reward=common,
                          reward_scalarisation=scalarisation)
    world.reset()
    total: Any = 0
    for t in range(T):
        masks = world.get_avail_actions()
        _, reward, ended, cut, _ = world.step([t if mask[t] else 0 for mask in masks])
        total = total + np.array(reward)
    assert ended or cut
    return total.tolist()


def zoo(name: str = "Zoo", **kwargs: Any) -> Any:
    return returned("pettingzoo", f"{__name__}:{name}", **kwargs)


def gym(**kwargs: Any) -> Any:
    return returned("gymma", "cpa-odd/Gym-v0", **kwargs)


@pytest.mark.parametrize("kwargs", [{}, {"pays": "one"}, {"pays": "zerod"}, {"fault": "no infos"}])
def test_pettingzoo_plays_what_is_unambiguous(kwargs: dict[str, Any]) -> None:
    assert zoo(**kwargs) == 6.0


def test_agents_that_are_over_may_stay_in_the_list() -> None:
    assert zoo(stay=True) == 5.0


@pytest.mark.parametrize(("kwargs", "words"), [
    ({"pays": "none"}, "pays 'x' None; a reward must be one finite number"), ({"pays": "nan"}, "pays 'x' nan"),
    ({"pays": "two"}, r"pays 'x' \[1, 2\]"), ({"pays": "text"}, "pays 'x' 'a'"),
    ({"pays": "missing"}, "gives no reward for 'y', which acted"), ({"pays": "list"}, "rewards of .* must be a dict"),
    ({"fault": "old reset"}, r"reset\(\) of .* must return 2 things, observations, infos .*, but returned a dict"),
    ({"fault": "old step"}, r"step\(\) of .* must return 5 things, .*, but returned 4 things"),
    ({"fault": "crash"}, r"step\(\) of .* failed \(RuntimeError: simulator lost, in .*test_odd_environments.py, line"),
    ({"fault": "space"}, "'x' observes None, which is no space"), ({"fault": "space fails"}, r"failed \(KeyError"),
    ({"fault": "observation"}, "an observation of 'x' in .* does not fit its space"),
    ({"name": "NoSeed"}, r"failed \(TypeError: .*'seed'; it must take seed and options")])
def test_pettingzoo_tells_the_rest(kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        zoo(**kwargs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("how", ["", "numbers", "huge", "empty state", "arrays", "ints"])
def test_pettingzoo_plays_what_is_odd_but_allowed(how: str) -> None:
    assert zoo("Odd", how=how) == 6.0


@pytest.mark.parametrize(("how", "words"), [
    ("nan", "shows 'y' a value that is not finite"), ("beyond", "shows 'x' a value that is not finite"),
    ("nan state", "has in its state a value that is not finite"),
    ("absent", "shows nothing to 'y', which plays on"), ("none", "the observations of .* must be a dict .* NoneType"),
    ("sequence", "the observations of .* must be a dict .*, not a list"),
    ("info", r"the infos of .* hold \['\?'\] for 'x'; it must be a dict"),
    ("no agents", "must keep a list 'agents' of those that play"), ("agents none", "must keep a list 'agents'"),
    ("twins", "two of the possible_agents of .* have the same name: x, x"), ("alike", "have the same name: 1, 1"),
    ("list", "does not list its possible_agents"), ("unhashable", "does not list its possible_agents"),
    ("actions", "'x' has 1000000000 actions in .*; 1 to 65536 are possible"),
    ("text", "says 'no' of the end of 'x'; it must be True or False")])
def test_pettingzoo_tells_what_it_would_have_to_guess(how: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        zoo("Odd", how=how)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("pays", ["list", "zerod", "column", "scalar", "int", "array", "one"])
def test_gymma_takes_a_reward_for_each_or_for_the_team(pays: str) -> None:
    assert gym(pays=pays) == 3.0
    for_team = pays in ("scalar", "int", "array", "one")
    assert gym(pays=pays, scalarisation="mean") == (3.0 if for_team else 1.5), "EPyMARL leaves a team's reward as it is"
    assert gym(pays=pays, common=False) == [1.5, 1.5]


@pytest.mark.parametrize("fault", ["no info", "flag ints", "flag array"])
def test_gymma_needs_no_info_and_takes_flags_of_any_kind(fault: str) -> None:
    assert gym(fault=fault) == 3.0


@pytest.mark.parametrize(("kwargs", "words"), [
    ({"pays": "three"}, "pays 3 rewards; there must be 2"), ({"pays": "none"}, "pays the team None"),
    ({"pays": "nans"}, "pays agent 0 nan"), ({"pays": "words"}, "pays agent 0 'a'"),
    ({"pays": "dict"}, "pays the team {'a': 1.0}"),
    ({"fault": "old reset"}, r"must return 2 things"), ({"fault": "old step"}, "must return 5 things"),
    ({"fault": "one"}, "observation of 'agent_0' in .* has 1 values, but its space has 2"),
    ({"fault": "text"}, "does not fit its space"), ({"fault": "mask"}, "gives the action mask 3"),
    ({"fault": "inf"}, "shows 'agent_1' a value that is not finite"),
    ({"fault": "flag dict"}, "says {0: False, 1: False} and False of the end of an episode"),
    ({"fault": "flag text"}, "says 'no' and False"), ({"fault": "flag none"}, "says None and False"),
    ({"fault": "flag two"}, r"says \[0, 2\] and False")])
def test_gymma_tells_the_rest(kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        gym(**kwargs)
    assert "\n" not in str(error.value)
