"""Choosing among trained teams from recorded data."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..errors import UserError, shown
from ..selection.choosing import choose
from ..selection.effort import WAYS, Effort
from ..selection.verdict import Verdict
from .teams import checked_seed
from .undisturbed import undisturbed
from .words import named, one_of, whole

Models = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def select(models: Models, data: str | os.PathLike[str] = "", *, caution: float = 1.0, seed: int = 0,
           way: str = "auto", updates: int = Effort.updates, hindsight: int = 0,
           datasets_path: str | os.PathLike[str] = "datasets", key: str = "") -> Verdict:
    """Says which of several trained teams is the best, from the recorded data alone.

    ::

        print(select(run.model))  # all checkpoints of one run: train with save_model_interval=<updates>

    Where states and joint actions of the data repeat, their means are a model in which every team is evaluated; else an
    ensemble of networks is fitted (fitted Q evaluation).  What the data hardly hold counts as the worst that they do,
    and the team with the highest lower bound is chosen.

    Args:
        models: model folders of runs, or single checkpoints in them, all for the same game.
        data: recipe or file of recorded episodes; by default what the teams learned from.
        caution: how many standard errors below its value a team counts.
        seed: decides all bits.
        way: ``table``, ``networks``, or ``auto``.
        updates: of the networks.
        hindsight: episodes that every team plays afterwards, to see what the choice has cost; 0: the game is never
            played.
        datasets_path: where data sets made from recipes are kept.
        key: ``env_args.key`` of the environment, if that is of another package.

    Returns:
        The choice, with values, errors and bounds of all; its ``folder`` is a model that everything here takes.

    Raises:
        UserError: there is nothing to choose from, the teams do not fit together or the data, or an argument is wrong.
    """
    if not isinstance(models, str | os.PathLike | Iterable):
        raise UserError(f"models must be model folders, not {shown(models)}.")
    given = [models] if isinstance(models, str | os.PathLike) else list(models)
    for name, number in (("updates", updates), ("hindsight", hindsight)):
        if whole(number) is None:
            raise UserError(f"{name} must be a whole number, not {shown(number)}.")
    one_of("way", way, WAYS)
    with undisturbed():
        return choose([named("a model", each) for each in given], named("data", data), caution, checked_seed(seed), way,
                      updates, hindsight, named("datasets_path", datasets_path), key)
