"""N small perceptrons evaluated together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from .batched import perceptrons, uniform


class AgentMLP(nn.Module):
    """One perceptron per agent, none sharing anything with another, as batched matrix products.

    Args:
        n_agents: N; 1 gives an ordinary perceptron.
        sizes: widths of input, hidden layers and output, at least two.
    """

    def __init__(self, n_agents: int, sizes: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise(sizes))
        self.n_agents = n_agents
        self.weights = nn.ParameterList(uniform(n_agents, a, b, fan_in=a) for a, b in pairs)
        self.biases = nn.ParameterList(uniform(n_agents, 1, b, fan_in=a) for a, b in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, N, sizes[0]]`` (or ``[B, 1, ...]``, the same for all agents) to ``[B, N, sizes[-1]]``."""
        return perceptrons(x, list(self.weights), list(self.biases))

    def layers_of(self, agent: int) -> list[tuple[Tensor, Tensor]]:
        """Weight ``[in, out]`` and bias ``[out]`` of each layer of one agent's perceptron."""
        return [(weight[agent].detach(), bias[agent, 0].detach())
                for weight, bias in zip(self.weights, self.biases, strict=True)]
