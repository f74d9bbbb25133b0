"""The games and their adapters.

Importing this package imports every module in it, so that a game is found because its file is here,
and makes the games known to Gymnasium and PettingZoo.
"""

from __future__ import annotations

from ..utils.registry import discover
from . import gym_adapter, parallel
from .game import Game
from .registry import REGISTRY, make_game, ours, own_args

discover(__name__, __path__)
gym_adapter.register_all()
parallel.register_all()

__all__ = ["REGISTRY", "Game", "make_game", "ours", "own_args"]
