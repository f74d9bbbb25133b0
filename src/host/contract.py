"""What EPyMARL hands over, as types."""

from __future__ import annotations

from logging import Logger
from types import SimpleNamespace
from typing import Protocol

from ..recording.player import Actor

#: its configuration and what it has found out, shared by all parts of a run and written to by its loop
HostArgs = SimpleNamespace


class HostLogger(Protocol):
    """Its logger."""

    console_logger: Logger

    def log_stat(self, key: str, value: float, t: int) -> None: ...


class HostActor(Actor, Protocol):
    """One of its controllers."""

    def load_models(self, path: str) -> None: ...
