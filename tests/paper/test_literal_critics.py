"""Every critic's loss and weights against its equations, one step, agent and action at a time.

Online and target networks differ, and so do states as targets see them, so that nothing stands in for anything else.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch as th
from torch import Tensor, nn

from epymarl_cpa.components.env_info import EnvInfo
from epymarl_cpa.components.transitions import Transitions
from epymarl_cpa.config import resolve
from epymarl_cpa.modules.critics import REGISTRY, Critic, CriticSettings

M, N, A, S, T = 9, 3, 4, 2, 5
ALPHA, GAMMA = 0.3, 0.9
Numbers = list[list[float]]


def make(weight: str, critic_time: bool, mixer_weights: str = "softmax") -> Critic:
    """A critic whose target networks are not what they follow."""
    config = {**resolve("cpa_ar", "xor", []), "seed": 0, "alpha": ALPHA, "gamma": GAMMA, "hidden_dim": 6, "n_layers": 2,
              "value_hidden_dim": 7, "critic_time": critic_time, "mixer_weights": mixer_weights}
    th.manual_seed(1)
    critic = REGISTRY[weight](S, EnvInfo(N, A, S, S, T), CriticSettings.of(config)).double()
    with th.no_grad():
        for parameter in critic.parameters():
            parameter.normal_(0, 0.8)
    return critic


def steps() -> tuple[Transitions, Tensor, Tensor]:
    """Steps, the behaviour ``[M, N, A]`` with an action that it never takes, and that of the next first agent."""
    th.manual_seed(2)

    def states() -> Tensor:
        return th.randn(M, S, dtype=th.double)

    step = Transitions(
        inputs=states()[:, None], next_inputs=states()[:, None], state=states(), next_state=states(),
        recorded_state=states(), actions=th.randint(0, A, (M, N)), next_actions=th.randint(0, A, (M, N)),
        available=th.ones(M, N, A, dtype=th.bool), next_available=th.ones(M, N, A, dtype=th.bool),
        reward=th.randn(M, dtype=th.double), done=(th.arange(M) % 3 == 0).double(), time=th.arange(M) % T,
        episode=th.arange(M), next_played=(th.arange(M) % 2).double())
    step = dataclasses.replace(step, by_targets=dataclasses.replace(step, state=states(), next_state=states()))
    log_mu, ahead = th.randn(M, N, A, dtype=th.double), th.randn(M, A, dtype=th.double)
    log_mu[:, 1, 2] = th.finfo(th.float32).min
    return step, log_mu.log_softmax(-1), ahead.log_softmax(-1)


def rows(net: nn.Module, state: Tensor, actions: Tensor, *time: float) -> Numbers:
    """A network's values ``[N][A]`` of one step."""
    found: Numbers = net(th.cat([state, state.new_tensor(time)])[None, None], actions[None])[0].tolist()
    return found


def value(net: nn.Module, state: Tensor, time: int) -> list[float]:
    found: list[float] = net(state[None], th.tensor([time]))[0].tolist()
    return found


def soft(q: list[float], log_mu: list[float]) -> float:
    return ALPHA * math.log(sum(math.exp(mu + x / ALPHA) for x, mu in zip(q, log_mu, strict=True)))


def weight_of(advantage: float, log_mu: float) -> float:
    return advantage / ALPHA if log_mu > -1e30 else -math.inf


def mixed(net: nn.Module, mixer: nn.Module, state: Tensor, actions: Tensor, time: int, how: str,
          ) -> tuple[Numbers, float]:
    """w_i Q_i of every own action and the bias."""
    *raw, bias = value(mixer, state, time)
    parts = [abs(x) if how == "abs" else N * math.exp(x) / sum(map(math.exp, raw)) for x in raw]
    return [[w * x for x in row] for w, row in zip(parts, rows(net, state, actions), strict=True)], bias


def chain(critic: Any, step: Transitions, mu: Any, ahead: Any, how: str, m: int) -> tuple[float, list[float]]:
    a = step.actions[m].tolist()
    b = rows(critic.advantage, step.state[m], step.actions[m])
    advantage = [b[i][a[i]] - soft(b[i], mu[i]) for i in range(N)]
    later = value(critic.value.target, step.lagged.next_state[m], int(step.time[m]) + 1)[0]
    error = value(critic.value.online, step.state[m], int(step.time[m]))[0] + sum(advantage) \
        - float(step.reward[m]) - GAMMA * (1 - float(step.done[m])) * later
    return error ** 2, [weight_of(advantage[i], mu[i][a[i]]) for i in range(N)]


def prefix(critic: Any, step: Transitions, mu: Any, ahead: Any, how: str, m: int) -> tuple[float, list[float]]:
    a, t = step.actions[m].tolist(), int(step.time[m])
    now, then = ([t / T], [(t + 1) / T]) if critic.horizon else ([], [])
    q = rows(critic.q.online, step.state[m], step.actions[m], *now)
    target = rows(critic.q.target, step.lagged.state[m], step.actions[m], *now)
    first = rows(critic.q.target, step.lagged.next_state[m], step.actions[m], *then)[0]
    goals = [*(soft(target[i], mu[i]) for i in range(1, N)),
             float(step.reward[m]) + GAMMA * (1 - float(step.done[m])) * soft(first, ahead)]
    return sum((q[i][a[i]] - goals[i]) ** 2 for i in range(N)) / N, \
        [weight_of(target[i][a[i]] - soft(target[i], mu[i]), mu[i][a[i]]) for i in range(N)]


def per_agent(critic: Any, step: Transitions, mu: Any, ahead: Any, how: str, m: int) -> tuple[float, list[float]]:
    a, t, done = step.actions[m].tolist(), int(step.time[m]), float(step.done[m])
    q, bias = mixed(critic.utility.online, critic.mixer.online, step.state[m], step.actions[m], t, how)
    later, later_bias = mixed(critic.utility.target, critic.mixer.target, step.lagged.next_state[m],
                              step.next_actions[m], t + 1, how)
    best = sum(later[i][int(step.next_actions[m, i])] for i in range(N)) + later_bias
    known = max(done, float(step.next_played[m]))
    error = sum(q[i][a[i]] for i in range(N)) + bias - float(step.reward[m]) - GAMMA * (1 - done) * best
    counted = float(th.maximum(step.done, step.next_played).sum())
    return known * error ** 2 * M / counted, \
        [weight_of(q[i][a[i]] - soft(q[i], mu[i]), mu[i][a[i]]) for i in range(N)]


def joint(critic: Any, step: Transitions, mu: Any, ahead: Any, how: str, m: int) -> tuple[float, list[float]]:
    a, t = step.actions[m].tolist(), int(step.time[m])
    q, bias = mixed(critic.utility.online, critic.mixer.online, step.state[m], step.actions[m], t, how)
    steady, steady_bias = mixed(critic.utility.target, critic.mixer.target, step.lagged.state[m], step.actions[m], t,
                                how)
    later = value(critic.value.target, step.lagged.next_state[m], t + 1)[0]
    error = sum(q[i][a[i]] for i in range(N)) + bias - float(step.reward[m]) \
        - GAMMA * (1 - float(step.done[m])) * later
    z = (sum(steady[i][a[i]] for i in range(N)) + steady_bias - value(critic.value.online, step.state[m], t)[0]) / ALPHA
    critic.beyond = getattr(critic, "beyond", 0) + (z > 5)
    rise = math.exp(z) if z < 5 else math.exp(5) * (1 + z - 5)
    return error ** 2 + ALPHA ** 2 * (rise - z - 1), [z]


CRITICS = {"chain": chain, "prefix": prefix, "per_agent": per_agent, "joint": joint}


@pytest.mark.parametrize("critic_time", [False, True], ids=["without the time", "with the time"])
@pytest.mark.parametrize(("weight", "how"), [("chain", ""), ("prefix", ""), ("per_agent", "softmax"),
                                             ("per_agent", "abs"), ("joint", "softmax"), ("joint", "abs")])
def test_a_critic_is_its_equations(weight: str, how: str, critic_time: bool) -> None:
    critic, (step, log_mu, ahead) = make(weight, critic_time, how or "softmax"), steps()
    judged = critic.judge(step, log_mu, lambda: ahead)
    wanted = [CRITICS[weight](critic, step, log_mu[m].tolist(), ahead[m].tolist(), how, m) for m in range(M)]
    assert judged.loss.item() == pytest.approx(sum(loss for loss, _ in wanted) / M, rel=1e-6)
    th.testing.assert_close(judged.log_weights, th.tensor([weights for _, weights in wanted], dtype=th.double))
    assert not judged.log_weights.requires_grad
    assert weight != "joint" or 0 < critic.beyond < M, "the exponent must be on both sides of its limit"  # type: ignore
    again = critic.rows()
    if again is not None:  # what is known already need not be computed again
        known = again(step.state[:, None], step.actions)
        assert critic.judge(step, log_mu, lambda: ahead, known).loss.item() == pytest.approx(judged.loss.item())
