"""Which convention each recorded episode follows, and which of them a key chooses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ...build import Team, build_env
from ...components.action_selectors import masked_logits
from ...components.transitions import transitions
from ...controllers.pa_controller import AgreementMAC
from ...conventions.likelihood import episode_likelihood
from ...conventions.network import Conventions
from ...data import OfflineDataset
from ...errors import UserError
from ...runners.offline_runner import OfflineRunner
from ...settings import Settings
from ...utils.manifest import read_manifest

AT_ONCE = 500  # episodes
MOST = 24  # behaviours told apart
UNKNOWN, ALL = "unknown", "all"


@dataclass(frozen=True)
class ConventionUse:
    """R rows, one for each recorded behaviour and one for all data; C conventions, the one that a key means most first.

    Attributes:
        behaviours: what the rows are called; only ``all`` where nobody knows who played.
        episodes: of each row, ``[R]``.
        follow: share of a row's episodes whose likeliest convention this is, ``[R, C]``; rows add up to 1.
        same: share of a row's actions that are what the likeliest convention would do, ``[R]``.
        entries: their numbers in the pool, ``[C]``.
        law: how likely a key means each, ``[C]``; adds up to 1.
        values, errors: what each is estimated to be worth in undiscounted reward, and the error of that, ``[C]``.
        choice: the column that is played where no key is (``test_greedy``).
        recorded: the mean return of the data.
        data: what the data are called.
        is_trained_on: whether the model learned from these data.
    """

    behaviours: list[str]
    episodes: NDArray[np.int64]
    follow: NDArray[np.float64]
    same: NDArray[np.float64]
    entries: list[int]
    law: NDArray[np.float64]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    choice: int
    recorded: float
    data: str
    is_trained_on: bool

    def __str__(self) -> str:
        """A table for people."""
        head = ["", "episodes", *(f"{'*' * (k == self.choice)}{j}" for k, j in enumerate(self.entries)), "same"]
        rows = [head, *([name, f"{n:,}", *map(percent, share), percent(same)] for name, n, share, same in
                        zip(self.behaviours, self.episodes, self.follow, self.same, strict=True))]
        rows += [["key", "", *map(percent, self.law), ""], ["value", "", *(f"{each:.4g}" for each in self.values), ""],
                 ["error", "", *(f"{round(each, 6):.2g}" for each in self.errors), ""]]
        return "\n".join([
            f"{self.data}: which convention episodes follow (share), and how many actions are the same",
            *_aligned(rows), "*: played without a key; key: how likely one means it; value: estimated return (recorded "
            f"episodes: {self.recorded:.4g})",
            *([] if self.is_trained_on else ["These are not the data that the model learned from."])])


def percent(share: float) -> str:
    """A share in whole percent; a dot for none at all."""
    return "·" if share == 0 else f"{100 * share:.0f}%" if share >= 0.005 else "<1%"


def convention_use(path: str, dataset: str = "", folder: str = "datasets", key: str = "") -> ConventionUse:
    """Looks at every recorded episode under every convention that has a value.

    Args:
        path: a run's model folder, or one checkpoint in it.
        dataset: recipe or file; by default what the run learned from.
        folder: where data sets made from recipes are kept; what the model's file says of it is not followed.
        key: see :class:`...build.Team`.

    Raises:
        UserError: there is no whole checkpoint, it holds no conventions or none that have a value yet, or the data
            are missing, damaged, or of another game.
    """
    team = Team(path, key)
    pool = _pool(team)
    changed = {"dataset": dataset} if dataset else {}
    args = Settings.of({**team.config, **changed, "datasets_path": folder, "evaluate": False, "use_cuda": False})
    source = OfflineRunner(args, build_env(args), logging.getLogger(__name__))
    data = source.dataset
    law, values = pool.law().numpy(), pool.values.numpy()
    known = ((pool.shares != 0) | (pool.values != 0) | (pool.errors != 0)).nonzero()[:, 0].numpy()
    entries = known[np.lexsort((-values[known], -law[known]))]
    follows, same, taken = _followed(team, pool, source, th.from_numpy(entries))
    names, rows = _behaviours(data)
    learned_from = (read_manifest(team.folder).get("dataset") or {}).get("digest")
    return ConventionUse(
        names, np.array([row.sum() for row in rows]),
        np.stack([np.bincount(follows[row], minlength=len(entries)) / row.sum() for row in rows]),
        np.array([same[row].sum() / taken[row].sum() for row in rows]), entries.tolist(), law[entries],
        values[entries], pool.errors.numpy()[entries], entries.tolist().index(int(pool.choose(1, None))),
        float(data.returns.mean()), data.source, data.digest == learned_from)


def _pool(team: Team) -> Conventions:
    mac, config = team.mac, team.config
    if not isinstance(mac, AgreementMAC) or not isinstance(mac.agent, Conventions):
        raise UserError(f"{team.folder} was trained with mac={config['mac']} and policy_input={config['policy_input']} "
                        "and holds no conventions; take a model of --config=cpa_pa with policy_input=obs.")
    pool = mac.agent
    untouched = pool.size > 1 and bool((pool.shares == 1 / pool.size).all())
    if not mac.taught or (untouched and not pool.values.any()):
        raise UserError(f"{team.folder} was saved before its conventions had a value; take a later checkpoint.")
    return pool


@th.no_grad()
def _followed(team: Team, pool: Conventions, source: OfflineRunner, entries: Tensor,
              ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """For each of E episodes ``[E]``: the column of its likeliest convention, how many actions that would have done,
    too, and how many there are."""
    parts = []
    for k in range(0, source.n_episodes, AT_ONCE):
        batch = source.episodes(th.arange(k, min(k + AT_ONCE, source.n_episodes)))
        step = transitions(batch, batch["state"], team.mac.encode(batch))
        every = pool.every(step.inputs)[:, entries]  # [M, C, N, A]
        column = episode_likelihood(step, every, batch.batch_size).argmax(1)
        logits = every[th.arange(len(every)), column[step.episode]]
        same = (masked_logits(logits, step.available).argmax(-1) == step.actions).sum(1)
        count = th.zeros(2, batch.batch_size, dtype=th.long)
        count.index_add_(1, step.episode, th.stack([same, th.full_like(same, step.actions.shape[1])]))
        parts.append(th.cat([column[None], count]).numpy())
    column, same, taken = np.concatenate(parts, 1)
    return column, same, taken


def _behaviours(data: OfflineDataset) -> tuple[list[str], list[NDArray[np.bool_]]]:
    """Names of the rows, and the episodes of each, bool ``[E]``; behaviours beyond ``MOST`` share one."""
    numbers, counts = np.unique(data.behaviour, return_counts=True)
    whole = np.ones(data.n_episodes, dtype=np.bool_)
    if (numbers < 0).all():
        return [ALL], [whole]
    own = sorted(numbers[np.argsort(-counts, kind="stable")][:MOST].tolist(), key=lambda k: (k < 0, k))
    names = [str(data.meta["behaviours"][k]) if k >= 0 else UNKNOWN for k in own]
    rows = [data.behaviour == k for k in own]
    if len(own) < len(numbers):
        names.append(f"{len(numbers) - len(own)} others")
        rows.append(~np.isin(data.behaviour, own))
    return ([*names, ALL], [*rows, whole]) if len(names) > 1 else (names, rows)


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    """The first column is left-aligned, the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()
