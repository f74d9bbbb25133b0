"""Recurrent encoders: a dense layer, a rectifier and a gated recurrent unit, the trunk of EPyMARL's agents.

The features are the hidden state.  The heads behind it are the agents' own in any case.
"""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..batched import affine, uniform
from . import REGISTRY
from .base import Encoder, Sight


@REGISTRY.register("rnn")
class Rnn(Encoder):
    """One network that all agents share."""

    exported = "gru"
    first: nn.Linear
    gru: nn.GRU

    def build(self, sight: Sight, hidden: int) -> None:
        self.n_out = self.n_hidden = hidden
        self.first = nn.Linear(sight.n_spread, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, seen: Tensor) -> Tensor:
        x = th.relu(self.first(self.sight.spread(seen))).transpose(1, 2)  # [B, G, T, H]
        features: Tensor = self.gru(x.flatten(0, 1))[0]
        return features.view(x.shape).transpose(1, 2)

    def step(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        x = th.relu(self.first(self.sight.spread(seen)))  # [B, G, H]
        features: Tensor = self.gru(x.flatten(0, 1)[:, None], hidden.flatten(0, 1)[None])[0]
        features = features.view(x.shape)
        return features, features

    def arrays_of(self, agent: int) -> dict[str, Tensor]:
        gru = dict(self.gru.named_parameters())
        arrays = {"first.w": self.first.weight.T, "first.b": self.first.bias,
                  "inward.w": gru["weight_ih_l0"].T, "inward.b": gru["bias_ih_l0"],
                  "back.w": gru["weight_hh_l0"].T, "back.b": gru["bias_hh_l0"]}
        return {name: value.detach() for name, value in arrays.items()}


@REGISTRY.register("rnn_ns")
class RnnNs(Encoder):
    """N networks that share nothing, evaluated together by batched matrix products."""

    exported = "gru"
    one_each = True

    def build(self, sight: Sight, hidden: int) -> None:
        self.n_out = self.n_hidden = hidden
        n, n_in = sight.n_agents, sight.n_spread

        def layer(fan_in: int, width: int) -> nn.ParameterDict:
            return nn.ParameterDict({"w": uniform(n, fan_in, width, fan_in=fan_in),
                                     "b": uniform(n, 1, width, fan_in=fan_in)})

        self.first, self.inward, self.back = layer(n_in, hidden), layer(hidden, 3 * hidden), layer(hidden, 3 * hidden)

    def forward(self, seen: Tensor) -> Tensor:
        batch, time = seen.shape[:2]
        gates = self._inward(seen.flatten(0, 1)).view(-1, batch, time, 3 * self.n_hidden)
        hidden, features = gates.new_zeros(len(gates), batch, self.n_hidden), []
        for now in gates.unbind(2):
            hidden = self._recur(now, hidden)
            features.append(hidden)
        return th.stack(features).permute(2, 0, 1, 3)  # [T, N, B, H] to [B, T, N, H]

    def step(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        features = self._recur(self._inward(seen), hidden.transpose(0, 1)).transpose(0, 1)
        return features, features

    def _inward(self, seen: Tensor) -> Tensor:
        """What rows ``[R, G, n_seen]`` say to the gates, ``[N, R, 3 H]``."""
        x = self.sight.spread(seen).transpose(0, 1).expand(self.sight.n_agents, -1, -1)
        x = th.relu(affine(self.first["b"], x, self.first["w"]))
        return affine(self.inward["b"], x, self.inward["w"])

    def _recur(self, gates: Tensor, hidden: Tensor) -> Tensor:
        """``nn.GRU``'s equations for each agent: ``[N, B, 3 H]`` and ``[N, B, H]`` to ``[N, B, H]``."""
        reset, update, new = gates.chunk(3, -1)
        old_reset, old_update, old = affine(self.back["b"], hidden, self.back["w"]).chunk(3, -1)
        reset, update = th.sigmoid(reset + old_reset), th.sigmoid(update + old_update)
        new = th.tanh(new + reset * old)
        return new + update * (hidden - new)

    def arrays_of(self, agent: int) -> dict[str, Tensor]:
        layers = {"first": self.first, "inward": self.inward, "back": self.back}
        return {f"{name}.{kind}": layer[kind][agent].detach().reshape(*((-1,) if kind == "b" else layer["w"].shape[1:]))
                for name, layer in layers.items() for kind in ("w", "b")}
