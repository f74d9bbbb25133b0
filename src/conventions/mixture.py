"""The likelihood of whole episodes under a mixture of conventions, and its beginning.

B episodes, c conventions.
"""

from __future__ import annotations

import torch as th
from torch import Tensor

ROUNDS = 3  # of evening out


def mixture_loss(likelihood: Tensor, log_mixing: Tensor) -> Tensor:
    """Minus the log-likelihood of the episodes, added up.

    Its gradient is that of the expectation maximisation: the posterior of the conventions over a whole episode is the
    responsibility.

    Args:
        likelihood: log-likelihood of each episode under each convention, ``[B, c]``.
        log_mixing: log-shares of the conventions, ``[c]``.
    """
    return -(likelihood + log_mixing).logsumexp(1).sum()


def even_loss(likelihood: Tensor, temperature: float) -> Tensor:
    """The same with responsibilities for as many episodes for every convention, added up.

    At first all conventions explain all episodes badly, and the one that is a little better would learn from all of
    them until it is the average of all, and the only one.

    Args:
        likelihood: ``[B, c]``.
        temperature: by which log-likelihoods are divided before they are compared.
    """
    return -(even(likelihood.detach() / temperature) * likelihood).sum()


def even(scores: Tensor) -> Tensor:
    """Responsibilities ``[B, c]`` by scores ``[B, c]``: rows add up to 1, columns (nearly) to the same (Cuturi, 2013).
    """
    shares = scores.softmax(1)
    for _ in range(ROUNDS):
        shares = shares / shares.sum(0).clamp(min=th.finfo(shares.dtype).tiny)
        shares = shares / shares.sum(1, keepdim=True).clamp(min=th.finfo(shares.dtype).tiny)
    return shares
