"""What agents remember: the config key ``agent``, which ``use_rnn`` turns on.  One file each, found by being here."""

from __future__ import annotations

from ...utils.registry import Registry, discover
from .base import Encoder, Sight

REGISTRY: Registry[type[Encoder]] = Registry("agent")

discover(__name__, __path__)

__all__ = ["REGISTRY", "Encoder", "Sight"]
