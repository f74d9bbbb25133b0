"""A user's mistake as Sacred tells it; and Sacred, without what it imports and nobody here uses."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Inside the ``with`` block pandas cannot be imported, unless it is there already.

    Sacred would import it, which takes a third of a second, so that it could write tables that no record holds.
    """
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # Python's way to say so
    try:
        yield
    finally:
        del sys.modules["pandas"]


with warnings.catch_warnings(), _without_pandas():
    # Sacred 0.8 still imports pkg_resources, which announces its own end at length.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    try:
        from sacred.utils import SacredError
    except ModuleNotFoundError as error:
        if error.name != "pkg_resources":
            raise
        sys.exit("Error: Sacred 0.8 needs the module pkg_resources, which setuptools has dropped in version 82: "
                 "pip install 'setuptools<82'.")


class Error(SacredError):  # type: ignore[misc]  # Sacred has no types
    """A user's mistake, which Sacred prints without a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(message, print_traceback=False, print_usage=False)


Error.__module__ = "builtins"  # so that it is printed as "Error: ..."
