"""The teacher's training step as somebody writes it for one machine and one method: what the product is measured by.

It computes the losses of ``cpa_ar`` and nothing else: no finite check, no statistics, no other method.  The three
autoregressive networks are one stack, activations are ``[P, H, M]`` (P is three times N), logits ``[P, A, M]``, so
that the soft-max runs over a middle axis; all parameters and gradients lie in one flat vector, which one fused Adam
updates; data stay in memory as flat tensors.

Shapes: D recorded steps, M of them in a batch, N agents, A actions, S entries of a state, H hidden units.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch as th
from torch import Tensor
from torch.nn import functional as F

from ...learners.cpa_ar_learner import CpaArLearner
from ...modules.autoregressive import AutoregressiveNet
from ...modules.critics import ChainCritic, JointCritic
from ...modules.temperature import carried

NETS = 3  # policy, behaviour, and the critic's heads
Weights = list[Tensor]
Losses = tuple[Tensor, Tensor, Tensor, Tensor]  # of the behaviour, the critic, the policy; the critic's error


@dataclass(frozen=True)
class Steps:
    """Recorded steps, ready to be multiplied with.

    Attributes:
        state, next_state: encoded, ``[D, S]``.
        actions: ``[D, N]``.
        available: bool ``[D, N, A]``; None where all actions always are.
        reward, done: ``[D]``.
        time: share of the horizon passed, ``[D]``.
    """

    state: Tensor
    next_state: Tensor
    actions: Tensor
    available: Tensor | None
    reward: Tensor
    done: Tensor
    time: Tensor

    def at(self, rows: Tensor) -> Steps:
        """Those with the numbers ``[M]``."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        some: dict[str, Any] = {name: None if value is None else value.index_select(0, rows)
                                for name, value in every.items()}
        return Steps(**some)


class ByHand:
    """The networks of a learner, copied, and their update.

    Args:
        learner: of ``cpa_ar`` with the critic ``chain`` (and ``policy_loss=expected``) or ``joint``.
        wrap: what is made of the function that computes the losses, as ``torch.compile``.
    """

    def __init__(self, learner: CpaArLearner, wrap: Callable[..., Callable[..., Losses]] | None = None) -> None:
        args, info, critic = learner.args, learner.info, learner.critic
        self.gamma, self.share, self.floor = args.gamma, args.support_share, args.support_floor
        self.clip, self.tau = args.grad_norm_clip, args.target_update_interval_or_tau
        self.weight_clip, self.conservatism, self.soft_values = args.weight_clip, args.conservatism, args.soft_values
        self.temperature = copy.deepcopy(critic.temperature)
        self.n_agents, self.n_actions, self.horizon = info.n_agents, info.n_actions, info.episode_limit
        self.timed, self.ends = args.critic_time, learner.limit_ends
        self.joint = isinstance(critic, JointCritic)
        if isinstance(critic, JointCritic):
            heads, values = critic.utility.online, [critic.value, critic.mixer]
            targets = [*_layers(critic.utility.target)]
        else:
            assert isinstance(critic, ChainCritic)
            heads, values, targets = critic.advantage, [critic.value], []
        stacks = [_layers(net) for net in (learner.mac.agent, learner.behaviour, heads)]
        self.n_stacked = len(stacks[0])
        plain = [layer for net in values for layer in net.online.net.parameters()]
        tensors = [th.cat(parts).detach() for parts in zip(*stacks, strict=True)] + [each.detach() for each in plain]
        self.flat = th.cat([each.flatten() for each in tensors]).requires_grad_()
        self.grad = th.zeros_like(self.flat)
        self.flat.grad = self.grad
        self.weights = [part.detach().requires_grad_() for part in _views(self.flat.detach(), tensors)]
        self.grads = _views(self.grad, tensors)
        targets += [layer for net in values for layer in net.target.net.parameters()]
        self.targets = [each.detach().clone() for each in targets]
        self.before = heads.before
        self.optimiser = th.optim.Adam([self.flat], lr=learner.lr, fused=True)
        self.losses: Callable[..., Losses] = self._losses if wrap is None else wrap(self._losses)

    def _heads(self, weights: Weights) -> Weights:
        """The critic's part of the stack."""
        n = self.n_agents
        return [each[-len(each) // NETS:] if len(each) == NETS * n else each for each in weights[:self.n_stacked]]

    def update(self, steps: Steps, rate: float) -> None:
        """One step of all networks on M steps."""
        loss = self.losses(self.weights, self.targets, steps)
        grads = th.autograd.grad(loss[0] + loss[1] + loss[2], self.weights)
        th.cat([each.reshape(-1) for each in grads], out=self.grad)
        self._clip()
        self.optimiser.param_groups[0]["lr"] = rate
        self.optimiser.step()
        with th.no_grad():
            online = [*(self._heads(self.weights) if self.joint else []), *self.weights[self.n_stacked:]]
            th._foreach_lerp_(self.targets, online, self.tau)
            self.temperature.heed(loss[3], steps.reward.square().mean())

    def _clip(self) -> None:
        """Scales the gradient of each of the three networks down, as the product does."""
        parts = [part for grad in self.grads[:self.n_stacked] for part in grad.chunk(NETS)]
        others = self.grads[self.n_stacked:]
        squares = th.stack(th._foreach_norm([*parts, *others])).square()
        stacked = squares[:len(parts)].view(-1, NETS).sum(0)
        stacked[-1] += squares[len(parts):].sum()
        norms = stacked.sqrt()
        if float(norms.max()) > self.clip:
            scales = [float(scale) for scale in (self.clip / (norms + 1e-6)).clamp(max=1.0)]
            th._foreach_mul_([*parts, *others], [*scales * self.n_stacked, *[scales[-1]] * len(others)])

    # ------------------------------------------------------------------------------------------ losses
    def _losses(self, weights: Weights, targets: Weights, step: Steps) -> Losses:
        """The three losses as functions of the weights."""
        n, alpha = self.n_agents, self._alpha(step)
        stacked, plain = weights[:self.n_stacked], weights[self.n_stacked:]
        chosen = step.actions.T  # [N, M]
        onehot = F.one_hot(chosen, self.n_actions).to(step.state.dtype).transpose(1, 2)  # [N, A, M]
        logits = self._stack(stacked, step.state, onehot, NETS)  # [3 N, A, M]
        open_ = None if step.available is None else step.available.permute(1, 2, 0)
        log_pi, log_mu = (F.log_softmax(_masked(part, open_), 1) for part in (logits[:n], logits[n:2 * n]))
        b = logits[2 * n:]
        index = chosen[:, None]
        seen = self._seen(log_mu.detach())
        behaviour = -log_mu.gather(1, index).mean()
        if self.joint:
            critic, log_weights, error = self._joint(alpha, plain, targets, step, b.gather(1, index)[:, 0], onehot)
            weight = log_weights.exp().clamp(max=self.weight_clip)
            policy = -(weight * log_pi.gather(1, index)[:, 0]).mean()
            return behaviour, critic, policy, error
        own = b.gather(1, index)[:, 0]
        advantage = own - alpha * th.logsumexp(seen + b / alpha, 1)  # [N, M]
        target = F.softmax(seen + b.detach() / alpha, 1)
        gain = advantage if self.soft_values else own - (target * b).sum(1)
        goal = self._goal(_value(targets, self._later(step))[:, 0], step)
        q_tot = _value(plain, self._now(step))[:, 0] + gain.sum(0)
        policy = -(target * th.where(target > 0, log_pi, 0.0)).sum(1).mean()
        error = (q_tot - goal).square().mean()
        recorded = th.where(seen.gather(1, index)[:, 0] > -1e30, advantage, 0.0).sum(0).mean()
        return behaviour, error - self.conservatism * alpha * recorded, policy, error.detach()

    def _joint(self, alpha: float | Tensor, plain: Weights, targets: Weights, step: Steps, taken: Tensor,
               onehot: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The joint critic's loss, the log-weights of the steps ``[M]``, its error.

        ``taken`` ``[N, M]`` are values of the heads.
        """
        half, state = len(plain) // 2, self._now(step)
        q_tot = _mixed(plain[half:], state, taken)
        value = _value(plain[:half], state)[:, 0]
        with th.no_grad():
            heads, rest = targets[:self.n_stacked], targets[self.n_stacked:]
            ahead = _value(rest[:half], self._later(step))[:, 0]
            steady = self._stack(heads, step.state, onehot, 1).gather(1, step.actions.T[:, None])[:, 0]
            q_target = _mixed(rest[half:], state, steady)
            goal = self._goal(ahead, step)
        z = (q_target - value) / alpha
        cut = z.clamp(max=5.0)
        gumbel = (cut.exp() + (z - cut) * cut.exp().detach() - z - 1.0).mean()
        error = (q_tot - goal).square().mean()
        return error + gumbel * alpha**2, (q_target - value.detach()) / alpha, error.detach()

    def _stack(self, weights: Weights, state: Tensor, onehot: Tensor, nets: int) -> Tensor:
        """Logits ``[nets N, A, M]`` of ``nets`` stacked autoregressive networks."""
        n, m = self.n_agents, len(state)
        first, first_bias, action = weights[:3]
        hidden = first.shape[2]
        given = th.bmm(action.view(nets * n, -1, hidden).transpose(1, 2), onehot.repeat(nets, 1, 1))  # [P, H, M]
        prefix = (self.before @ given.view(nets, n, -1)).view(nets * n, hidden, m)
        h = (first.transpose(1, 2).reshape(nets * n * hidden, -1) @ state.T).view(nets * n, hidden, m)
        h = th.relu(h + first_bias.transpose(1, 2) + prefix)
        for weight, bias in zip(weights[3:-2:2], weights[4:-2:2], strict=True):
            h = th.relu(th.baddbmm(bias.transpose(1, 2), weight.transpose(1, 2), h))
        return th.baddbmm(weights[-1].transpose(1, 2), weights[-2].transpose(1, 2), h)

    def _seen(self, log_mu: Tensor) -> Tensor:
        """The behaviour's law without what it hardly does, ``[N, A, M]``."""
        mu = log_mu.exp()
        top = mu.amax(1, keepdim=True)
        keep = mu >= th.minimum((self.share * top).clamp(min=self.floor), top)
        return F.log_softmax(_masked(log_mu, keep), 1)

    def _alpha(self, step: Steps) -> float | Tensor:
        alpha: float | Tensor = self.temperature(step.reward.square().mean(),
                                                 carried(self.horizon, self.gamma, self.ends))
        return alpha

    def _now(self, step: Steps) -> Tensor:
        return self._timed(step.state, step.time if self.ends else th.zeros_like(step.time))

    def _later(self, step: Steps) -> Tensor:
        return self._timed(step.next_state, step.time + 1 / self.horizon if self.ends else th.zeros_like(step.time))

    def _timed(self, state: Tensor, time: Tensor) -> Tensor:
        return th.cat([state, time[:, None]], 1) if self.timed else state

    def _goal(self, ahead: Tensor, step: Steps) -> Tensor:
        return step.reward + self.gamma * (1 - step.done) * ahead.detach()


def _layers(net: AutoregressiveNet) -> Weights:
    """First layer, embeddings of the actions ``[N, A, H]``, middle layers, last layer."""
    middle = [each for pair in zip(net.middle, net.middle_bias, strict=True) for each in pair]
    return [net.first, net.first_bias, net.action.view(net.n_agents, net.n_actions, net.hidden), *middle, net.last,
            net.last_bias]


def _views(flat: Tensor, like: Sequence[Tensor]) -> Weights:
    """Parts of a flat vector in the shapes of the tensors that it was made of."""
    parts = th.split(flat, [each.numel() for each in like])
    return [part.view(each.shape) for part, each in zip(parts, like, strict=True)]


def _value(weights: Weights, state: Tensor) -> Tensor:
    """A plain network of the state, ``[M, O]``."""
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        state = th.relu(F.linear(state, weight, bias))
    return F.linear(state, weights[-2], weights[-1])


def _mixed(weights: Weights, state: Tensor, values: Tensor) -> Tensor:
    """Q_tot ``[M]`` of the agents' values ``[N, M]``."""
    out = _value(weights, state)
    mix = F.softmax(out[:, :-1], 1) * (out.shape[1] - 1)
    return (mix * values.T).sum(1) + out[:, -1]


def _masked(logits: Tensor, keep: Tensor | None) -> Tensor:
    return logits if keep is None else logits.masked_fill(~keep, th.finfo(logits.dtype).min)
