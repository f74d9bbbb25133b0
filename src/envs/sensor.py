"""Sensor: a grid of sensors must scan moving targets, each from at least two sides (CASEC's MACO).

A lone scan is wasted, so agents must agree on who watches which target; where two targets compete
for sensors there are several optimal agreements.  Targets move at random whatever the sensors do.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from math import comb, factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .game import BoolArray, FloatArray, Game, IntArray, Step, checked_observation
from .picture import Last, Mark, Picture
from .registry import REGISTRY

# Directions of a scan as (row, column); the last action scans nothing.
SCANS = np.array([[1, 1], [-1, 1], [0, 1], [0, -1], [1, -1], [-1, -1], [1, 0], [-1, 0]])
NOOP = len(SCANS)
REACH = 2  # a target moves by up to two cells along each axis
MAX_STATES = 2_000_000


@REGISTRY.register("sensor")
class Sensor(Game):
    """Sensors on the even cells of a (2 rows - 1) x (2 cols - 1) map, targets on the other cells.

    States are ``[t, cell_1 .. cell_n_preys]`` (indices of free cells); agents see the binary map of
    targets.  Each scan costs ``scan_cost``; a target seen by k >= 2 sensors pays ``catch_reward``
    (``flat``) or ``catch_reward * k / 2`` (``linear``).

    Args:
        rows, cols: sensors per column and per row.
        n_preys: number of targets.
        reward: ``linear`` (a target pays more, the more sensors see it) or ``flat`` (more ties, more mismatch).
        catch_reward: what a target pays that is seen by two or more sensors (times k / 2 for k, if ``linear``).
        scan_cost: what each scan costs.
        observation: what a sensor sees: ``state``, or ``local``, its eight neighbouring cells.
        episode_limit: number of steps.
    """

    name = "sensor"
    action_names = ("se", "ne", "e", "w", "sw", "nw", "s", "n", "-")

    def __init__(self, rows: int = 3, cols: int = 5, n_preys: int = 3, reward: str = "linear",
                 catch_reward: float = 3.0, scan_cost: float = 1.0, observation: str = "state",
                 episode_limit: int = 10) -> None:
        if reward not in ("linear", "flat"):
            raise UserError(f"env_args.reward of sensor must be linear or flat, not '{reward}'.")
        if rows < 2 or cols < 2 or n_preys < 1 or scan_cost <= 0:
            raise UserError("env_args of sensor need rows >= 2, cols >= 2, n_preys >= 1 and scan_cost > 0.")
        self.observation = checked_observation(observation)
        self.rows, self.cols, self.n_preys, self.reward_rule = rows, cols, n_preys, reward
        self.catch_reward, self.scan_cost, self.episode_limit = catch_reward, scan_cost, episode_limit
        self.shape = (2 * rows - 1, 2 * cols - 1)
        self.n_agents, self.n_actions = rows * cols, NOOP + 1
        odd = np.indices(self.shape) % 2
        self.cells = np.argwhere(odd.any(0))  # free cells, [F, 2]
        self.state_dim = len(self.cells)
        if self.state_dim ** n_preys > MAX_STATES:
            raise UserError(f"env_args of sensor give {self.state_dim}^{n_preys} states, more than the {MAX_STATES} "
                            "for which the exact optimum is computed; use fewer sensors or targets.")
        self._steps = self._prey_steps()
        if (self._steps > 0).sum(1).min() < n_preys:
            raise UserError(f"env_args.n_preys={n_preys} of sensor leaves a target no cell to move to on this map.")
        sensors = np.argwhere(~odd.any(0))
        target = sensors[:, None] + SCANS  # [N, 8, 2]
        inside = ((target >= 0) & (target < self.shape)).all(2)
        index = np.full(self.shape, -1)
        index[tuple(self.cells.T)] = np.arange(self.state_dim)
        clipped = np.clip(target, 0, np.array(self.shape) - 1)
        #: free cell that agent i scans with action a, or -1, [N, A]
        self.scanned = np.full((self.n_agents, self.n_actions), -1)
        self.scanned[:, :NOOP] = np.where(inside, index[clipped[..., 0], clipped[..., 1]], -1)
        self._mask = self.scanned >= 0
        self._mask[:, NOOP] = True

    def _prey_steps(self) -> FloatArray:
        """Number of draws that lead from free cell c to c', ``[F, F]``; staying is never one."""
        draws = np.array(list(itertools.product(range(-REACH, REACH + 1), repeat=2)))
        landing = np.clip(self.cells[:, None] + draws, 0, np.array(self.shape) - 1)  # [F, 25, 2]
        hit = (landing[:, :, None] == self.cells).all(3)  # [F, 25, F]
        steps: FloatArray = hit.sum(1).astype(np.float64)
        np.fill_diagonal(steps, 0.0)
        return steps

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        cells = rng.random((batch, self.state_dim)).argsort(1)[:, : self.n_preys]
        return np.concatenate([np.zeros((batch, 1), dtype=np.int64), cells], 1)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        preys = state[:, 1:].copy()
        reward = self.reward(preys, actions)
        rows = np.arange(len(preys))
        for prey in range(self.n_preys):  # they move in turn, so that no two share a cell
            weight = self._steps[preys[:, prey]]
            weight[rows[:, None], preys] = 0.0
            edges = weight.cumsum(1)
            draw = rng.random(len(preys)) * edges[:, -1]
            preys[:, prey] = (edges <= draw[:, None]).sum(1)
        after = np.concatenate([state[:, :1] + 1, preys], 1)
        return Step(after, reward, after[:, 0] >= self.episode_limit, {})

    def reward(self, preys: IntArray, actions: IntArray) -> FloatArray:
        """Team reward, ``[B]``, of joint actions ``[B, N]`` for targets in cells ``[B, n_preys]``."""
        target = self.scanned[np.arange(self.n_agents), actions]  # [B, N]
        seen_by = (target[:, None] == preys[:, :, None]).sum(2)  # [B, n_preys]
        reward: FloatArray = self._catch(seen_by).sum(1) - self.scan_cost * (actions != NOOP).sum(1)
        return reward

    def _catch(self, k: IntArray) -> FloatArray:
        paid = self.catch_reward * (k / 2 if self.reward_rule == "linear" else np.ones_like(k, dtype=np.float64))
        return np.where(k >= 2, paid, 0.0)

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        seen = np.zeros((len(state), self.state_dim), dtype=np.float32)
        seen[np.arange(len(state))[:, None], state[:, 1:]] = 1.0
        return seen

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.observation == "state":
            return super().view(seen)
        # Cells beyond the map and those of other sensors (-1) look empty.
        return seen[:, self.scanned[:, :NOOP]] * (self.scanned[:, :NOOP] >= 0).astype(np.float32)

    def decode(self, seen: NDArray[np.float32]) -> IntArray:
        cells = np.argsort(-seen, axis=1, kind="stable")[:, : self.n_preys]
        return np.insert(np.sort(cells, axis=1), 0, 0, axis=1)

    def available(self, state: IntArray) -> BoolArray:
        return np.broadcast_to(self._mask, (len(state), self.n_agents, self.n_actions))

    def possible(self) -> BoolArray:
        return self._mask

    @cached_property
    def _solutions(self) -> dict[tuple[int, ...], tuple[float, IntArray]]:
        return {}

    def solution(self, preys: tuple[int, ...]) -> tuple[float, IntArray]:
        """Best reward for targets in the sorted cells ``preys``, and all joint actions with it ``[M, N]``."""
        known = self._solutions.get(preys)
        if known is not None:
            return known
        value = np.zeros(1)
        joint = np.full((1, self.n_agents), NOOP)
        for cell in preys:  # extend every partial plan by every way to scan the next target
            watchers = np.argwhere(self.scanned == cell)
            plans, gains = [joint], [value]
            for k in range(2, len(watchers) + 1):
                for team in itertools.combinations(watchers, k):
                    agents, scans = np.array(team).T
                    idle = (joint[:, agents] == NOOP).all(1)
                    extended = joint[idle]
                    extended[:, agents] = scans
                    plans.append(extended)
                    gains.append(value[idle] + float(self._catch(np.array(k))) - self.scan_cost * k)
            joint, value = np.concatenate(plans), np.concatenate(gains)
        best = float(value.max())
        self._solutions[preys] = best, joint[value > best - 1e-9]
        return self._solutions[preys]

    def optimal_actions(self, state: IntArray) -> list[IntArray]:
        return [self.solution(tuple(row))[1] for row in np.sort(state[:, 1:], axis=1).tolist()]

    @cached_property
    def _random_headline(self) -> float:
        """Scans are drawn independently of the targets, so where each target is at each step is all that counts."""
        chance = 1.0 / self._mask.sum(1)  # of each action that a sensor may choose
        caught = np.zeros(self.state_dim)  # expected reward for a target in each cell
        for cell in range(self.state_dim):
            seen_by = np.ones(1)  # law of the number of sensors that scan the cell
            for sensor in np.argwhere(self.scanned == cell)[:, 0]:
                seen_by = np.convolve(seen_by, [1.0 - chance[sensor], chance[sensor]])
            caught[cell] = seen_by @ self._catch(np.arange(len(seen_by)))
        total = -self.episode_limit * self.scan_cost * float((1.0 - chance).sum())
        for law in self._laws():
            for prey in range(self.n_preys):
                total += float(np.moveaxis(law, prey, 0).reshape(self.state_dim, -1).sum(1) @ caught)
        return total

    def optimum(self) -> float:
        """Sum over time of the expected best reward; exact, since targets ignore the sensors."""
        return float(self.optimum_per_step().sum())

    def optimum_per_step(self) -> FloatArray:
        """Expected best reward at each time step, ``[T]``, by exact propagation of the targets."""
        best = np.zeros((self.state_dim,) * self.n_preys)
        for preys in itertools.combinations(range(self.state_dim), self.n_preys):
            for order in itertools.permutations(preys):
                best[order] = self.solution(preys)[0]
        return np.array([(law * best).sum() for law in self._laws()])

    def _laws(self) -> Iterator[FloatArray]:
        """Law of the target cells at each time step, ``[F] * n_preys``: first, all that differ are as likely."""
        n, free = self.n_preys, self.state_dim
        law = np.zeros((free,) * n)
        for order in itertools.permutations(range(free), n):
            law[order] = 1.0
        law /= law.sum()
        assert round(1 / law.max()) == comb(free, n) * factorial(n)
        for _ in range(self.episode_limit):
            yield law
            for prey in range(n):
                law = self._moved(law, prey)

    def _moved(self, law: FloatArray, prey: int) -> FloatArray:
        """Law of the target cells, ``[F] * n_preys``, after one target has moved."""
        law = np.moveaxis(law, prey, 0)
        room = self._steps.sum(1).reshape(-1, *[1] * (law.ndim - 1)) * np.ones_like(law)
        free = np.ones_like(law, dtype=np.bool_)
        for axis in range(1, law.ndim):
            shape = [self.state_dim, *[1] * (law.ndim - 1)]
            shape[axis] = self.state_dim
            room -= self._steps.reshape(shape)
            free &= ~np.eye(self.state_dim, dtype=np.bool_).reshape(shape)
        spread = np.divide(law, room, out=np.zeros_like(law), where=law > 0)
        after = np.tensordot(self._steps.T, spread, axes=1) * free
        return np.moveaxis(after, 0, prey)

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "reward": self.reward_rule}

    def draw(self, state: IntArray) -> str:
        canvas = [["o" if row % 2 == 0 and col % 2 == 0 else "." for col in range(self.shape[1])]
                  for row in range(self.shape[0])]
        for row, col in self.cells[state[1:]]:
            canvas[row][col] = "x"
        return "\n".join(" ".join(row) for row in canvas)

    def picture(self, state: IntArray, last: Last | None = None) -> Picture:
        marks = [Mark("tile", cell, "floor", 0.94) for cell in np.ndindex(self.shape)]
        if last is not None:  # where the targets were, and who scanned: green where that paid
            target = self.scanned[np.arange(self.n_agents), last[1]]
            before = last[0][1:]
            marks += [Mark("ring", place, "light orange", 0.7) for place in self.cells[before]]
            for agent in np.flatnonzero(last[1] != NOOP):
                place = np.array(divmod(agent, self.cols)) * 2
                paid = target[agent] in before and (target == target[agent]).sum() >= 2
                marks.append(Mark("line", place, "green" if paid else "red", 0.1,
                                  end=place + 0.7 * SCANS[last[1][agent]]))
        marks += [Mark("disc", (row * 2, col * 2), "blue", 0.5) for row, col in np.ndindex(self.rows, self.cols)]
        marks += [Mark("disc", place, "orange", 0.6) for place in self.cells[state[1:]]]
        return Picture(self.shape[0], self.shape[1], marks)
