"""Sensor beyond the paper's size: so many targets that neither states nor joint plans can be listed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..errors import UserError
from .game import RANDOM_EPISODES, FloatArray, IntArray, Step, estimated_headline
from .optima import cached_optimum
from .registry import REGISTRY
from .sensor import NOOP, Sensor

SAMPLED = 20_000  # episodes from which the best that can be expected is estimated
SURE = 3.0  # standard errors that are added to it
DIGITS = 9  # of rewards; what differs less is the same


class Scan(NamedTuple):
    """Some sensors that scan one target: which, as bits, what it pays, and who does what."""

    sensors: int
    reward: float
    agents: tuple[int, ...]
    actions: tuple[int, ...]


@REGISTRY.register("sensor_large")
class SensorLarge(Sensor):
    """Sensor with any number of sensors and targets.

    Targets compete for sensors only with those near by, so that the best plan of a state is put together from those of
    groups of targets that share sensors with no others; within a group all that has been decided counts by the sensors
    that are taken.  A target that has no free cell to move to stays.
    Arguments are those of :class:`.Sensor`.
    """

    name = "sensor_large"

    def __init__(self, rows: int = 6, cols: int = 10, n_preys: int = 12, reward: str = "linear",
                 catch_reward: float = 3.0, scan_cost: float = 1.0, observation: str = "state",
                 episode_limit: int = 10) -> None:
        # One target, as more would be refused there: states are listed only for an exact optimum.
        super().__init__(rows, cols, min(n_preys, 1), reward, catch_reward, scan_cost, observation, episode_limit)
        if n_preys >= self.state_dim:
            raise UserError(f"env_args.n_preys={n_preys} of sensor_large are as many targets as there are cells.")
        self.n_preys = n_preys
        self._plans: dict[tuple[int, ...], tuple[float, IntArray]] = {}

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        preys = state[:, 1:].copy()
        reward, rows = self.reward(preys, actions), np.arange(len(preys))
        for prey in range(self.n_preys):
            weight = self._steps[preys[:, prey]]
            weight[rows[:, None], preys] = 0.0
            edges = weight.cumsum(1)
            draw = rng.random(len(preys)) * edges[:, -1]
            moved = (edges <= draw[:, None]).sum(1)
            preys[:, prey] = np.where(edges[:, -1] > 0, moved, preys[:, prey])  # where all around is taken, it stays
        after = np.concatenate([state[:, :1] + 1, preys], 1)
        return Step(after, reward, after[:, 0] >= self.episode_limit, {})

    @cached_property
    def _scans(self) -> list[list[Scan]]:
        """The ways to scan a target, for each free cell."""
        scans: list[list[Scan]] = []
        for cell in range(self.state_dim):
            watchers = np.argwhere(self.scanned == cell).tolist()
            teams = [team for k in range(2, len(watchers) + 1) for team in combinations(watchers, k)]
            scans.append([Scan(sum(1 << agent for agent, _ in team),
                               float(self._catch(np.array(len(team)))) - self.scan_cost * len(team),
                               *zip(*team, strict=True)) for team in teams])
        return scans

    def groups(self, preys: Iterable[int]) -> list[tuple[int, ...]]:
        """Targets in the cells ``preys``, apart where they share no sensor, however indirectly."""
        found: list[tuple[set[int], int]] = []
        for cell in preys:
            cells, sensors = {cell}, 0
            for scan in self._scans[cell]:
                sensors |= scan.sensors
            apart = []
            for others, theirs in found:
                if theirs & sensors:
                    cells, sensors = cells | others, sensors | theirs
                else:
                    apart.append((others, theirs))
            found = [*apart, (cells, sensors)]
        return [tuple(sorted(cells)) for cells, _ in found]

    def plan(self, preys: Iterable[int], taste: FloatArray | None = None) -> tuple[float, IntArray]:
        """The best reward for targets in the cells ``preys``, and a joint action with it, ``[N]``.

        Args:
            preys: cells.
            taste: between best joint actions, the one with the largest sum of these decides, ``[N, A]`` below 1.
        """
        joint, total = np.full(self.n_agents, NOOP), 0.0
        for group in self.groups(preys):
            if taste is not None:
                value, chosen = self._group_plan(group, taste)
            elif group in self._plans:
                value, chosen = self._plans[group]
            else:
                value, chosen = self._plans[group] = self._group_plan(group, np.zeros((self.n_agents, self.n_actions)))
            joint[chosen != NOOP] = chosen[chosen != NOOP]
            total += value
        return total, joint

    def _group_plan(self, group: tuple[int, ...], taste: FloatArray) -> tuple[float, IntArray]:
        """The best plan for one group, and its reward."""
        liked = taste - taste[:, NOOP:]  # over doing nothing
        best: dict[int, tuple[tuple[float, float], tuple[Scan, ...]]] = {0: ((0.0, 0.0), ())}
        for place, cell in enumerate(group):
            later = 0  # sensors that matter from here on
            for other in group[place + 1:]:
                for scan in self._scans[other]:
                    later |= scan.sensors
            ahead: dict[int, tuple[tuple[float, float], tuple[Scan, ...]]] = {}
            ways = [(scan, float(liked[list(scan.agents), list(scan.actions)].sum())) for scan in self._scans[cell]]
            for taken, (worth, scans) in best.items():
                options = [(taken, worth, scans),
                           *((taken | scan.sensors, (round(worth[0] + scan.reward, DIGITS), worth[1] + more),
                              (*scans, scan)) for scan, more in ways if not scan.sensors & taken)]
                for used, value, plan in options:
                    if used & later not in ahead or value > ahead[used & later][0]:
                        ahead[used & later] = (value, plan)
            best = ahead
        (reward, _), scans = max(best.values(), key=lambda each: each[0])
        joint = np.full(self.n_agents, NOOP)
        for scan in scans:
            joint[list(scan.agents)] = scan.actions
        return reward, joint

    def solution(self, preys: tuple[int, ...]) -> tuple[float, IntArray]:
        """Not all best joint actions, which are too many: one, ``[1, N]``; see :meth:`plan`."""
        value, joint = self.plan(preys)
        return value, joint[None]

    def optimum_per_step(self) -> FloatArray:
        """Not known exactly.

        Raises:
            UserError: always.
        """
        raise UserError("the optimum of sensor_large is not known, only a bound of it; use sensor.")

    def optimal_actions(self, state: IntArray) -> None:  # type: ignore[override]
        """Not tabulated: they are too many."""
        return None

    def optimum(self) -> None:  # type: ignore[override]
        """Not known exactly; see :meth:`headline_bound`."""
        return None

    def headline_bound(self) -> float:
        """What no team can expect more of: the mean of the best rewards of sampled episodes, and three standard errors.

        Targets ignore the sensors, so each state's best reward is all there is to gain in it.
        """
        return cached_optimum(self.bound_spec(), self.computed_bound)

    def bound_spec(self) -> dict[str, Any]:
        """What decides the bound."""
        return {**self.spec(), "sampled": SAMPLED}

    def computed_bound(self) -> float:
        """The bound, computed afresh."""
        rng = np.random.default_rng(0)
        state, best = self.initial(SAMPLED, rng), np.zeros(SAMPLED)
        idle = np.full((SAMPLED, self.n_agents), NOOP)
        for _ in range(self.episode_limit):
            best += [self.plan(row)[0] for row in state[:, 1:].tolist()]
            state = self.transition(state, idle, rng).state
        self._plans.clear()
        return float(best.mean() + SURE * best.std() / np.sqrt(SAMPLED))

    @cached_property
    def _random_headline(self) -> float:
        return estimated_headline(self, RANDOM_EPISODES, 1000)
