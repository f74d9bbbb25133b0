"""What agents remember: the config key ``agent``, which ``use_rnn`` turns on.  One file each, found by being here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...utils.registry import Registry, on_demand

if TYPE_CHECKING:  # at run time it is imported when it is asked for, since it needs torch
    from .base import Encoder, Sight

REGISTRY: Registry[type[Encoder]] = Registry("agent", __name__, __path__)
__getattr__ = on_demand(__name__, Encoder="base", Sight="base")

__all__ = ["REGISTRY", "Encoder", "Sight"]
