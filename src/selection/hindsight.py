"""What teams reach when they are played after all, to see what a choice has cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..components.env_info import EnvInfo
from ..envs.game import Game
from ..evaluation.exact import can_be_exact, exact_return
from ..evaluation.play import EXACT, evaluate, headline_of
from ..utils.bounded import check_memory
from .plays import Candidate
from .verdict import Verdict

Floats = NDArray[np.float64]


def with_hindsight(found: Verdict, candidates: Sequence[Candidate], game: Game, episodes: int) -> Verdict:
    """Plays all teams, after one of them was chosen.

    Args:
        found: the choice.
        candidates: the teams.
        game: the rules.
        episodes: of each, the same games for all.

    Raises:
        UserError: this machine cannot hold so many episodes.
    """
    info = EnvInfo.of(game)
    check_memory(f"hindsight={episodes} episodes", episodes * info.episode_bytes)
    reached, played = np.zeros(len(candidates)), list[Floats]()
    for k, each in enumerate(candidates):
        results = evaluate(game, each.mac, info.batch(episodes), candidates[0].config["seed"], each.t_env)
        if can_be_exact(game, each.mac):
            exact = exact_return(game, each.mac, info.batch, each.t_env)
            results |= {} if exact is None else {EXACT: np.array([exact])}
        reached[k] = headline_of(game, results)
        played.append(results[EXACT if game.headline == "return" and EXACT in results else game.headline])
    regret, best = float(reached.max() - reached[found.chosen]), game.headline_optimum()
    error = _error(played[int(reached.argmax())], played[found.chosen])
    told = f"played: {episodes} episodes each ({game.headline}); the choice costs {regret:.4g}" \
        f"{f' ± {error:.2g}' if error else ''} against the best of them"
    facts = {**found.facts, "played_episodes": episodes, "regret": regret, "regret_error": error,
             "headline": game.headline}
    if best is not None and (span := best - game.random_headline()) > 0:
        told += f", {100 * regret / span:.2f} % of the span from random play to the optimum"
        facts["regret_share"] = regret / span
    return replace(found, hindsight=reached, facts={**facts, "told": [*found.facts["told"], told]})


def _error(one: Floats, other: Floats) -> float:
    """Standard error of the difference of two teams' means.

    Args:
        one, other: what each reached in the same games ``[episodes]``, or its exact mean ``[1]``.
    """
    apart = [one - other] if one.shape == other.shape else [one, other]
    return float(np.hypot.reduce([each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else 0.0 for each in apart]))
