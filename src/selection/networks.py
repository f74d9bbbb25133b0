"""Fitted Q evaluation (Le et al., 2019) of several teams at once, by an ensemble of small networks.

Every member has one output for each team: what a joint action is worth if that team goes on.  Members differ by their
first weights and by how much each recorded episode counts for them, so that their spread tells how far the data settle
a value.  A joint action that the recorded behaviour hardly takes counts as the worst return that was ever recorded from
a step with as much time left, since networks would guess its value.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch as th
from torch import Tensor
from torch.nn import functional as F

from ..learners.update import Update
from ..modules.agent_mlp import AgentMLP
from ..modules.autoregressive import AutoregressiveNet
from ..modules.followed import Followed, target_pairs
from ..modules.losses import behaviour_loss, in_support, is_unseen, log_policy, taken
from ..settings import Settings
from ..utils.progress import counted
from ..valuation.estimate import Estimate
from ..valuation.recorded import Recorded
from .effort import Effort

AT_ONCE = 4096  # rows that are evaluated together


class Networks:
    """The ensemble, and the behaviour that says what the data hardly hold.

    Args:
        recorded: steps and players.
        gamma: discount.
        args: settings of a run, for what its updates need.
        seed: decides all bits.
        effort: how hard to try.
    """

    def __init__(self, recorded: Recorded, gamma: float, args: Settings, seed: int, effort: Effort | None = None,
                 ) -> None:
        self.recorded, self.gamma, self.effort = recorded, gamma, effort or Effort()
        self._args = replace(args, target_update_interval_or_tau=self.effort.follow, grad_norm_clip=10.0)
        self._seed, self._generator = seed, th.Generator().manual_seed(seed)
        _, self.n_agents, self.n_actions = recorded.available.shape
        to_go = recorded.returns_to_go(gamma)
        self.middle, self.spread = float(to_go.mean()), float(to_go.std(correction=0)) or 1.0
        self.worst = recorded.worst_to_go(gamma).float()
        self.same = _same(recorded.played)
        self.counts = th.empty(recorded.n_episodes, self.effort.members, 1).exponential_(generator=self._generator)

    def estimate(self) -> Estimate:
        """Of all teams; torch's own generator stays as it was."""
        with th.random.fork_rng(devices=[]):
            th.default_generator.manual_seed(self._seed)
            seen = self.support(self.behaviour())
            net = self.evaluator(seen)
        begins = (self.recorded.time == 0).nonzero()[:, 0]
        value = self.values(net, seen, begins).double()  # [E, K, M0]
        value = value + self.left_over(net, seen)[..., None]
        each, unseen = value.mean(2), 1.0 - self.recorded.of_teams(seen[:, self.recorded.now].double()).mean(1)
        starts = value.mean(0).std(1) / np.sqrt(max(1, len(begins))) if len(begins) > 1 else th.zeros(each.shape[1])
        facts = {"members": self.effort.members, "updates": self.effort.updates}
        error = each.std(0, correction=1 if len(each) > 1 else 0)
        return Estimate(each.mean(0).numpy(), error.numpy(), starts.numpy(), unseen.numpy(), self.gamma, "networks",
                        facts, each.numpy())

    def behaviour(self) -> AutoregressiveNet:
        """A network that imitates all recorded steps, agent after agent."""
        recorded, effort = self.recorded, self.effort
        net = AutoregressiveNet(recorded.state.shape[1], self.n_agents, self.n_actions, effort.width)
        update = Update({"behaviour": list(net.parameters())}, [], self._args, effort.rate)
        for k in counted(range(effort.imitation), "imitating the data"):
            rows = self._rows(effort.batch // 2)
            place, actions = recorded.now[rows], recorded.actions[rows]
            log_mu = log_policy(net(recorded.state[place][:, None], actions), recorded.available[place])
            update(behaviour_loss(log_mu, actions), self._rate(k / effort.imitation), _no_check)
        return net

    @th.no_grad()
    def support(self, behaviour: AutoregressiveNet) -> Tensor:
        """Where the behaviour takes what the players would play, bool ``[J, P]``."""
        recorded, effort = self.recorded, self.effort
        seen = th.zeros(recorded.played.shape[:2], dtype=th.bool)
        for player, actions in enumerate(recorded.played):
            mine = (self.same[player] == player).nonzero()[:, 0]
            for at in range(0, len(mine), AT_ONCE):
                place = mine[at: at + AT_ONCE]
                joint = actions[place].long()
                log_mu = log_policy(behaviour(recorded.state[place][:, None], joint), recorded.available[place])
                kept = taken(in_support(log_mu, effort.share, effort.floor), joint)
                seen[player, place] = ~is_unseen(kept).any(1)
        return seen.gather(0, self.same)

    def evaluator(self, seen: Tensor) -> AgentMLP:
        """The ensemble, fitted: encoded states and joint actions ``[B, 1, F + N * A]`` to ``[B, E, K]``."""
        recorded, effort = self.recorded, self.effort
        sizes = [recorded.state.shape[1] + self.n_agents * self.n_actions, effort.width, effort.width,
                 recorded.n_teams]
        net = Followed(AgentMLP(effort.members, sizes))
        update = Update({"q": list(net.online.parameters())}, target_pairs([net]), self._args, effort.rate)
        for k in counted(range(effort.updates), "evaluating"):
            rows = self._rows(effort.batch)
            target = (self._targets(net.target, seen, rows) - self.middle) / self.spread
            found = net(self._input(recorded.now[rows], recorded.actions[rows]))
            loss = (self.counts[recorded.episode[rows]] * (found - target) ** 2).mean()
            update(loss, self._rate(k / effort.updates), _no_check)
        return net.online

    @th.no_grad()
    def _targets(self, net: AgentMLP, seen: Tensor, rows: Tensor) -> Tensor:
        """Reward and what follows, ``[B, E, K]``."""
        recorded = self.recorded
        follows = ~recorded.done[rows]
        target = recorded.reward[rows].view(-1, 1, 1).expand(-1, self.effort.members, recorded.n_teams).clone()
        if follows.any():
            left = recorded.limit - recorded.time[rows][follows] - 1 if recorded.fixed else None
            after = self._at(net, seen, recorded.after[rows][follows], left)
            target[follows] += self.gamma * after.permute(2, 0, 1)
        return target

    @th.no_grad()
    def left_over(self, net: AgentMLP, seen: Tensor) -> Tensor:
        """By how much reward and what follows exceed the values of recorded joint actions, ``[E, K]``.

        That is the mean over the recorded episodes of the discounted sum over their steps.  Values of first states are
        off by so much, as far as what a team meets is like what was recorded: networks are seldom fitted to the end,
        and their mistakes at few places weigh less in a mean over all.
        """
        recorded = self.recorded
        total = th.zeros(self.effort.members, recorded.n_teams, dtype=th.float64)
        for rows in th.arange(len(recorded.reward)).chunk(1 + len(recorded.reward) // AT_ONCE):
            found = net(self._input(recorded.now[rows], recorded.actions[rows])) * self.spread + self.middle
            weight = self.counts[recorded.episode[rows]] * (self.gamma ** recorded.time[rows])[:, None, None]
            total += (weight * (self._targets(net, seen, rows) - found)).double().sum(0)
        return total / self.counts.double().sum(0)

    @th.no_grad()
    def values(self, net: AgentMLP, seen: Tensor, rows: Tensor) -> Tensor:
        """What every team makes of the places before some steps ``[R]``, by each member, ``[E, K, R]``."""
        recorded, parts = self.recorded, []
        for at in range(0, len(rows), AT_ONCE):
            part = rows[at: at + AT_ONCE]
            left = recorded.limit - recorded.time[part] if recorded.fixed else None
            parts.append(self._at(net, seen, recorded.now[part], left))
        return th.cat(parts, 2)

    def _at(self, net: AgentMLP, seen: Tensor, place: Tensor, left: Tensor | None) -> Tensor:
        """Values at places ``[B]`` with so many steps left, ``[E, K, B]``; what several players do is asked once."""
        recorded = self.recorded
        same, place_of = self.same[:, place], place.expand(len(recorded.owner), -1)
        player, column = (same == th.arange(len(same))[:, None]).nonzero(as_tuple=True)
        number = th.zeros(same.shape, dtype=th.long)
        number[player, column] = th.arange(len(player))
        number = number.gather(0, same)  # [J, B]
        found = net(self._input(place[column], recorded.played[player, place[column]].long()))  # [R, E, K]
        own = found[number, :, recorded.owner[:, None]] * self.spread + self.middle  # [J, B, E]
        worst = self.worst[left] if left is not None else self.worst[:1].expand(len(place))
        own = th.where(seen.gather(1, place_of)[..., None], own, worst[:, None])
        return recorded.of_teams(own).permute(2, 0, 1)

    def _input(self, place: Tensor, actions: Tensor) -> Tensor:
        """Encoded states and joint actions ``[B, N]``, ``[B, 1, F + N * A]``."""
        onehot = F.one_hot(actions, self.n_actions).flatten(1).to(self.recorded.state.dtype)
        return th.cat([self.recorded.state[place], onehot], 1)[:, None]

    def _rows(self, count: int) -> Tensor:
        return th.randint(len(self.recorded.reward), (count,), generator=self._generator)

    def _rate(self, passed: float) -> float:
        return self.effort.rate * (1.0 - 0.95 * passed)


def _same(played: Tensor) -> Tensor:
    """For every player and place, the first player who plays the same there, ``[J, P]`` from ``[J, P, N]``."""
    first = th.arange(len(played))[:, None].expand(played.shape[:2]).clone()
    for player in range(1, len(played)):
        for other in reversed(range(player)):
            first[player] = th.where((played[player] == played[other]).all(1), other, first[player])
    return first


def _no_check(norms: object) -> None:
    """What diverges shows in the values."""
