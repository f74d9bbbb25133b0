"""Adam (Kingma and Ba, 2015) on the parameters of a network as one buffer.

``torch.optim.Adam`` is not used: making the first one imports ``torch._dynamo``, which takes a second, and it goes
through the parameters one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch as th
from torch import Tensor
from torch.optim.adam import adam

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class FlatAdam:
    """The trained parameters of one network as views of one buffer, their gradient, and what Adam keeps of them.

    A parameter without a gradient is left alone: it does not move, nor do its moments and its count of steps.
    Parameters may be moved (``cuda``, ``param.data = ...``) at any time between two updates; :meth:`bind` notices.

    Args:
        params: of one type and on one device; stacked ``[E, ...]`` for several seeds.
        seeds: E; 0 for parameters that are not stacked.

    Attributes:
        layout: another number whenever what an update reads and writes may lie elsewhere than before.
    """

    def __init__(self, params: Sequence[Tensor], seeds: int = 0) -> None:
        self.params, self._lead = list(params), (seeds,) if seeds else ()
        ends = itertools.accumulate(param.numel() // max(seeds, 1) for param in self.params)
        self.spans = list(itertools.pairwise([0, *ends]))
        self.values = self.grad = self._first = self._second = th.empty(0)
        self._places: list[int] = []
        self._counts, self._since = [0] * len(self.params), 0
        self._pattern: tuple[bool, ...] = ()
        self._runs: list[_Run] = []
        self.layout = 0

    def bind(self) -> None:
        """Makes the parameters views of ``values`` ``[(E,) P]``, if they are not."""
        at = [param.data_ptr() for param in self.params]
        if at == self._places:
            return
        self._settle()
        self.values = self._joined([param.detach() for param in self.params])
        for param, (begin, end) in zip(self.params, self.spans, strict=True):
            param.data = self.values[..., begin:end].view(param.shape)
        self._places = [param.data_ptr() for param in self.params]
        self.grad = th.zeros_like(self.values)
        old = self._first, self._second
        self._first, self._second = (th.zeros_like(self.values) if moment.numel() != self.values.numel()
                                     else moment.to(self.values.device) for moment in old)

    def take(self, grads: Sequence[Tensor | None]) -> None:
        """Takes the gradients of the parameters, None for those that have none, into ``grad`` ``[(E,) P]``."""
        pattern = tuple(grad is not None for grad in grads)
        if pattern != self._pattern:
            self._settle()
            self._split(pattern)
        for run in self._runs:
            self._joined([grad for grad in grads[run.first:run.last] if grad is not None], run.grad)

    def norm(self) -> Tensor:
        """Of the gradient, ``[]`` or ``[E]``."""
        if not self._runs:
            return self.values.new_zeros(self._lead)
        norm: Tensor = th.linalg.vector_norm(self.grad, dim=-1)
        return norm

    def scale(self, factor: Tensor) -> None:
        """Multiplies the gradient by a number, or by one for each seed ``[E]``."""
        if self._runs:
            self.grad.mul_(factor[..., None] if self._lead else factor)

    def state_dict(self) -> dict[str, Any]:
        """As ``torch.optim.Adam`` tells it, so that older checkpoints and these can be read alike."""
        state = {}
        for index, (count, param, (begin, end)) in enumerate(zip(self._steps(), self.params, self.spans, strict=True)):
            if count:
                first, second = (moment[..., begin:end].clone().view(param.shape)
                                 for moment in (self._first, self._second))
                state[index] = {"step": th.tensor(float(count)), "exp_avg": first, "exp_avg_sq": second}
        return {"state": state, "param_groups": [self._settings()]}

    def _settings(self) -> dict[str, Any]:
        return {"lr": 0.0, "betas": BETAS, "eps": EPSILON, "weight_decay": 0, "amsgrad": False, "maximize": False,
                "foreach": None, "capturable": False, "differentiable": False, "fused": True,
                "decoupled_weight_decay": False, "params": [*range(len(self.params))]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state_dict` or ``torch.optim.Adam`` gave, if it :meth:`fits`."""
        if not state["state"] and not self._places:
            return  # it has not begun, and its parameters lie where they were made
        self.bind()
        self._settle()
        self._counts = [0] * len(self.params)
        for moment in (self._first, self._second):
            moment.zero_()
        for index, moments in state["state"].items():
            self._counts[index] = int(moments["step"])
            for key, moment in (("exp_avg", self._first), ("exp_avg_sq", self._second)):
                begin, end = self.spans[index]
                moment[..., begin:end].copy_(moments[key].reshape(*self._lead, end - begin))

    def fits(self, state: Mapping[str, Any]) -> bool:
        """Whether this is a state of Adam for these parameters; other versions of torch may have further settings.

        Raises:
            KeyError, IndexError, TypeError, AttributeError, ValueError: it is not.
        """
        mine, (theirs, *others) = self._settings(), state["param_groups"]
        alike = not others and theirs["params"] == mine["params"] and len(theirs["betas"]) == 2 \
            and all(isinstance(number, float) for number in (theirs["lr"], theirs["eps"], *theirs["betas"])) \
            and all(type(theirs.get(key, value)) is type(value) for key, value in mine.items())
        return alike and all(
            moments["step"].numel() == 1
            and moments["exp_avg"].shape == moments["exp_avg_sq"].shape == self.params[index].shape
            for index, moments in state["state"].items())

    def _joined(self, parts: Sequence[Tensor], out: Tensor | None = None) -> Tensor:
        """Tensors of several parameters as one ``[(E,) P']``."""
        return th.cat([part.reshape(*self._lead, -1) for part in parts], -1, out=out)

    def _steps(self) -> list[int]:
        """How often every parameter has moved."""
        return [count + self._since * moves
                for count, moves in zip(self._counts, self._pattern or [False] * len(self._counts), strict=True)]

    def _settle(self) -> None:
        """Forgets which parameters have gradients."""
        self._counts, self._since, self._pattern, self._runs = self._steps(), 0, (), []
        self.layout += 1

    def _split(self, pattern: tuple[bool, ...]) -> None:
        """Finds the runs of neighbours that have gradients and have moved equally often."""
        self._pattern = pattern
        self.grad.zero_()  # where there is no gradient, nothing counts for the norm
        at = 0
        for (moves, count), same in itertools.groupby(zip(pattern, self._counts, strict=True)):
            last = at + len([*same])
            if moves:
                span = slice(self.spans[at][0], self.spans[last - 1][1])
                values, grad, *moments = (each[..., span]
                                          for each in (self.values, self.grad, self._first, self._second))
                steps = th.full((), float(count), device=self.values.device)
                self._runs.append(_Run(at, last, grad, (values, grad, *moments, steps)))
            at = last

    def moving(self) -> list[tuple[Tensor, ...]]:
        """For each run of parameters that move: values, gradient, first and second moments, and count of steps."""
        return [run.parts for run in self._runs]

    def has_moved(self) -> None:
        """Counts a step of the parameters that move."""
        self._since += 1

    def has_not_moved(self, steps: int) -> None:
        """Takes back the count of the last steps."""
        self._since -= steps


@dataclass(frozen=True)
class _Run:
    """Neighbouring parameters that move together.

    Attributes:
        first, last: numbers of the parameters, the last one excluded.
        grad, parts: their parts of the buffers, views; see :meth:`FlatAdam.moving`.
    """

    first: int
    last: int
    grad: Tensor
    parts: tuple[Tensor, ...]


def gather(loss: Tensor, networks: Sequence[FlatAdam]) -> None:
    """Lets networks that are bound take the gradients of a scalar; parameters that are frozen have none."""
    learning = [param for network in networks for param in network.params if param.requires_grad]
    grads = iter(th.autograd.grad(loss, learning, allow_unused=True))
    with th.no_grad():
        for network in networks:
            network.take([next(grads) if param.requires_grad else None for param in network.params])


@th.no_grad()
def step(networks: Sequence[FlatAdam], rate: float | Tensor, stop: Tensor | None = None) -> None:
    """Moves all parameters that have gradients, once, and counts nothing (:meth:`FlatAdam.has_moved`).

    Args:
        networks: after :meth:`FlatAdam.take`.
        rate: the learning rate; a scalar on the parameters' device where it is to be read there.
        stop: 1.0 if nothing is to be changed, else 0.0, a scalar on the parameters' device; None for 0.0.
    """
    moving = [each for network in networks for each in network.moving()]
    if not moving:
        return
    # The operation takes what it is given for dense; of stacked seeds only whole networks are.
    dense = [each if each[0].is_contiguous() else tuple(part.contiguous() for part in each) for each in moving]
    values, grads, first, second, steps = (list(each) for each in zip(*dense, strict=True))
    adam(values, grads, first, second, [], steps, fused=True, found_inf=stop, amsgrad=False, beta1=BETAS[0],
         beta2=BETAS[1], lr=rate, weight_decay=0.0, eps=EPSILON, maximize=False)
    for before, after in zip(moving, dense, strict=True):
        if after is not before:
            for old, new in zip(before, after, strict=True):
                old.copy_(new)


def descend(network: FlatAdam, loss: Tensor, rate: float) -> None:
    """One step of a single network down its loss."""
    network.bind()
    gather(loss, [network])
    step([network], rate)
    network.has_moved()
