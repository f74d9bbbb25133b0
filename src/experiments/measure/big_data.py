"""Data sets of any size, made quickly, and what it costs to begin to learn from one.

The data are random but sound, of a game that has nothing but its sizes; nothing can be learned from them.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.dataset import OfflineDataset
from ...data.formats.mapped import Mapped
from ...envs.game import Game, IntArray, Step
from ...envs.registry import REGISTRY, make_game
from ...utils.process import python_module

GAME = "sized"
PART_BYTES = 2**25  # made at once
CHILD = f"{__package__}.first_update"


@dataclass(frozen=True)
class Sizes:
    """Numbers of agents, actions, values of the state, values that an agent sees of it, and steps of an episode.

    By default those of a large StarCraft map.
    """

    agents: int = 10
    actions: int = 20
    state: int = 200
    observed: int = 100
    limit: int = 60


class Sized(Game):
    """Nothing but sizes: states are noise, agents see the beginning of them, and nothing is paid."""

    name = GAME

    def __init__(self, agents: int = 10, actions: int = 20, state: int = 200, observed: int = 100,
                 limit: int = 60) -> None:
        self.n_agents, self.n_actions, self.state_dim, self.episode_limit = agents, actions, state, limit
        self.observed, self.action_names = observed, tuple(map(str, range(actions)))

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.zeros((batch, 1), np.int64)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        return Step(state + 1, np.zeros(len(state)), state[:, 0] + 1 >= self.episode_limit, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return np.zeros((len(state), self.state_dim), np.float32)

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.repeat(seen[:, None, : self.observed], self.n_agents, 1)

    def draw(self, state: IntArray) -> str:
        return f"step {state[0]}"


def sized(sizes: Sizes) -> Game:
    """The game of these sizes; it is registered for this process only."""
    if GAME not in REGISTRY:
        REGISTRY.register(GAME)(Sized)
    return make_game(GAME, **asdict(sizes))


def random_parts(transitions: int, sizes: Sizes, with_obs: bool = True, seed: int = 0) -> Iterator[OfflineDataset]:
    """At least so many transitions in whole episodes, some at a time."""
    game, rng = sized(sizes), np.random.default_rng(seed)
    meta = {"spec": game.spec(), "behaviours": ["random"], "seed": seed}
    episodes, slots = -(-transitions // sizes.limit), sizes.limit + 1
    each = slots * (4 * (sizes.state + with_obs * sizes.agents * sizes.observed) + sizes.agents * (8 + sizes.actions))
    at_once = max(1, PART_BYTES // each)
    for first in range(0, episodes, at_once):
        lead = (min(at_once, episodes - first), slots)
        actions = rng.integers(sizes.actions, size=(*lead, sizes.agents))
        available = rng.integers(256, size=(*lead, sizes.agents, sizes.actions), dtype=np.uint8) < 128
        np.put_along_axis(available, actions[..., None], True, axis=3)
        obs = rng.random((*lead, sizes.agents, sizes.observed), dtype=np.float32) if with_obs else None
        yield OfflineDataset(
            rng.random((*lead, sizes.state), dtype=np.float32), actions, available, rng.random(lead, dtype=np.float32),
            np.broadcast_to(np.arange(slots) == sizes.limit - 1, lead), np.ones(lead, np.bool_),
            np.zeros(lead[0], np.int64), meta, obs, source="random data", first=first)


def write_big(path: Path, transitions: int, sizes: Sizes | None = None, with_obs: bool = True, seed: int = 0) -> None:
    """A new folder of random data, in the format that stays on the disk.

    Raises:
        OSError: it exists, or the disk is full.
    """
    Mapped().write(random_parts(transitions, sizes or Sizes(), with_obs, seed), path)


class Begun(NamedTuple):
    """What a process took until its first update.

    Attributes:
        seconds: from its start, Python and libraries included.
        imports: of these, until all was imported.
        building: of these, to build the run and to open its data.
        cpu: seconds of the processor until the first update.
        data: seconds to open the data once more, by itself.
        peak: most memory that was resident, bytes.
        update: seconds of an update after the first ones.
    """

    seconds: float
    imports: float
    building: float
    cpu: float
    data: float
    peak: int
    update: float


def first_update(path: Path, sizes: Sizes | None = None, method: str = "cpa_ar", **overrides: Any) -> Begun:
    """Begins to learn from a data set in a process of its own, on one thread.

    Args:
        path: data of the game :class:`Sized` in any format.
        sizes: its sizes.
        method: what learns.
        overrides: further keys of the configuration.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    asked = {"path": str(path), "sizes": asdict(sizes or Sizes()), "method": method, "overrides": overrides,
             "started": time.time()}
    done = subprocess.run([*python_module(CHILD), json.dumps(asked)], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    return Begun(**json.loads(done.stdout))
