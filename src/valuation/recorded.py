"""The recorded steps, and what teams would play before and after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch as th
from torch import Tensor

from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import at_limit, transitions
from ..conventions.experience import EpisodeSource
from ..modules.encoders import Sight
from ..modules.encoders.memoryless import Memoryless
from ..settings import Settings

AT_ONCE = 500  # episodes
MOST_STEPS = 200_000  # of larger data, so many are looked at, whole episodes


@dataclass(frozen=True)
class Recorded:
    """M steps between P places, and what J players would do at these; a team that draws is several players.

    Attributes:
        seen: states as recorded, ``[P, S]``.
        state: encoded, with ``fixed`` also the share of the time that has passed, ``[P, F]``.
        available: bool ``[P, N, A]``.
        played: joint actions of the players, int32 ``[J, P, N]``; J is 0 where nobody was asked.
        now, after: places before and after every step ``[M]``.
        actions: recorded joint actions ``[M, N]``.
        reward: in the game's units, but for ``reward_min``, ``[M]``.
        done: where nothing follows, bool ``[M]``.
        time, episode: numbers of the step in its episode, and of the episode, ``[M]``.
        owner: number of each player's team ``[J]``.
        fixed: whether the limit of steps is the game's own end (:func:`..data.ends.limit_is_end`).
        limit: of steps.
        n_episodes: how many are looked at.
    """

    seen: Tensor
    state: Tensor
    available: Tensor
    played: Tensor
    now: Tensor
    after: Tensor
    actions: Tensor
    reward: Tensor
    done: Tensor
    time: Tensor
    episode: Tensor
    owner: Tensor
    fixed: bool
    limit: int
    n_episodes: int

    @property
    def n_teams(self) -> int:
        """K."""
        return int(self.owner.max()) + 1

    def of_teams(self, values: Tensor) -> Tensor:
        """Means over the players of every team: ``[J, ...]`` to ``[K, ...]``."""
        total = values.new_zeros(self.n_teams, *values.shape[1:]).index_add_(0, self.owner, values)
        count = th.bincount(self.owner).to(values.dtype)
        return total / count.view(-1, *[1] * (values.dim() - 1))

    def returns_to_go(self, gamma: float) -> Tensor:
        """Discounted return from every step on, as far as it was recorded, float64 ``[M]``; steps lie in order."""
        found, reward, place = self.reward.to(th.float64, copy=True), self.reward.double(), th.arange(len(self.reward))
        last = place[th.cat([self.episode[1:] != self.episode[:-1], th.ones(1, dtype=th.bool)])]
        left = last[th.searchsorted(last, place)] - place  # steps that follow in the episode
        for back in range(1, int(left.max()) + 1):
            rows = (left == back).nonzero()[:, 0]
            found[rows] = reward[rows] + gamma * found[rows + 1]
        return found

    def worst_to_go(self, gamma: float) -> Tensor:
        """The worst return that was recorded with 0, 1, ... steps left, float64 ``[limit + 1]``.

        Where the limit is no end, and where nobody recorded so many steps left, it is the worst of all.
        """
        to_go = self.returns_to_go(gamma)
        worst = to_go.new_full((self.limit + 1,), float(to_go.min()))
        if self.fixed:
            worst.scatter_reduce_(0, self.limit - self.time, to_go, "amin", include_self=False)
            worst[0] = 0.0
        return worst


def read(source: EpisodeSource, info: EnvInfo, args: Settings, rows: Tensor, owner: Tensor, fixed: bool,
         ask: Callable[[EpisodeBatch], Tensor] | None = None, tell: Callable[[int], None] | None = None) -> Recorded:
    """Reads recorded episodes, and asks teams at every step.

    Args:
        source: of episodes.
        info: sizes of the environment.
        args: says how states are encoded, and what training rewards are.
        rows: numbers of the episodes to look at ``[E]``.
        owner: number of each player's team ``[J]``.
        fixed: whether the limit of steps is the game's own end.
        ask: what the players do in episodes ``[B, T + 1, ...]``, int32 ``[J, B, T + 1, N]``; None: there are none.
        tell: takes how many episodes were read so far.

    Raises:
        UserError: the data are damaged, or lack what the agents see.
    """
    limit, places = info.episode_limit, 0
    encoder = Memoryless(Sight(info.state_shape, 0, args.state_levels), 0)
    parts: list[dict[str, Tensor]] = []
    for at in range(0, len(rows), AT_ONCE):
        batch = source.episodes(rows[at: at + AT_ONCE])
        part = _steps(batch, encoder, args, limit, fixed)
        there = batch["filled"][..., 0].bool()
        played = ask(batch)[:, there] if ask is not None else \
            th.zeros(len(owner), int(there.sum()), info.n_agents, dtype=th.int32)
        part["played"] = played.transpose(0, 1)
        for name, first in (("now", places), ("after", places), ("episode", at)):
            part[name] = part[name] + first
        parts.append({name: value.cpu() for name, value in part.items()})
        places += len(part["seen"])
        if tell is not None:
            tell(min(at + AT_ONCE, len(rows)))
    whole = {name: th.cat([part[name] for part in parts]) for name in parts[0]}
    whole["played"] = whole["played"].transpose(0, 1).contiguous()
    return Recorded(**whole, owner=owner, fixed=fixed, limit=limit, n_episodes=len(rows))


def _steps(batch: EpisodeBatch, encoder: Memoryless, args: Settings, limit: int, fixed: bool) -> dict[str, Tensor]:
    """Places and steps of some episodes, by the names of :class:`Recorded`."""
    there = batch["filled"][..., 0].bool()
    number = there.flatten().cumsum(0).view(there.shape) - 1
    state = encoder(batch["state"])
    step = at_limit(transitions(batch, state, None, 1.0, args.reward_min, args.reward_scalarisation == "sum"), limit,
                    fixed)
    now, after = number[step.episode, step.time], number[step.episode, step.time + 1]
    places = {"seen": batch["state"][there], "state": state[there],
              "available": batch["avail_actions"][there].bool()}
    if fixed:
        passed = th.arange(there.shape[1], device=there.device).expand(there.shape)[there] / limit
        places["state"] = th.cat([places["state"], passed[:, None].to(state.dtype)], 1)
    return {**places, "now": now, "after": after, "actions": step.actions, "reward": step.reward,
            "done": step.done.bool(), "time": step.time, "episode": step.episode}
