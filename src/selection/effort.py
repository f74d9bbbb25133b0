"""How teams are evaluated, and how hard the networks of fitted Q evaluation try; without torch, for the help."""

from __future__ import annotations

from dataclasses import dataclass

WAYS = ("auto", "table", "networks")


@dataclass(frozen=True)
class Effort:
    """How hard the networks try.

    Attributes:
        members: networks in the ensemble.
        updates: of them.
        batch: steps in an update.
        width: of hidden layers.
        rate: learning rate, which falls linearly to a twentieth.
        follow: share by which targets follow in an update.
        share, floor: an agent's actions rarer than this share of the most likely one, or than this, are unseen.
    """

    members: int = 4
    updates: int = 2000
    batch: int = 256
    width: int = 64
    rate: float = 2e-3
    follow: float = 0.02
    share: float = 0.02
    floor: float = 0.001

    @property
    def imitation(self) -> int:
        """Updates of the behaviour's network."""
        return (self.updates + 1) // 2
