"""Recorded steps of which many are the same: each kind is computed once and counted as often as it was drawn."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch as th
from torch import Tensor

from .drawn import MASKS, RecordedSteps
from .transitions import Transitions, in_columns

WORTH = 0.5  # kinds over steps: where there are more, too few of a batch are the same
SOME, HOPELESS = 4000, 0.9  # of so many steps so large a share of kinds shows that already


class MergedSteps:
    """The steps of G data sets with as many episodes each, by their kinds.

    Args:
        recorded: all steps, those of one data set after those of another.
        kind: of each step, ``[S]``; those of data set g lie between g U and (g + 1) U.
        example: a step of each kind, ``[G U]``.
        groups: G.
    """

    def __init__(self, recorded: RecordedSteps, kind: Tensor, example: Tensor, groups: int) -> None:
        self._recorded, self._kind, self._groups = recorded, kind, groups
        self._fields = {name: value[example] for name, value in recorded.fields.items() if name != "episode"}
        self._width = len(example) // groups

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


def merged(recorded: RecordedSteps, unread: Collection[str], groups: int = 1) -> MergedSteps | None:
    """The steps by their kinds, or None if few are the same, or if counting them would cost more than computing them.

    A GPU would have to be waited for, to know how many kinds there are in a batch.

    Args:
        recorded: all steps.
        unread: fields in which steps of one kind may differ; ``episode`` always is one.
        groups: data sets with as many episodes each, one after the other.
    """
    if recorded.fields["episode"].device.type != "cpu":
        return None
    read = [value.flatten(1) if value.dim() > 1 else value[:, None] for name, value in recorded.fields.items()
            if name not in unread and name != "episode"]
    some = th.linspace(0, len(read[0]) - 1, min(SOME, len(read[0]))).long()
    if len(th.unique(_sums([value[some] for value in read]))) > HOPELESS * len(some):
        return None
    group = recorded.fields["episode"] // (len(recorded) // groups)
    sums, begin, kinds, examples = _sums(read), 0, [], []
    for k in range(groups):
        _, kind = th.unique(sums[group == k], return_inverse=True)
        if len(kind) == 0 or int(kind.max()) + 1 > WORTH * len(kind):
            return None
        example = th.full((int(kind.max()) + 1,), len(kind)).scatter_reduce(0, kind, th.arange(len(kind)), "amin")
        kinds.append(kind)
        examples.append(example + begin)
        begin += len(kind)
    if any(not th.equal(value, value[th.cat([example[kind] for kind, example in zip(kinds, examples, strict=True)])])
           for value in read):
        return None  # sums of different steps are the same, once in a thousand years
    width = max(len(example) for example in examples)
    return MergedSteps(recorded, th.cat([kind + k * width for k, kind in enumerate(kinds)]),
                       th.cat([th.cat([each, each[:1].expand(width - len(each))]) for each in examples]), groups)


def _sums(values: list[Tensor]) -> Tensor:
    """A number for each row of ``values``, ``[S, ...]`` each; those of different rows differ."""
    total, generator = th.zeros(len(values[0]), dtype=th.long), th.Generator().manual_seed(0)
    for value in values:
        bits = value.float().contiguous().view(th.int32).long() if value.is_floating_point() else value.long()
        factor = th.randint(2**62, (2, bits.shape[1]), generator=generator) * 2 + 1
        mixed = (bits + 1) * factor[0]
        total += ((mixed ^ (mixed >> 29)) * factor[1]).sum(1)  # beyond 64 bits nothing is kept
    return total
