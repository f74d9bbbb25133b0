"""One running episode of a game: what the adapters to other libraries share."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, shown
from .game import Game, IntArray
from .picture import Last
from .rendering import paint

#: ways to show a state; ``human`` prints text and needs no window
RENDER_MODES = ["human", "ansi", "rgb_array"]


def checked_render_mode(mode: str | None) -> str | None:
    """Returns ``mode`` as it is.

    Raises:
        UserError: it is not among the render modes.
    """
    if mode is not None and mode not in RENDER_MODES:
        raise UserError(f"render_mode must be one of {', '.join(RENDER_MODES)}, not '{mode}'.")
    return mode


def seed_of_game(seed: SupportsIndex | None) -> int | None:
    """A seed as NumPy takes it, as it is.

    Raises:
        UserError: it is neither a whole number from 0 nor None.
    """
    try:
        if seed is None or operator.index(seed) >= 0:
            return None if seed is None else operator.index(seed)
    except TypeError:
        pass  # told below
    raise UserError(f"seed must be a whole number of at least 0, or None, not {shown(seed)}.")


class Episode:
    """Plays a game one episode at a time.

    Args:
        game: the rules.
        seed: of the game's randomness; None draws one from the system.

    Attributes:
        state: current state, ``[1, K]``.
        last: the state before it and the joint action taken there, or None after a reset.
        done: whether the episode is over.
        truncated: whether it was cut off rather than ended.
        rng: source of the game's randomness.
    """

    def __init__(self, game: Game, seed: int | None = None) -> None:
        self.game = game
        self.rng = np.random.default_rng(seed_of_game(seed))
        self.state = np.empty((0, 0), dtype=np.int64)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        """Starts the next episode; a seed starts the randomness afresh as well.

        Raises:
            UserError: the seed is none.
        """
        if seed is not None:
            self.rng = np.random.default_rng(seed_of_game(seed))
        self.game.release(self.state)
        self.state = self.game.initial(1, self.rng)
        self.last: Last | None = None
        self.done = self.truncated = False

    def step(self, actions: Iterable[SupportsIndex]) -> tuple[float, list[float] | None, dict[str, float]]:
        """Plays one joint action, an integer for each agent.

        Actions that the mask forbids are accepted; the game says what they lead to.

        Returns:
            The team's reward, the agents' own (N, or None where only the team is paid), and the game's facts
            about the step.

        Raises:
            UserError: the episode is over, or the actions are not N integers in 0 .. A - 1.
        """
        if self.done:
            raise UserError(f"this episode of {self.game.name} is over; call reset() before step().")
        joint = self._joint_action(actions)
        after = self.game.transition(self.state, joint, self.rng)
        self.last = self.state[0], joint[0]
        self.state, self.done = after.state, bool(after.done[0])
        self.truncated = self.done and not after.terminated[0]
        own = None if after.rewards is None else [float(reward) for reward in after.rewards[0]]
        return float(after.reward[0]), own, {key: float(value[0]) for key, value in after.info.items()}

    def _joint_action(self, actions: Iterable[SupportsIndex]) -> IntArray:
        game = self.game
        try:
            chosen = [operator.index(action) for action in actions]
        except TypeError:
            raise UserError(f"the actions of {game.name} must be integers, not {shown(actions)}.") from None
        if len(chosen) != game.n_agents:
            raise UserError(f"{game.name} needs {game.n_agents} actions, one for each agent, not {len(chosen)}.")
        for agent, action in enumerate(chosen):
            if not 0 <= action < game.n_actions:
                raise UserError(f"action {shown(action)} of agent {agent} is not an action of {game.name}; "
                                f"choose 0 to {game.n_actions - 1}.")
        return np.array([chosen])

    def observations(self) -> list[NDArray[np.float32]]:
        """What each agent sees, N arrays ``[O]`` of their own."""
        return [np.array(row) for row in self.game.observe(self.state)[0]]

    def global_state(self) -> NDArray[np.float32]:
        """The global state, ``[S]``."""
        return np.array(self.game.global_state(self.state)[0])

    def masks(self) -> NDArray[np.int8]:
        """1 for each action that may be chosen, ``[N, A]``."""
        return np.array(self.game.available(self.state)[0], dtype=np.int8)

    def render(self, mode: str | None) -> NDArray[np.uint8] | str | None:
        """The current state as text (``ansi``), RGB image (``rgb_array``) or printed text (``human``)."""
        if mode == "rgb_array":
            return paint(self.game, self.state[0], self.last)
        if mode == "ansi":
            return self.game.draw(self.state[0])
        if mode == "human":
            print(self.game.draw(self.state[0]), end="\n\n")
        return None
