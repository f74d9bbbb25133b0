"""Episodes that are played in environments of other packages, each in one of its own or many in step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UserError
from .game import IntArray
from .world import Outcome, Shown, World


class Crowd(ABC):
    """Environments that move in step, one for each episode of a batch.

    Attributes:
        key: what to call them in messages.
        playing: the places of those whose episodes are played on.
    """

    key: str
    playing: set[int]

    @abstractmethod
    def reset(self, seed: int) -> list[Shown]:
        """Begins an episode in each."""

    @abstractmethod
    def step(self, actions: Mapping[int, IntArray]) -> dict[int, Outcome]:
        """Plays a joint action ``[N]`` at each of the places; what happens at others does not count."""

    @abstractmethod
    def view(self, place: int) -> Any:
        """What can ``render()`` one of them."""

    @abstractmethod
    def close(self) -> None:
        """Gives back windows and files."""


class WorldEpisode:
    """One episode in an environment of another package, which belongs to this episode until it is over.

    Args:
        shown: what was seen at first.
        world: the environment; None where it is one of a crowd.
        crowd: the environments that move in step with it.
        place: which of them it is.

    Attributes:
        shown: what was seen at each time, so far.
        last: the outcome of the last step; None before the first.
        over: whether it cannot be played on.
    """

    def __init__(self, shown: Shown, world: World | None = None, crowd: Crowd | None = None, place: int = 0) -> None:
        self.world, self.crowd, self.place = world, crowd, place
        self.shown = [shown]
        self.last: Outcome | None = None
        self.over = False

    @property
    def view(self) -> Any:
        """What can ``render()`` this episode, if it was made with a ``render_mode``."""
        if self.crowd is not None:
            return self.crowd.view(self.place)
        assert self.world is not None
        return self.world.env

    def take(self, outcome: Outcome, limit: int) -> None:
        """Notes what a step led to; at ``limit`` steps the episode is cut off."""
        self.shown.append(outcome.shown)
        if not outcome.terminated and len(self.shown) > limit:
            outcome = outcome._replace(truncated=True)
        self.last = outcome
        if outcome.terminated or outcome.truncated:
            self.end()

    def end(self) -> None:
        """It will not be played on."""
        self.over = True
        if self.crowd is not None:
            self.crowd.playing.discard(self.place)


def play_on(episodes: Sequence[WorldEpisode], actions: IntArray, limit: int) -> None:
    """Plays one step of each of the episodes, none of which is over.

    Args:
        episodes: B of them.
        actions: ``[B, N]``.
        limit: number of steps after which an episode is cut off.

    Raises:
        UserError: an episode is left behind by those that move in step with it.
    """
    crowds: dict[int, Crowd] = {}
    moves: dict[int, dict[int, IntArray]] = {}
    for episode, chosen in zip(episodes, actions, strict=True):
        if episode.crowd is None:
            assert episode.world is not None
            episode.take(episode.world.step(chosen), limit)
        else:
            crowds[id(episode.crowd)] = episode.crowd
            moves.setdefault(id(episode.crowd), {})[episode.place] = chosen
    outcomes = {}
    for each, crowd in crowds.items():
        if len(moves[each]) < len(crowd.playing):
            raise UserError(f"episodes of {crowd.key} that begin together move in step: play all of them on that are "
                            "not over, or release those that are not.")
        outcomes[each] = crowd.step(moves[each])
    for episode in episodes:
        if episode.crowd is not None:
            episode.take(outcomes[id(episode.crowd)][episode.place], limit)
