"""Problems of the literature, written from their rules, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ..model import Model
from .boxes import box_pushing
from .fires import fire_fighting
from .grid import grid_small
from .recycling import recycling
from .tiger import dec_tiger

PROBLEMS: dict[str, Callable[[], Model]] = {
    "dectiger": dec_tiger, "recycling": recycling, "gridsmall": grid_small, "boxpushing": box_pushing,
    "firefighting": fire_fighting}


@cache
def problem(name: str) -> Model:
    """The model of a problem by its name, made once in a process."""
    return PROBLEMS[name]()
