"""The autoregressive network: causality, and equality with a slow literal reference."""

from __future__ import annotations

import itertools

import pytest
import torch as th
from torch import Tensor

from epymarl_cpa.modules.autoregressive import AutoregressiveNet

S, N, A, H = 5, 4, 3, 16


def make(layers: int = 2) -> AutoregressiveNet:
    th.manual_seed(0)
    return AutoregressiveNet(S, N, A, H, layers)


def literal(net: AutoregressiveNet, state: Tensor, actions: Tensor) -> Tensor:
    """One state and agent at a time, from the masked one-hot vector of the earlier actions."""
    rows = []
    for b in range(len(state)):
        for i in range(N):
            given = th.zeros(N * A)
            for j in range(i):
                given[j * A + actions[b, j]] = 1.0
            h = th.relu(state[b] @ net.first[i] + net.first_bias[i, 0] + given @ net.action)
            for weight, bias in zip(net.middle, net.middle_bias, strict=True):
                h = th.relu(h @ weight[i] + bias[i, 0])
            rows.append(h @ net.last[i] + net.last_bias[i, 0])
    return th.stack(rows).view(len(state), N, A)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_one_pass_equals_the_literal_reference(layers: int) -> None:
    net = make(layers)
    state, actions = th.randn(7, S), th.randint(0, A, (7, N))
    th.testing.assert_close(net(state[:, None], actions), literal(net, state, actions))


def test_heads_are_causal_bit_for_bit() -> None:
    net = make()
    state, actions = th.randn(6, S), th.randint(0, A, (6, N))
    before = net(state[:, None], actions)
    for j in range(N):
        changed = actions.clone()
        changed[:, j] = (changed[:, j] + 1) % A
        after = net(state[:, None], changed)
        assert th.equal(after[:, : j + 1], before[:, : j + 1]), f"a head up to {j} saw the action of agent {j}"
        if j + 1 < N:
            assert not th.equal(after[:, j + 1:], before[:, j + 1:]), f"no later head sees the action of agent {j}"


def test_probabilities_of_all_joint_actions_sum_to_one() -> None:
    net = make()
    joint = th.tensor(list(itertools.product(range(A), repeat=N)))
    log_pi = net(th.randn(1, 1, S).expand(len(joint), -1, -1), joint).log_softmax(-1)
    total = log_pi.gather(-1, joint[..., None])[..., 0].sum(1).exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-5)


def test_rollout_meets_the_rows_of_the_teacher_forced_pass() -> None:
    net = make()
    state, rows = th.randn(9, S), []

    def choose(agent: int, row: Tensor) -> Tensor:
        rows.append(row)
        return row.argmax(-1)

    actions = net.rollout(state[:, None], choose)
    th.testing.assert_close(net(state[:, None], actions), th.stack(rows, 1))
    th.testing.assert_close(net.first_head(state[:, None]), rows[0])


def test_agents_may_see_different_things() -> None:
    """Every head sees what its own agent sees, in one pass and walking from agent to agent."""
    net, rows = make(), []
    inputs = th.randn(9, N, S)

    def choose(agent: int, row: Tensor) -> Tensor:
        rows.append(row)
        return row.argmax(-1)

    actions = net.rollout(inputs, choose)
    whole = net(inputs, actions)
    th.testing.assert_close(whole, th.stack(rows, 1))
    th.testing.assert_close(net.first_head(inputs), rows[0])
    for agent in range(N):
        th.testing.assert_close(whole[:, agent], literal(net, inputs[:, agent], actions)[:, agent])


@pytest.mark.parametrize(("n_agents", "before"), [(1, 1), (3, 1), (6, 3)])
def test_networks_begin_as_torchs_layers_do_with_half_the_agents_before(n_agents: int, before: int) -> None:
    """Parameters are uniform within 1 / sqrt(number of inputs that are not 0); the last bias is 0."""
    th.manual_seed(0)
    net = AutoregressiveNet(25, n_agents, 40, 64, 2)
    for parameter, inputs in ((net.first, 25), (net.first_bias, 25), (net.action, before), (net.middle[0], 64),
                              (net.middle_bias[0], 64), (net.last, 64)):
        bound = inputs ** -0.5
        assert 0.9 * bound < float(parameter.detach().abs().max()) <= bound
        assert abs(float(parameter.detach().mean())) < 0.3 * bound
    assert not net.last_bias.any()


def test_what_an_agent_takes_along_makes_its_row() -> None:
    """Its layers, and what each action of each agent before it adds behind the first of them."""
    net = make()
    with th.no_grad():
        net.last_bias.normal_()
    state, actions = th.randn(6, S), th.randint(0, A, (6, N))
    wanted = net(state[:, None], actions)
    for agent in range(N):
        (first, bias), *rest = net.layers_of(agent)
        given = net.given_by(agent)
        assert given.shape == (agent, A, H) and not given.requires_grad
        h = state @ first + bias + sum((given[j, actions[:, j]] for j in range(agent)), th.zeros(1, H))
        for weight, bias in rest:
            h = th.relu(h) @ weight + bias
        th.testing.assert_close(h, wanted[:, agent])
