"""From the agents' values to the team's: the mixing networks of value factorisation."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn
from torch.nn import functional as F

from ..utils.registry import Registry
from .settings import MixerSettings

REGISTRY: Registry[type[nn.Module]] = Registry("mixer")


@REGISTRY.register("vdn")
class VDNMixer(nn.Module):
    """Q_tot = sum_i Q_i (Sunehag et al., 2018)."""

    def __init__(self, n_state: int, n_agents: int, args: MixerSettings) -> None:
        super().__init__()

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        """Values ``[M, ..., N]`` and encoded states ``[M, S]`` to ``[M, ...]``."""
        return q.sum(-1)


@REGISTRY.register("none")
class NoMixer(nn.Module):
    """No team value: every agent's own value stands for the team's return (Tan, 1993)."""

    def __init__(self, n_state: int, n_agents: int, args: MixerSettings) -> None:
        super().__init__()

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        """Values ``[M, ..., N]``, unchanged."""
        return q


@REGISTRY.register("qmix")
class QMixer(nn.Module):
    """A monotone network whose weights come from the state (Rashid et al., 2018).

    Q_tot = ELU(q |W1(s)| + b1(s)) |w2(s)| + V(s), with hypernetworks of one hidden layer.

    Args:
        n_state: S, length of the encoded state.
        n_agents: N.
        args: with ``mixing_embed_dim`` (width) and ``hypernet_embed`` (hypernetworks' width).
    """

    def __init__(self, n_state: int, n_agents: int, args: MixerSettings) -> None:
        super().__init__()
        self.n_agents, self.embed = n_agents, args.mixing_embed_dim

        def hyper(n_out: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(n_state, args.hypernet_embed), nn.ReLU(),
                                 nn.Linear(args.hypernet_embed, n_out))

        self.w1, self.w2 = hyper(self.n_agents * self.embed), hyper(self.embed)
        self.b1 = nn.Linear(n_state, self.embed)
        self.value = nn.Sequential(nn.Linear(n_state, self.embed), nn.ReLU(), nn.Linear(self.embed, 1))

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        """Values ``[M, ..., N]`` and encoded states ``[M, S]`` to ``[M, ...]``; all of a row share its state."""
        rows = q.reshape(len(q), -1, self.n_agents)  # [M, K, N]
        w1 = self.w1(state).abs().unflatten(-1, (self.n_agents, self.embed))  # [M, N, E]
        h = F.elu(th.baddbmm(self.b1(state)[:, None], rows, w1))  # [M, K, E]
        total: Tensor = th.bmm(h, self.w2(state).abs()[..., None])[..., 0] + self.value(state)  # [M, K]
        mixed: Tensor = total.view(q.shape[:-1])
        return mixed


class LinearMixer(nn.Module):
    """Q_tot = sum_i w_i(s) Q_i + b(s) with positive weights, which offline methods also read one by one.

    Args:
        n_state: S.
        n_agents: N.
        hidden: width of the network from the state to weights and bias.
        convex: whether the weights sum to 1 and there is no bias (official MAICQ).
    """

    def __init__(self, n_state: int, n_agents: int, hidden: int, convex: bool = False) -> None:
        super().__init__()
        self.convex = convex
        self.net = nn.Sequential(nn.Linear(n_state, hidden), nn.ReLU(), nn.Linear(hidden, n_agents + 1))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Encoded states ``[M, S]`` to weights ``[M, N]`` and biases ``[M]``."""
        out = self.net(state)
        weights, bias = out[:, :-1].abs(), out[:, -1]
        if self.convex:
            return weights / weights.sum(1, keepdim=True).clamp(min=1e-6), th.zeros_like(bias)
        return weights, bias


class Utilities(nn.Module):
    """Q_tot(s, a) = sum_i w_i(s) Q_i(s, a_i) + b(s)."""

    def __init__(self, q: nn.Module, mixer: LinearMixer) -> None:
        super().__init__()
        self.q, self.mixer = q, mixer

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the critic sees of states, ``[M, S]``, to Q_i ``[M, N, A]``, w ``[M, N]`` and b ``[M]``."""
        return self.q(state[:, None]), *self.mixer(state)
