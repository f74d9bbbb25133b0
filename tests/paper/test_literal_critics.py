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
from epymarl_cpa.modules.critic import Critic
from epymarl_cpa.modules.critics import REGISTRY
from epymarl_cpa.modules.settings import CriticSettings

M, N, A, S, T = 9, 3, 4, 2, 5
ALPHA, GAMMA = 0.3, 0.9
Numbers = list[list[float]]


def make(weight: str, **changes: Any) -> Critic:
    """A critic whose target networks are not what they follow."""
    config = {**resolve("cpa_ar", "xor", []), "seed": 0, "alpha": ALPHA, "gamma": GAMMA, "hidden_dim": 6, "n_layers": 2,
              "value_hidden_dim": 7, "critic_time": False, "conservatism": 0.0, "soft_values": True, **changes}
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


def soft(q: list[float], log_mu: list[float], alpha: float) -> float:
    return alpha * math.log(sum(math.exp(mu + x / alpha) for x, mu in zip(q, log_mu, strict=True)))


def weight_of(advantage: float, log_mu: float, alpha: float) -> float:
    return advantage / alpha if log_mu > -1e30 else -math.inf


def mixed(net: nn.Module, mixer: nn.Module, state: Tensor, actions: Tensor, time: int, how: str,
          ) -> tuple[Numbers, float]:
    """w_i Q_i of every own action and the bias."""
    *raw, bias = value(mixer, state, time)
    parts = [abs(x) if how == "abs" else N * math.exp(x) / sum(map(math.exp, raw)) for x in raw]
    return [[w * x for x in row] for w, row in zip(parts, rows(net, state, actions), strict=True)], bias


@dataclasses.dataclass(frozen=True)
class Place:
    """One step, and what is known of it; ``now`` and ``then`` are its time and the next, as the critic is told it."""

    step: Transitions
    m: int
    mu: Numbers
    ahead: list[float]
    alpha: float
    now: int
    then: int

    @property
    def a(self) -> list[int]:
        found: list[int] = self.step.actions[self.m].tolist()
        return found

    def goal(self, later: float) -> float:
        return float(self.step.reward[self.m]) + GAMMA * (1 - float(self.step.done[self.m])) * later


#: a step's share of the loss, of the error, and its log-weights
Judged = tuple[float, float, list[float]]


def chain(critic: Any, at: Place) -> Judged:
    b = rows(critic.advantage, at.step.state[at.m], at.step.actions[at.m])
    advantage = [b[i][at.a[i]] - soft(b[i], at.mu[i], at.alpha) for i in range(N)]
    later = value(critic.value.target, at.step.lagged.next_state[at.m], at.then)[0]
    gain = advantage
    if not critic.args.soft_values:
        weights = [[math.exp(at.mu[i][a] + b[i][a] / at.alpha) for a in range(len(b[i]))] for i in range(N)]
        gain = [b[i][at.a[i]] - sum(w * each for w, each in zip(weights[i], b[i], strict=True)) / sum(weights[i])
                for i in range(N)]
    error = (value(critic.value.online, at.step.state[at.m], at.now)[0] + sum(gain) - at.goal(later)) ** 2
    recorded = sum(advantage[i] for i in range(N) if at.mu[i][at.a[i]] > -1e30)
    return error - critic.args.conservatism * at.alpha * recorded, error, \
        [weight_of(advantage[i], at.mu[i][at.a[i]], at.alpha) for i in range(N)]


def prefix(critic: Any, at: Place) -> Judged:
    now, then = ([at.now / T], [at.then / T]) if critic.horizon else ([], [])
    q = rows(critic.q.online, at.step.state[at.m], at.step.actions[at.m], *now)
    target = rows(critic.q.target, at.step.lagged.state[at.m], at.step.actions[at.m], *now)
    first = rows(critic.q.target, at.step.lagged.next_state[at.m], at.step.actions[at.m], *then)[0]
    goals = [*(soft(target[i], at.mu[i], at.alpha) for i in range(1, N)), at.goal(soft(first, at.ahead, at.alpha))]
    errors = [(q[i][at.a[i]] - goals[i]) ** 2 for i in range(N)]
    return sum(errors) / N, errors[-1], \
        [weight_of(target[i][at.a[i]] - soft(target[i], at.mu[i], at.alpha), at.mu[i][at.a[i]], at.alpha)
         for i in range(N)]


def per_agent(critic: Any, at: Place) -> Judged:
    how, played = critic.args.mixer_weights, at.step.next_actions[at.m]
    q, bias = mixed(critic.utility.online, critic.mixer.online, at.step.state[at.m], at.step.actions[at.m], at.now, how)
    later, later_bias = mixed(critic.utility.target, critic.mixer.target, at.step.lagged.next_state[at.m], played,
                              at.then, how)
    best = sum(later[i][int(played[i])] for i in range(N)) + later_bias
    known = th.maximum(at.step.done, at.step.next_played)  # what nobody played next teaches nothing
    error = (sum(q[i][at.a[i]] for i in range(N)) + bias - at.goal(best)) ** 2 * float(known[at.m] * M / known.sum())
    return error, error, \
        [weight_of(q[i][at.a[i]] - soft(q[i], at.mu[i], at.alpha), at.mu[i][at.a[i]], at.alpha) for i in range(N)]


def joint(critic: Any, at: Place) -> Judged:
    how, state, actions = critic.args.mixer_weights, at.step.state[at.m], at.step.actions[at.m]
    q, bias = mixed(critic.utility.online, critic.mixer.online, state, actions, at.now, how)
    steady, steady_bias = mixed(critic.utility.target, critic.mixer.target, at.step.lagged.state[at.m], actions, at.now,
                                how)
    later = value(critic.value.target, at.step.lagged.next_state[at.m], at.then)[0]
    error = (sum(q[i][at.a[i]] for i in range(N)) + bias - at.goal(later)) ** 2
    z = (sum(steady[i][at.a[i]] for i in range(N)) + steady_bias
         - value(critic.value.online, state, at.now)[0]) / at.alpha
    critic.beyond = getattr(critic, "beyond", 0) + (z > 5)
    rise = math.exp(z) if z < 5 else math.exp(5) * (1 + z - 5)
    return error + at.alpha ** 2 * (rise - z - 1), error, [z]


CRITICS = {"chain": chain, "prefix": prefix, "per_agent": per_agent, "joint": joint}
TOLD = {"no time": {}, "the time": {"critic_time": True}, "endless": {"critic_time": True}}


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize(("weight", "changes"), [
    ("chain", {}), ("chain", {"conservatism": 0.7}), ("chain", {"soft_values": False, "conservatism": 0.3}),
    ("chain", {"alpha": None, "alpha_share": 0.2}), ("prefix", {}),
    ("per_agent", {"mixer_weights": "softmax"}), ("per_agent", {"mixer_weights": "abs"}),
    ("joint", {"mixer_weights": "softmax"}), ("joint", {"mixer_weights": "abs"})])
def test_a_critic_is_its_equations(weight: str, changes: dict[str, Any], told: str) -> None:
    critic, (step, log_mu, ahead) = make(weight, **TOLD[told], **changes), steps()
    critic.limit_ends = told != "endless"
    alpha = ALPHA
    if "alpha" in changes:  # of errors of 0.4 on average, carried back through as many steps as there are
        critic.temperature.sums.data = th.tensor([0.8, 0.2, 2.0], dtype=th.double)
        alpha = 0.2 * math.sqrt(0.4 * (T if critic.limit_ends else 10))
    judged = critic.judge(step, log_mu, lambda: ahead)
    wanted = []
    for m in range(M):
        time = int(step.time[m])
        now, then = (time, time + 1) if critic.limit_ends else (0, 0)
        wanted.append(CRITICS[weight](critic, Place(step, m, log_mu[m].tolist(), ahead[m].tolist(), alpha, now, then)))
    assert judged.loss.item() == pytest.approx(sum(loss for loss, _, _ in wanted) / M, rel=1e-6)
    assert judged.error.item() == pytest.approx(sum(error for _, error, _ in wanted) / M, rel=1e-6)
    assert float(judged.alpha) == pytest.approx(alpha)
    th.testing.assert_close(judged.log_weights, th.tensor([weights for *_, weights in wanted], dtype=th.double))
    assert not judged.log_weights.requires_grad and not judged.error.requires_grad
    assert weight != "joint" or 0 < critic.beyond < M, "the exponent must be on both sides of its limit"  # type: ignore
    again = critic.rows()
    if again is not None:  # what is known already need not be computed again
        known = again(step.state[:, None], step.actions)
        assert critic.judge(step, log_mu, lambda: ahead, known).loss.item() == pytest.approx(judged.loss.item())
