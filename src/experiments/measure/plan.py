"""What the benchmark is asked for, and the parts that it has; without torch, so that mistakes are told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

GAMES = ("xor", "permutation", "bridge", "sensor", "aloha")


@dataclass(frozen=True)
class Part:
    """One part of the benchmark.

    Attributes:
        what: it measures, in a phrase.
        module: of this folder; its function ``measure`` takes a :class:`Plan` and returns tables.
        asked: whether it is made only when somebody names it.
    """

    what: str
    module: str
    asked: bool = False


PARTS: Mapping[str, Part] = {
    "hand": Part("the teacher's training step beside a loop that is written by hand", "beside_hand"),
    "methods": Part("one training step of every method on every game, without and with a memory", "methods"),
    "seeds": Part("five seeds trained together beside one", "seeds"),
    "students": Part("an update of the students, and what they ask their teacher", "pupils"),
    "play": Part("500 test episodes, and the games alone: all episodes at once and one at a time", "play"),
    "latency": Part("one decision of one agent, in teams of 2 to 64", "latency"),
    "data": Part("making a data set, writing, loading, drawing a batch", "data_speed"),
    "big": Part("data of up to 10^7 steps that stay on the disk: time and memory to the first update", "big"),
    "start": Part("from a command to its end: help, lists, a run of one update; time and memory", "start_up"),
    "quality": Part("from a command to a team of a given quality", "quality"),
    "scale": Part("time and memory against agents, actions, state, batch and data", "scale"),
    "peers": Part("programs of others on the same data (--peer)", "peers", True),
    "gpu": Part("the same updates on a GPU and on the CPU, and their speed", "gpu", True),
}


@dataclass(frozen=True)
class Plan:
    """How the benchmark is made.

    Attributes:
        quick: everything small: it shows that the parts work, not how fast they are.
        device: ``cpu`` or ``cuda``.
        folder: where data sets made from recipes are kept.
        words: ``key=value`` words for every run that is measured.
        peers: folders of other people's programs.
        python: the interpreter that runs them.
        threads: of the processor.
        only_games: those that are measured; by default all.
    """

    quick: bool = False
    device: str = "cpu"
    folder: Path = Path("datasets")
    words: tuple[str, ...] = ()
    peers: tuple[Path, ...] = ()
    python: str = ""
    threads: int = 1
    only_games: tuple[str, ...] = ()

    @property
    def games(self) -> tuple[str, ...]:
        """Those that are measured."""
        asked = tuple(env for env in GAMES if env in self.only_games)
        return asked or (GAMES[:1] if self.quick else GAMES)

    @property
    def rounds(self) -> int:
        """How often the things that are compared take turns."""
        return 2 if self.quick else 7

    def times(self, full: int) -> int:
        """How often something is done in a round."""
        return min(2, full) if self.quick else full
