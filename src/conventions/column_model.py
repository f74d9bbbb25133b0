"""A model of single steps as a network, for states that are too many for a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch as th
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from ..modules.flat_adam import FlatAdam, descend
from .experience import Experience
from .plan import spread_of

MOST_VALUES = 64  # of a column
LOT = 256  # steps of one update
WIDTH = 128
LEARNING_RATE = 2e-3


class Columns:
    """State vectors whose columns take few values, as numbers of these values.

    Args:
        state: recorded vectors ``[M, S]``.

    Attributes:
        values: of each column, sorted.
        start: where each column's one-hot vector begins, ``[S + 1]``.

    Raises:
        UserError: a column takes too many values.
    """

    def __init__(self, state: Tensor) -> None:
        self.values = [column.unique() for column in state.T]
        largest = max(map(len, self.values))
        if largest > MOST_VALUES:
            raise UserError(f"improvement=stages and =stationary need states whose entries take few values each, but "
                            f"one of them takes {largest:,} in these data; set improvement=imitation.")
        self.start = np.concatenate([[0], np.cumsum([len(each) for each in self.values])])

    def numbers(self, state: Tensor) -> Tensor:
        """``[M, S]`` to long ``[M, S]``."""
        return th.stack([th.searchsorted(each, column.contiguous()).clamp(max=len(each) - 1)
                         for each, column in zip(self.values, state.T, strict=True)], 1)

    def vectors(self, numbers: Tensor) -> Tensor:
        """The other way round."""
        return th.stack([each[column] for each, column in zip(self.values, numbers.T, strict=True)], 1)

    def one_hot(self, numbers: Tensor) -> Tensor:
        """``[M, S]`` to ``[M, V]``, V the number of all values."""
        hot = th.zeros(len(numbers), int(self.start[-1]))
        return hot.scatter_(1, numbers + th.from_numpy(self.start[:-1]), 1.0)


class StepModel(Protocol):
    """What is learned of single steps.

    Attributes:
        columns: of the states.
        needs_next: whether it learns what follows.
    """

    columns: Columns
    needs_next: bool

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is learned."""

    def fit_scale(self, reward: Tensor) -> None:
        """Takes its units from recorded rewards ``[M]``, before it learns."""

    def loss(self, numbers: Tensor, actions: Tensor, following: Tensor, reward: Tensor) -> Tensor:
        """Of steps from columns ``[M, S]`` by joint actions ``[M, N]`` to columns ``[M, S]`` with rewards ``[M]``."""


class RewardModel(nn.Module):
    """E[r | s, a].

    Args:
        columns: of the states.
        n_agents, n_actions: N and A.
    """

    scale: Tensor
    needs_next = False

    def __init__(self, columns: Columns, n_agents: int, n_actions: int) -> None:
        super().__init__()
        self.columns, self.n_actions = columns, n_actions
        self.net = reward_net(columns, n_agents, n_actions)
        self.register_buffer("scale", th.ones(()))

    def forward(self, numbers: Tensor, actions: Tensor) -> Tensor:
        """Columns ``[M, S]`` and joint actions ``[M, N]`` to expected rewards ``[M]``, as they were recorded."""
        paid: Tensor = self.net(conditions(self.columns, numbers, actions, self.n_actions))[:, 0] * self.scale
        return paid

    def fit_scale(self, reward: Tensor) -> None:
        """Sets ``scale`` from recorded rewards."""
        self.scale.fill_(max(spread_of(reward), 1e-6))

    def loss(self, numbers: Tensor, actions: Tensor, following: Tensor, reward: Tensor) -> Tensor:
        """The squared error of the rewards ``[M]``, in units of ``scale``."""
        return F.mse_loss(self(numbers, actions) / self.scale, reward / self.scale)


class ColumnModel(nn.Module):
    """p(s' | s, a), one column after another, by a masked network (Germain et al., 2015).

    Args:
        columns: of the states.
        n_agents, n_actions: N and A.
    """

    masks: tuple[Tensor, Tensor, Tensor]
    needs_next = True

    def __init__(self, columns: Columns, n_agents: int, n_actions: int) -> None:
        super().__init__()
        self.columns, self.n_actions = columns, n_actions
        size, n_values = len(columns.values), int(columns.start[-1])
        owner = th.from_numpy(np.repeat(np.arange(size), [len(each) for each in columns.values]))
        # Unit h knows the columns before its own; what is said of column k comes from units up to k.
        width = max(WIDTH, size)
        unit = th.arange(width) % size
        self.masks = ((owner[:, None] < unit).float(), (unit[:, None] <= unit).float(),
                      (unit[:, None] <= owner).float())
        n_given = n_values + n_agents * n_actions
        shapes = ((n_values, width), (width, width), (width, n_values))
        self.weights = nn.ParameterList(th.empty(*shape).uniform_(-shape[0] ** -0.5, shape[0] ** -0.5)
                                        for shape in shapes)
        self.given = nn.ModuleList(nn.Linear(n_given, shape[1]) for shape in shapes)

    def fit_scale(self, reward: Tensor) -> None:
        """It knows no rewards."""

    def loss(self, numbers: Tensor, actions: Tensor, following: Tensor, reward: Tensor) -> Tensor:
        """Minus the log-likelihood of the next columns ``[M, S]``."""
        given = conditions(self.columns, numbers, actions, self.n_actions)
        h = self.columns.one_hot(following)
        for k, (weight, mask, layer) in enumerate(zip(self.weights, self.masks, self.given, strict=True)):
            h = (th.relu(h) if k else h) @ (weight * mask) + layer(given)
        start = self.columns.start
        return th.stack([F.cross_entropy(h[:, start[k]:start[k + 1]], following[:, k])
                         for k in range(following.shape[1])]).sum()

    @th.no_grad()
    def sample(self, numbers: Tensor, actions: Tensor, generator: th.Generator) -> Tensor:
        """Next columns ``[M, S]``, drawn."""
        given = conditions(self.columns, numbers, actions, self.n_actions)
        one, two, three = (layer(given) for layer in self.given)
        first, second, third = (weight * mask for weight, mask in zip(self.weights, self.masks, strict=True))
        start, following = self.columns.start, th.zeros_like(numbers)
        for k in range(numbers.shape[1]):
            h = th.relu(th.relu(one) @ second + two)
            span = slice(int(start[k]), int(start[k + 1]))
            logits = h @ third[:, span] + three[:, span]
            following[:, k] = th.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
            one = one + first[span][following[:, k]]
        return following


def reward_net(columns: Columns, n_agents: int, n_actions: int) -> nn.Sequential:
    """:func:`conditions` ``[M, C]`` to rewards ``[M, 1]``, in units of their own."""
    n_given = int(columns.start[-1]) + n_agents * n_actions
    return nn.Sequential(nn.Linear(n_given, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))


def conditions(columns: Columns, numbers: Tensor, actions: Tensor, n_actions: int) -> Tensor:
    """What all depends on: columns ``[M, S]`` and joint actions ``[M, N]`` to ``[M, C]``."""
    return th.cat([columns.one_hot(numbers), F.one_hot(actions, n_actions).flatten(1).float()], 1)


def trained_on(data: Experience, model: StepModel, updates: int, generator: th.Generator) -> None:
    """Trains a model on all recorded steps, where it learns what follows on those with a following state.

    Args:
        data: recorded episodes.
        model: to train.
        updates: how many.
        generator: draws the steps.

    Raises:
        UserError: there are no such steps.
    """
    e, t = (data.played & data.filled[:, 1:] if model.needs_next else data.played).nonzero(as_tuple=True)
    if not len(e):
        raise UserError("no recorded step says which state follows, so that no model of the game can be learned; set "
                        "improvement=imitation.")
    after = t + data.filled[e, t + 1].long()  # the state itself where the next one is neither known nor asked for
    now, then = (model.columns.numbers(data.state[e, at]) for at in (t, after))
    actions, reward = data.actions[e, t], data.reward[e, t]
    model.fit_scale(reward)
    network = FlatAdam([*model.parameters()])
    for k in range(updates):
        rows = th.randint(len(e), (LOT,), generator=generator)
        loss = model.loss(now[rows], actions[rows], then[rows], reward[rows])
        descend(network, loss, LEARNING_RATE * (1 - 0.95 * k / updates))
