"""Plays episodes as evaluation does, and notes all that happens in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..envs.game import Game, IntArray, Step
from ..errors import UserError
from ..evaluation.play import evaluate
from .agreed import Agreed

Image = NDArray[np.uint8]
Ask = Callable[[int, Tensor], list[Agreed | None]]
Shot = Callable[[Game, IntArray], Image]

MOST_SHOTS = 3000
TRIES = 64  # shared seeds that are tried for keys by which the team plays differently


@dataclass(frozen=True)
class Turn:
    """One step of an episode.

    Attributes:
        step: from 0.
        before, after: the states ``[K]``.
        actions: ``[N]``.
        reward: the team's.
        total: the return up to and with this step.
        done: whether the episode is over.
        info: the game's facts about the step.
        agreed: what the team has agreed on, if it does so.
        image: what an environment of another package showed afterwards, ``[H, W, 3]``.
    """

    step: int
    before: IntArray
    actions: IntArray
    after: IntArray
    reward: float
    total: float
    done: bool
    info: Mapping[str, float]
    agreed: Agreed | None = None
    image: Image | None = None


@dataclass
class Played:
    """One episode.

    Attributes:
        start: its first state ``[K]``.
        image: what an environment of another package showed then.
        turns: the steps.
    """

    start: IntArray
    image: Image | None = None
    turns: list[Turn] = field(default_factory=list)

    @property
    def total(self) -> float:
        """The return."""
        return self.turns[-1].total if self.turns else 0.0


class Watched:
    """A game that notes what is played; in all else it is the game itself.

    Args:
        game: the rules.
        agreed: says what was agreed at a time, for the episodes that are played on.
        shot: takes a picture of a state of an environment of another package; None where painters do without.
    """

    def __init__(self, game: Game, agreed: Ask, shot: Shot | None = None) -> None:
        self._game, self._agreed, self._shot = game, agreed, shot
        self.played: list[Played] = []
        self._running, self._shots = np.zeros(0, dtype=np.int64), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._game, name)

    def _image(self, state: IntArray) -> Image | None:
        if self._shot is None:
            return None
        self._shots += 1
        if self._shots > MOST_SHOTS:
            raise UserError(f"more than {MOST_SHOTS} pictures of an environment of another package fill the memory; "
                            "choose fewer --episodes, shorter ones (env_args.time_limit=...), or text.")
        return self._shot(self._game, state)

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        """As the game's; the episodes begin."""
        state = self._game.initial(batch, rng)
        self.played = [Played(row, self._image(row)) for row in state]
        self._running = np.arange(batch)
        return state

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        """As the game's; each running episode gets a turn."""
        step = self._game.transition(state, actions, rng)
        time = len(self.played[self._running[0]].turns)
        found = self._agreed(time, th.from_numpy(self._running))
        for row, number in enumerate(self._running):
            episode, reward = self.played[number], float(step.reward[row])
            facts = {key: float(values[row]) for key, values in step.info.items()}
            episode.turns.append(Turn(time, state[row], actions[row], step.state[row], reward, episode.total + reward,
                                      bool(step.done[row]), facts, found[row], self._image(step.state[row])))
        self._running = self._running[~step.done]
        return step


class Team(Protocol):
    """Whoever can be shown: the team of a checkpoint, or exported agents.

    Attributes:
        folder: that it comes from.
        game, info: the rules and their sizes.
        mac: chooses actions, and takes the seed that the agents share.
        seed: of the game.
        t_env: when it was saved.
        greedy: whether it plays what is most likely.
        shares_key: whether the agents draw keys of a seed that they share.
        in_order: whether they decide one after the other, each knowing what those before it do.
        title: what it is, in a few words.
    """

    folder: Path
    game: Game
    info: EnvInfo
    mac: Any
    t_env: int

    @property
    def seed(self) -> int: ...
    @property
    def greedy(self) -> bool: ...
    @property
    def shares_key(self) -> bool: ...
    @property
    def in_order(self) -> bool: ...
    @property
    def title(self) -> str: ...

    def agreed(self, batch: EpisodeBatch, t: int, rows: Tensor) -> list[Agreed | None]:
        """What was agreed on at time ``t``, for each of the episodes ``rows`` ``[R]``."""


def play(team: Team, episodes: int = 1, shot: Shot | None = None) -> list[Played]:
    """Plays so many episodes at once, just as an evaluation with so many would."""
    batch = team.info.batch(episodes)
    watched = Watched(team.game, partial(team.agreed, batch), shot)
    evaluate(cast(Game, watched), cast(Controller, team.mac), batch, team.seed, team.t_env)
    return watched.played


def play_by_keys(team: Team, keys: int, episodes: int = 1, shot: Shot | None = None,
                 ) -> dict[int, list[Played]]:
    """Plays the same starts with the same luck of the game under several keys, by which the team plays differently.

    Returns:
        Episodes by the seed that the agents share: the team's own and the next ones that make a difference.

    Raises:
        UserError: the team shares no key, always plays what is most likely, or plays the same under all keys tried.
    """
    if not team.shares_key:
        raise UserError("--keys shows teams that share a key (--config=cpa_pa, once its students learn, or cpa_ar with "
                        f"shared_seed=true); {team.folder} is one without.")
    if team.greedy:
        raise UserError("--keys and --greedy contradict each other: the most likely joint action needs no key.")
    found: dict[int, list[Played]] = {}
    ways: set[bytes] = set()
    for seed in range(team.seed, team.seed + TRIES):
        team.mac.seed_with(seed)
        played = play(team, episodes, shot)
        way = b"".join(turn.actions.astype(np.int64).tobytes() for episode in played for turn in episode.turns)
        if way not in ways:
            ways.add(way)
            found[seed] = played
        if len(found) == keys:
            return found
    raise UserError(f"with {TRIES} shared seeds the team of {team.folder} plays in {len(ways)} way"
                    f"{'s' * (len(ways) > 1)} here, not in {keys}; choose a smaller --keys, or another --seed.")
