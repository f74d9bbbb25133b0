"""The temperature of Eqs. 5 and 6: how far a policy leaves the data for what its critic says."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

KEPT = 0.98  # of the estimates, from one update to the next
STEADY = 0.05  # of a typical reward: no temperature that follows is smaller


def carried(limit: int, gamma: float, limit_ends: bool) -> float:
    """Through how many steps values are carried back: an episode's, or as far as the discount lets them go.

    Args:
        limit: of steps in an episode.
        gamma: discount.
        limit_ends: whether the limit is the game's own end.
    """
    ahead = 1 / max(1 - gamma, 1e-9)
    return min(limit, ahead) if limit_ends or gamma == 1 else ahead


class Temperature(nn.Module):
    """A fixed temperature, or one that follows the critic's error.

    A value is worth no more than it is known.  What the critic cannot tell, be it chance or what it has not learned
    yet, is an error of its prediction r + gamma V(s') - Q(s, a); along the steps through which a value is carried
    back such errors add up like a random walk.  So the temperature is ``share`` times the root of their mean square,
    times the root of that number of steps.  It is in units of the rewards, falls while the critic learns, and needs
    nothing of the game to be known.  Where nothing is left to learn, a small share of a typical reward keeps
    equally good ways to play alive.

    Args:
        fixed: the temperature; None if it follows.
        share: of the error.
    """

    def __init__(self, fixed: float | None, share: float) -> None:
        super().__init__()
        self.fixed, self.share = fixed, share
        # Sums of squared errors, of squared rewards, and of weights; a parameter, so that stacked seeds have their own.
        self.sums = None if fixed is not None else nn.Parameter(th.zeros(3), requires_grad=False)

    def forward(self, reward: Tensor, steps: float) -> float | Tensor:
        """The temperature at which steps are judged, a scalar without gradient.

        Args:
            reward: the mean of their squared rewards, a scalar.
            steps: through how many values are carried back.
        """
        if self.sums is None:
            assert self.fixed is not None
            return self.fixed
        weight = self.sums[2]
        begun = weight > 0
        # Before anything has been judged, the error is as large as the rewards.
        mean = th.where(begun, self.sums[:2] / weight.where(begun, 1.0), reward)
        return th.maximum(steps * self.share**2 * mean[0], STEADY**2 * mean[1]).sqrt().clamp(min=1e-6)

    @th.no_grad()
    def heed(self, error: Tensor, reward: Tensor) -> None:
        """Takes in how far off the critic was.

        Args:
            error: mean squared error of what it predicted, a scalar.
            reward: the mean of the squared rewards of the same steps, a scalar.
        """
        if self.sums is not None:
            now = th.stack([error.detach(), reward, th.ones_like(error)])
            sums = KEPT * self.sums + (1 - KEPT) * now
            # What is not finite ends the run before anything is changed, and this is part of what is saved then.
            self.sums.copy_(th.where(sums.isfinite().all(), sums, self.sums))
