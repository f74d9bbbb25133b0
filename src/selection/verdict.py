"""Which team is the best by an estimate, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..valuation.estimate import Estimate
from .plays import Candidate

TIED = 1e-6  # bounds that differ by less than this share of the largest are the same


@dataclass(frozen=True, repr=False)
class Verdict:
    """K teams in the order in which they were given; printed as a table.

    Attributes:
        names, folders: of their checkpoints.
        value: estimated mean return, in the game's units ``[K]``.
        error: standard error of that, as far as the data do not settle it ``[K]``.
        bound: value minus ``caution`` times error, by which the team is chosen ``[K]``.
        unseen: share of recorded steps at whose state the team plays what the data hardly hold ``[K]``.
        chosen: number of the chosen team.
        regret_at_most: how much better another team may be, ``caution`` standard errors of the difference included.
        facts: everything, plain JSON.
        hindsight: what the teams reached when they were played afterwards ``[K]``, in the units of the game's headline;
            None if they were not.
    """

    names: tuple[str, ...]
    folders: tuple[Path, ...]
    value: NDArray[np.float64] = field(repr=False)
    error: NDArray[np.float64] = field(repr=False)
    bound: NDArray[np.float64] = field(repr=False)
    unseen: NDArray[np.float64] = field(repr=False)
    chosen: int
    regret_at_most: float
    facts: dict[str, Any]
    hindsight: NDArray[np.float64] | None = None

    @property
    def folder(self) -> Path:
        """Of the chosen checkpoint."""
        return self.folders[self.chosen]

    def __repr__(self) -> str:
        head = ["", "value", "error", "bound", "unseen", *([] if self.hindsight is None else ["played"])]
        rows = [[f"{'* ' if k == self.chosen else '  '}{name}", f"{self.value[k]:.4f}", f"{self.error[k]:.4f}",
                 f"{self.bound[k]:.4f}", f"{100 * self.unseen[k]:.1f}%",
                 *([] if self.hindsight is None else [f"{self.hindsight[k]:.4f}"])]
                for k, name in enumerate(self.names)]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in
                                                       zip(row[1:], widths[1:], strict=True))]).rstrip()
                 for row in [head, *rows]]
        return "\n".join([*lines, *self.facts["told"], f"chosen: {self.folder}"])

    def content(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        columns = {"value": self.value, "error": self.error, "bound": self.bound, "unseen": self.unseen,
                   **({} if self.hindsight is None else {"played": self.hindsight})}
        teams = [{"name": name, "folder": str(folder), **self.facts["teams"][k],
                  **{column: float(values[k]) for column, values in columns.items()}}
                 for k, (name, folder) in enumerate(zip(self.names, self.folders, strict=True))]
        return {**self.facts, "chosen": str(self.folder), "regret_at_most": self.regret_at_most, "teams": teams}


def verdict(candidates: Sequence[Candidate], estimate: Estimate, caution: float, facts: dict[str, Any]) -> Verdict:
    """Chooses by the lower bound; of teams with the same, the one that strays least from the data, then the latest.

    Args:
        candidates: the teams.
        estimate: of them.
        caution: how many standard errors below its value a team counts.
        facts: what else is to be recorded; ``told`` are sentences for people.
    """
    bound = estimate.value - caution * estimate.error
    near = TIED * max(1e-9, float(np.abs(bound).max()))
    tied = np.flatnonzero(bound >= bound.max() - near)
    chosen = min(tied.tolist(), key=lambda k: (round(float(estimate.unseen[k]), 6), -candidates[k].t_env, -k))
    at_most = max(0.0, round(float(estimate.better_by(chosen, caution).max()), 9))
    teams = [{"method": each.config["name"], "seed": each.config["seed"], "t_env": each.t_env, "data": each.data,
              "start_error": float(start)} for each, start in zip(candidates, estimate.start_error, strict=True)]
    told = [f"value: estimated mean return, {_discount(estimate.gamma)}, by {_way(estimate)}; bound: value - "
            f"{caution:g} x error; unseen: share of recorded steps at which it plays what the data hardly hold",
            f"by the data, another one is better by at most {at_most:.4g} (within {caution:g} standard errors)",
            *facts.get("told", [])]
    known = {**facts, "way": estimate.way, "gamma": estimate.gamma, "caution": caution, "effort": estimate.facts,
             "teams": teams, "told": told}
    return Verdict(tuple(each.name for each in candidates), tuple(each.folder for each in candidates), estimate.value,
                   estimate.error, bound, estimate.unseen, chosen, at_most, known)


def _discount(gamma: float) -> str:
    return "undiscounted" if gamma == 1.0 else f"discounted by {gamma:g}"


def _way(estimate: Estimate) -> str:
    if estimate.way == "table":
        return f"counting ({estimate.facts['states']} states, {estimate.facts['pairs']} joint actions in them)"
    return f"fitted Q evaluation ({estimate.facts['members']} networks, {estimate.facts['updates']} updates)"
