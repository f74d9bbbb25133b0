"""Reading the recordings of people that come with Overcooked, a pickled pandas table, without running anything in it.

The table is rebuilt from the few things that such a file may name; each stands for a plain box or for NumPy's arrays.
A file that names anything else is refused before it does anything, and pandas is not needed.
"""

from __future__ import annotations

import ast
import pickle
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, clipped
from ..utils.bounded import NotRegular, size_of
from ..utils.files import reason

COLUMNS = ("layout_name", "workerid_num", "cur_gameloop", "state", "joint_action", "next_state", "reward")
Table = dict[str, NDArray[Any]]
MOST = 2**30  # bytes of a file


class _Box:
    """Something of pandas, as the values that it was pickled with."""

    state: Any = None

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _index(cls: type, values: Any) -> _Box:
    """Stands for pandas' maker of an index."""
    box = _Box()
    box.state = values
    return box


class _Kind(_Box):
    """NumPy's dtype, which believes whatever bytes it is restored from, and so is not restored."""

    def dtype(self) -> np.dtype[Any] | None:
        """Of numbers; None of objects."""
        code, order = self.values[0], self.state[1] if self.state else "|"
        if not isinstance(code, str):  # a nested list takes for ever to be told
            raise TypeError("a kind of numbers without a name")
        if code in ("O", "O8"):
            return None
        if not re.fullmatch("[biuf][1248]", code) or order not in ("<", ">", "|"):
            raise ValueError(f"arrays of {code[:20]}")
        return np.dtype(code if order == "|" else order + code)


class _Array(_Box):
    """One of NumPy's arrays, made only when all that the file says of it has been looked at."""

    def array(self) -> NDArray[Any]:
        """Raises:
            ValueError, TypeError: it does not fit together.
        """
        _, shape, kind, by_columns, content = self.state
        dtype = kind.dtype()
        order: Literal["C", "F"] = "F" if by_columns else "C"
        if dtype is not None:
            return np.frombuffer(content, dtype).reshape(shape, order=order)
        if not isinstance(content, list):
            raise TypeError("an array of objects without a list of them")
        out = np.empty(len(content), dtype=object)
        out[:] = content
        return out.reshape(shape, order=order)


ALLOWED = {
    ("pandas.core.frame", "DataFrame"): _Box, ("pandas.core.internals.managers", "BlockManager"): _Box,
    ("pandas.core.indexes.base", "Index"): _Box, ("pandas.core.indexes.base", "_new_Index"): _index,
    ("pandas.core.indexes.numeric", "Int64Index"): _Box, ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Box, ("numpy", "dtype"): _Kind}


class _Reader(pickle._Unpickler):
    """The reader in Python: that in C makes room for as many things as a few bytes of a file say."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise UserError(f"it names {module}.{name}, which a table of trials does not need")
        return ALLOWED[module, name]


def read_trials(path: Path) -> Table:
    """The columns :data:`COLUMNS` of a file of trials, ``[rows]`` each.

    Raises:
        UserError: the file is missing, damaged, no such table, or names anything but tables and arrays.
    """
    try:
        if size_of(path) > MOST:
            raise UserError("it is larger than any such table")
        with open(path, "rb") as file:
            frame = _Reader(file).load()
    except NotRegular:
        raise
    except UserError as error:
        raise UserError(f"{path} is refused: {error}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({reason(error)}).") from None
    except Exception as error:  # damaged bytes raise some dozen kinds
        raise UserError(f"{path} is damaged or no pickled table ({type(error).__name__}).") from None
    try:
        _, blocks, names, _ = frame.state["_data"].state
        columns = {name: values[i] for values, index in zip(map(_Array.array, blocks), names, strict=True)
                   for i, name in enumerate(index.state["data"].array()) if isinstance(name, str)}
        return {name: columns[name] for name in COLUMNS}
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, RecursionError):
        raise UserError(f"{path} is no table of trials with the columns {', '.join(COLUMNS)}.") from None


def literal(text: Any, path: Path) -> Any:
    """What a cell of the table says, Python's literals only.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(text, str):  # a list of lists of lists takes for ever to be told
        raise UserError(f"{path} holds {type(text).__name__} where a plain value in words should be.")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise UserError(f"{path} holds '{clipped(text)}', which is no plain value.") from None
