"""Overcooked: two cooks in a narrow kitchen fill pots with onions and serve the soups.

The rules are those under which Carroll et al. (2019) recorded pairs of people: a pot with three onions cooks by itself
for twenty steps.  Who fetches what, and who gives way, is a convention.  Deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .game import Game, IntArray, Step
from .registry import REGISTRY

#: X counter, O onions, D dishes, P pot, S where soups are served; 1 and 2: where the agents begin
LAYOUTS = {
    "cramped_room": ("XXPXX", "O  2O", "X1  X", "XDXSX"),
    "asymmetric_advantages": ("XXXXXXXXX", "O XSXOX S", "X   P 1 X", "X2  P   X", "XXXDXDXXX"),
    "coordination_ring": ("XXXPX", "X 1 P", "D2X X", "O   X", "XOSXX"),
    "forced_coordination": ("XXXPX", "O X1P", "O2X X", "D X X", "XXXSX"),
    "counter_circuit": ("XXXPPXXX", "X      X", "D XXXX S", "X2    1X", "XXXOOXXX")}
STAY, INTERACT = 4, 5
NOTHING, ONION, DISH, SOUP = range(4)
FULL, COOKED = 3, 20  # onions in a pot, steps until they are a soup
REWARD = 20.0


@REGISTRY.register("overcooked")
class Overcooked(Game):
    """States are ``[t, (cell, facing, held) * 2, (onions, steps cooked) * pots, thing on each counter]``.

    Cells are counted row by row, facing is an action from 0 to 3, things are 0 (nothing), onion, dish, soup.

    Args:
        layout: the kitchen: cramped_room, asymmetric_advantages, coordination_ring, forced_coordination or
            counter_circuit.
        episode_limit: number of steps.

    Attributes:
        width: cells in a row.
        counters, pots, floor: their cells.

    Raises:
        UserError: there is no such layout.
    """

    name = "overcooked"
    action_names = ("north", "south", "east", "west", "stay", "interact")
    state_high: ClassVar[float] = 1.0

    def __init__(self, layout: str = "cramped_room", episode_limit: int = 400) -> None:
        if layout not in LAYOUTS:
            raise UserError(f"env_args.layout of overcooked must be one of {', '.join(LAYOUTS)}, not '{layout}'.")
        self.layout, self.episode_limit = layout, episode_limit
        self.width = len(LAYOUTS[layout][0])
        self.terrain = np.array(list("".join(LAYOUTS[layout])))
        self.floor, self.counters, self.pots = (np.flatnonzero(np.isin(self.terrain, kinds))
                                                for kinds in (["1", "2", " "], ["X"], ["P"]))
        self._is_floor = np.isin(self.terrain, ["1", "2", " "])
        self._offsets = np.array([-self.width, self.width, 1, -1, 0, 0])
        self._counter_at, self._pot_at = (self._numbers(cells) for cells in (self.counters, self.pots))
        self.n_agents, self.n_actions = 2, len(self.action_names)
        self.state_dim = 2 * (len(self.floor) + 4 + SOUP) + (FULL + 2) * len(self.pots) + SOUP * len(self.counters)

    def _numbers(self, cells: IntArray) -> IntArray:
        """For every cell its number among ``cells``, -1 for others."""
        numbers = np.full(len(self.terrain), -1, dtype=np.int64)
        numbers[cells] = np.arange(len(cells))
        return numbers

    @classmethod
    def label(cls, env_args: Mapping[str, Any]) -> str:
        return f"{cls.name}-{env_args.get('layout', 'cramped_room')}"

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        first = np.zeros(7 + 2 * len(self.pots) + len(self.counters), dtype=np.int64)
        first[[1, 4]] = [int(np.flatnonzero(self.terrain == agent)[0]) for agent in "12"]
        return np.tile(first, (batch, 1))

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        after = state.copy()
        reward = np.zeros(len(state))
        for agent in (0, 1):  # one after the other, so that both cannot take the same thing
            reward += self._interact(after, agent, actions[:, agent] == INTERACT)
        self._move(after, actions)
        after[:, 0] += 1
        cooking = after[:, 7:7 + 2 * len(self.pots)].reshape(len(state), -1, 2)
        cooking[:, :, 1] += (cooking[:, :, 0] == FULL) & (cooking[:, :, 1] < COOKED)
        after[:, 7:7 + 2 * len(self.pots)] = cooking.reshape(len(state), -1)
        return Step(after, reward, after[:, 0] >= self.episode_limit, {})

    def _interact(self, state: IntArray, agent: int, wants: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Changes the states ``[B, K]`` where the agent ``wants`` to do something ``[B]``; what that pays."""
        rows, held_at = np.arange(len(state)), 3 + 3 * agent
        front = state[:, held_at - 2] + self._offsets[state[:, held_at - 1]]
        kind, held = self.terrain[front], state[:, held_at].copy()
        counter, pot = self._counter_at[front], self._pot_at[front]
        place = 7 + 2 * len(self.pots) + np.maximum(counter, 0)
        swap = wants & (counter >= 0) & ((held == NOTHING) != (state[rows, place] == NOTHING))
        onions, time = 7 + 2 * np.maximum(pot, 0), 8 + 2 * np.maximum(pot, 0)
        fill = wants & (pot >= 0) & (held == ONION) & (state[rows, onions] < FULL)
        take = wants & (pot >= 0) & (held == DISH) & (state[rows, time] == COOKED)
        serve = wants & (kind == "S") & (held == SOUP)
        empty = wants & (held == NOTHING)
        state[:, held_at] = np.select([swap, fill | serve, take, empty & (kind == "O"), empty & (kind == "D")],
                                      [state[rows, place], NOTHING, SOUP, ONION, DISH], held)
        state[rows[swap], place[swap]] = held[swap]
        state[rows[fill], onions[fill]] += 1
        state[rows[take], onions[take]] = state[rows[take], time[take]] = 0
        return np.where(serve, REWARD, 0.0)

    def _move(self, state: IntArray, actions: IntArray) -> None:
        """Turns and moves the agents; who would meet stays."""
        cells, turns = state[:, [1, 4]], actions < STAY
        wish = cells + self._offsets[actions]
        wish = np.where(self._is_floor[wish], wish, cells)
        meet = (wish[:, 0] == wish[:, 1]) | ((wish[:, 0] == cells[:, 1]) & (wish[:, 1] == cells[:, 0]))
        state[:, [1, 4]] = np.where(meet[:, None], cells, wish)
        state[:, [2, 5]] = np.where(turns, actions, state[:, [2, 5]])

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        pots = state[:, 7:7 + 2 * len(self.pots)].reshape(len(state), -1, 2)
        things = np.arange(1, SOUP + 1)
        parts = [state[:, [1, 4], None] == self.floor, state[:, [2, 5], None] == np.arange(4),
                 state[:, [3, 6], None] == things, pots[:, :, :1] == np.arange(1, FULL + 1),
                 pots[:, :, 1:] / COOKED, pots[:, :, 1:] == COOKED,
                 state[:, 7 + 2 * len(self.pots):, None] == things]
        return np.concatenate([np.asarray(part, dtype=np.float32).reshape(len(state), -1) for part in parts], 1)

    def draw(self, state: IntArray) -> str:
        shown = [" " if cell in "12" else str(cell) for cell in self.terrain]
        for cell, (onions, time) in zip(self.pots, state[7:7 + 2 * len(self.pots)].reshape(-1, 2), strict=True):
            shown[cell] = "!" if time == COOKED else str(onions)
        for cell, thing in zip(self.counters, state[7 + 2 * len(self.pots):], strict=True):
            shown[cell] = "Xods"[thing]
        for agent in (0, 1):
            shown[state[1 + 3 * agent]] = "AB"[agent]
        things = ("nothing", "an onion", "a dish", "a soup")  # padded, so that pictures of all states are of one size
        held = ", ".join(f"{'AB'[i]} faces {self.action_names[state[2 + 3 * i]]:<5} with {things[state[3 + 3 * i]]:<8}"
                         for i in (0, 1))
        rows = ["".join(shown[i:i + self.width]) for i in range(0, len(shown), self.width)]
        return "\n".join([*rows, f"step {state[0]:>{len(str(self.episode_limit))}}: {held}"])
