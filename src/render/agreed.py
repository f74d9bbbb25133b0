"""What a team has agreed on in a step: its key, and the entry or convention that the key means."""

from __future__ import annotations

from typing import NamedTuple

import torch as th
from torch import Tensor

from ..agreement.readers import used_entries
from ..agreement.students import Students
from ..components.episode_buffer import EpisodeBatch
from ..controllers.ar_controller import AutoregressiveMAC
from ..controllers.base import Controller
from ..controllers.pa_controller import AgreementMAC
from ..conventions.network import Conventions


class Agreed(NamedTuple):
    """What all agents of one episode know in one step.

    Attributes:
        kind: ``entry`` of the pool, ``convention``, or ``key`` where agents draw by shared keys one
            after the other, or only the key is known.
        key: its first number, in (0, 1); None where the most likely is played.
        number: of the entry, from 0; -1 where it means none.
        size: how many there are.
        share: how likely a key means this one, in [0, 1].
    """

    kind: str
    key: float | None
    number: int
    size: int
    share: float

    def __str__(self) -> str:
        means = "" if self.kind == "key" else f"{self.kind} {self.number} of {self.size} (share {self.share:.2f})"
        if self.key is None:
            return f"likeliest: {means}"
        return f"key {self.key:.3f}" + (f": {means}" if means else "")


def shares_key(mac: Controller) -> bool:
    """Whether the agents that play now draw keys of a seed that they share."""
    team = mac.acting
    return isinstance(team, AgreementMAC) or (isinstance(team, AutoregressiveMAC) and team.args.shared_seed)


def agreed(mac: Controller, batch: EpisodeBatch, t: int, rows: Tensor) -> list[Agreed | None]:
    """What was agreed in tests at time ``t``, for each of the episodes ``rows`` ``[R]``; it changes nothing.

    To be asked right after the actions of this time were chosen, while the controller counts these episodes.

    Args:
        mac: a controller of any kind.
        batch: what the agents have seen up to now, ``[B, T + 1, ...]``.
        t: the time.
        rows: episodes, numbers in the batch.
    """
    team = mac.acting
    greedy = team.args.test_greedy
    if isinstance(team, AgreementMAC):
        return _entries(team, batch, t, rows, greedy)
    if isinstance(team, AutoregressiveMAC) and team.args.shared_seed and not greedy:
        keys = team.keys.draw(batch, rows, t, team.n_agents, True)[:, 0].tolist()
        return [Agreed("key", key, -1, 0, 1.0) for key in keys]
    return [None] * len(rows)


@th.no_grad()
def _entries(team: AgreementMAC, batch: EpisodeBatch, t: int, rows: Tensor, greedy: bool) -> list[Agreed | None]:
    key = None if greedy else team.keys.draw(batch, rows, t, team.key_length, True)
    # Not by the memories that the team plays with, which would move on by a step.
    seen = team.encode_at(batch, rows, th.full_like(rows, t))
    pool: Students | Conventions = team.agent
    if isinstance(pool, Conventions):
        kind, index, law = "convention", pool.choose(len(rows), key), pool.law().expand(len(rows), -1)
    else:
        kind, index, law = "entry", pool.choose(seen, pool.pool(seen), key), _law(pool, seen)
    first = [None] * len(rows) if key is None else key[:, 0].tolist()
    return [Agreed(kind, k, int(j), law.shape[1], float(law[row, j]))
            for row, (k, j) in enumerate(zip(first, index, strict=True))]


def _law(pool: Students, seen: Tensor) -> Tensor:
    """The shares rho of the entries that are played, ``[R, c]``."""
    shares = pool.share_logits(seen).double().softmax(1)
    shares = shares * used_entries(shares, pool.floor)
    return shares / shares.sum(1, keepdim=True)
