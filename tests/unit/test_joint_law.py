"""The law of an autoregressive team against all its joint actions, one by one, and against its play."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable

import pytest
import torch as th
from helpers import Built
from torch import Tensor

from epymarl_cpa.agreement.joint_law import JointLaw, enumerate_law, likeliest, product_law
from epymarl_cpa.components.action_selectors import masked_logits, threshold
from epymarl_cpa.modules.autoregressive import AutoregressiveNet

S, N, A, B = 3, 3, 4, 5
Law = dict[tuple[int, ...], float]


def make(seed: int) -> tuple[AutoregressiveNet, Tensor, Tensor]:
    """A network with decided opinions, states ``[B, S]``, and masks ``[B, N, A]`` with an action for everybody."""
    th.manual_seed(seed)
    net = AutoregressiveNet(S, N, A, 8, 2)
    with th.no_grad():
        net.last.mul_(6)
    available = th.rand(B, N, A) < 0.7
    available.scatter_(2, th.randint(0, A, (B, N, 1)), True)
    return net, th.randn(B, S), available


def conditional(available: Tensor, beta: float, mode: str) -> Callable[[int, Tensor], Tensor]:
    return lambda agent, logits: threshold(masked_logits(logits, available[:, agent, None]).softmax(-1), beta, mode)


def literal(net: AutoregressiveNet, state: Tensor, available: Tensor, beta: float, mode: str) -> Law:
    """The product of Eq. 8's conditionals, for each of the A^N joint actions of one state."""
    law: Law = {}
    for joint in itertools.product(range(A), repeat=N):
        rows = net(state[None, None], th.tensor([joint]))[0].tolist()
        chance = 1.0
        for i, action in enumerate(joint):
            weights = [math.exp(x) if ok else 0.0 for x, ok in zip(rows[i], available[i], strict=True)]
            probs = [w / sum(weights) for w in weights]
            kept = [(math.exp(p) if mode == "flat" else p) if p > beta else 0.0 for p in probs]
            if not any(kept):
                kept = [float(j == max(range(A), key=probs.__getitem__)) for j in range(A)]
            chance *= kept[action] / sum(kept)
        if chance > 0:
            law[joint] = chance
    return law


def table(law: JointLaw, row: int) -> Law:
    """One state's joint actions; a second row of the same joint action is an error here."""
    rows = [(tuple(joint), p) for joint, p in zip(law.actions[row].tolist(), law.probs[row].tolist(), strict=True)
            if p > 0]
    assert len({joint for joint, _ in rows}) == len(rows)
    return dict(rows)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("beta", "mode"), [(0.0, "ratio"), (0.2, "ratio"), (0.15, "flat"), (0.6, "ratio"),
                                            (1.0, "ratio")])
def test_it_is_the_law_of_all_joint_actions(seed: int, beta: float, mode: str) -> None:
    net, state, available = make(seed)
    law = enumerate_law(net, state[:, None], conditional(available, beta, mode), A**N)
    th.testing.assert_close(law.probs.sum(1), th.ones(B))
    assert law.lost.tolist() == pytest.approx([0.0] * B, abs=1e-6)
    for row in range(B):
        assert table(law, row) == pytest.approx(literal(net, state[row], available[row], beta, mode), abs=1e-5)


def test_a_width_that_suffices_is_as_good_as_any() -> None:
    net, state, available = make(3)
    chances = conditional(available, 0.3, "ratio")
    all_of_them = enumerate_law(net, state[:, None], chances, A**N)
    needed = int((all_of_them.probs > 0).sum(1).max())
    law = enumerate_law(net, state[:, None], chances, needed)
    assert law.lost.tolist() == pytest.approx([0.0] * B, abs=1e-6)
    for row in range(B):
        assert table(law, row) == pytest.approx(table(all_of_them, row), abs=1e-6)


def test_what_was_never_cut_off_is_not_lost() -> None:
    """To the last bit, as the docstring says."""
    net, state, available = make(0)
    assert not enumerate_law(net, state[:, None], conditional(available, 0.0, "ratio"), A**N).lost.any()


def test_what_a_small_width_loses_is_told_and_the_rest_is_scaled_up() -> None:
    net, state, available = make(4)
    law = enumerate_law(net, state[:, None], conditional(available, 0.0, "ratio"), 3)
    assert law.probs.shape[1] == 3
    th.testing.assert_close(law.probs.sum(1), th.ones(B))
    for row in range(B):
        exact, kept = literal(net, state[row], available[row], 0.0, "ratio"), table(law, row)
        mass = sum(exact[joint] for joint in kept)
        assert float(law.lost[row]) == pytest.approx(1 - mass, abs=1e-5)
        assert kept == pytest.approx({joint: exact[joint] / mass for joint in kept}, abs=1e-5)


@pytest.mark.parametrize("beta", ["0.0", "0.2"])
def test_the_controller_plays_by_it(beta: str) -> None:
    built = Built("cpa_ar", "permutation", "hidden_dim=8", "test_greedy=false", f"beta={beta}",
                  "env_args.n_agents=3", "seed=2")
    with th.no_grad():
        built.mac.agent.last.mul_(8)
    times = 20_000
    batch = built.played(times)
    batch["avail_actions"][:, 0, 1, 0] = 0
    law = built.mac.joint_law(batch, th.tensor([0]), th.tensor([0]), 27)
    counts = Counter(map(tuple, built.mac.select_actions(batch, 0, 0, test_mode=True).tolist()))
    exact = table(law, 0)
    assert len(exact) > 3
    assert set(counts) <= set(exact)
    for joint, chance in exact.items():
        assert counts[joint] / times == pytest.approx(chance, abs=5 * math.sqrt(chance * (1 - chance) / times) + 1e-9)


def test_the_best_are_the_likeliest_in_order() -> None:
    law = JointLaw(th.arange(8).view(1, 4, 2), th.tensor([[0.1, 0.5, 0.0, 0.4]]), th.tensor([0.2]))
    best = law.best(2)
    assert best.actions.tolist() == [[[2, 3], [6, 7]]]
    th.testing.assert_close(best.probs, th.tensor([[5 / 9, 4 / 9]]))
    assert float(best.lost) == pytest.approx(0.2 + 0.8 * 0.1), "what was lost before, and a tenth of the rest"
    assert law.best(9).probs[0].tolist() == pytest.approx([0.5, 0.4, 0.1, 0.0])
    assert float(law.best(9).lost) == pytest.approx(0.2)


def test_joined_laws_stand_one_behind_the_other() -> None:
    one = JointLaw(th.ones(2, 1, 3, dtype=th.long), th.ones(2, 1), th.tensor([0.1, 0.2]))
    two = JointLaw(th.tensor([[[2, 2, 2], [0, 1, 2]]]), th.tensor([[0.7, 0.3]]), th.tensor([0.0]))
    joined = JointLaw.join([one, two])
    assert joined.probs.tolist() == [[1.0, 0.0], [1.0, 0.0], pytest.approx([0.7, 0.3])]
    assert joined.lost.tolist() == pytest.approx([0.1, 0.2, 0.0])
    for row, law, at in ((0, one, 0), (1, one, 1), (2, two, 0)):
        assert table(joined, row) == table(law, at)
    assert joined.actions.shape == (3, 2, 3)


def test_the_law_of_independent_policies_is_their_product() -> None:
    th.manual_seed(0)
    policies = th.rand(B, N, A).mul(th.rand(B, N, A) < 0.8).clamp(min=0)
    policies[..., 0] += 0.1
    policies /= policies.sum(-1, keepdim=True)
    law = product_law(policies, A ** N)
    for row in range(B):
        literal = {joint: math.prod(float(policies[row, i, a]) for i, a in enumerate(joint))
                   for joint in itertools.product(range(A), repeat=N)}
        assert table(law, row) == pytest.approx({joint: p for joint, p in literal.items() if p > 0}, rel=1e-4)
    assert (law.lost == 0).all()
    few = product_law(policies, 2)
    assert few.probs.shape == (B, 2)
    assert th.allclose(few.probs.sum(1), th.ones(B))
    assert (few.lost > 0).all()


# --- the likeliest, for less ---
WIDE_N, WIDE_A = 6, 4


def wide(sharpness: float, seed: int = 0) -> tuple[AutoregressiveNet, Tensor, Tensor]:
    """A network of 4,096 joint actions, 40 states, and masks."""
    th.manual_seed(seed)
    net = AutoregressiveNet(S, WIDE_N, WIDE_A, 8, 2)
    with th.no_grad():
        net.last.mul_(sharpness)
        net.last_bias.normal_(0, sharpness / 8)
    available = th.rand(40, WIDE_N, WIDE_A) < 0.9
    available.scatter_(2, th.randint(0, WIDE_A, (40, WIDE_N, 1)), True)
    return net, th.randn(40, 1, S), available


def plain(available: Tensor) -> Callable[[int, Tensor], Tensor]:
    return conditional(available, 0.0, "ratio")


@pytest.mark.parametrize("size", [1, 3, 8, 16])
@pytest.mark.parametrize("sharpness", [4.0, 12.0, 40.0, 100.0])
def test_the_likeliest_are_the_likeliest_of_all_wherever_they_are_most_of_the_play(size: int, sharpness: float) -> None:
    net, state, available = wide(sharpness)
    every = enumerate_law(net, state, plain(available), WIDE_A**WIDE_N).best(size)
    law = likeliest(net, state, available, plain, size, WIDE_A**WIDE_N)
    best = law.best(size)
    th.testing.assert_close(law.probs.sum(1), th.ones(len(state)))
    counts = best.lost < 0.499
    assert counts.any() or sharpness < 100, "something must be tested"
    th.testing.assert_close(best.probs[counts], every.probs[counts], rtol=1e-4, atol=1e-6)
    th.testing.assert_close(best.lost[counts], every.lost[counts], rtol=0, atol=1e-5)
    for row in counts.nonzero()[:, 0].tolist():
        assert table(best, row) == pytest.approx(table(every, row), rel=1e-4)
    assert (best.lost >= every.lost - 1e-5).all(), "nowhere is anything better than the best"
    assert (best.lost <= every.lost + 0.2).all(), "and the others are not far from it"


def garden_path() -> tuple[AutoregressiveNet, Tensor, Tensor]:
    """A first action of 61 % that leads to one joint action, 31 of 1 % that lead to fifty each, and 9 of a little less
    than 1 % that lead to one each, but in the middle of three states are not available."""
    net = AutoregressiveNet(1, 2, 50, 4, 1)
    sure = th.tensor([0, *range(32, 41)])
    with th.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        first = th.full((50,), -th.inf)
        first[0], first[1:32], first[32:41] = math.log(0.61), math.log(0.01), math.log(0.0099)
        net.last_bias[0, 0] = first
        net.action[sure] = 1.0  # the second agent's hidden units after these
        net.last[1, :, 0] = 10.0
    available = th.ones(3, 2, 50, dtype=th.bool)
    available[1, 0, 32:] = False
    return net, th.zeros(3, 1, 1), available


def test_a_narrow_beam_is_not_trusted_where_what_it_left_out_could_be_likelier() -> None:
    net, state, available = garden_path()
    narrow = enumerate_law(net, state, plain(available), 32).best(10)
    law = likeliest(net, state, available, plain, 10, 2500)
    every = enumerate_law(net, state, plain(available), 2500).best(10)
    assert (narrow.lost[[0, 2]] > every.lost[[0, 2]] + 0.08).all(), "the path must lead astray"
    best = law.best(10)
    for row in (0, 2):
        assert {tuple(joint) for joint in best.actions[row].tolist()} == {(0, 0), *((k, 0) for k in range(32, 41))}
    th.testing.assert_close(best.probs, every.probs, rtol=1e-4, atol=1e-7)
    th.testing.assert_close(best.lost, every.lost, rtol=0, atol=1e-5)


def test_a_longer_search_keeps_what_is_likelier_by_hardly_more_than_rounding() -> None:
    """31 first actions lead to two joint actions of 0.5 % each; 9 of a little more than 0.5 % lead to one each."""
    net, state, available = garden_path()
    with th.no_grad():
        net.last_bias[0, 0, 32:41] = math.log(0.005 * (1 + 3e-5))
        net.last_bias[1, 0, 2:] = -th.inf
    law = likeliest(net, state[:1], available[:1], plain, 10, 2500).best(10)
    assert {tuple(joint) for joint in law.actions[0].tolist()} == {(0, 0), *((k, 0) for k in range(32, 41))}


def test_rare_joint_actions_are_not_worth_a_longer_search() -> None:
    net, state, available = garden_path()
    available[:, 0, 0] = False  # the others are 2 % each, or fifty times less
    law = likeliest(net, state, available, plain, 10, 2500)
    assert law.probs.shape == (3, 32)
    assert (law.best(10).lost > 0.5).all()


def test_where_the_width_is_no_more_there_is_one_search() -> None:
    net, state, available = garden_path()
    for size, width in ((10, 8), (10, 32), (100, 200)):
        one, two = likeliest(net, state, available, plain, size, width), enumerate_law(net, state, plain(available),
                                                                                      width)
        assert th.equal(one.actions, two.actions)
        assert th.equal(one.probs, two.probs)


def test_every_agents_first_layer_at_once_is_that_of_each() -> None:
    th.manual_seed(0)
    net = AutoregressiveNet(S, N, A, 8, 2)
    for inputs in (th.randn(B, 1, S), th.randn(B, N, S)):
        actions = th.randint(0, A, (B, 7, N))
        parts = net.state_parts(inputs)
        for agent in range(N):
            beginnings = 7 if agent else 1  # before the first agent's action there is one
            got = net.lengthened(parts[agent], actions[:, :beginnings, :agent])
            for k in range(beginnings):
                th.testing.assert_close(got[:, k], net(inputs, actions[:, k])[:, agent])
