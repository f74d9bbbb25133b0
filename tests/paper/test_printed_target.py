"""Eq. 7 as printed and as the official MAICQ code has it: against literal references, and where the former breaks."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import pytest
import torch as th
from torch import Tensor

from epymarl_cpa.components.env_info import EnvInfo
from epymarl_cpa.components.transitions import Transitions
from epymarl_cpa.config import resolve
from epymarl_cpa.modules.critics import PerAgentCritic
from epymarl_cpa.modules.followed import target_pairs
from epymarl_cpa.modules.losses import batch_target_weight, printed_target_weight, taken
from epymarl_cpa.modules.settings import CriticSettings

M, N, A, ALPHA, GAMMA = 5, 3, 2, 0.7, 0.9
JOINT = th.tensor(list(itertools.product(range(A), repeat=N)))


def new_critic(n_agents: int, n_actions: int, n_state: int, **changes: Any) -> PerAgentCritic:
    config = {**resolve("cpa_ar_printed", "xor"), "seed": 0, "hidden_dim": 8, "value_hidden_dim": 8, "gamma": GAMMA,
              "alpha": ALPHA, **changes}
    info = EnvInfo(n_agents=n_agents, n_actions=n_actions, state_shape=n_state, obs_shape=n_state, episode_limit=3)
    return PerAgentCritic(n_state, info, CriticSettings.of(config))


def some_steps() -> Transitions:
    """Five steps; the first ends its episode, and after the second nobody recorded what was played."""
    th.manual_seed(4)
    state, later = th.randn(M, 2), th.randn(M, 2)
    available = th.ones(M, N, A, dtype=th.bool)
    return Transitions(inputs=state[:, None], next_inputs=later[:, None], state=state, next_state=later,
                       recorded_state=state, actions=JOINT[:M], next_actions=JOINT[-M:], available=available,
                       next_available=available, reward=th.randn(M), done=th.tensor([1.0, 0, 0, 0, 0]),
                       time=th.tensor([2, 0, 1, 0, 1]), episode=th.arange(M),
                       next_played=th.tensor([0.0, 0, 1, 1, 1]))


@pytest.mark.parametrize("target_weight", ["printed", "batch", "one"])
@pytest.mark.parametrize("mixer_weights", ["abs", "softmax"])
@th.no_grad()
def test_equation_7_literally(target_weight: str, mixer_weights: str) -> None:
    critic, step = new_critic(N, A, 2, target_weight=target_weight, mixer_weights=mixer_weights), some_steps()
    for target, _ in target_pairs([critic]):
        target += 0.1 * th.randn_like(target)  # targets lag behind
    next_mu = th.randn(M, N, A).softmax(-1)

    def values(state: Tensor, m: int, joint: Tensor, lagged: bool) -> tuple[Tensor, float]:
        """w^i Q^i of every own action after the joint action's prefixes ``[N, A]``, and b."""
        utility, mixer = (net.target if lagged else net.online for net in (critic.utility, critic.mixer))
        q, out = utility(state[None, None], joint[None])[0], mixer(state[None], step.time[m:m + 1])[0]
        weights = [float(w) for w in out[:N].abs()] if mixer_weights == "abs" else \
            [N * math.exp(out[i]) / sum(math.exp(w) for w in out[:N]) for i in range(N)]
        return th.stack([weights[i] * q[i] for i in range(N)]), float(out[N])

    def total(own: Tensor, bias: float, joint: Tensor) -> float:
        return sum(float(own[i, joint[i]]) for i in range(N)) + bias

    follow = [m for m in range(M) if step.next_played[m]]
    ahead = {m: values(step.next_state[m], m, step.next_actions[m], lagged=True) for m in follow}
    q_next = {m: total(*ahead[m], step.next_actions[m]) for m in follow}
    weight = dict.fromkeys(follow, 1.0)
    for m in follow if target_weight == "printed" else ():
        own, joint = ahead[m][0], step.next_actions[m]
        for i in range(N):
            z = sum(float(next_mu[m, i, a]) * math.exp(own[i, a] / ALPHA) for a in range(A))  # Eq. 6
            weight[m] *= math.exp(own[i, joint[i]] / ALPHA) / z
    if target_weight == "batch":
        z = sum(math.exp(q / 1000.0) for q in q_next.values()) / len(follow)
        weight = {m: math.exp(q_next[m] / 1000.0) / z for m in follow}
    errors = []
    for m in (0, *follow):  # what the second step leads to is unknown
        goal = float(step.reward[m]) + (GAMMA * weight[m] * q_next[m] if m in follow else 0.0)
        errors.append((total(*values(step.state[m], m, step.actions[m], False), step.actions[m]) - goal) ** 2)
    judgement = critic.judge(step, next_mu.log(), lambda: next_mu[:, 0].log(), None, lambda: next_mu.log())
    assert judgement.loss.item() == pytest.approx(sum(errors) / len(errors), rel=1e-4)
    if target_weight != "one":
        mean = sum(weight.values()) / len(follow)
        assert judgement.stats["target_weight_max"].item() == pytest.approx(max(weight.values()), rel=1e-4)
        assert judgement.stats["target_weight_mean"].item() == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("target_weight", ["printed", "batch"])
def test_what_nobody_played_next_may_have_any_value(target_weight: str) -> None:
    """Weights without bounds that count nothing make no loss infinite; the loss is that of ordinary values there."""
    critic, step = new_critic(N, A, 2, target_weight=target_weight), some_steps()
    next_mu = th.full((M, N, A), math.log(1 / A))
    losses = []
    for size in (1.0, 1e30):
        later = step.next_state.clone()
        later[:2] *= size  # the first step ends its episode, the second was cut off
        judgement = critic.judge(dataclasses.replace(step, next_state=later), next_mu, lambda: next_mu[:, 0], None,
                                 lambda: next_mu)
        losses.append(judgement.loss.item())
    assert math.isfinite(losses[0]) and losses[0] == losses[1]


def chain() -> tuple[Tensor, Tensor, Tensor]:
    """Values and log-behaviour of a chain of choices after every joint action ``[A^N, N, A]``, and its law ``[A^N]``.
    """
    th.manual_seed(7)
    tables = [(th.randn(A**i, A), th.randn(A**i, A).log_softmax(-1)) for i in range(N)]
    prefix = [sum(JOINT[:, j] * A**(i - 1 - j) for j in range(i)) + th.zeros(len(JOINT), dtype=th.long)
              for i in range(N)]
    q, log_mu = (th.stack([table[k][row] for table, row in zip(tables, prefix, strict=True)], 1) for k in (0, 1))
    return q, log_mu, taken(log_mu, JOINT).sum(1).exp()


def test_the_printed_weight_is_policy_over_behaviour_and_its_mean_is_one() -> None:
    q, log_mu, mu = chain()
    weight = printed_target_weight(q, log_mu, JOINT, ALPHA)
    pi = (log_mu + q / ALPHA).softmax(-1)  # what Eq. 5 fits
    th.testing.assert_close(weight * mu, taken(pi, JOINT).prod(1))
    assert (weight * mu).sum().item() == pytest.approx(1.0)


def test_without_prefixes_the_printed_weight_has_equation_1s_partition_function() -> None:
    th.manual_seed(8)
    q, log_mu = (values.expand(len(JOINT), -1, -1) for values in (th.randn(1, N, A), th.randn(1, N, A).log_softmax(-1)))
    mu, exponent = taken(log_mu, JOINT).sum(1).exp(), (taken(q, JOINT).sum(1) / ALPHA).exp()
    th.testing.assert_close(printed_target_weight(q, log_mu, JOINT, ALPHA), exponent / (mu * exponent).sum())


def test_official_maicqs_weight_is_one_to_two_digits_and_leaves_out_what_was_not_played() -> None:
    q_tot = th.tensor([0.0, 3.0, 10.0, 1e6])
    weight = batch_target_weight(q_tot, th.tensor([1.0, 1, 1, 0]), 1000.0)
    assert weight[3] == 0
    assert weight[:3].mean().item() == pytest.approx(1.0)
    assert (weight[:3] - 1).abs().max() < 0.01


# ------------------------------------------------------------------------------------- where it breaks
# One agent, one state, actions a and b equally often, and every episode keeps to one of them, as where recordings are
# of several teams.  alpha is 1.  Without a weight Q(x) = r(x) / (1 - gamma): 10 times the reward.

def printed_target(reward: Tensor, q: Tensor) -> Tensor:
    """r + gamma rho(x) Q(x), where x is followed by x."""
    even = th.full((2, 1, 2), math.log(0.5))
    weight = printed_target_weight(q.expand(2, 1, 2), even, th.tensor([[0], [1]]), alpha=1.0)
    return reward + GAMMA * weight * q


def settled(reward: list[float], sweeps: int) -> Tensor:
    """What Q becomes if it goes a twentieth of the way to its target again and again, from values without a weight."""
    rewards = th.tensor(reward, dtype=th.double)
    q = rewards / (1 - GAMMA)
    for _ in range(sweeps):
        q = q + 0.05 * (printed_target(rewards, q) - q)
    return q


def test_high_values_diverge_under_the_printed_weight() -> None:
    """Q(a) = 10, Q(b) = 0: rho(a) = 2 / (1 + exp(-10)), so that Q(a) is multiplied by 1.8 in every step."""
    reward = th.tensor([1.0, 0.0], dtype=th.double)
    target = printed_target(reward, th.tensor([10.0, 0.0], dtype=th.double))
    assert target.tolist() == pytest.approx([1 + 9 * 2 / (1 + math.exp(-10)), 0.0])
    assert target[0].item() == pytest.approx(19.0, abs=0.01)
    assert settled([1.0, 0.0], 500)[0] > 1e8


def test_negative_values_of_good_and_bad_become_equal_under_the_printed_weight() -> None:
    """a costs 1 and b costs 2, so that -10 and -20 were right, and P(a) = 1 / (1 + exp(-10)).

    rho(a) = 1 + x and rho(b) = 1 - x give Q(a) = -1 / (0.1 - 0.9 x) and Q(b) = -2 / (0.1 + 0.9 x), which meet near
    x = 1/27, at -15; the better action's own weight makes it dearer until it is hardly better.
    """
    better, worse = settled([-1.0, -2.0], 2000).tolist()
    assert better == pytest.approx(-15.0, abs=0.1)
    assert 0 < better - worse < 0.1
    assert 1 / (1 + math.exp(worse - better)) == pytest.approx(0.5 * 28 / 27, abs=0.001)


def test_where_the_next_action_does_not_depend_on_the_last_the_printed_weight_is_right_on_average() -> None:
    """Then the mean of rho(x') Q(x') over the behaviour is the policy's mean, however high or low Q is."""
    for offset in (-50.0, 0.0, 50.0):
        q = th.tensor([1.0, 0.0], dtype=th.double) + offset
        mean = printed_target(th.zeros(2, dtype=th.double), q).mean().item()
        assert mean == pytest.approx(GAMMA * float((q.softmax(0) * q).sum()))


@pytest.mark.parametrize(("target_weight", "reached"), [("printed", (100.0, math.inf)), ("batch", (9.0, 11.0)),
                                                        ("one", (9.0, 11.0))])
def test_the_critic_itself_diverges_there(target_weight: str, reached: tuple[float, float]) -> None:
    th.manual_seed(0)
    critic = new_critic(1, 2, 1, target_weight=target_weight, alpha=1.0)
    one, own = th.ones(2, 1), th.tensor([[0], [1]])
    even = th.full((2, 1, 2), math.log(0.5))
    available = th.ones(2, 1, 2, dtype=th.bool)
    step = Transitions(inputs=one[:, None], next_inputs=one[:, None], state=one, next_state=one, recorded_state=one,
                       actions=own, next_actions=own, available=available, next_available=available,
                       reward=th.tensor([1.0, 0.0]), done=th.zeros(2), time=th.zeros(2, dtype=th.long),
                       episode=th.arange(2), next_played=th.ones(2))
    optimiser = th.optim.Adam(critic.parameters(), lr=0.05)
    for _ in range(150):
        loss = critic.judge(step, even, lambda: even[:, 0], None, lambda: even).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with th.no_grad():
            for target, online in target_pairs([critic]):
                target.lerp_(online, 0.3)
    with th.no_grad():
        q, bias = critic.mix(critic.utility(one[:, None], own), critic.mixer, one, step.time)
        value = float(taken(q, own)[0, 0] + bias[0])
    assert reached[0] < value < reached[1]
