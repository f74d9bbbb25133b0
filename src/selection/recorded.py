"""The recorded steps, and what every team would play before and after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch as th
from torch import Tensor

from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import at_limit, transitions
from ..errors import UserError
from ..modules.encoders import Sight
from ..modules.encoders.memoryless import Memoryless
from ..runners.offline_runner import OfflineRunner
from ..settings import Settings
from ..utils.bounded import check_memory
from ..utils.progress import counting
from .plays import Candidate, begin, plays

AT_ONCE = 500  # episodes
BESIDE = 32  # bytes for a player at a place, beside its actions
MOST_STEPS = 200_000  # of larger data, so many are drawn by the seed, whole episodes


@dataclass(frozen=True)
class Recorded:
    """M steps between P places, and what J players would do at these; a team that draws is several players.

    Attributes:
        seen: states as recorded, ``[P, S]``.
        state: encoded, with ``fixed`` also the share of the time that has passed, ``[P, F]``.
        available: bool ``[P, N, A]``.
        played: joint actions of the players, int16 ``[J, P, N]``.
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
        found, reward, place = self.reward.double(), self.reward.double(), th.arange(len(self.reward))
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


def recorded(source: OfflineRunner, candidates: Sequence[Candidate], args: Settings, seed: int) -> Recorded:
    """Reads the data, and asks every team at every recorded step.

    Args:
        source: of episodes.
        candidates: teams for the same game.
        args: says how states are encoded, and what training rewards are.
        seed: draws the episodes, if there are too many.

    Raises:
        UserError: the data are damaged, lack what the agents see, or have no step left; or this machine cannot hold
            what so many teams play.
    """
    info: EnvInfo = source.info
    limit, fixed = info.episode_limit, source.limit_is_end
    encoder = Memoryless(Sight(info.state_shape, 0, args.state_levels), 0)
    begin(candidates)
    parts: list[dict[str, Tensor]] = []
    rows, places = _chosen(source, seed), 0
    owner = th.tensor([number for number, each in enumerate(candidates) for _ in range(each.draws)])
    entries = int(source.dataset.filled[rows.numpy()].sum())
    check_memory(f"{len(candidates)} teams", entries * len(owner) * (2 * info.n_agents + BESIDE))
    with counting(f"asking {len(candidates)} teams", len(rows), "episodes") as counter:
        for at in range(0, len(rows), AT_ONCE):
            batch = source.episodes(rows[at: at + AT_ONCE])
            part = _steps(batch, encoder, args, limit, fixed)
            there = batch["filled"][..., 0].bool()
            part["played"] = th.cat([plays(each, batch) for each in candidates])[:, there].transpose(0, 1)
            for name, first in (("now", places), ("after", places), ("episode", at)):
                part[name] = part[name] + first
            parts.append(part)
            places += len(part["seen"])
            counter.at(min(at + AT_ONCE, len(rows)))
    whole = {name: th.cat([part[name] for part in parts]) for name in parts[0]}
    if not len(whole["reward"]):
        raise UserError(f"{source.dataset.source} has no step whose outcome is known; nothing can be judged by it.")
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
        passed = th.arange(there.shape[1]).expand(there.shape)[there] / limit
        places["state"] = th.cat([places["state"], passed[:, None].to(state.dtype)], 1)
    return {**places, "now": now, "after": after, "actions": step.actions, "reward": step.reward,
            "done": step.done.bool(), "time": step.time, "episode": step.episode}


def _chosen(source: OfflineRunner, seed: int) -> Tensor:
    """The numbers of the episodes to look at, in order."""
    count = source.dataset.filled.sum(1, dtype=int) - 1
    if count.sum() <= MOST_STEPS:
        return th.arange(source.n_episodes)
    order = th.randperm(source.n_episodes, generator=th.Generator().manual_seed(seed))
    enough = int((th.from_numpy(count)[order].cumsum(0) <= MOST_STEPS).sum())
    return order[:max(1, enough)].sort().values
