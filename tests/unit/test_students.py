"""Students choose used entries by the law they state, and nobody's action depends on a team-mate's networks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import settings
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from epymarl_cpa.agreement.readers import REGISTRY, PriorKey, used_entries
from epymarl_cpa.agreement.settings import PoolSettings
from epymarl_cpa.agreement.students import Students
from epymarl_cpa.components.env_info import EnvInfo
from epymarl_cpa.deploy.policy import AgreementKey

S, N, A, C, B = 3, 4, 5, 6, 7
VARIANTS = list(REGISTRY)


def make(key: str, local: bool = False, seed: int = 0, **changed: Any) -> Students:
    """Students with shares that differ a lot, one or two of them below the floor."""
    values = {"pool_size": C, "pool_dim": 4, "pool_hidden": 8, "head_hidden": 8, "entry_floor": 0.05, "key": key,
              "key_dim": 2, **changed}
    args = settings(PoolSettings, "cpa_pa", "xor", *(f"{name}={value}" for name, value in values.items()))
    th.manual_seed(seed)
    students = Students(S, EnvInfo(N, A, S, S, 1), args, local)
    with th.no_grad():
        students.share_net.biases[-1].copy_(th.linspace(0, -4, args.pool_size))
        for net in (students.share_net, students.pool.entry_net, students.pool.heads, students.key.read_net()):
            if net is not None:
                net.weights[-1].mul_(4)
    return students


def seen(local: bool = False) -> Tensor:
    """``[B, G, S]``."""
    return th.randn(B, N if local else 1, S, generator=th.Generator().manual_seed(1))


def keys(students: Students, times: int, seed: int = 5) -> Tensor:
    return th.from_numpy(AgreementKey(seed).draw(range(times), 0, students.key.numbers))


def played(students: Students, x: Tensor, times: int = 64) -> Tensor:
    """Actions ``[times, B, N]`` over many keys, and then without one."""
    many = keys(students, times)
    with th.no_grad():
        rows = [students.logits(x, many[q].expand(len(x), -1)).argmax(-1) for q in range(times)]
        return th.stack([*rows, students.logits(x, None).argmax(-1)])


def shares_of(students: Students, x: Tensor) -> tuple[Tensor, Tensor]:
    """Shares and which are used, literally."""
    with th.no_grad():
        shares = students.share_logits(x).double().softmax(1)
    used = [[p >= students.floor or p == max(row) for p in row] for row in shares.tolist()]
    return shares, th.tensor(used)


def replace_others(net: Any, agent: int) -> None:
    """Noise for the parameters of all agents but one."""
    with th.no_grad():
        for parameter in (*net.weights, *net.biases):
            for other in range(len(parameter)):
                if other != agent:
                    parameter[other].normal_(0, 3)


@pytest.mark.parametrize("variant", ["cvae_vector", "cvae_index"])
def test_a_key_costs_its_misreading_and_its_divergence(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conditional VAE's bound, label by label; entries are no part of what it moves."""
    reader, labels = make(variant).key, 6
    with th.no_grad():
        reader.recognise.biases[-1].copy_(th.linspace(-6, 3, 4))  # deviations beyond both ends of what is allowed
    x, index = th.randn(labels, S), th.randint(0, C, (labels,))
    entry = th.randn(labels, 4, requires_grad=True)
    noise = th.randn(labels, 2)
    monkeypatch.setattr(th, "randn_like", lambda like: noise)
    cost = reader.loss(x, entry, index, 0.3)
    for r in range(labels):
        mean, log_std = reader.recognise(th.cat([x[r], entry[r]])[None, None])[0, 0].detach().chunk(2)
        log_std = log_std.clamp(-5, 2)
        key = th.stack([mean[k] + math.exp(log_std[k]) * noise[r, k] for k in range(2)])
        read = reader.read(th.cat([x[r], key])[None, None])[0, 0].tolist()
        miss = sum((a - b) ** 2 for a, b in zip(read, entry[r].tolist(), strict=True)) if variant == "cvae_vector" \
            else math.log(sum(map(math.exp, read))) - read[int(index[r])]
        divergence = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum()
        assert cost[r].item() == pytest.approx(miss + 0.3 * float(divergence), rel=1e-4)
    assert th.autograd.grad(cost.sum(), entry, allow_unused=True) == (None,)


def test_a_key_that_is_read_off_the_shares_costs_nothing() -> None:
    assert make("prior").key.loss(th.randn(3, S), th.randn(3, 4), th.zeros(3, dtype=th.long), 1.0).tolist() == [0.0] * 3


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("local", [False, True])
def test_only_used_entries_are_chosen(variant: str, local: bool) -> None:
    students, x = make(variant, local), seen(local)
    _, used = shares_of(students, x)
    assert not used.all(), "some entry must be unused for this test to mean something"
    with th.no_grad():
        entries = students.pool(x)
        for key in keys(students, 300):
            index = students.choose(x, entries, key.expand(B, -1))
            assert used[th.arange(B), index].all()


def test_an_entry_is_used_from_the_floor_on_and_the_largest_always() -> None:
    shares = th.tensor([[0.5, 0.2, 0.19, 0.11], [0.25, 0.25, 0.25, 0.25]])
    assert used_entries(shares, 0.2).tolist() == [[True, True, False, False], [True] * 4]
    assert used_entries(shares, 0.9).tolist() == [[True, False, False, False], [True] * 4]
    assert used_entries(shares, 0.0).all()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("local", [False, True])
def test_the_stated_law_is_that_of_the_choices(variant: str, local: bool) -> None:
    students, x = make(variant, local), seen(local)
    times = 4000
    with th.no_grad():
        law = students.entry_law(x, keys(students, times))
        entries = students.pool(x)
        counts = th.zeros(B, C, dtype=th.double)
        for row in range(B):
            many = keys(students, times, seed=6)  # other keys than the law's own
            index = students.choose(x[row].expand(times, -1, -1), entries[row].expand(times, -1, -1, -1), many)
            counts[row] = th.bincount(index, minlength=C) / times
    th.testing.assert_close(law.sum(1), th.ones(B, dtype=th.double))
    assert (law[~shares_of(students, x)[1]] == 0).all()
    assert (law - counts).abs().max() < 5 * (2 * 0.25 / times) ** 0.5
    assert ((law > 0.02).sum(1) > 1).any(), "keys must make a difference"


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_a_key_the_entry_of_the_largest_share_is_taken(variant: str) -> None:
    students, x = make(variant), seen()
    with th.no_grad():
        assert th.equal(students.choose(x, students.pool(x), None), shares_of(students, x)[0].argmax(1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_entry_leaves_no_choice(variant: str) -> None:
    """A pool of one entry makes a deterministic team."""
    students, x = make(variant, pool_size=1), seen()
    actions = played(students, x)
    assert (actions == actions[-1]).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_key_means_the_same_in_any_company(variant: str) -> None:
    students, x = make(variant), seen()
    many = keys(students, B)
    with th.no_grad():
        together = students.choose(x, students.pool(x), many)
        for row in range(B):
            alone = x[row:row + 1]
            assert students.choose(alone, students.pool(alone), many[row:row + 1]) == together[row]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("agent", range(N))
def test_an_agents_action_never_depends_on_the_others_heads(variant: str, agent: int) -> None:
    students, x = make(variant), seen()
    before = played(students, x)
    replace_others(students.pool.heads, agent)
    after = played(students, x)
    assert th.equal(after[..., agent], before[..., agent])
    others = [i for i in range(N) if i != agent]
    assert not th.equal(after[..., others], before[..., others]), "the noise must matter to the others"


def test_with_own_observations_nothing_of_the_others_matters() -> None:
    """Heads, entry networks and observations of the others, for every agent."""
    for agent in range(N):
        students, x = make("prior", local=True), seen(local=True)
        before = played(students, x)
        replace_others(students.pool.heads, agent)
        replace_others(students.pool.entry_net, agent)
        x = x.clone()
        x[:, [i for i in range(N) if i != agent]] = 3 * th.randn(B, N - 1, S)
        assert th.equal(played(students, x)[..., agent], before[..., agent]), agent


def test_own_observations_make_a_difference_to_oneself() -> None:
    students, x = make("prior", local=True), seen(local=True)
    before = played(students, x)
    x[:, 1] = 3 * th.randn(B, S)
    after = played(students, x)
    assert not th.equal(after[..., 1], before[..., 1])


def test_the_prior_key_reproduces_the_shares_exactly() -> None:
    """Keys on a grid hit every used entry as often as its share says, within a grid step at each of its edges."""
    th.manual_seed(2)
    shares = th.randn(B, C, dtype=th.double).mul(2).softmax(1)
    used = used_entries(shares, 0.05)
    reader, size = PriorKey(S, C, 4, 2, 8), 1000
    assert reader.numbers == 1
    grid = (th.arange(size, dtype=th.double)[:, None] + 0.5) / size
    expected = shares * used / (shares * used).sum(1, keepdim=True)
    for row in range(B):
        index = reader.choose(th.zeros(size, S), th.zeros(size, C, 4), shares[row].expand(size, -1),
                              used[row].expand(size, -1), grid)
        assert (index.diff() >= 0).all(), "entries lie in order on the unit interval"
        share = np.bincount(index.numpy(), minlength=C) / size
        assert share == pytest.approx(expected[row].numpy(), abs=1.01 / size)
