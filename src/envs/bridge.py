"""Bridge: two agents want to cross a one-lane corridor in opposite directions (AlberDICE).

One must give way first, and either may: two optimal first joint actions, whose halves do not fit
together (both push: both blocked; both yield: time lost).  Deterministic; the state holds positions
and goals as row and column.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .game import FloatArray, Game, IntArray, Step, checked_observation
from .picture import Last, Mark, Picture
from .registry import REGISTRY

MAP = ("1.##..",
       "......",
       "..##.2")  # '#' wall, '1' and '2' the goals of agent 1 and agent 0
GOALS = np.array([[2, 5], [0, 0]])
STARTS = {"adjacent": np.array([[1, 2], [1, 3]]), "separate": np.array([[1, 1], [1, 4]])}
MOVES = np.array([[0, 0], [-1, 0], [1, 0], [0, 1], [0, -1]])
STAY = 0
FREE = np.array([[cell != "#" for cell in row] for row in MAP])
COST = 0.1  # per unit of Euclidean distance to the goal


def cell_indices(state: IntArray) -> tuple[IntArray, IntArray]:
    """Both agents' cells, numbered row by row, for states ``[B, 5]``."""
    width = FREE.shape[1]
    return state[:, 1] * width + state[:, 2], state[:, 3] * width + state[:, 4]


@REGISTRY.register("bridge")
class Bridge(Game):
    """Grid game on the map above; states are ``[t, row0, col0, row1, col1]``.

    An agent is done once it stands on its goal; it then stays and blocks nobody.  Each step pays
    the mean over the agents that were not done before it of -0.1 times the distance to the goal;
    the step that ends the episode pays nothing.

    Args:
        start: ``adjacent`` (in the middle of the corridor) or ``separate``.
        observation: what an agent sees: ``state``, or ``local``, its own position.  The optimum is the same, since
            nothing in the game is random: an agent that remembers where it has been knows the time, and so its next
            move on the way that the team agreed on.  Without memory it is out of reach, as the way back into the
            corridor leads through the same cells.
        episode_limit: most steps of an episode.
    """

    name = "bridge"
    action_names = ("stay", "up", "down", "right", "left")
    state_high: ClassVar[float] = float(max(FREE.shape) - 1)

    def __init__(self, start: str = "adjacent", observation: str = "state", episode_limit: int = 50) -> None:
        if start not in STARTS:
            raise UserError(f"env_args.start of bridge must be one of {', '.join(STARTS)}, not '{start}'.")
        self.observation = checked_observation(observation)
        self.n_agents, self.n_actions, self.state_dim = 2, 5, 8
        self.start, self.episode_limit = start, episode_limit

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        first = np.concatenate([[0], STARTS[self.start].ravel()])
        return np.tile(first, (batch, 1)).astype(np.int64)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        pos = state[:, 1:].reshape(-1, 2, 2)
        active = (pos != GOALS).any(2)  # [B, N]
        after = self._move(pos, actions, active)
        done = (after == GOALS).all(2).all(1) | (state[:, 0] + 1 >= self.episode_limit)
        distance = np.linalg.norm((GOALS - after).astype(np.float64), axis=2)
        reward = np.where(done, 0.0, (-COST * distance * active).mean(1))
        time = state[:, :1] + 1
        return Step(np.concatenate([time, after.reshape(-1, 4)], 1), reward, done, {})

    @staticmethod
    def _move(pos: IntArray, actions: IntArray, active: NDArray[np.bool_]) -> IntArray:
        """New positions ``[B, 2, 2]``; agent 0 settles before agent 1 and so has priority."""
        wish = pos + MOVES[actions] * active[..., None]
        inside = ((wish >= 0) & (wish < FREE.shape)).all(2)
        row, col = np.moveaxis(np.where(inside[..., None], wish, 0), 2, 0)
        legal = inside & FREE[row, col]
        wish = np.where(legal[..., None], wish, pos)
        moves = legal & active & (actions != STAY)  # wants to leave, and no wall stops it

        def same(a: IntArray, b: IntArray) -> NDArray[np.bool_]:
            return np.asarray((a == b).all(1))

        free0 = same(wish[:, 0], GOALS[0]) | ~moves[:, 0] | ~active[:, 1]
        swap = same(wish[:, 0], pos[:, 1]) & same(wish[:, 1], pos[:, 0])
        stopped0 = ~free0 & (swap | (same(wish[:, 0], pos[:, 1]) & ~moves[:, 1]))
        stopped1 = ~free0 & moves[:, 1] & (swap | same(wish[:, 0], wish[:, 1]))
        new0 = np.where(stopped0[:, None], pos[:, 0], wish[:, 0])
        free1 = same(wish[:, 1], GOALS[1]) | ~moves[:, 1] | ~active[:, 0]
        stopped1 |= ~free1 & same(wish[:, 1], new0)
        new1 = np.where(stopped1[:, None], pos[:, 1], wish[:, 1])
        return np.stack([new0, new1], 1)

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        seen = np.empty((len(state), 2, 4), dtype=np.float32)
        seen[:, :, :2] = state[:, 1:].reshape(-1, 2, 2)
        seen[:, :, 2:] = GOALS
        return seen.reshape(-1, 8)

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        return seen.reshape(-1, 2, 4)[:, :, :2] if self.observation == "local" else super().view(seen)

    def decode(self, seen: NDArray[np.float32]) -> IntArray:
        cells = np.clip(seen[:, [0, 1, 4, 5]], 0, np.tile(FREE.shape, 2) - 1).astype(np.int64)
        return np.insert(cells, 0, 0, axis=1)

    @cached_property
    def _pairs(self) -> tuple[IntArray, IntArray]:
        """Every pair of positions with every joint action: states ``[P * A * A, 5]`` and actions."""
        cells = np.argwhere(np.ones(FREE.shape, dtype=np.bool_))
        n, a = len(cells), self.n_actions
        grid = np.indices((n, n, a, a)).reshape(4, -1)
        time = np.zeros((grid.shape[1], 1), dtype=np.int64)
        return np.concatenate([time, cells[grid[0]], cells[grid[1]]], 1), grid[2:].T

    @cached_property
    def _action_values(self) -> FloatArray:
        """Optimal action values, ``[T, cells, cells, A, A]``."""
        return self._induction(lambda values: np.asarray(values.max((2, 3))))

    def _induction(self, worth: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Action values by backward induction, ``[T, cells, cells, A, A]``, where ``worth`` says what is played."""
        rows, actions = self._pairs
        rows = rows.copy()
        shape = (FREE.size, FREE.size, self.n_actions, self.n_actions)
        value = np.zeros(shape[:2])
        table = np.empty((self.episode_limit, *shape))
        for t in reversed(range(self.episode_limit)):
            rows[:, 0] = t
            after, reward, done, *_ = self.transition(rows, actions, np.random.default_rng(0))
            table[t] = (reward + np.where(done, 0.0, value[cell_indices(after)])).reshape(shape)
            value = worth(table[t])
        return table

    def steps_to_finish(self) -> IntArray:
        """Fewest steps to bring both agents home from each pair of cells, ``[cells, cells]``."""
        rows, actions = self._pairs
        after = cell_indices(self.transition(rows, actions, np.random.default_rng(0)).state)
        goals = GOALS[:, 0] * FREE.shape[1] + GOALS[:, 1]
        steps = np.full((FREE.size, FREE.size), FREE.size**2)
        steps[goals[0], goals[1]] = 0
        while True:
            shorter = np.minimum(steps, 1 + steps[after].reshape(*steps.shape, -1).min(2))
            if (shorter == steps).all():
                return steps
            steps = shorter

    def _values_at(self, state: IntArray) -> FloatArray:
        first, second = cell_indices(state[None])
        return np.asarray(self._action_values[state[0], first[0], second[0]])

    def optimum(self) -> float:
        return float(self._values_at(self.initial(1, np.random.default_rng(0))[0]).max())

    @cached_property
    def _random_headline(self) -> float:
        first, second = cell_indices(self.initial(1, np.random.default_rng(0)))
        values = self._induction(lambda values: np.asarray(values.mean((2, 3))))
        return float(values[0, first[0], second[0]].mean())

    def optimal_actions(self, state: IntArray) -> list[IntArray]:
        values = [self._values_at(row) for row in state]
        return [np.argwhere(v > v.max() - 1e-9) for v in values]

    def draw(self, state: IntArray) -> str:
        canvas = [list(row.replace("1", "b").replace("2", "a")) for row in MAP]
        for name, (row, col) in zip("AB", state[1:].reshape(2, 2), strict=True):
            canvas[row][col] = "*" if canvas[row][col] == "A" else name
        return "\n".join("".join(row) for row in canvas)

    def picture(self, state: IntArray, last: Last | None = None) -> Picture:
        marks = [Mark("tile", cell, "floor" if FREE[cell] else "wall", 0.94) for cell in np.ndindex(FREE.shape)]
        marks += [Mark("tile", GOALS[0], "light blue", 0.94), Mark("tile", GOALS[1], "light orange", 0.94)]
        places = state[1:].reshape(2, 2)
        for agent, colour in enumerate(("blue", "orange")):
            if last is not None:  # a trail from where the agent came
                marks.append(Mark("line", last[0][1:].reshape(2, 2)[agent], colour, 0.12, end=places[agent]))
            size = 0.45 if (places[0] == places[1]).all() and agent else 0.75
            marks += [Mark("disc", places[agent], colour, size),
                      Mark("text", places[agent], "paper", 0.3, text="AB"[agent])]
        return Picture(len(FREE), FREE.shape[1], marks)
