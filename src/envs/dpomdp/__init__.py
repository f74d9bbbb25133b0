"""Problems in which nobody sees the state: any Dec-POMDP, its exact values, and the game that plays it."""

from .game import DecPomdp

__all__ = ["DecPomdp"]
