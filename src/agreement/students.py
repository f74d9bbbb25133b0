"""The team of students: pool, shares and key reader, everything that acts after training."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.env_info import EnvInfo
from ..modules.agent_mlp import AgentMLP
from .pool import ActionPool
from .readers import REGISTRY as READERS
from .readers import used_entries
from .settings import PoolSettings


class Students(nn.Module):
    """Every student has the pool, the shares and the key reader, and its own head of the pool.

    Args:
        n_input: length of what a student sees, encoded.
        info: sizes of the environment.
        args: settings.
        local: whether every student has features of its own; else all have the same.
    """

    def __init__(self, n_input: int, info: EnvInfo, args: PoolSettings, local: bool) -> None:
        super().__init__()
        self.local, self.n_input = local, n_input
        self.floor = args.entry_floor
        self.pool = ActionPool(n_input, info.n_agents, info.n_actions, args.pool_size, args.pool_dim,
                               args.pool_hidden, args.head_hidden, self.local)
        # Agents that see different things cannot read the same shares from them; theirs are constants.
        sizes = (1, args.pool_size) if self.local else (n_input, args.pool_hidden, args.pool_hidden, args.pool_size)
        self.share_net = AgentMLP(1, sizes)
        self.key = READERS[args.key](n_input, args.pool_size, args.pool_dim, args.key_dim, args.pool_hidden)

    def share_logits(self, x: Tensor) -> Tensor:
        """Logits ``[B, c]`` of rho_j(s) from what the students see, ``[B, G, n_input]``."""
        logits: Tensor = self.share_net(x.new_zeros(len(x), 1, 1) if self.local else x)
        return logits[:, 0]

    def choose(self, x: Tensor, entries: Tensor, key: Tensor | None) -> Tensor:
        """The entries ``[B]`` that the keys ``[B, numbers]`` mean; without keys, those of the largest share."""
        logits = self.share_logits(x)
        if key is None:
            return logits.argmax(1)
        shares = logits.double().softmax(1)
        return self.key.choose(x[:, 0], entries[:, :, 0], shares, used_entries(shares, self.floor), key)

    def logits(self, x: Tensor, key: Tensor | None) -> Tensor:
        """All agents' logits ``[B, N, A]``, each from the one entry that the key means to all."""
        entries = self.pool(x)
        index = self.choose(x, entries, key)
        return self.pool.decode(entries[th.arange(len(x), device=x.device), index])

    def entry_law(self, x: Tensor, keys: Tensor) -> Tensor:
        """How likely each entry is chosen, ``[B, c]``: exactly for ``prior``, else over the keys ``[Q, numbers]``."""
        if self.pool.size == 1:
            return x.new_ones(len(x), 1, dtype=th.double)
        if self.key.read_net() is None:
            shares = self.share_logits(x).double().softmax(1)
            shares = shares * used_entries(shares, self.floor)
            return shares / shares.sum(1, keepdim=True)
        kinds, of_each = th.unique(x, dim=0, return_inverse=True)  # in small games most states are the same
        entries, shares, times = self.pool(kinds)[:, :, 0], self.share_logits(kinds).double().softmax(1), len(keys)
        used, counts = used_entries(shares, self.floor), shares.new_zeros(len(kinds), self.pool.size)
        for row in range(len(kinds)):
            x_row, e_row, s_row, u_row = (value[row].expand(times, *value.shape[1:])
                                          for value in (kinds[:, 0], entries, shares, used))
            chosen = self.key.choose(x_row, e_row, s_row, u_row, keys)
            counts[row] = th.bincount(chosen, minlength=self.pool.size) / times
        return counts[of_each]
