"""Losses of the methods that clone with weights, against loops that say the equations step by step."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch as th
from helpers import Built
from torch import Tensor

from epymarl_cpa.components.transitions import Transitions, transitions

SMALL = ("hidden_dim=8", "batch_size=4")


def trial(alg: str, *words: str) -> tuple[Built, Transitions]:
    """A learner whose targets have moved away, and four episodes of random play: two end, two are cut off."""
    built = Built(alg, "sensor", *SMALL, *words)
    th.manual_seed(5)
    with th.no_grad():
        for name in ("critic", "value", "q"):
            if name in built.learner.nets:
                for param in built.learner.nets[name].target.parameters():
                    param.add_(0.2 * th.randn_like(param))
        for param in built.mac.parameters():
            param.add_(0.3 * th.randn_like(param))
    batch = built.played(4)
    step = transitions(batch, built.mac.encoder(batch["state"]))
    last = step.next_played == 0
    return built, dataclasses.replace(step, done=(last & (step.episode % 2 == 0)).float())


def policy(built: Built, state: Tensor, available: Tensor) -> list[Tensor]:
    """Probabilities of every agent's available actions in one encoded state, 0 elsewhere."""
    logits = built.mac.agent(state[None, None])[0]
    return [th.where(free, logit, -math.inf).softmax(0) for logit, free in zip(logits, available, strict=True)]


def seen(built: Built, state: Tensor, time: Tensor) -> Tensor:
    """What a critic that is told the time sees of one encoded state."""
    return th.cat([state, (time / built.info.episode_limit)[None].float()])


def softmax_weights(values: list[float], alpha: float) -> list[float]:
    top = max(values)
    each = [math.exp((value - top) / alpha) for value in values]
    return [len(values) * e / sum(each) for e in each]


@pytest.mark.parametrize("alg", ["maicq", "maicq_tuned"])
@th.no_grad()
def test_maicq(alg: str) -> None:
    built, step = trial(alg, "alpha_q=2.0")
    args, learner, n, m = built.learner.args, built.learner, built.game.n_agents, len(step.reward)
    losses, _ = learner.losses(step)
    ahead = []
    for k in range(m):  # Q_tot of the recorded next action, or its mean over the policy where none was recorded
        q, w, b = (x[0] for x in learner.critic.target(seen(built, step.next_state[k], step.time[k] + 1)[None]))
        if step.next_played[k]:
            ahead.append(float(sum(w[i] * q[i, step.next_actions[k, i]] for i in range(n)) + b))
        else:
            pi = policy(built, step.next_state[k], step.next_available[k])
            ahead.append(float(sum(w[i] * (pi[i] * q[i]).sum() for i in range(n)) + b))
    follows = [k for k in range(m) if step.next_played[k] and not step.done[k]]
    for k, rho in zip(follows, softmax_weights([ahead[k] for k in follows], 2.0), strict=True):
        ahead[k] *= rho
    goal = [0.0] * m
    for k in reversed(range(m)):  # backwards in time
        if step.done[k]:
            goal[k] = float(step.reward[k])
        else:
            later = goal[k + 1] if step.next_played[k] else ahead[k]
            goal[k] = float(step.reward[k]) + args.gamma * ((1 - args.td_lambda) * ahead[k] + args.td_lambda * later)
    errors, advantage, log_pi, mix = [], [], [], []
    for k in range(m):
        q, w, b = (x[0] for x in learner.critic(seen(built, step.state[k], step.time[k])[None]))
        pi, a = policy(built, step.state[k], step.available[k]), step.actions[k]
        value = float(sum(w[i] * q[i, a[i]] for i in range(n)) + b)
        if step.done[k] or step.next_played[k]:
            errors.append((value - goal[k]) ** 2)
        advantage.append([float(q[i, a[i]] - (pi[i] * q[i]).sum()) for i in range(n)])
        log_pi.append([float(pi[i][a[i]].log()) for i in range(n)])
        mix.append([float(x) for x in w])
    assert float(losses["critic_loss"].detach()) == pytest.approx(sum(errors) / len(errors), rel=1e-4)
    total = 0.0
    for i in range(n):
        mine = [row[i] for row in advantage]
        if alg == "maicq":  # a softmax over the episodes at the same time
            groups = [[k for k in range(m) if step.time[k] == t] for t in range(built.info.episode_limit)]
        else:  # over the batch, of normalised advantages
            mean = sum(mine) / m
            spread = max(math.sqrt(sum((x - mean) ** 2 for x in mine) / (m - 1)), 0.01)
            mine, groups = [(x - mean) / spread for x in mine], [list(range(m))]
        for group in groups:
            for k, weight in zip(group, softmax_weights([mine[k] for k in group], args.alpha), strict=True):
                total -= mix[k][i] * weight * log_pi[k][i] / m
    assert float(losses["policy_loss"].detach()) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("alpha", [0.5, 0.001])
def test_omiga(alpha: float) -> None:
    """The critic's and the policy's losses; of the value's, the gradient, since its scale is free."""
    built, step = trial("omiga", f"alpha={alpha}")
    args, learner, n, m = built.learner.args, built.learner, built.game.n_agents, len(step.reward)
    losses, stats = learner.losses(step)
    critic, cloned, value_loss, cut = th.zeros(()), 0.0, th.zeros(()), 0
    for k in range(m):
        now, then = seen(built, step.state[k], step.time[k]), seen(built, step.next_state[k], step.time[k] + 1)
        q, w, b = (x[0] for x in learner.critic(now[None]))
        v = learner.value(now[None, None])[0, :, 0]
        old_q, old_w, _ = (x[0].detach() for x in learner.critic.target(now[None]))
        _, next_w, next_b = (x[0].detach() for x in learner.critic.target(then[None]))
        next_v = learner.value.target(then[None, None])[0, :, 0]
        a, pi = step.actions[k], policy(built, step.state[k], step.available[k])
        goal = step.reward[k]
        if not step.done[k]:
            goal = goal + args.gamma * (sum(next_w[i] * next_v[i] for i in range(n)) + next_b)
        critic = critic + (sum(w[i] * q[i, a[i]] for i in range(n)) + b - goal) ** 2 / m
        for i in range(n):
            z = old_w[i] * (old_q[i, a[i]] - v[i]) / alpha
            exponential = z.exp() if z <= 10 else math.exp(10) * (1 + z - 10)
            value_loss = value_loss + (exponential + old_w[i] * v[i] / alpha) / (m * n)
            cloned -= math.exp(min(float(z.detach()), 10)) * float(pi[i][a[i]].log().detach()) / (m * n)
            cut += bool(z > 10)
    assert float(losses["critic_loss"].detach()) == pytest.approx(float(critic.detach()), rel=1e-4)
    assert float(losses["policy_loss"].detach()) == pytest.approx(cloned, rel=1e-3)
    nets = list(learner.value.online.parameters())
    ours, literal = (th.cat([g.flatten() for g in th.autograd.grad(loss, nets)])
                     for loss in (losses["value_loss"], value_loss))
    assert th.cosine_similarity(ours, literal, 0) == pytest.approx(1.0, abs=1e-4)
    assert float(stats["cut_share"]) == pytest.approx(cut / (m * n))
    assert (cut > 0) == (alpha < 0.1)


@th.no_grad()
@pytest.mark.parametrize("normalise", ["false", "true"])
def test_oryx(normalise: str) -> None:
    built, step = trial("oryx", "alpha_q=2.0", f"normalise_advantage={normalise}")
    args, learner, n, m = built.learner.args, built.learner, built.game.n_agents, len(step.reward)
    th.manual_seed(9)
    losses, _ = learner.losses(step)
    th.manual_seed(9)
    turn = th.rand(n).tolist()
    before = th.tensor([[float(turn[j] < turn[i]) for j in range(n)] for i in range(n)])
    now = th.stack([seen(built, s, t) for s, t in zip(step.state, step.time, strict=True)])
    then = th.stack([seen(built, s, t + 1) for s, t in zip(step.next_state, step.time, strict=True)])
    q = learner.q.online(now[:, None], step.actions, before)
    later = learner.q.target(then[:, None], step.next_actions, before)
    logits = built.mac.agent(step.state[:, None], step.actions, before)
    critic, policy_loss, count = 0.0, 0.0, 0
    follows = [k for k in range(m) if step.next_played[k] and not step.done[k]]
    for i in range(n):
        ahead = {k: float(later[k, i, step.next_actions[k, i]]) for k in follows}
        rho = dict(zip(follows, softmax_weights(list(ahead.values()), 2.0), strict=True))
        advantage, log_pi = [], []
        for k in range(m):
            a, free = step.actions[k, i], step.available[k, i]
            pi = th.where(free, logits[k, i], -math.inf).softmax(0)
            advantage.append(float(q[k, i, a] - (pi * q[k, i]).sum()))
            log_pi.append(float(pi[a].log()))
            if k in rho or step.done[k]:
                goal = float(step.reward[k]) + (args.gamma * rho[k] * ahead[k] if k in rho else 0.0)
                critic, count = critic + 0.5 * (float(q[k, i, a]) - goal) ** 2, count + 1
        if normalise == "true":
            mean = sum(advantage) / m
            spread = max(math.sqrt(sum((x - mean) ** 2 for x in advantage) / (m - 1)), 0.01)
            advantage = [(x - mean) / spread for x in advantage]
        weights = softmax_weights(advantage, args.alpha)
        policy_loss -= sum(weight * log for weight, log in zip(weights, log_pi, strict=True)) / (m * n)
    assert float(losses["critic_loss"].detach()) == pytest.approx(critic / count, rel=1e-4)
    assert float(losses["policy_loss"].detach()) == pytest.approx(policy_loss, rel=1e-4)
