"""Calls into environments of other packages: what goes wrong there, and what comes back, in sentences."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..errors import UserError, clipped, one_line


def called(key: str, what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls a method of an environment; whatever goes wrong in somebody's code is told in a sentence.

    Raises:
        UserError: it raised something.
    """
    try:
        return function(*args, **kwargs)
    except UserError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:]
        place = f", in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        if isinstance(error, TypeError) and "seed" in str(error):
            place += "; it must take seed and options, as Gymnasium and PettingZoo have it now"
        raise UserError(f"{what} of {key} failed ({described(error)}{place}).") from error


def closed(key: str, close: Callable[[], Any]) -> None:
    """Closes an environment; one that fails then has been played all the same, so that is a warning, once."""
    try:
        close()
    except Exception as error:  # whatever somebody's code makes of its windows and files
        _warn_once(f"close() of {key} failed ({described(error)}); what was learned and evaluated counts all the same.")


@cache
def _warn_once(sentence: str) -> None:
    logging.getLogger("epymarl_cpa").warning("%s", sentence)


def parts(key: str, what: str, returned: Any, names: Sequence[str]) -> tuple[Any, ...]:
    """What ``reset()`` or ``step()`` returned, if it is as many things as Gymnasium and PettingZoo have there.

    Raises:
        UserError: it is not, as in older versions of these interfaces.
    """
    whole = isinstance(returned, tuple | list) and len(returned) == len(names)
    if not whole or not isinstance(returned[-1], Mapping | None):
        found = f"{len(returned)} things" if isinstance(returned, tuple) else f"a {type(returned).__name__}"
        found = "a last one that is no dict" if whole else found
        raise UserError(f"{what} of {key} must return {len(names)} things, {', '.join(names)} (as Gymnasium and "
                        f"PettingZoo have it now), but returned {found}.")
    return (*returned[:-1], returned[-1] or {})


def number(key: str, who: str, paid: Any) -> float:
    """A reward as a number; an array of one number is one.

    Raises:
        UserError: it is none, or not finite.
    """
    try:
        array = np.asarray(paid, dtype=np.float64)
        value = float(array.reshape(())) if array.size == 1 and paid is not None else np.nan
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise UserError(f"{key} pays {who} {clipped(repr(paid))}; a reward must be one finite number.")
    return value


def described(error: Exception) -> str:
    """The kind of an error and what it says, on one line."""
    said = one_line(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def not_built(key: str, kwargs: Mapping[str, Any], error: Exception) -> UserError:
    """The sentence about an environment that does not accept its arguments."""
    return UserError(f"{key} cannot be built with env_args.kwargs={dict(kwargs)} ({described(error)}).")
