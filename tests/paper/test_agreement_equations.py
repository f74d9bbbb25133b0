"""The equations of pool and key against slow literal ones, and where each gradient goes."""

from __future__ import annotations

import math

import pytest
import torch as th
from helpers import Built
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, Normal, kl_divergence

from epymarl_cpa.agreement.labels import Labels
from epymarl_cpa.agreement.pool_losses import assign, kl_loss, reconstruction_loss, straight_through, vq_loss

R, D, N, A = 5, 3, 4, 3


def pair() -> tuple[Tensor, Tensor]:
    """Encodings and entries ``[R, D]`` that take gradients."""
    th.manual_seed(0)
    return th.randn(R, D, requires_grad=True), th.randn(R, D, requires_grad=True)


def distance(a: Tensor, b: Tensor) -> float:
    return sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True))


def literal_assign(cost: Tensor, valid: Tensor, exclusive: bool) -> list[list[int]]:
    """Label by label the cheapest entry, or the cheapest that no earlier label of the state holds."""
    out = []
    for rows, real in zip(cost.tolist(), valid.tolist(), strict=True):
        taken: set[int] = set()
        chosen = []
        for row, is_real in zip(rows, real, strict=True):
            free = [j for j in range(len(row)) if not (exclusive and j in taken)]
            chosen.append(min(free, key=lambda j: (row[j], j)) if free else -1)
            if is_real:
                taken.add(chosen[-1])
        out.append(chosen)
    return out


def test_eq_9_takes_the_nearest_entry() -> None:
    th.manual_seed(1)
    pool, encodings = th.randn(2, 6, D), th.randn(2, 4, D)
    cost = (encodings[:, :, None] - pool[:, None]).square().sum(-1)
    got = assign(cost, th.ones(2, 4, dtype=th.bool), exclusive=False)
    nearest = [[min(range(6), key=lambda j: distance(encodings[m, k], pool[m, j])) for k in range(4)]
               for m in range(2)]
    assert got.tolist() == nearest


def test_eq_10_is_both_squared_distances() -> None:
    encoding, entry = pair()
    for commitment in (0.0, 0.25, 2.0):
        literal = [(1 + commitment) * distance(z, e) for z, e in zip(encoding, entry, strict=True)]
        assert vq_loss(encoding, entry, commitment).tolist() == pytest.approx(literal, rel=1e-5)


def test_eq_10s_first_term_moves_the_entry_and_the_second_the_encoder() -> None:
    encoding, entry = pair()
    vq_loss(encoding, entry, 0.25).sum().backward()
    for r in range(R):
        for i in range(D):
            gap = entry[r, i].item() - encoding[r, i].item()
            assert float(entry.grad[r, i]) == pytest.approx(2 * gap, rel=1e-5)
            assert float(encoding.grad[r, i]) == pytest.approx(-2 * 0.25 * gap, rel=1e-5)


def test_eq_10_without_commitment_leaves_the_encoder_alone() -> None:
    encoding, entry = pair()
    vq_loss(encoding, entry, 0.0).sum().backward()
    assert not encoding.grad.any()
    assert entry.grad.any()


def test_eq_11_has_the_entrys_value_and_the_encoders_gradient() -> None:
    encoding, entry = pair()
    mixed = straight_through(encoding, entry)
    th.testing.assert_close(mixed, entry)
    th.manual_seed(2)
    slope = th.randn(R, D)
    (mixed * slope).sum().backward()
    assert th.equal(encoding.grad, slope)
    assert entry.grad is None or not entry.grad.any()


def test_eq_11_is_not_as_printed() -> None:
    encoding, entry = pair()
    printed = entry - (encoding - entry).detach()
    assert not th.allclose(straight_through(encoding, entry), printed, atol=0.1)


def test_eq_12_is_minus_the_log_likelihood_of_all_agents_actions() -> None:
    th.manual_seed(3)
    logits, actions = th.randn(R, N, A), th.randint(0, A, (R, N))
    log_probs = logits.log_softmax(-1)
    literal = []
    for r in range(R):
        likelihood = 1.0
        for i in range(N):
            total = sum(math.exp(float(logit)) for logit in logits[r, i])
            likelihood *= math.exp(float(logits[r, i, actions[r, i]])) / total
        literal.append(-math.log(likelihood))
    assert reconstruction_loss(log_probs, actions).tolist() == pytest.approx(literal, rel=1e-5)
    th.testing.assert_close(reconstruction_loss(log_probs, actions),
                            -Categorical(logits=logits).log_prob(actions).sum(1))


def test_the_divergence_is_torchs() -> None:
    th.manual_seed(4)
    mean, log_std = th.randn(R, 8), th.randn(R, 8)
    reference = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0)).sum(1)
    th.testing.assert_close(kl_loss(mean, log_std), reference)
    assert not kl_loss(th.zeros(2, 8), th.zeros(2, 8)).any(), "a standard normal law costs nothing"


@pytest.mark.parametrize(("words", "reached"), [
    (("warm_up=0",), {"reconstruction_loss": {"encoder", "heads"}, "vq_loss": {"encoder", "entries"},
                      "pool_loss": {"entries", "heads"}, "share_loss": {"shares"}}),
    (("warm_up=0", "commitment=0"), {"vq_loss": {"entries"}}),
    (("warm_up=0", "entry_loss=false", "encoder_state=false", "labels=drawn"),
     {"reconstruction_loss": {"encoder", "heads"}, "vq_loss": {"encoder", "entries"}, "share_loss": {"shares"}}),
    (("warm_up=1",), {"reconstruction_loss": {"encoder", "heads"}, "vq_loss": {"entries"}}),
    (("warm_up=0", "key=cvae_vector"), {"key_loss": {"key"}}),
    (("warm_up=0", "key=cvae_index"), {"key_loss": {"key"}})])
def test_the_learners_gradients_go_where_the_equations_send_them(words: tuple[str, ...], reached: dict[str, set[str]],
                                                                 ) -> None:
    built = Built("cpa_pa", "permutation", "selection=encoder", "t_max=0", "hidden_dim=8", "pool_hidden=8", *words)
    agent, learner = built.mac.agent, built.learner
    losses, _ = learner.losses(learner.steps(built.played(8)))
    parts = {"encoder": learner.action_encoder, "entries": agent.pool.entry_net, "heads": agent.pool.heads,
             "shares": agent.share_net, "key": agent.key, "teacher": built.mac.teacher.agent}
    for name, expected in reached.items():
        got = set()
        for part, net in parts.items():
            gradients = th.autograd.grad(losses[name], list(net.parameters()), retain_graph=True, allow_unused=True) \
                if list(net.parameters()) else ()
            if any(g is not None and g.any() for g in gradients):
                got.add(part)
        assert got == expected, name


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Costs ``[M, K, c]`` with K up to c and many ties, and which labels are real (the first ones of a state)."""
    states, entries = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    labels = draw(st.integers(1, entries))
    values = st.one_of(st.integers(-2, 2).map(float), st.floats(-50, 50, width=32))
    size = states * labels * entries
    cost = draw(st.lists(values, min_size=size, max_size=size))
    real = draw(st.lists(st.integers(0, labels), min_size=states, max_size=states))
    return th.tensor(cost).view(states, labels, entries), th.arange(labels)[None] < th.tensor(real)[:, None]


@given(problems())
@settings(max_examples=150, deadline=None)
def test_no_two_joint_actions_of_a_state_share_an_entry(problem: tuple[Tensor, Tensor]) -> None:
    cost, valid = problem
    before = cost.clone()
    chosen = assign(cost, valid, exclusive=True)
    assert th.equal(cost, before), "the costs are the caller's"
    for entries, real in zip(chosen, valid, strict=True):
        mine = entries[real].tolist()
        assert len(set(mine)) == len(mine)
        assert all(0 <= j < cost.shape[2] for j in mine)


@given(problems(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_earlier_joint_actions_get_their_cheapest_free_entry(problem: tuple[Tensor, Tensor], exclusive: bool) -> None:
    cost, valid = problem
    assert assign(cost, valid, exclusive)[valid].tolist() == th.tensor(
        literal_assign(cost, valid, exclusive))[valid].tolist()


def test_padding_holds_no_entry() -> None:
    """Not even where it comes before a real joint action."""
    cost = th.tensor([[[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]])
    assert assign(cost, th.tensor([[False, True]]), exclusive=True)[0, 1] == 0
    assert assign(cost, th.tensor([[True, True]]), exclusive=True).tolist() == [[0, 1]]


def test_states_do_not_take_entries_from_each_other() -> None:
    cost = th.tensor([[[0.0, 1.0]], [[0.0, 1.0]]])
    assert assign(cost, th.ones(2, 1, dtype=th.bool), exclusive=True).tolist() == [[0], [0]]


def test_more_joint_actions_than_entries_crash_nothing() -> None:
    th.manual_seed(5)
    chosen = assign(th.randn(3, 7, 4), th.ones(3, 7, dtype=th.bool), exclusive=True)
    assert ((chosen >= 0) & (chosen < 4)).all()
    assert all(sorted(row[:4].tolist()) == [0, 1, 2, 3] for row in chosen), "the first four still get one each"


def test_joint_actions_that_find_no_entry_left_share_the_first() -> None:
    cost = th.tensor([[[0.0, 1.0, 2.0]] * 5])
    assert assign(cost, th.ones(1, 5, dtype=th.bool), exclusive=True).tolist() == [[0, 1, 2, 0, 0]]


def test_how_well_entries_keep_joint_actions_apart() -> None:
    """Two states, of 0.7 and 0.3 of the play; in the first, two joint actions share an entry, and one is decoded."""
    labels = Labels(state=th.tensor([0, 0, 0, 1]), actions=th.tensor([[0, 1], [1, 1], [2, 0], [0, 0]]),
                    allowed=th.ones(2, 3, 2, dtype=th.bool), weight=th.tensor([0.4, 0.2, 0.1, 0.3]))
    best = th.tensor([[0, 0, 2, 0], [1, 1, 1, 0]])  # right in the first and the last; each agent alone in the others
    found = labels.health(best, th.tensor([4, 4, 1, 4]), 5)
    assert {name: value.item() for name, value in found.items()} == {
        "reconstruction": pytest.approx(0.7), "mixing": pytest.approx(0.6),
        "entries_used": pytest.approx(0.7 * 2 + 0.3 * 1)}
