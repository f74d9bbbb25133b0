"""Measures of diversity on laws made by hand, and against a slow reference with dictionaries."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import Built

from epymarl_cpa.agreement.joint_law import JointLaw
from epymarl_cpa.evaluation.diversity import STATES, WIDTH, diversity

Law = list[tuple[tuple[int, ...], float]]
OPTIMA: Law = [((0, 1), 0.5), ((1, 0), 0.5)]
INDEPENDENT: Law = [((a, b), 0.25) for a in (0, 1) for b in (0, 1)]


class Team:
    """A controller that plays one law per place, the same one everywhere if there is only one."""

    def __init__(self, *laws: Law, lost: float = 0.0) -> None:
        self.laws, self.lost = laws, lost
        self.asked: list[tuple[list[int], list[int], int]] = []

    def joint_law(self, batch: Any, bs: Any, t: Any, width: int) -> JointLaw:
        self.asked.append((bs.tolist(), t.tolist(), width))
        laws = [self.laws[i % len(self.laws)] for i in range(len(bs))]
        rows = max(map(len, laws))
        agents = len(laws[0][0][0])
        padded = [[*law, *[((0,) * agents, 0.0)] * (rows - len(law))] for law in laws]
        return JointLaw(th.tensor([[joint for joint, _ in law] for law in padded]),
                        th.tensor([[p for _, p in law] for law in padded]), th.full((len(laws),), self.lost))


def measure(team: Team, teacher: Team | None = None, *words: str, env: str = "xor", episodes: int = 3,
            ) -> dict[str, Any]:
    """Measures in each state that random episodes visit."""
    built = Built("cpa_pa", env, "hidden_dim=8", "pool_hidden=8", *words)
    mac: Any = SimpleNamespace(joint_law=team.joint_law, acting=SimpleNamespace(imitated=teacher))
    return diversity(built.game, mac, built.played(episodes), seed=0)


def alone(team: Team) -> Any:
    """A controller without a teacher."""
    return SimpleNamespace(joint_law=team.joint_law, acting=SimpleNamespace(imitated=None))


def everywhere(out: dict[str, Any], expected: dict[str, float]) -> None:
    for key, value in expected.items():
        assert out[key].tolist() == pytest.approx([value] * len(out[key])), key


def test_two_optima_of_xor_are_one_bit_of_agreement() -> None:
    out = measure(Team(OPTIMA), Team(OPTIMA))
    everywhere(out, {"joint_entropy": 1, "marginal_entropy": 1, "modes": 2, "tv": 0, "teacher_modes": 2,
                     "modes_covered": 1, "optimal_share": 1, "mismatch_rate": 0, "unlisted": 0})


def test_agents_without_agreement_look_as_diverse_by_eq_19() -> None:
    """Half of their joint actions are mismatches, and only the other measures tell."""
    out = measure(Team(INDEPENDENT), Team(OPTIMA))
    everywhere(out, {"joint_entropy": 2, "marginal_entropy": 1, "modes": 4, "tv": 0.5, "modes_covered": 1,
                     "optimal_share": 0.5, "mismatch_rate": 0.5})


def test_one_of_two_optima_covers_half_of_the_teachers() -> None:
    out = measure(Team([((0, 1), 1.0)]), Team(OPTIMA))
    everywhere(out, {"joint_entropy": 0, "marginal_entropy": 0, "modes": 1, "tv": 0.5, "modes_covered": 0.5,
                     "optimal_share": 1, "mismatch_rate": 0})


def test_all_permutations_are_two_bits_for_each_and_more_for_all() -> None:
    law = [(joint, 1 / 24) for joint in itertools.permutations(range(4))]
    out = measure(Team(law), Team(law), env="permutation")
    everywhere(out, {"joint_entropy": math.log2(24), "marginal_entropy": 2, "modes": 24, "modes_covered": 1,
                     "optimal_share": 1, "mismatch_rate": 0})
    everywhere(measure(Team([((0, 0, 1, 2), 1.0)]), env="permutation"), {"optimal_share": 0, "mismatch_rate": 1})


def test_what_is_merely_wrong_is_no_mismatch() -> None:
    """Where only BB is optimal, A belongs to no optimum, so the agents cannot disagree on one."""
    out = measure(Team(INDEPENDENT), None, "env_args.bb_reward=2")
    everywhere(out, {"optimal_share": 0.25, "mismatch_rate": 0})


def test_rows_of_the_same_joint_action_are_one() -> None:
    twice: Law = [((0, 1), 0.25), ((1, 0), 0.4), ((0, 1), 0.25), ((1, 0), 0.1)]
    out, plain = measure(Team(twice), Team(twice)), measure(Team(OPTIMA), Team(OPTIMA))
    assert out.keys() == plain.keys()
    for key in out:
        assert out[key] == pytest.approx(plain[key]), key


def test_padding_counts_for_nothing() -> None:
    padded: Law = [((1, 1), 0.0), *OPTIMA, ((0, 0), 0.0)]
    everywhere(measure(Team(padded), Team(padded)), {"joint_entropy": 1, "marginal_entropy": 1, "modes": 2, "tv": 0,
                                                     "teacher_modes": 2, "optimal_share": 1, "mismatch_rate": 0})


def test_without_a_teacher_there_is_nothing_to_compare() -> None:
    out = measure(Team(OPTIMA, lost=0.125))
    assert not {"tv", "teacher_modes", "modes_covered"} & set(out)
    everywhere(out, {"joint_entropy": 1, "unlisted": 0.125})


def test_games_without_a_table_of_optima_have_no_mismatch_rate() -> None:
    law: Law = [((0,) * 15, 0.5), ((1,) * 15, 0.5)]
    out = measure(Team(law), env="sensor", episodes=1)
    assert ("mismatch_rate" in out) == ("optimal_share" in out)
    everywhere(out, {"joint_entropy": 1, "marginal_entropy": 1})


def test_visited_states_are_asked_about_and_no_others() -> None:
    built = Built("cpa_pa", "xor", "hidden_dim=8", "pool_hidden=8", "env_args.episode_limit=3")
    batch, team = built.batch(4), Team(OPTIMA)
    batch["filled"][1, :2] = 1
    batch["filled"][3, 1] = 1
    out = diversity(built.game, alone(team), batch, seed=0)
    assert team.asked == [([1, 1, 3], [0, 1, 1], WIDTH)]
    assert all(len(values) == 3 for values in out.values())


def test_of_many_visited_states_some_are_chosen_by_the_seed() -> None:
    built = Built("cpa_pa", "xor", "hidden_dim=8", "pool_hidden=8")
    batch, asked = built.played(STATES), []
    for seed in (0, 0, 1):
        team = Team(OPTIMA)
        out = diversity(built.game, alone(team), batch, seed)
        assert all(len(values) == STATES for values in out.values())
        asked.append(team.asked[0][:2])
    assert asked[0] == asked[1] != asked[2]
    assert len(set(zip(*asked[0], strict=True))) == STATES, "no state twice"


def random_law(rng: np.random.Generator) -> Law:
    """Some joint actions of two agents, repeated ones among them, some without probability."""
    joints = rng.integers(0, 2, (rng.integers(2, 7), 2))
    weights = rng.random(len(joints)) * (rng.random(len(joints)) < 0.8)
    weights[0] = max(weights[0], 0.1)
    return [(tuple(joint.tolist()), float(w)) for joint, w in zip(joints, weights / weights.sum(), strict=True)]


def literal(law: Law, taught: Law) -> dict[str, float]:
    """All measures in one state of XOR."""
    p: dict[tuple[int, ...], float] = defaultdict(float)
    q: dict[tuple[int, ...], float] = defaultdict(float)
    own: list[dict[int, float]] = [defaultdict(float), defaultdict(float)]
    for joint, chance in law:
        p[joint] += chance
        for i, action in enumerate(joint):
            own[i][action] += chance
    for joint, chance in taught:
        q[joint] += chance

    def entropy(values: Any) -> float:
        return -sum(v * math.log2(v) for v in values if v > 0)

    optimal = sum(v for joint, v in p.items() if sum(joint) == 1)
    modes = {joint for joint, v in q.items() if v > 0}
    return {"joint_entropy": entropy(p.values()), "modes": sum(v > 0 for v in p.values()),
            "marginal_entropy": sum(entropy(one.values()) for one in own) / 2,
            "tv": sum(abs(p[joint] - q[joint]) for joint in {*p, *q}) / 2, "teacher_modes": len(modes),
            "modes_covered": sum(p[joint] > 0 for joint in modes) / len(modes),
            "optimal_share": optimal, "mismatch_rate": 1 - optimal}


@pytest.mark.parametrize("seed", range(5))
def test_random_laws_against_the_slow_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    laws, taught = ([random_law(rng) for _ in range(20)] for _ in range(2))
    out = measure(Team(*laws), Team(*taught), episodes=10)
    assert len(out["tv"]) == 20
    for row in range(20):
        got = {key: float(values[row]) for key, values in out.items() if not key.endswith("unlisted")}
        assert got == pytest.approx(literal(laws[row], taught[row]), abs=1e-6), row
