"""Recorded steps of which many are the same: each kind is computed once and counted as often as it was drawn."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import torch as th
from torch import Tensor

from .drawn import MASKS, RecordedSteps
from .transitions import Transitions, in_columns

WORTH = 0.8  # kinds over steps of a batch: where there are more, counting them costs more than it saves
SOME, HOPELESS = 4000, 0.95  # of so many steps so large a share of kinds shows that already
AT_ONCE = 10_000  # steps that are compared together


class MergedSteps:
    """The steps of G data sets with as many episodes each, by their kinds.

    Args:
        recorded: all steps, those of one data set after those of another.
        kind: of each step, ``[S]``; those of data set g lie between g U and (g + 1) U.
        example: a step of each kind, ``[G U]``.
        groups: G.
    """

    def __init__(self, recorded: RecordedSteps, kind: Tensor, example: Tensor, groups: int) -> None:
        self._kind, self._groups = kind, groups
        self._fields = {name: value[example] for name, value in recorded.fields.items() if name != "episode"}
        self._recorded, self._width = copy.copy(recorded), len(example) // groups
        self._recorded.fields = {}  # where the steps of an episode are is all that is needed of it

    def draw(self, rows: Tensor) -> Transitions:
        """The steps of some episodes, with their counts.

        Args:
            rows: numbers of episodes, as many of one data set after as many of another, ``[G B]``.

        Returns:
            G M steps; M is the largest number of kinds that were drawn from one data set.  Where fewer were, others are
            there whose count is 0.
        """
        groups, width = self._groups, self._width
        index, _ = self._recorded.place(rows)
        count = th.bincount(self._kind[index], minlength=groups * width).view(groups, width)
        drawn = count > 0
        most = drawn.sum(1)
        m = int(most.max())
        if bool((most == m).all()):
            place = drawn.flatten().nonzero()[:, 0]
        else:
            each = drawn.int().topk(m, 1).indices
            place = (each + th.arange(groups, device=rows.device)[:, None] * width).flatten()
        step: dict[str, Any] = {name: value.index_select(0, place) for name, value in self._fields.items()}
        step |= {name: in_columns(step[name]) for name in MASKS}
        step |= self._recorded.views(step)
        return Transitions(**step, episode=th.zeros_like(place), count=count.flatten()[place].float())


def merged(recorded: RecordedSteps, unread: Collection[str], size: int, groups: int = 1) -> MergedSteps | None:
    """The steps by their kinds, or None where that saves little.

    A GPU would have to be waited for, to know how many kinds there are in a batch.

    Args:
        recorded: all steps.
        unread: fields in which steps of one kind may differ; None is returned unless ``episode`` is one of them.
        size: episodes in a batch.
        groups: data sets with as many episodes each, one after the other.
    """
    if "episode" not in unread or recorded.fields["episode"].device.type != "cpu":
        return None
    read = [value.flatten(1) if value.dim() > 1 else value[:, None] for name, value in recorded.fields.items()
            if name not in unread]
    if not len(read[0]):
        return None
    some = th.arange(0, len(read[0]), max(1, len(read[0]) // SOME))
    if len(th.unique(_sums([value[some] for value in read]))) > HOPELESS * len(some):
        return None
    episodes = len(recorded) // groups
    found = _by_kind(recorded, read, groups, episodes)
    if found is None:
        return None
    some = th.randperm(episodes, generator=th.Generator().manual_seed(0))[th.arange(size) % episodes]
    drawn = found.draw((some + th.arange(groups)[:, None] * episodes).flatten())  # a batch such as others will be
    assert drawn.count is not None
    return found if len(drawn.count) <= WORTH * float(drawn.count.sum()) else None


def _by_kind(recorded: RecordedSteps, read: list[Tensor], groups: int, episodes: int) -> MergedSteps | None:
    """All steps by their kinds, or None if a data set has no steps.

    Args:
        recorded, groups: as for :func:`merged`.
        read: what tells steps apart, ``[S, ...]`` each.
        episodes: of each data set.
    """
    group, sums = recorded.fields["episode"] // episodes, _sums(read)
    begin, kinds, examples = 0, [], []
    for k in range(groups):
        _, kind = th.unique(sums[group == k], return_inverse=True)
        if not len(kind):
            return None
        example = th.full((int(kind.max()) + 1,), len(kind)).scatter_reduce(0, kind, th.arange(len(kind)), "amin")
        kinds.append(kind)
        examples.append(example + begin)
        begin += len(kind)
    of_each = th.cat([example[kind] for kind, example in zip(kinds, examples, strict=True)])
    for first in range(0, len(of_each), AT_ONCE):
        if any(not th.equal(value[first:first + AT_ONCE], value[of_each[first:first + AT_ONCE]]) for value in read):
            return None  # sums of different steps are the same, once in a thousand years
    width = max(len(example) for example in examples)
    return MergedSteps(recorded, th.cat([kind + k * width for k, kind in enumerate(kinds)]),
                       th.cat([th.cat([each, each[:1].expand(width - len(each))]) for each in examples]), groups)


def _sums(values: list[Tensor]) -> Tensor:
    """A number for each row of ``values`` ``[S, F]``, ``[S]``; those of different rows are hardly ever the same."""
    total, generator = th.zeros(len(values[0]), dtype=th.long), th.Generator().manual_seed(0)
    for value in values:
        factor = th.randint(2**62, (2, value.shape[1]), generator=generator) * 2 + 1
        for first in range(0, len(value), AT_ONCE):
            part = value[first:first + AT_ONCE]
            bits = part.float().contiguous().view(th.int32).long() if part.is_floating_point() else part.long()
            mixed = (bits + 1) * factor[0]
            total[first:first + AT_ONCE] += ((mixed ^ (mixed >> 29)) * factor[1]).sum(1)  # beyond 64 bits: dropped
    return total


def told_of_its_own(cls: type, what: str, by: str) -> bool:
    """Whether what a class says of its method ``by`` in its attribute ``what`` was said of that very method.

    A subclass with another method does not inherit what was said of the former.
    """
    said, does = (next(k for k, each in enumerate(cls.__mro__) if name in vars(each)) for name in (what, by))
    return said <= does
