"""The autoregressive network: one output row per agent, each given the actions of earlier agents.

Row i of the output depends on the state and on a_1 .. a_{i-1} only (Eq. 4).  All rows come from one
teacher-forced pass: the embeddings of the given actions are summed exclusively along the agent
axis, so that training needs no loop over agents; only sampling walks over them, one cheap head at a
time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch as th
from torch import Tensor, nn
from torch.nn import functional as F

from .batched import perceptrons, uniform

#: floats in a hidden layer of a batch up to which several networks are quicker in one go; larger ones leave the cache
SMALL = 1 << 17

CACHED = 2048  # rows of hidden units that are computed together, so that they stay near the processor


class AutoregressiveNet(nn.Module):
    """N small networks, one per agent, whose first layer also sees the earlier agents' actions.

    The agents share nothing but the action embeddings, and are evaluated together by batched
    matrix products.

    Args:
        n_state: S, length of the (encoded) state vector.
        n_agents, n_actions: N and A.
        hidden: H, width of the hidden layers.
        layers: number of hidden layers, at least 1.
    """

    before: Tensor
    offset: Tensor
    choices: Tensor

    def __init__(self, n_state: int, n_agents: int, n_actions: int, hidden: int, layers: int = 2) -> None:
        super().__init__()
        self.n_agents, self.n_actions, self.hidden = n_agents, n_actions, hidden
        self.first = uniform(n_agents, n_state, hidden, fan_in=n_state)
        self.first_bias = uniform(n_agents, 1, hidden, fan_in=n_state)
        # A row per (agent, action).  On average half the agents come before, each with one row.
        self.action = uniform(n_agents * n_actions, hidden, fan_in=max(1, n_agents // 2))
        self.middle = nn.ParameterList(uniform(n_agents, hidden, hidden, fan_in=hidden) for _ in range(layers - 1))
        self.middle_bias = nn.ParameterList(uniform(n_agents, 1, hidden, fan_in=hidden) for _ in range(layers - 1))
        self.last = uniform(n_agents, hidden, n_actions, fan_in=hidden)
        self.last_bias = nn.Parameter(th.zeros(n_agents, 1, n_actions))
        self.register_buffer("before", th.ones(n_agents, n_agents).tril(-1), persistent=False)
        self.register_buffer("offset", th.arange(n_agents)[:, None] * n_actions, persistent=False)
        self.register_buffer("choices", th.arange(n_actions)[:, None], persistent=False)

    def forward(self, inputs: Tensor, actions: Tensor, before: Tensor | None = None) -> Tensor:
        """All heads at once: what is seen ``[B, G, S]`` (G is N, or 1 for the same for all) and joint actions
        ``[B, N]`` to ``[B, N, A]``.

        ``before`` ``[N, N]`` tells which agents act before which (1 where the column's does); the
        default is the order of their numbers.
        """
        if inputs.dim() != 3:
            raise ValueError(f"inputs must have three dimensions [B, G, S], not the shape {tuple(inputs.shape)}")
        return self._rows(inputs, actions, [self], before)

    def beside(self, others: Sequence[AutoregressiveNet], inputs: Tensor, actions: Tensor) -> list[Tensor]:
        """What this network and others of its size make of the same, each ``[B, N, A]``; small ones in one go."""
        nets = [self, *others]
        if len(inputs) * self.n_agents * self.hidden > SMALL:
            return [net(inputs, actions) for net in nets]
        return list(self._rows(inputs, actions, nets).split(self.n_agents, 1))  # type: ignore[no-untyped-call]

    def _rows(self, inputs: Tensor, actions: Tensor, nets: Sequence[AutoregressiveNet], before: Tensor | None = None,
              ) -> Tensor:
        """``[B, K * N, A]`` of K networks."""
        chosen = (actions.T[:, None] == self.choices).to(inputs.dtype)  # [N, A, B]

        parts = [[net.action.view(self.n_agents, self.n_actions, -1), net.first, *net.middle, net.last,
                  net.first_bias, *net.middle_bias, net.last_bias] for net in nets]
        added, *layers = parts[0] if len(nets) == 1 else (th.cat(same) for same in zip(*parts, strict=True))
        given = chosen.expand(len(nets), -1, -1, -1), self.before if before is None else before, added
        return perceptrons(inputs, layers[: len(layers) // 2], layers[len(layers) // 2:], given)

    def head(self, agent: int, state: Tensor, prefix: Tensor) -> Tensor:
        """One agent's row ``[B, A]`` from what it sees ``[B, S]`` and the sum ``[B, H]`` of earlier embeddings."""
        h = th.relu(th.addmm(self.first_bias[agent], state, self.first[agent]) + prefix)
        for weight, bias in zip(self.middle, self.middle_bias, strict=True):
            h = th.relu(th.addmm(bias[agent], h, weight[agent]))
        return th.addmm(self.last_bias[agent], h, self.last[agent])

    def state_parts(self, inputs: Tensor) -> Tensor:
        """What every agent's first layer makes of what it sees, ``[N, B, H]`` from ``[B, G, S]``, before the prefix."""
        if inputs.shape[1] > 1:
            return th.baddbmm(self.first_bias, inputs.transpose(0, 1), self.first)
        width = self.n_agents * self.hidden  # one product for all
        parts = th.addmm(self.first_bias.view(width), inputs[:, 0], self.first.transpose(0, 1).reshape(-1, width))
        return parts.view(-1, self.n_agents, self.hidden).transpose(0, 1)

    def lengthened(self, part: Tensor, actions: Tensor) -> Tensor:
        """The next agent's row after each of k beginnings of joint actions, ``[B, k, i]`` to ``[B, k, A]``.

        ``part`` ``[B, H]`` is what :meth:`state_parts` says of that agent, number i; for the first k is 1.
        """
        batch, k, agent = actions.shape
        some = max(1, CACHED // k)
        if batch > some:
            return th.cat([self.lengthened(part[at:at + some], actions[at:at + some])
                           for at in range(0, batch, some)])
        if agent:
            given = F.embedding_bag((actions + self.offset[:agent, 0]).flatten(0, 1), self.action, mode="sum")
            h = given.view(batch, k, self.hidden).add_(part[:, None]).relu_().flatten(0, 1)
        else:
            h = th.relu(part)
        for weight, bias in zip(self.middle, self.middle_bias, strict=True):
            h = th.addmm(bias[agent], h, weight[agent]).relu_()
        return th.addmm(self.last_bias[agent], h, self.last[agent]).view(batch, k, self.n_actions)

    @staticmethod
    def seen_by(agent: int, inputs: Tensor) -> Tensor:
        """What one agent sees, ``[B, S]``, of ``[B, G, S]``."""
        return inputs[:, agent if inputs.shape[1] > 1 else 0]

    def first_head(self, inputs: Tensor) -> Tensor:
        """The row of the first agent, before whom nobody acts: ``[B, G, S]`` to ``[B, A]``."""
        return self.head(0, self.seen_by(0, inputs), inputs.new_zeros(1, self.hidden))

    def rollout(self, inputs: Tensor, choose: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Joint actions ``[B, N]``, agent by agent; ``choose(i, row [B, A])`` gives agent i's actions ``[B]``."""
        prefix = inputs.new_zeros(len(inputs), self.hidden)
        actions = th.zeros(len(inputs), self.n_agents, dtype=th.long, device=inputs.device)
        for agent in range(self.n_agents):
            actions[:, agent] = choose(agent, self.head(agent, self.seen_by(agent, inputs), prefix))
            prefix = prefix + self.action[agent * self.n_actions + actions[:, agent]]
        return actions

    def layers_of(self, agent: int) -> list[tuple[Tensor, Tensor]]:
        """Weight ``[in, out]`` and bias ``[out]`` of each layer of one agent's network."""
        weights, biases = [self.first, *self.middle, self.last], [self.first_bias, *self.middle_bias, self.last_bias]
        return [(weight[agent].detach(), bias[agent, 0].detach()) for weight, bias in zip(weights, biases, strict=True)]

    def given_by(self, agent: int) -> Tensor:
        """What each action of each agent before this one adds behind its first layer, ``[agent, A, H]``."""
        return self.action[: agent * self.n_actions].detach().view(agent, self.n_actions, self.hidden)
