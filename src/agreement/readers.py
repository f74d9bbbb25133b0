"""From the agreement key to an entry of the pool: the config key ``key``.

The paper's Eqs. 13 to 18 are not public; ``cvae_vector`` and ``cvae_index`` are reconstructions
from what the rest of the text demands: a key k ~ N(0, 1) that does not depend on the state and acts
only through the choice of the entry.  ``prior`` does without a variational autoencoder.

All readers know the shares rho_j(s), how often the teacher's joint actions fall to each entry, and
never choose an entry whose share is below a floor: nobody ever taught it anything.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch as th
from torch import Tensor, nn
from torch.nn import functional as F

from ..modules.agent_mlp import AgentMLP
from ..utils.registry import Registry
from .key import gaussian, pick
from .pool_losses import kl_loss

REGISTRY: Registry[type[KeyReader]] = Registry("key")


def used_entries(shares: Tensor, floor: float) -> Tensor:
    """Bool ``[B, c]``: entries whose share ``[B, c]`` is at least ``floor``, and the largest in any case."""
    return (shares >= floor) | (shares == shares.amax(-1, keepdim=True))


class KeyReader(nn.Module):
    """Base of the three variants.

    Args:
        n_input: S, length of the encoded state.
        size: c, number of entries.
        dim: d, length of an entry.
        n_key: n, length of a key (as a normal vector).
        hidden: width of hidden layers.

    Attributes:
        numbers: uniform numbers that a key is made of.
    """

    def __init__(self, n_input: int, size: int, dim: int, n_key: int, hidden: int) -> None:
        super().__init__()
        self.numbers, self.n_key = 2 * n_key, n_key
        self.build(n_input, size, dim, hidden)

    def build(self, n_input: int, size: int, dim: int, hidden: int) -> None:
        """Makes the networks, if any."""

    @abstractmethod
    def choose(self, x: Tensor, entries: Tensor, shares: Tensor, used: Tensor, key: Tensor) -> Tensor:
        """Numbers ``[B]`` of the entries that the keys mean.

        Args:
            x: encoded states ``[B, S]``.
            entries: ``[B, c, d]``.
            shares: rho, ``[B, c]``.
            used: bool ``[B, c]``.
            key: uniform numbers ``[B, numbers]``, double.
        """

    def loss(self, x: Tensor, entry: Tensor, index: Tensor, kl_weight: float) -> Tensor:
        """What the key costs each of R labels, ``[R]``, given states ``[R, S]``, entries ``[R, d]``, numbers ``[R]``.
        """
        return x.new_zeros(len(x))

    def read_net(self) -> AgentMLP | None:
        """The network that acting needs besides pool and shares."""
        return None


@REGISTRY.register("prior")
class PriorKey(KeyReader):
    """The first number of the key, through the inverse distribution function of the shares."""

    def build(self, n_input: int, size: int, dim: int, hidden: int) -> None:
        self.numbers = 1

    def choose(self, x: Tensor, entries: Tensor, shares: Tensor, used: Tensor, key: Tensor) -> Tensor:
        # In double precision by NumPy, as the exported agents do it, so that both pick alike.
        index = pick((shares.double() * used).cpu().numpy(), key[:, 0].cpu().numpy())
        return th.from_numpy(np.asarray(index)).to(x.device)


class _VariationalKey(KeyReader):
    """Shared by both reconstructions: a recognition network, trained as a conditional VAE (Sohn et al., 2015)."""

    n_out: int

    def build(self, n_input: int, size: int, dim: int, hidden: int) -> None:
        self.recognise = AgentMLP(1, (n_input + dim, hidden, 2 * self.n_key))
        self.read = AgentMLP(1, (n_input + self.n_key, hidden, hidden, self.n_out))

    def read_net(self) -> AgentMLP:
        return self.read

    def _read(self, x: Tensor, normal: Tensor) -> Tensor:
        read: Tensor = self.read(th.cat([x, normal], 1)[:, None])
        return read[:, 0]

    def _normal(self, x: Tensor, key: Tensor) -> Tensor:
        return th.from_numpy(gaussian(key.cpu().numpy())).to(x)

    def loss(self, x: Tensor, entry: Tensor, index: Tensor, kl_weight: float) -> Tensor:
        mean, log_std = self.recognise(th.cat([x, entry.detach()], 1)[:, None])[:, 0].chunk(2, 1)
        log_std = log_std.clamp(-5.0, 2.0)
        read = self._read(x, mean + log_std.exp() * th.randn_like(mean))
        return self._miss(read, entry.detach(), index) + kl_weight * kl_loss(mean, log_std)

    @abstractmethod
    def _miss(self, read: Tensor, entry: Tensor, index: Tensor) -> Tensor:
        """What is wrong with reading ``[R, n_out]`` where entry ``[R, d]`` number ``[R]`` was meant, ``[R]``."""


@REGISTRY.register("cvae_vector")
class VectorKey(_VariationalKey):
    """Reconstruction A: the key is decoded to a vector, and the nearest used entry is taken."""

    def build(self, n_input: int, size: int, dim: int, hidden: int) -> None:
        self.n_out = dim
        super().build(n_input, size, dim, hidden)

    def choose(self, x: Tensor, entries: Tensor, shares: Tensor, used: Tensor, key: Tensor) -> Tensor:
        distance = (entries - self._read(x, self._normal(x, key))[:, None]).square().sum(-1)
        return distance.masked_fill(~used, th.inf).argmin(-1)

    def _miss(self, read: Tensor, entry: Tensor, index: Tensor) -> Tensor:
        return (read - entry).square().sum(-1)


@REGISTRY.register("cvae_index")
class IndexKey(_VariationalKey):
    """Reconstruction B: the key is decoded to a score for every entry, and the best used one is taken."""

    def build(self, n_input: int, size: int, dim: int, hidden: int) -> None:
        self.n_out = size
        super().build(n_input, size, dim, hidden)

    def choose(self, x: Tensor, entries: Tensor, shares: Tensor, used: Tensor, key: Tensor) -> Tensor:
        return self._read(x, self._normal(x, key)).masked_fill(~used, -th.inf).argmax(-1)

    def _miss(self, read: Tensor, entry: Tensor, index: Tensor) -> Tensor:
        return F.cross_entropy(read, index, reduction="none")
