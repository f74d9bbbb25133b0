"""The critics against the closed-form optimum pi(a) proportional to mu(a) exp(Q(a) / alpha).

One state, uniform data.  Agent 1 chooses X or Y.  After X one of ten actions of agent 2 pays 1 and
the others nothing; after Y every one pays 0.5.  With alpha = 0.1 the exact P(X) is
1 / (1 + exp(log 10 - 5)) = 0.9369; it is what tells a sound weighting from one whose utilities can
be shifted between the agents.
"""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import pytest
import torch as th

from epymarl_cpa.components.transitions import Transitions
from epymarl_cpa.modules.autoregressive import AutoregressiveNet
from epymarl_cpa.modules.critics import REGISTRY
from epymarl_cpa.modules.losses import expected_policy_loss, log_policy, weighted_policy_loss

A, ALPHA = 10, 0.1
EXACT = 1 / (1 + math.exp(math.log(A) - 5))


def every_joint_action() -> Transitions:
    joint = th.tensor(list(itertools.product(range(2), range(A))))
    m = len(joint)
    reward = th.where(joint[:, 0] == 0, (joint[:, 1] == 0).float(), th.tensor(0.5))
    available = th.ones(m, 2, A, dtype=th.bool)
    available[:, 0, 2:] = False
    one = th.ones(m, 1)
    return Transitions(state=one, actions=joint, available=available, reward=reward, done=th.ones(m), next_state=one,
                       next_actions=joint * 0, next_available=available, time=th.zeros(m, dtype=th.long),
                       next_played=th.zeros(m))


def learned_probability_of_x(weight: str, updates: int) -> float:
    th.manual_seed(0)
    step = every_joint_action()
    args = SimpleNamespace(n_agents=2, n_actions=A, gamma=0.99, alpha=ALPHA, hidden_dim=32, n_layers=2,
                           critic_time=False)
    critic, policy = REGISTRY[weight](1, 1, args), AutoregressiveNet(1, 2, A, 32)
    log_mu = log_policy(th.zeros(len(step.actions), 2, A), step.available)
    optimiser = th.optim.Adam([*critic.parameters(), *policy.parameters()], lr=5e-3)
    for _ in range(updates):
        judgement = critic.judge(step, log_mu, lambda: log_mu[:, 0])
        log_pi = log_policy(policy(step.state, step.actions), step.available)
        if judgement.q is None:
            loss = weighted_policy_loss(log_pi, step.actions, judgement.log_weights, clip=100.0)
        else:
            loss = expected_policy_loss(log_pi, judgement.q, log_mu, ALPHA)
        optimiser.zero_grad()
        (judgement.loss + loss).backward()
        optimiser.step()
        critic.update_targets(0.1)
    return float(log_policy(policy.first_head(step.state[:1]), step.available[:1, 0]).exp()[0, 0].detach())


@pytest.mark.parametrize("weight", ["chain", "prefix", "joint"])
def test_sound_weightings_reach_the_closed_form(weight: str) -> None:
    assert learned_probability_of_x(weight, 800) == pytest.approx(EXACT, abs=0.02)


def test_chain_values_telescope_to_the_joint_weight() -> None:
    """The product of the agents' weights is exp((Q - V) / alpha), whatever the network holds."""
    th.manual_seed(1)
    args = SimpleNamespace(n_agents=2, n_actions=A, gamma=0.99, alpha=ALPHA, hidden_dim=8, n_layers=1,
                           critic_time=False)
    critic, step = REGISTRY["chain"](1, 1, args), every_joint_action()
    log_mu = log_policy(th.zeros(len(step.actions), 2, A), step.available)
    joint = critic.judge(step, log_mu, lambda: log_mu[:, 0]).log_weights.sum(1).exp()
    assert joint.mean().item() == pytest.approx(1.0, abs=1e-4)  # E_mu over all equally likely joint actions


def test_per_agent_weights_are_not_determined_by_the_values() -> None:
    """Moving value between the agents leaves Q_tot alone but changes Eq. 5's first head (why it is not the default)."""
    from epymarl_cpa.modules.losses import soft_value

    step = every_joint_action()
    log_mu = log_policy(th.zeros(2, A), step.available[0])
    firsts = []
    for shift in (0.0, 0.4):
        q1 = th.zeros(A)
        q1[0] += shift  # agent 2's utilities after X are lowered by as much; the sum is unchanged
        firsts.append(float((log_mu[0, 0] + (q1[0] - soft_value(q1, log_mu[0], ALPHA)) / ALPHA).exp()))
    assert abs(firsts[0] - firsts[1]) > 0.3
