"""Whether what networks are to see fits ``state_levels``."""

from __future__ import annotations

from torch import Tensor

from ..errors import UserError
from .episode_buffer import EpisodeBatch

NOTHING = -1  # such as the place of a food that is eaten, in Level-Based Foraging; networks see it as 0


def check_seen(batch: EpisodeBatch, levels: int, policy_input: str, source: str, first: int = 0) -> None:
    """Refuses episodes ``[E, T + 1, ...]`` with values that ``state_levels`` would cut off.

    Args:
        batch: the episodes.
        levels, policy_input: the config keys.
        source: where they are from, for messages.
        first: number of the first of them.

    Raises:
        UserError: as :func:`check_levels`.
    """
    for key in dict.fromkeys(("state", policy_input)) if levels else ():
        check_levels(levels, batch[key], batch["filled"][..., 0].bool(), source, key, first)


def check_levels(levels: int, seen: Tensor, filled: Tensor, source: str, key: str, first: int = 0) -> None:
    """Refuses values that one-hot vectors of so many levels cannot tell apart.

    Args:
        levels: the config key ``state_levels``; 0 for none.
        seen: states or observations ``[E, T, ...]``.
        filled: which of them are there, bool ``[E, T]``.
        source: where they are from, for messages.
        key: ``state`` or ``obs``.
        first: number of the first episode.

    Raises:
        UserError: naming the first value that is no whole number from 0 to ``levels`` - 1, nor NOTHING.
    """
    if not levels:
        return
    wrong = (seen < NOTHING) | (seen > levels - 1) | (seen != seen.round())
    wrong &= filled.view(*filled.shape, *[1] * (seen.dim() - 2))
    if not wrong.any():
        return
    place = wrong.nonzero()[0].tolist()
    there = seen[filled]
    whole = bool((there == there.round()).all() and (there >= NOTHING).all())
    remedy = f"set state_levels={int(there.max()) + 1}, or 0" if whole else "set state_levels=0"
    raise UserError(f"state_levels={levels} needs whole numbers from 0 to {levels - 1}, but {source} has the value "
                    f"{float(seen[tuple(place)]):g} in '{key}' (episode {first + place[0]}, step {place[1]}); "
                    f"{remedy}.")
