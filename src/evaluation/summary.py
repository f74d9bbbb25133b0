"""What a run ends with: its last evaluation beside random play and the exact optimum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..components.episode_buffer import EpisodeBatch
from ..envs.game import Game
from ..envs.score import score
from .play import Values, headline_of


def summarise(game: Game, results: Mapping[str, Values], batch: EpisodeBatch, optimum: float | None,
              ) -> dict[str, Any]:
    """Facts of an evaluation, plain JSON.

    Args:
        game: that was played.
        results: values per episode.
        batch: the episodes.
        optimum: of the return, None where unknown; some games need a second to find it.

    Returns:
        The mean of every result (those that an environment of another package gives under ``info``); ``optimum``,
        ``headline`` (of the exact return, where it is known) and ``headline_optimum`` (None where unknown); where the
        optimum is known ``headline_random`` and ``score`` (0 for random play, 1 for the optimum), where it is not, but
        what it is at most, ``headline_random`` and ``headline_bound``; and ``joint_action`` for a game of one step in
        which all episodes played the same one.
    """
    means = {key: float(values.mean()) for key, values in results.items() if key not in game.foreign_keys}
    value, best = headline_of(game, results), game.headline_optimum()
    facts: dict[str, Any] = {**means, "optimum": optimum, "headline": value, "headline_optimum": best}
    if best is not None:
        random = game.random_headline()
        facts |= {"headline_random": random, "score": score(value, random, best)}
    elif (bound := game.headline_bound()) is not None:
        facts |= {"headline_random": game.random_headline(), "headline_bound": bound}
    if foreign := {key: float(values.mean()) for key, values in results.items() if key in game.foreign_keys}:
        facts["info"] = foreign  # by itself: what others call their numbers could be a name of ours
    if game.episode_limit == 1 and (action := _only_action(batch)) is not None:
        facts["joint_action"] = action
    return facts


def _only_action(batch: EpisodeBatch) -> list[int] | None:
    """The first joint action of all episodes, if all began alike and it is one and the same."""
    played: Tensor = batch["actions"][:, 0, :, 0]
    states: Tensor = batch["state"][:, 0]
    same = bool((played == played[0]).all() and (states == states[0]).all())
    return played[0].tolist() if same else None
