"""A game without sense but of any size, to measure what sizes cost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...envs import REGISTRY
from ...envs.game import Game, IntArray, Step

NAME = "benchmark_shape"
STATES = 1024  # different ones


@dataclass(frozen=True)
class Shape:
    """Sizes: N agents, A actions, S entries of a state, T steps, B episodes in a batch, E of them recorded, H units."""

    agents: int = 10
    actions: int = 9
    state: int = 100
    steps: int = 10
    batch: int = 26
    episodes: int = 500
    hidden: int = 64

    def with_(self, **sizes: int) -> Shape:
        """The same with other sizes."""
        return replace(self, **sizes)


#: of the performance notes: N10 A9 S100 H128, 260 steps
REFERENCE = Shape(hidden=128)


class ShapeGame(Game):
    """States are drawn from a fixed table; rewards are noise.

    Args:
        n_agents, n_actions, state_dim, episode_limit: N, A, S and T.
    """

    name = NAME

    def __init__(self, n_agents: int = 2, n_actions: int = 2, state_dim: int = 1, episode_limit: int = 1) -> None:
        self.n_agents, self.n_actions, self.state_dim = n_agents, n_actions, state_dim
        self.episode_limit = episode_limit
        self.action_names = tuple(f"a{i}" for i in range(n_actions))
        self._table = np.random.default_rng(0).random((STATES, state_dim), dtype=np.float32)

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.stack([np.zeros(batch, dtype=np.int64), rng.integers(STATES, size=batch)], 1)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        after = np.stack([state[:, 0] + 1, rng.integers(STATES, size=len(state))], 1)
        return Step(after, rng.random(len(state)), after[:, 0] >= self.episode_limit, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return self._table[state[:, 1]]

    def draw(self, state: IntArray) -> str:
        return str(state)


@contextmanager
def shaped(shape: Shape, folder: Path | None = None) -> Iterator[str]:
    """An environment file for a game of this size, which is known inside the ``with`` block only.

    Args:
        shape: sizes.
        folder: for the file; None: one that is gone afterwards.
    """
    sizes = asdict(shape)
    text = f"env: {NAME}\nenv_args: {{n_agents: {sizes['agents']}, n_actions: {sizes['actions']}, state_dim: " \
           f"{sizes['state']}, episode_limit: {sizes['steps']}}}\nbatch_size: {sizes['batch']}\nt_max: 1000\n" \
           f"hidden_dim: {sizes['hidden']}\nrecipes:\n" \
           f"  medium: {{episodes: {sizes['episodes']}, mixture: {{random: 1.0}}}}\n"
    known = NAME in REGISTRY
    if not known:
        REGISTRY[NAME] = ShapeGame
    with tempfile.TemporaryDirectory(dir=folder) as place:
        file = Path(place) / "shape.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            yield str(file)
        finally:
            if not known:
                del REGISTRY[NAME]
