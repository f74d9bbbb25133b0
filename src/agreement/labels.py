"""What a batch teaches: joint actions of the teacher, one after the other, and what entries make of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch as th
from torch import Tensor

from .pool import ActionPool, column_policy


@dataclass(frozen=True)
class Labels:
    """R joint actions of the teacher in M states.

    Attributes:
        state: which of the states each belongs to, ``[R]``.
        actions: ``[R, N]``.
        allowed: what each agent may do in the states, ``[N, A, M]``.
        weight: share of the teacher's play in this batch, ``[R]``, adding up to 1.
    """

    state: Tensor
    actions: Tensor
    allowed: Tensor
    weight: Tensor

    def only_loss(self, pool: ActionPool, entries: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. 12, summed by weight, for a pool of one entry ``[M, G, d]``, which is decoded once for all labels of its
        state; with its log-probabilities ``[N, A, M]``."""
        log_probs = column_policy(pool.columns(entries), self.allowed)
        agent = th.arange(len(log_probs), device=entries.device)
        likelihood = log_probs[agent, self.actions, self.state[:, None]].sum(1)
        return -(self.weight * likelihood).sum(), log_probs

    @th.no_grad()
    def health(self, best: Tensor, index: Tensor, size: int) -> dict[str, Tensor]:
        """How well entries keep the labels apart, and play them.

        Args:
            best: what the labels' entries play at most, ``[N, R]``.
            index: their numbers, ``[R]``.
            size: c, number of entries of a state.

        Returns:
            ``reconstruction``: share of the teacher's play that its entries decode exactly; ``entries_used``: entries
            with a label, on average over states; ``mixing``: share of play whose entry serves another joint action of
            the state, too.
        """
        exact, states = (best == self.actions.T).all(0), self.allowed.shape[2]
        place = self.state, index
        load = self.weight.new_zeros(states, size).index_put_(place, th.ones_like(self.weight), True)
        share = self.weight.new_zeros(states).index_add_(0, self.state, self.weight)
        return {"reconstruction": (self.weight * exact).sum(), "mixing": (self.weight * (load[place] > 1)).sum(),
                "entries_used": (share * (load > 0).to(share).sum(1)).sum()}
