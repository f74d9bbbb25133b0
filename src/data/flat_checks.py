"""Whether flat arrays that somebody supplies are what they are given as; every complaint names key and row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError, one_line

Array = NDArray[Any]


def array_of(source: str, key: str, given: ArrayLike) -> Array:
    """An array of numbers or truth values."""
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:  # such as rows of different lengths
        raise UserError(f"{source}: key '{key}' is no array ({one_line(error)}).") from None
    if array.dtype.kind not in "fiub":
        raise UserError(f"{source}: key '{key}' must hold numbers, not {array.dtype}.")
    return array


def numbers(source: str, key: str, given: ArrayLike, shape: tuple[int, ...] | int | None,
            unused: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Finite numbers ``[M, ...]`` of a shape, of a number of axes, or of any; in unused rows others become 0."""
    array = array_of(source, key, given)
    if isinstance(shape, int) and array.ndim != shape:
        raise UserError(f"{source}: key '{key}' must have {shape} axes, not {array.ndim} {array.shape}: one row for "
                        "each step" + (", then one for each agent." if shape == 3 else "."))
    if isinstance(shape, tuple) and array.shape != shape:
        raise other_shape(source, key, array, str(shape))
    with np.errstate(over="ignore"):
        kept = array.astype(np.float32)
    if unused is not None:
        rows = kept[unused]
        rows[~np.isfinite(rows).all(-1)] = 0
        kept[unused] = rows
    refuse(source, key, ~np.isfinite(kept), "a value is not finite (NaN or infinite)")
    return kept


def whole_numbers(source: str, key: str, given: ArrayLike, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Actions of a shape; a last axis of size 1 is dropped."""
    array = array_of(source, key, given)
    if array.shape == (*shape, 1):
        array = array[..., 0]
    if array.shape != shape:
        raise other_shape(source, key, array, f"{shape}: the number of the action of each agent in each step")
    refuse(source, key, ~((array >= 0) & (array < 2**31) & (array == np.floor(array))),
            "an action is no whole number from 0")
    return array.astype(np.int64)


def end_flags(source: str, key: str, given: ArrayLike | None, steps: int, agents: int) -> NDArray[np.bool_]:
    """Flags ``[M, K]``, K being 1 or N."""
    if given is None:
        return np.zeros((steps, 1), np.bool_)
    array = flags(source, key, given)
    if array.shape not in ((steps,), (steps, 1), (steps, agents)):
        raise other_shape(source, key, array, f"({steps},) or ({steps}, {agents})")
    return array.reshape(steps, -1)


def mask_flags(source: str, key: str, given: ArrayLike, steps: int, agents: int) -> NDArray[np.bool_]:
    """Masks ``[M, N, A]``."""
    masks = flags(source, key, given)
    if masks.ndim != 3 or masks.shape[:2] != (steps, agents):
        raise other_shape(source, key, masks, f"({steps}, {agents}, number of actions)")
    return masks


def flags(source: str, key: str, given: ArrayLike) -> NDArray[np.bool_]:
    """Zeros and ones as truth values."""
    array = array_of(source, key, given)
    refuse(source, key, (array != 0) & (array != 1), "a value is neither 0 nor 1")
    return array.astype(np.bool_)


def refuse(source: str, key: str, wrong: Array, what: str) -> None:
    """Raises:
        UserError: an entry of ``wrong`` ``[M, ...]`` is set.
    """
    if wrong.any():
        raise UserError(f"{source}: key '{key}', row {int(np.argwhere(wrong)[0][0])}: {what}.")


def other_shape(source: str, key: str, array: Array, wanted: str) -> UserError:
    """What to raise about an array that does not go with the observations."""
    return UserError(f"{source}: key '{key}' has the shape {array.shape}, but 'observations' ask for {wanted}.")
