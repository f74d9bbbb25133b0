"""The settings of a run: typed, frozen, and declared by the parts that read them."""

from __future__ import annotations

from .base import CORE, MOST_SEED, WIDEST, Settings, setting, settings_of
from .env_args import check_env_args
from .schema import UNSET, Decides, Key, Need, check

__all__ = ["CORE", "MOST_SEED", "UNSET", "WIDEST", "Decides", "Key", "Need", "Settings", "check", "check_env_args",
           "setting", "settings_of"]
