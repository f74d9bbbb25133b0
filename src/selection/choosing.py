"""From model folders to the one to take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..errors import UserError, clipped, shown
from ..provenance import provenance
from ..settings import MOST_SEED
from ..utils.files import reason, write_text
from .candidates import candidates_of, data_of
from .effort import WAYS, Effort
from .hindsight import with_hindsight
from .judging import judge
from .verdict import Verdict


def choose(models: Sequence[str], data: str = "", caution: float = 1.0, seed: int = 0, way: str = "auto",
           updates: int = Effort.updates, hindsight: int = 0, folder: str = "datasets", key: str = "") -> Verdict:
    """Says which checkpoint is the best, from recorded data alone.

    Args:
        models: model folders of runs, or single checkpoints in them.
        data: recipe or file; by default what the teams learned from.
        caution: how many standard errors below its value a team counts.
        seed: decides all bits.
        way: ``table``, ``networks`` or ``auto``.
        updates: of the networks.
        hindsight: episodes that every team plays afterwards, to see what the choice has cost; 0: the game is never
            played.
        folder: where data sets made from recipes are kept.
        key: see :class:`..build.Team`.

    Raises:
        UserError: there is nothing to choose from, the teams do not fit together or the data, or an argument is wrong.
    """
    for name, number, least in (("updates", updates, 1), ("hindsight", hindsight, 0)):
        if number < least:
            raise UserError(f"{name} must be a whole number of at least {least}, not {number}.")
    if not 0 <= seed <= MOST_SEED:
        raise UserError(f"seed must be a whole number in 0 .. {MOST_SEED}, not {shown(seed)}.")
    if way not in WAYS:
        raise UserError(f"way must be {', '.join(WAYS)}, not {clipped(way)}.")
    candidates, game = candidates_of(models, key)
    source, args, told = data_of(candidates, data, folder)
    made_by = {"version": __version__, **provenance(candidates[0].config, game, tuple(sorted(
        Path(__file__).parent.glob("*.py"))))}
    facts = {"game": game.spec(), "data": {"source": source.dataset.source, "digest": source.dataset.digest},
             "made_by": made_by, "told": told}
    found = judge(source, candidates, args, caution, seed, way, Effort(updates=updates), facts)
    return with_hindsight(found, candidates, game, hindsight) if hindsight else found


def write(found: Verdict, out: Path) -> None:
    """Writes everything as JSON, all or nothing.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        write_text(out, json.dumps(found.content(), indent=1) + "\n")
    except OSError as error:
        raise UserError(f"the choice cannot be written to {clipped(out)} ({reason(error)}); choose another file with "
                        "--out.") from None
