"""What encoders make of what is seen, against the equations, one row, agent and step at a time."""

from __future__ import annotations

import pytest
import torch as th
from torch import Tensor, nn

from epymarl_cpa.modules.encoders import REGISTRY, Encoder, Sight

B, T, N, H = 3, 4, 2, 5
SIGHT = Sight(n_observed=3, n_beside=2, levels=4, n_agents=N)


def test_every_observed_entry_becomes_a_one_hot_vector_of_its_levels() -> None:
    seen = th.tensor([[-1.0, 0.0, 3.0, 0.5, 1.0], [9.0, 2.0, 0.6, 0.0, 2.0]])  # beyond the levels is the nearest
    hot = {level: [float(level == place) for place in range(4)] for level in range(4)}
    assert SIGHT.spread(seen).tolist() == [[*hot[0], *hot[0], *hot[3], 0.5, 1.0], [*hot[3], *hot[2], *hot[1], 0.0, 2.0]]
    assert SIGHT.n_spread == 14
    alone = Sight(n_observed=2, levels=4)
    assert alone.spread(th.tensor([[1.0, 3.0]])).tolist() == [[*hot[1], *hot[3]]] and alone.n_spread == 8
    plain = Sight(n_observed=3, n_beside=2)
    assert plain.spread(seen) is seen and plain.n_spread == 5


def make(name: str) -> Encoder:
    th.manual_seed(0)
    encoder = REGISTRY[name](SIGHT, H)
    with th.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(0, 0.7)
    return encoder


def seen_by(group: int) -> Tensor:
    return th.cat([th.randint(0, 4, (B, T, group, 3)).float(), th.rand(B, T, group, 2)], -1)


def gru_of(encoder: Encoder, agent: int) -> tuple[nn.Linear, nn.GRUCell]:
    """torch's own, with the parameters that an agent is exported with."""
    first, cell = nn.Linear(SIGHT.n_spread, H), nn.GRUCell(H, H)
    arrays = encoder.arrays_of(agent)
    with th.no_grad():
        for to, name in ((first.weight, "first.w"), (first.bias, "first.b"), (cell.weight_ih, "inward.w"),
                         (cell.bias_ih, "inward.b"), (cell.weight_hh, "back.w"), (cell.bias_hh, "back.b")):
            wanted = arrays[name].T if to.dim() == 2 else arrays[name]
            assert wanted.shape == to.shape
            to.copy_(wanted)
    return first, cell


@pytest.mark.parametrize("group", [1, N])
@pytest.mark.parametrize("name", ["rnn", "rnn_ns"])
def test_recurrent_encoders_are_torchs_gated_unit(name: str, group: int) -> None:
    encoder, seen = make(name), seen_by(group)
    groups = N if encoder.one_each else group
    wanted = th.zeros(B, T, groups, H)
    for g in range(groups):
        first, cell = gru_of(encoder, g)
        for b in range(B):
            hidden = th.zeros(1, H)
            for t in range(T):
                hidden = cell(th.relu(first(SIGHT.spread(seen[b:b + 1, t, g % group]))), hidden)
                wanted[b, t, g] = hidden[0]
    th.testing.assert_close(encoder(seen), wanted)
    state = encoder.init_hidden(seen[:, 0])
    assert state.shape == (B, groups, H) and not state.any()
    for t in range(T):
        features, state = encoder.step(seen[:, t], state)
        th.testing.assert_close(features, wanted[:, t])
        assert th.equal(features, state)
