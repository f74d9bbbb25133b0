"""The pool of conventions: what every agent does under each of them, from its own history."""

from __future__ import annotations

from typing import Any

import torch as th
from torch import Tensor, nn

from ..agreement.key import pick
from ..agreement.readers import used_entries
from ..modules.batched import affine, uniform


class Conventions(nn.Module):
    """c conventions of N agents, which share the memory and the layers, but not what an entry makes of them.

    Entry j of agent i is a policy pi_i^j(a_i | own history): the agent's features pass a layer whose outputs the
    entry scales and shifts, and two more.  Which conventions are worth playing does not depend on what is seen, so
    that all agents know it alike.

    Args:
        n_input: F, length of an agent's features.
        n_agents, n_actions: N and A.
        size: c.
        hidden: H, width of the layers.
        floor: share below which an entry is never played.

    Attributes:
        mixing: logits of the share of the recorded episodes that follows each convention, ``[c]``; trained.
        shares: how likely the key means each convention, ``[c]``; adds up to 1.
        values, errors: what each is estimated to be worth in undiscounted reward, and the error of that, ``[c]``.
        repeats: how often an agent does the same at the same sight, where the data tell; 0: no limit.
    """

    shares: Tensor
    values: Tensor
    errors: Tensor
    repeats: Tensor

    def __init__(self, n_input: int, n_agents: int, n_actions: int, size: int, hidden: int, floor: float) -> None:
        super().__init__()
        self.size, self.floor = size, floor
        self.first, self.first_bias = (uniform(n_agents, rows, hidden, fan_in=n_input) for rows in (n_input, 1))
        self.scale = nn.Parameter(0.5 * th.randn(n_agents, size, hidden))
        self.shift = nn.Parameter(0.5 * th.randn(n_agents, size, hidden))
        self.middle, self.middle_bias = (uniform(n_agents, rows, hidden, fan_in=hidden) for rows in (hidden, 1))
        self.last = uniform(n_agents, hidden, n_actions, fan_in=hidden)
        self.last_bias = nn.Parameter(th.zeros(n_agents, size, n_actions))
        self.mixing = nn.Parameter(th.zeros(size))
        self.register_buffer("shares", th.full((size,), 1.0 / size, dtype=th.double))
        self.register_buffer("values", th.zeros(size, dtype=th.double))
        self.register_buffer("errors", th.zeros(size, dtype=th.double))
        self.register_buffer("repeats", th.zeros((), dtype=th.long))
        self.register_load_state_dict_pre_hook(_without_repeats)  # type: ignore[no-untyped-call]

    def every(self, x: Tensor) -> Tensor:
        """Logits ``[B, c, N, A]`` of all conventions, from features ``[B, G, F]``."""
        h = self._first(x)[:, :, None]  # [N, B, 1, H]
        logits = self._rest(h, self.scale[:, None], self.shift[:, None], self.last_bias[:, None])
        return logits.permute(1, 2, 0, 3)

    def under(self, x: Tensor, index: Tensor) -> Tensor:
        """Logits ``[B, N, A]`` under the conventions with numbers ``[B]``."""
        logits = self._rest(self._first(x), self.scale[:, index], self.shift[:, index], self.last_bias[:, index])
        return logits.transpose(0, 1)

    def logits(self, x: Tensor, key: Tensor | None) -> Tensor:
        """Logits ``[B, N, A]`` under the convention that the keys ``[B, 1]`` mean; without keys under the likeliest."""
        return self.under(x, self.choose(len(x), key).to(x.device))

    def choose(self, rows: int, key: Tensor | None) -> Tensor:
        """Numbers ``[B]`` of the conventions that the keys mean; errors and arguments as for :meth:`logits`."""
        if key is None:
            return self.shares.argmax().expand(rows)
        # In double precision by NumPy, as the exported agents do it, so that all pick alike.
        return th.from_numpy(pick(self.law().expand(rows, -1).cpu().numpy(), key[:, 0].cpu().numpy()))

    def law(self) -> Tensor:
        """How likely a key means each convention, ``[c]``."""
        played = self.shares * used_entries(self.shares[None], self.floor)[0]
        return played / played.sum()

    def part_of(self, agent: int) -> dict[str, Tensor]:
        """What one agent needs to act on its own, by the names of the exported counterpart."""
        layers = {"first.w": self.first, "first.b": self.first_bias[:, 0], "scale": self.scale, "shift": self.shift,
                  "middle.w": self.middle, "middle.b": self.middle_bias[:, 0], "last.w": self.last,
                  "last.b": self.last_bias}
        return {name: layer[agent].detach() for name, layer in layers.items()}

    def play_by(self, shares: Tensor, values: Tensor, errors: Tensor) -> None:
        """From now on the key means the conventions this likely; ``[c]`` each, ``shares`` adding up to 1."""
        self.shares.copy_(shares)
        self.values.copy_(values)
        self.errors.copy_(errors)

    def _first(self, x: Tensor) -> Tensor:
        """``[B, G, F]`` to ``[N, B, H]``."""
        return th.baddbmm(self.first_bias, x.transpose(0, 1).expand(len(self.first), -1, -1), self.first)

    def _rest(self, h: Tensor, scale: Tensor, shift: Tensor, bias: Tensor) -> Tensor:
        """Behind the first layer, for each agent: ``[N, ..., H]`` to ``[N, ..., A]``."""
        h = th.relu(h * (1 + scale) + shift)
        shape = h.shape[1:-1]
        h = th.relu(th.baddbmm(self.middle_bias, h.flatten(1, -2), self.middle))
        nothing = self.last.new_zeros(len(self.last), 1, self.last.shape[-1])
        logits: Tensor = affine(nothing, h, self.last).view(len(h), *shape, -1) + bias
        return logits


def _without_repeats(conventions: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Models that were saved before ``repeats`` was there have no limit of the data's."""
    state.setdefault(f"{prefix}repeats", th.zeros((), dtype=th.long))
