"""Behaviours of the games beyond the paper's size: those of the games that they are a larger kind of."""

from __future__ import annotations

import numpy as np

from ..envs.game import Game, IntArray
from ..envs.sensor_large import SensorLarge
from .behaviours import REGISTRY, JointPolicy, behaviour

MODES = 4  # experts, as in the small game

for name in ("eager", "hesitant"):
    REGISTRY[f"sensor_large/{name}"] = REGISTRY[f"sensor/{name}"]
for name in ("parity", "maximal", "independent"):
    REGISTRY[f"aloha_large/{name}"] = REGISTRY[f"aloha/{name}"]


@behaviour("sensor_large/expert")
def _expert(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
    """Four exact experts, a quarter of the episodes each, that break ties in different ways."""
    assert isinstance(game, SensorLarge)
    taste = rng.random((MODES, game.n_agents, game.n_actions))

    def act(state: IntArray, episode: IntArray, rng: np.random.Generator) -> IntArray:
        return np.stack([game.plan(preys, taste[number % MODES])[1]
                         for preys, number in zip(state[:, 1:].tolist(), episode.tolist(), strict=True)])

    return act
