"""N small perceptrons at once: batched matrix products, with a backward pass of their own.

Activations are ``[P, H, M]``: a column for each of M rows.  Rows of logits then have the batch as their innermost
axis, so that the soft-max over few actions runs along long vectors, and what all agents see alike meets the first
layers of all in one product.  Autograd would keep the sum before each rectifier and make every gradient anew; here
both are overwritten.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch as th
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

NARROW = 16  # columns; a CPU's batched product takes several times longer for fewer than for these


def uniform(*shape: int, fan_in: int) -> nn.Parameter:
    """A parameter drawn as ``nn.Linear`` draws its own."""
    bound = 1.0 / math.sqrt(fan_in)
    return nn.Parameter(th.empty(*shape).uniform_(-bound, bound))


def affine(bias: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight + bias`` for each network: ``[N, 1, O]``, ``[N, M, I]`` and ``[N, I, O]`` to ``[N, M, O]``."""
    missing = NARROW - weight.shape[-1]
    if missing <= 0:
        return th.baddbmm(bias, x, weight)
    return th.baddbmm(F.pad(bias, (0, missing)), x, F.pad(weight, (0, missing)))[..., :-missing]


def perceptrons(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], given: tuple[Tensor, Tensor, Tensor]
                | None = None) -> Tensor:
    """What N perceptrons make of their inputs, with rectifiers between the layers.

    Args:
        x: inputs ``[B, G, I]``; G is N, or 1 where all have the same.
        weights: of each layer, ``[N, I, O]``.
        biases: of each layer, ``[N, 1, O]``.
        given: what the first layers see of the earlier agents' actions: in each of K teams their one-hot vectors
            ``[K, N / K, A, B]``, which agents come before which ``[N / K, N / K]`` (of each team:
            ``[K, ...]``), and what each action adds, ``[N, A, H]``.

    Returns:
        ``[B, N, O]``, a view of ``[N, O, B]`` in memory.
    """
    onehot, before, added = (None, None, None) if given is None else (given)
    out: Tensor = _Perceptrons.apply(  # type: ignore[no-untyped-call]
        x.permute(1, 2, 0), onehot, before, added, *weights, *biases)[0]
    return out.permute(2, 0, 1)


class _Perceptrons(th.autograd.Function):
    """P perceptrons in Q groups, each of which sees the same.

    Inputs ``[Q, I, M]``; earlier actions ``[K, N, A, M]``, where K is P / N; weights ``[P, I, O]``, biases
    ``[P, 1, O]``.  Outputs ``[P, O, M]``, and the hidden layers, which serve the backward pass only.
    """

    @staticmethod
    def forward(x: Tensor, onehot: Tensor | None, before: Tensor | None, added: Tensor | None, *layers: Tensor,
                ) -> tuple[Tensor, ...]:
        weights, biases = layers[: len(layers) // 2], layers[len(layers) // 2:]
        n, width, steps = len(weights[0]), weights[0].shape[2], x.shape[2]
        first = weights[0].transpose(1, 2).reshape(len(x), -1, x.shape[1])
        if onehot is None or before is None or added is None:
            h = th.baddbmm(biases[0].reshape(len(x), -1, 1), first, x).view(n, width, steps)
        else:
            each = th.bmm(added.transpose(1, 2), onehot.flatten(0, 1))  # [P, H, M]
            h = _sums(before, each.view(len(onehot), -1, width * steps))  # of all agents before
            h.view(len(x), -1, steps).baddbmm_(first, x)
            h = h.view(n, width, steps).add_(biases[0].transpose(1, 2))
        hidden = []
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            hidden.append(h.relu_())
            h = th.baddbmm(bias.transpose(1, 2), weight.transpose(1, 2), h)
        return h, *hidden

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, onehot, before, _, *layers = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.sizes = len(layers) // 2, layers[0].shape[2]
        ctx.save_for_backward(x, onehot, before, *layers[: len(layers) // 2], *output[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
        (n_layers, width), needed = ctx.sizes, ctx.needs_input_grad
        x, onehot, before, *rest = ctx.saved_tensors
        weights, hidden = rest[:n_layers], rest[n_layers:]
        by_weight: list[Tensor | None] = [None] * n_layers
        by_bias: list[Tensor | None] = [None] * n_layers
        if grad is None:
            return None, None, None, None, *by_weight, *by_bias
        g = grad.contiguous()
        for layer in range(n_layers - 1, 0, -1):
            if needed[4 + layer]:
                by_weight[layer] = th.bmm(hidden[layer - 1], g.transpose(1, 2))
            if needed[4 + n_layers + layer]:
                by_bias[layer] = g.sum(2)[:, None]
            g = th.bmm(weights[layer], g)
            # The rectifier's own backward pass, in place: a mask and a product would take three passes.
            g = th.ops.aten.threshold_backward.grad_input(g, hidden[layer - 1], 0, grad_input=g)
        seen = g.view(len(x), -1, g.shape[2])  # [Q, P / Q * H, M]
        if needed[4]:
            by_weight[0] = th.bmm(seen, x.transpose(1, 2)).view(len(g), width, -1).transpose(1, 2)
        if needed[4 + n_layers]:
            by_bias[0] = g.sum(2)[:, None]
        by_x = th.bmm(weights[0].transpose(1, 2).reshape(len(x), -1, x.shape[1]).transpose(1, 2), seen) \
            if needed[0] else None
        by_added = None
        if onehot is not None and needed[3]:
            later = _sums(before.mT, g.view(len(onehot), before.shape[-1], -1)).view(g.shape)
            by_added = th.bmm(onehot.flatten(0, 1), later.transpose(1, 2))
        return by_x, None, None, by_added, *by_weight, *by_bias

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, onehot: Tensor | None, before: Tensor | None,
             added: Tensor | None, *layers: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """The perceptrons of several seeds are so many more, in so many more groups."""
        times = info.batch_size

        def folded(value: Tensor | None, dim: int | None) -> Tensor | None:
            if value is None:
                return None
            each = value.expand(times, *value.shape) if dim is None else value.movedim(dim, 0)
            return each.flatten(0, 1)

        x_dim, onehot_dim, _, added_dim, *dims = in_dims
        every = folded(onehot, onehot_dim)
        if before is not None and in_dims[2] is not None and every is not None:  # each seed has an order of its own
            before = before.movedim(in_dims[2], 0).repeat_interleave(len(every) // times, 0)
        outputs = _Perceptrons.apply(  # type: ignore[no-untyped-call]
            folded(x, x_dim), every, before, folded(added, added_dim),
            *(folded(value, dim) for value, dim in zip(layers, dims, strict=True)))
        return tuple(value.unflatten(0, (times, -1)) for value in outputs), (0,) * len(outputs)


# torch asks for it at every call; found out each time it takes longer than a small product.
_Perceptrons.forward.__signature__ = inspect.signature(_Perceptrons.forward)  # type: ignore[attr-defined]


def _sums(which: Tensor, of: Tensor) -> Tensor:
    """For each of K teams, sums ``[(K,) N, N]`` of its N rows ``[K, N, R]``; a batch of one is a slow product."""
    return (which @ of[0])[None] if len(of) == 1 and which.dim() == 2 else which @ of
