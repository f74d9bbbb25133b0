"""The perceptrons' own backward pass, against autograd's."""

from __future__ import annotations

import itertools

import pytest
import torch as th
from torch import Tensor
from torch.func import vmap

from epymarl_cpa.modules.batched import perceptrons, uniform

N, B, A, H = 3, 7, 2, 5


def layers(*sizes: int) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases in double precision."""
    pairs = list(itertools.pairwise(sizes))
    made = [[uniform(N, rows, b, fan_in=a).detach().double().requires_grad_() for rows in (a, 1)] for a, b in pairs]
    return [weight for weight, _ in made], [bias for _, bias in made]


def literal(x: Tensor, weights: list[Tensor], biases: list[Tensor], given: tuple[Tensor, Tensor, Tensor] | None,
            ) -> Tensor:
    """One network and one layer at a time."""
    rows = []
    for n in range(N):
        h = x[:, n if x.shape[1] > 1 else 0]
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            h = (th.relu(h) if layer else h) @ weight[n] + bias[n]
            if given is not None and layer == 0:
                onehot, before, added = given
                h = h + sum(before[n, j] * onehot[0, j].T @ added[j] for j in range(N))
        rows.append(h)
    return th.stack(rows, 1)


@pytest.mark.parametrize("own", [False, True], ids=["one for all", "own inputs"])
@pytest.mark.parametrize("sizes", [(4, 2), (4, H, 2), (4, H, H, 2)], ids=len)
@pytest.mark.parametrize("chained", [False, True])
def test_values_and_all_gradients_are_autograds(own: bool, sizes: tuple[int, ...], chained: bool) -> None:
    th.manual_seed(0)
    x = th.randn(B, N if own else 1, sizes[0], dtype=th.double, requires_grad=True)
    weights, biases = layers(*sizes)
    wanted = [x, *weights, *biases]
    given = None
    if chained:
        added = th.randn(N, A, sizes[1], dtype=th.double, requires_grad=True)
        onehot = th.eye(A, dtype=th.double)[th.randint(A, (N, B))].transpose(1, 2)[None]
        given = onehot, th.ones(N, N, dtype=th.double).tril(-1), added
        wanted.append(added)
    target = th.randn(B, N, sizes[-1], dtype=th.double)
    ours, theirs = perceptrons(x, weights, biases, given), literal(x, weights, biases, given)
    th.testing.assert_close(ours, theirs)
    for one, other in zip(th.autograd.grad((ours * target).sum(), wanted),
                          th.autograd.grad((theirs * target).sum(), wanted), strict=True):
        th.testing.assert_close(one, other)


def test_seeds_that_are_stacked_are_so_many_networks_more() -> None:
    th.manual_seed(0)
    x = th.randn(4, B, 1, 4, dtype=th.double)
    each = [layers(4, H, 2) for _ in range(4)]
    weights, biases = ([th.stack(same).detach().requires_grad_() for same in zip(*part, strict=True)]
                       for part in zip(*each, strict=True))
    out = vmap(lambda x, weights, biases: perceptrons(x, weights, biases).square().sum())(x, weights, biases)
    out.sum().backward()
    for seed, (own_weights, own_biases) in enumerate(each):
        alone = perceptrons(x[seed], own_weights, own_biases).square().sum()
        th.testing.assert_close(out[seed], alone)
        alone.backward()
        for stacked, own in zip([*weights, *biases], [*own_weights, *own_biases], strict=True):
            assert stacked.grad is not None and own.grad is not None
            th.testing.assert_close(stacked.grad[seed], own.grad)


def test_every_seed_has_its_own_order_of_agents() -> None:
    """As Oryx draws one in each update."""
    th.manual_seed(0)
    x, added = th.randn(4, B, 1, 4, dtype=th.double), th.randn(4, N, A, H, dtype=th.double).requires_grad_()
    onehot = th.eye(A, dtype=th.double)[th.randint(A, (4, 1, N, B))].transpose(3, 4)
    turn = th.stack([th.tensor(order) for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1))])
    before = (turn[:, :, None] > turn[:, None]).double()
    weights, biases = layers(4, H, 2)

    def both(x: Tensor, onehot: Tensor, before: Tensor, added: Tensor) -> Tensor:
        return sum((perceptrons(x, [w.repeat(k, 1, 1) for w in weights], [b.repeat(k, 1, 1) for b in biases],
                                (onehot.expand(k, -1, -1, -1), before, added.repeat(k, 1, 1))).square().sum()
                    for k in (1, 2)), th.zeros(()))  # K teams with one order: a network and its target, say

    out = vmap(both)(x, onehot, before, added)
    gradient, = th.autograd.grad(out.sum(), added)
    for seed in range(4):
        alone = both(x[seed], onehot[seed], before[seed], added[seed])
        th.testing.assert_close(out[seed], alone)
        th.testing.assert_close(gradient[seed], th.autograd.grad(alone, added)[0][seed])


def test_what_needs_no_gradient_gets_none() -> None:
    weights, biases = layers(4, H, 2)
    weights[0].requires_grad_(False)
    x = th.randn(B, 1, 4, dtype=th.double)
    perceptrons(x, weights, biases).sum().backward()
    assert weights[0].grad is None and weights[1].grad is not None and x.grad is None
