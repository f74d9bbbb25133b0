"""From recorded state vectors back to the states of a game."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..envs.aloha import Aloha
from ..envs.game import Game, IntArray


def state_of(game: Game, seen: NDArray[np.float32], time: IntArray) -> IntArray | None:
    """The states ``[B, K]`` whose vectors ``[B, S]`` were seen at times ``[B]``; None where the game cannot tell."""
    if not game.pure:
        return None
    state = _islands(game, seen) if isinstance(game, Aloha) else game.decode(seen)
    if state is None or not np.array_equal(game.global_state(state), seen):
        return None
    state[:, 0] = time
    return state


def _islands(game: Aloha, seen: NDArray[np.float32]) -> IntArray:
    """States of Aloha by their backlogs; how many messages were sent and collided so far does not show."""
    backlog = np.rint(seen.astype(np.float64) * game.max_backlog).astype(np.int64)
    return np.concatenate([np.zeros((len(seen), 3), dtype=np.int64), backlog], 1)
