"""The states of a game behind recorded vectors, as they followed one another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.states import state_of
from ..envs.game import Game, IntArray

#: what the pictures of our games mean
LEGENDS = {
    "aloha": "Discs are islands with the number of messages that wait there. Around those that just sent: green, it "
             "arrived; red, it collided; grey, there was nothing to send.",
    "bridge": "A wants to go to the pale blue cell, B to the pale orange one; lines show where they came from.",
    "permutation": "One box for each agent's choice: green after a win, red after a loss.",
    "sensor": "Blue: sensors. Orange: targets, and rings where they just were. Lines are scans: green, it paid; red, "
              "it was wasted.",
    "xor": "One box for each agent's choice: green after a win, red after a loss.",
}
LEGENDS |= {f"{name}_large": LEGENDS[name] for name in ("aloha", "sensor")}


def story(game: Game, seen: NDArray[np.float32], actions: IntArray, lengths: IntArray) -> IntArray | None:
    """States ``[E, T + 1, K]`` of episodes; what stands behind an episode's end means nothing.

    What a vector does not show, such as how many messages were sent so far, is what the rules make of the actions.

    Args:
        game: the rules.
        seen: state vectors ``[E, T + 1, S]``.
        actions: ``[E, T + 1, N]``.
        lengths: time of the last state of each episode, ``[E]``.

    Returns:
        None where the game cannot tell its states by their vectors.
    """
    episode, time = np.nonzero(np.arange(seen.shape[1]) <= lengths[:, None])
    known = state_of(game, seen[episode, time], time)
    if known is None:
        return None
    states = np.zeros((*seen.shape[:2], known.shape[1]), dtype=np.int64)
    states[episode, time] = known
    hidden = [k for k in range(1, known.shape[1]) if not known[:, k].any() and not _shows(game, known, k)]  # 0: time
    if hidden:
        _remember(game, states, actions, lengths, np.array(hidden))
    return states


def _shows(game: Game, known: IntArray, column: int) -> bool:
    """Whether state vectors tell one column of the states from 0."""
    other = known[:1].copy()
    other[:, column] = 1
    try:
        return not np.array_equal(game.global_state(other), game.global_state(known[:1]))
    except (IndexError, ValueError):  # no state of the game
        return True


def _remember(game: Game, states: IntArray, actions: IntArray, lengths: IntArray, hidden: NDArray[Any]) -> None:
    """Fills the columns that no vector shows, step by step."""
    rng = np.random.default_rng(0)
    for t in range(int(lengths.max())):
        rows = np.flatnonzero(lengths > t)
        after = game.transition(states[rows, t], actions[rows, t], rng).state
        states[rows[:, None], t + 1, hidden] = after[:, hidden]
