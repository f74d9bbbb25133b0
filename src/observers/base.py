"""The hook through which everything that watches a run is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunStart:
    """What is known when a run begins.

    Attributes:
        config: the resolved configuration.
        made_by: which code, versions and rules of the game make its results.
        name: of the run, a word that can name a folder.
        results: folder of all results.
        t_env: where the run begins; more than 0 for one that is continued.
        t_max: where it ends, unless an observer stops it.
        series: what was recorded of a run that is resumed, by name: its times and its values.
        headline: what results of the game are quoted in: ``return``, or one of its info keys.
        random, best: what random play and the best team reach in it; None where unknown, or where nobody asks.
        model: the checkpoint from which a resumed run goes on.
        places: where else the run leaves something or found it, by what that is: ``data``, ``record``.
    """

    config: Mapping[str, Any]
    made_by: Mapping[str, Any]
    name: str
    results: Path
    t_env: int
    t_max: int
    series: Mapping[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    headline: str = "return"
    random: float | None = None
    best: float | None = None
    model: Path | None = None
    places: Mapping[str, str] = field(default_factory=dict)


class Observer:
    """Watches a run; subclasses override what they want to know.

    An observer never changes what is learned, but it may end a run early: it sets ``stop`` to a sentence, and the run
    ends as if it had reached its last update.  What it raises costs the run nothing: it is left out from then on.
    Observers are made without arguments, once for every run.

    Attributes:
        stop: why the run is to end; empty while it is not.
    """

    stop: str = ""

    @classmethod
    def check(cls) -> None:
        """Raises:
            UserError: the observer cannot work here, for want of a library; told before anything is made.
        """

    def start(self, run: RunStart) -> None:
        """The run begins.

        Raises:
            UserError: the observer cannot work here; the run is not begun.
        """

    def progress(self, t_env: int) -> None:
        """Training goes on; told some times a second, not at every update."""

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        """The team was evaluated; ``values`` have EPyMARL's names, such as ``test_return_mean``."""

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        """Statistics of training are due: losses, gradient norms, training returns, the number of episodes."""

    def episodes(self, t_env: int, values: Mapping[str, Sequence[float]]) -> None:
        """The results of every single episode of the last evaluation, by name; told once, at the end of the run."""

    def checkpoint(self, t_env: int, folder: Path) -> None:
        """A model was saved."""

    def end(self, result: Mapping[str, Any]) -> None:
        """The run, or the recording, has ended; ``result`` is empty if it was interrupted or failed."""
