"""An ``.npy`` file that is written a few rows at a time."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


class GrowingArray:
    """An ``.npy`` file whose first axis grows.

    Args:
        file: where to write; positioned behind the header and the rows that are there already, if there are any.
        like: an array with the type and the further axes of those to come.
        rows: number of rows that are there already.
    """

    def __init__(self, file: BinaryIO, like: NDArray[Any], rows: int = 0) -> None:
        self._file, self._dtype, self._rest, self._rows = file, like.dtype, like.shape[1:], rows
        if not rows:
            self._head()

    def append(self, rows: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(rows).data)
        self._rows += len(rows)

    def finish(self) -> None:
        """Writes the final size; NumPy leaves room for it in every header."""
        self._file.seek(0)
        self._head()

    def _head(self) -> None:
        np.lib.format.write_array_header_1_0(self._file, {
            "descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False,
            "shape": (self._rows, *self._rest)})
