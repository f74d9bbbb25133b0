"""Pictures of results, drawn by matplotlib (the extra ``report``).

Only :mod:`.bridge_policy` and :mod:`.convention_use` do without it: they say what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import UserError


@contextmanager
def matplotlib_needed() -> Iterator[None]:
    """For the imports of what draws.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        raise UserError("figures need matplotlib: pip install 'epymarl-cpa[report]'.") from None
