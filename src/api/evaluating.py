"""What a team reaches in play."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components.levels import check_seen
from ..evaluation.diversity import diversity
from ..evaluation.exact import can_be_exact, exact_return
from ..evaluation.play import EXACT, Values
from ..evaluation.play import evaluate as play
from ..evaluation.summary import summarise
from .teams import checked_episodes, trained_team
from .undisturbed import undisturbed


@dataclass(frozen=True)
class Evaluation:
    """What a team reached, all episodes undiscounted.

    Attributes:
        mean_return: over the episodes played.
        optimum: the best expected return that any team can have; None where nobody knows it.
        headline: the mean of what results of the game are quoted in (``game.headline``): the return, exactly where it
            can be computed, or another figure, such as Aloha's messages sent.
        headline_optimum: the best that any team can expect of it; None where nobody knows it.
        score: of the headline, 0 for random play and 1 for the optimum; None where the optimum is unknown.
        values: of every episode ``[E]`` by name (``return``, ``ep_length``, the game's own), and of every state
            that was met, if diversity was measured.
        facts: everything as a run's result has it, plain JSON values.
    """

    mean_return: float
    optimum: float | None
    headline: float
    headline_optimum: float | None
    score: float | None
    values: Mapping[str, NDArray[np.float64]] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)

    @staticmethod
    def of(facts: Mapping[str, Any], values: Mapping[str, Values]) -> Evaluation:
        """From a run's result and its last evaluation."""
        return Evaluation(facts["return"], facts["optimum"], facts["headline"], facts["headline_optimum"],
                          facts.get("score"), dict(values), dict(facts))


def evaluate(model: str | os.PathLike[str], episodes: int = 500, *, seed: int | None = None,
             greedy: bool | None = None, key: str = "") -> Evaluation:
    """Plays a trained team, all episodes at once.

    With the settings of its run it repeats, bit for bit, the run's own last evaluation.

    Args:
        model: the run's model folder, or one checkpoint in it.
        episodes: E.
        seed: of the game and of what the team draws; None: the run's.
        greedy: whether the team plays what it likes best, or draws, and is measured for diversity, too; None: as in
            its run (``test_greedy``).
        key: ``env_args.key`` of its environment, if that is of another package: what a model folder says is not
            enough to import and call it.

    Raises:
        UserError: no whole checkpoint is there, it cannot be used here, or a number is out of range.
    """
    with undisturbed():
        team = trained_team(model, key, seed, greedy)
        game, batch = team.game, team.info.batch(checked_episodes(episodes, team.info))
        drawn = int(team.config["seed"])
        values = play(game, team.mac, batch, drawn, team.t_env)
        check_seen(batch, team.config["state_levels"], team.config["policy_input"], game.name)
        if can_be_exact(game, team.mac):
            exact = exact_return(game, team.mac, team.info.batch, team.t_env)
            values |= {} if exact is None else {EXACT: np.array([exact])}
        if not team.config["test_greedy"]:
            values |= diversity(game, team.mac, batch, drawn)
        return Evaluation.of(summarise(game, values, batch, game.optimum()), values)
