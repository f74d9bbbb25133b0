"""Conventions: the pool, whole episodes' likelihoods, tables learned from counts, decisions of one step."""

from __future__ import annotations

import itertools
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import Built

from epymarl_cpa.conventions.column_model import ColumnModel, Columns, RewardModel, trained_on
from epymarl_cpa.conventions.experience import Experience
from epymarl_cpa.conventions.histories import Histories
from epymarl_cpa.conventions.mixture import even, even_loss, mixture_loss
from epymarl_cpa.conventions.network import Conventions
from epymarl_cpa.conventions.plan import law_of, spread_of
from epymarl_cpa.conventions.stage_game import agreed
from epymarl_cpa.conventions.stationary_planner import StationaryPlanner
from epymarl_cpa.conventions.symbols import Symbols
from epymarl_cpa.conventions.table_model import table_model
from epymarl_cpa.conventions.table_planner import TablePlanner
from epymarl_cpa.conventions.view import View
from epymarl_cpa.errors import UserError


def pool(size: int = 4) -> Conventions:
    th.manual_seed(0)
    return Conventions(n_input=5, n_agents=3, n_actions=2, size=size, hidden=8, floor=0.1)


def test_all_conventions_at_once_are_each_alone() -> None:
    net, x = pool(), th.randn(6, 3, 5)
    every = net.every(x)
    assert every.shape == (6, 4, 3, 2)
    for j in range(4):
        th.testing.assert_close(net.under(x, th.full((6,), j)), every[:, j])
    mixed = th.tensor([0, 1, 2, 3, 0, 1])
    th.testing.assert_close(net.under(x, mixed), every[th.arange(6), mixed])


def test_a_policy_depends_on_its_own_agent_alone() -> None:
    net, x = pool(), th.randn(2, 3, 5)
    changed = x.clone()
    changed[:, 1] += 1
    one, other = net.every(x), net.every(changed)
    assert th.equal(one[:, :, [0, 2]], other[:, :, [0, 2]]) and not th.equal(one[:, :, 1], other[:, :, 1])


def test_keys_mean_conventions_by_their_shares_and_never_those_below_the_floor() -> None:
    net = pool()
    net.play_by(th.tensor([0.6, 0.32, 0.08, 0.0]).double(), th.zeros(4), th.zeros(4))
    numbers = net.choose(4000, (th.arange(4000).double()[:, None] + 0.5) / 4000)
    found = th.bincount(numbers, minlength=4) / 4000
    assert found.tolist() == pytest.approx([0.6 / 0.92, 0.32 / 0.92, 0, 0], abs=1e-3)
    assert net.choose(3, None).tolist() == [0, 0, 0]


def test_the_law_prefers_the_better_by_the_stated_factor() -> None:
    law = law_of(th.tensor([1.0, 0.8, 1.5]), th.tensor([0.0, 0.0, 1.0]), prior=th.tensor([0.1, 0.3, 0.1]), caution=1.0,
                 temperature=0.1, spread=2.0)
    assert law.sum().item() == pytest.approx(1)
    assert (law[1] / law[0]).item() == pytest.approx(3 * np.exp(-0.2 / 0.2))
    assert law[2] < law[1]  # uncertain


def test_a_single_recorded_episode_has_no_spread_and_still_a_law() -> None:
    assert spread_of(th.tensor([3.0])) == 0 and spread_of(th.tensor([3.0, 5.0])) == pytest.approx(2 ** 0.5)
    law = law_of(th.tensor([1.0, 0.5]), th.zeros(2), th.ones(2), caution=1.0, temperature=0.1, spread=0.0)
    assert law.tolist() == [1, 0]


# --- the likelihood of whole episodes ---
def test_the_fit_is_the_likelihood_of_whole_episodes_under_a_mixture() -> None:
    built = Built("cpa_pa", "dpomdp", "seed=3", "pool_size=3", "plans=2", "fit_even=0")
    learner, batch = built.learner, built.played(5)
    learner.mac.enter("students")
    learner._entry = th.zeros(0, dtype=th.long)
    learner.pool.mixing.data = th.tensor([0.3, -0.2, 0.0])
    losses, stats = learner.losses(learner.steps(batch))
    features = learner.mac.encode(batch)
    total = 0.0
    sharp = []
    for e in range(5):
        each = learner.pool.mixing.log_softmax(0).clone()
        for t in range(3):
            logits = learner.pool.every(features[e:e + 1, t])[0].log_softmax(-1)  # [c, N, A]
            for agent in range(2):
                each = each + logits[:, agent, batch["actions"][e, t, agent, 0]]
        total += each.logsumexp(0).item()
        sharp.append(each.softmax(0).max().item())
    assert losses["fit_loss"].item() == pytest.approx(-total / 15, rel=1e-5)
    assert stats["sharpness"].item() == pytest.approx(np.mean(sharp), rel=1e-4)


def test_the_mixtures_gradient_is_that_of_expectation_maximisation() -> None:
    likelihood = th.randn(6, 3, requires_grad=True)
    log_mixing = th.tensor([0.2, 0.5, 0.3]).log()
    (gradient,) = th.autograd.grad(mixture_loss(likelihood, log_mixing), likelihood)
    posterior = likelihood.exp() * th.tensor([0.2, 0.5, 0.3])
    th.testing.assert_close(-gradient, posterior / posterior.sum(1, keepdim=True))


def test_in_the_even_beginning_no_convention_takes_all_episodes() -> None:
    scores = th.randn(40, 4)
    scores[:, 1] += 10  # explains all of them best
    shares = even(scores)
    th.testing.assert_close(shares.sum(1), th.ones(40))
    assert shares.sum(0).tolist() == pytest.approx([10] * 4, rel=0.25)
    likelihood = scores.clone().requires_grad_()
    (gradient,) = th.autograd.grad(even_loss(likelihood, 2.0), likelihood)
    th.testing.assert_close(-gradient, even(scores / 2))
    assert even(th.tensor([[-1e30, 0.0], [0.0, -1e30]])).isfinite().all()


# --- tables ---
def recorded(episodes: int = 300, sight: float = 0.85, seed: int = 0, tells: bool = False) -> Experience:
    """Two hidden states; agents see them with noise; joint action (1, 1) swaps them.

    With ``tells`` what an agent saw decides what it is paid, so that states are not told by their hidden part.
    """
    rng, limit = np.random.default_rng(seed), 3
    state, obs = np.zeros((episodes, limit + 1, 6)), np.zeros((episodes, limit + 1, 2, 2))
    actions, reward = rng.integers(2, size=(episodes, limit + 1, 2)), np.zeros((episodes, limit + 1))
    hidden = rng.integers(2, size=episodes)
    for t in range(limit + 1):
        if t:
            hidden = np.where(actions[:, t - 1].all(1), 1 - hidden, hidden)
            saw = np.where(rng.random((episodes, 2)) < sight, hidden[:, None], 1 - hidden[:, None])
            obs[:, t] = np.eye(2)[saw]
        state[:, t] = np.concatenate([np.eye(2)[hidden], obs[:, t].reshape(episodes, 4)], 1)
        reward[:, t] = obs[:, t, 0, 1] if tells else (actions[:, t, 0] == hidden) * 1.0
    flags = np.zeros((episodes, limit + 1), dtype=bool)
    flags[:, limit - 1] = True
    return Experience(*(th.from_numpy(a) for a in (state.astype(np.float32), obs.astype(np.float32), actions)),
                      th.ones(episodes, limit + 1, 2, 2, dtype=th.bool), th.from_numpy(reward.astype(np.float32)),
                      th.ones(episodes, limit + 1, dtype=th.bool), th.ones(episodes, limit, dtype=th.bool),
                      th.from_numpy(flags), th.ones(episodes, limit, dtype=th.bool))


def test_states_that_differ_in_what_was_seen_are_one_unless_that_matters() -> None:
    symbols = Symbols.of(recorded())
    assert symbols.n_states == 2 and symbols.n_observations == (2, 2) and not symbols.sees_first
    assert (symbols.obs[:, 0] == -1).all() and (symbols.obs[:, 1:] >= 0).all()
    assert Symbols.of(recorded(tells=True)).n_states > 2


@pytest.mark.parametrize("doubt", [0.0, 0.5])
def test_a_table_is_what_counting_by_hand_gives(doubt: float) -> None:
    data = recorded(60)
    symbols = Symbols.of(data)
    rows = np.array([0, 1, 1, *range(5, 60)])
    model = table_model(data, symbols, doubt, rows)
    times: dict[tuple[int, int], float] = defaultdict(float)
    step: dict[tuple[int, int, int], float] = defaultdict(float)
    paid: dict[tuple[int, int], float] = defaultdict(float)
    seen: dict[tuple[int, int, int], float] = defaultdict(float)
    for e, t in itertools.product(rows, range(3)):
        s, a, then = symbols.state[e, t], 2 * data.actions[e, t, 0].item() + data.actions[e, t, 1].item(), \
            symbols.state[e, t + 1]
        times[a, s] += 1
        step[a, s, then] += 1
        paid[a, s] += data.reward[e, t].item()
        seen[a, then, 2 * symbols.obs[e, t + 1, 0] + symbols.obs[e, t + 1, 1]] += 1
    for a, s in itertools.product(range(4), range(2)):
        known = times[a, s] / (times[a, s] + doubt)
        assert model.reward[a, s] == pytest.approx(known * paid[a, s] / times[a, s])
        assert model.transition[a, s, 3] == pytest.approx(1 - known)  # what nobody knows
        for then in range(2):
            assert model.transition[a, s, then] == pytest.approx(known * step[a, s, then] / times[a, s])
        total = sum(seen[a, s, o] for o in range(4))
        for o in range(4):
            assert model.observation[a, s, o] == pytest.approx(seen[a, s, o] / total)


@pytest.mark.parametrize(("seed", "episodes"), [(1, 10), (1, 40), (2, 20)])
def test_the_key_means_most_often_what_is_planned_first(seed: int, episodes: int) -> None:
    data = recorded(episodes, 0.6, seed)
    args: Any = SimpleNamespace(doubt=0.5, ascents=20, caution=0.0, plans=8)
    plan = TablePlanner(data, 3, args).plan([], np.random.default_rng(0))
    law = law_of(plan.values, plan.errors, th.ones(len(plan)), args.caution, 0.02, spread_of(data.returns))
    assert len(plan) > 2 and (law.diff() <= 0).all()  # not by values in which a search was lucky


def test_what_nobody_tried_pays_the_least_that_was_recorded() -> None:
    data = recorded(60)
    data.actions[data.actions.bool().all(-1)] = 0  # (1, 1) never happens
    data.reward[:] = data.reward - 2
    model = table_model(data, Symbols.of(data), 0.5, np.arange(60))
    assert (model.reward[3, :2] == -2).all() and (model.transition[3, :2, 3] == 1).all()


def test_policies_shown_in_episodes_come_back_as_they_were() -> None:
    symbols, rng = Symbols.of(recorded()), np.random.default_rng(1)
    rows = Histories(symbols, 3)
    assert rows.obs.shape == (4, 3, 2, 2)
    policies = [[rng.integers(2, size=2**t) for t in range(3)] for _ in range(2)]
    actions = rows.actions(policies)
    back = rows.policies(actions)
    assert all((a == b).all() for one, other in zip(policies, back, strict=True)
               for a, b in zip(one, other, strict=True))
    assert (rows.obs[:, 0] == 0).all()  # nothing is seen at first
    # agent 1 in row r saw the digits of r
    assert [rows.obs[2, t, 1].tolist() for t in (1, 2)] == [symbols.vectors[1][digit].tolist() for digit in (1, 0)]


# --- decisions of one step ---
def test_rules_that_were_agreed_on_cannot_be_bettered_by_one_agent() -> None:
    rng = np.random.default_rng(0)
    known = rng.integers(2, size=(40, 3))
    table = rng.random((40, 2, 2, 2))
    weight = np.full(40, 1 / 40)

    def worth(joint: Any) -> Any:
        case = np.arange(len(joint)) % 40
        return table[case, joint[:, 0], joint[:, 1], joint[:, 2]]

    best, rules = agreed(worth, known, [2, 2, 2], np.ones((40, 3, 2), dtype=bool), weight,
                         [np.zeros(2, dtype=int)] * 3, rng)

    def mean(each: Any) -> float:
        return float(worth(np.stack([rule[known[:, i]] for i, rule in enumerate(each)], 1)) @ weight)

    assert best == pytest.approx(mean(rules))
    for agent in range(3):
        for other in itertools.product(range(2), repeat=2):
            assert mean([*rules[:agent], np.array(other), *rules[agent + 1:]]) <= best + 1e-9


def test_forbidden_actions_are_in_no_rule() -> None:
    available = np.ones((10, 2, 3), dtype=bool)
    available[:, 0, 2] = False
    _, rules = agreed(lambda joint: joint.sum(1).astype(float), np.zeros((10, 2), dtype=int), [1, 1], available,
                      np.full(10, 0.1), [np.zeros(1, dtype=int)] * 2, np.random.default_rng(0))
    assert [rule.tolist() for rule in rules] == [[1], [2]]


# --- networks of single steps ---
def test_the_column_model_learns_how_columns_depend_on_each_other() -> None:
    th.manual_seed(0)
    data = recorded(400)
    columns, generator = Columns(data.state.flatten(0, 1)), th.Generator().manual_seed(0)
    model = ColumnModel(columns, 2, 2)
    trained_on(data, model, 400, generator)
    now = columns.numbers(th.tensor([[1.0, 0, 1, 0, 1, 0]]).expand(2000, -1))
    after = columns.vectors(model.sample(now, th.tensor([[1, 1]]).expand(2000, -1), generator))
    assert (after[:, 1] == 1).float().mean() > 0.95  # swapped
    assert ((after[:, :2].sum(1) == 1).float().mean()) > 0.97  # one-hot, though column after column
    assert (after[:, 3] == 1).float().mean().item() == pytest.approx(0.85, abs=0.06)
    reward = RewardModel(columns, 2, 2)
    trained_on(data, reward, 400, generator)
    assert reward(now[:1], th.tensor([[0, 1]])).item() == pytest.approx(1, abs=0.15)
    assert reward(now[:1], th.tensor([[1, 1]])).item() == pytest.approx(0, abs=0.15)


def test_states_with_many_values_are_no_columns() -> None:
    with pytest.raises(UserError, match="few values"):
        Columns(th.rand(100, 2))


def test_what_is_seen_of_a_state_is_found_in_the_data_or_refused() -> None:
    data = recorded(20)
    state = data.state.flatten(0, 1)
    assert th.equal(View(data).of(state), data.obs.flatten(0, 1))
    data.obs[3, 1, 0, 0] += 0.5
    with pytest.raises(UserError, match="parts of the state"):
        View(data)
    data = recorded(20)
    data.available[0, 0, 0, 0] = False
    with pytest.raises(UserError, match="never change"):
        View(data)


def test_conventions_are_valued_in_the_rewards_that_were_recorded() -> None:
    """Not in those of training, which may be scaled and cut."""
    values = []
    for words in ([], ["reward_scale=0.1", "reward_min=-1"]):
        built = Built("cpa_pa", "dpomdp", "improvement=imitation", "pool_size=1", "plans=1", *words)
        batch = built.played(8)
        batch["reward"][:] = -20.0  # what random play of Dec-Tiger may well be paid
        built.learner.use_data(SimpleNamespace(n_episodes=8, episodes=lambda rows, whole=batch: whole[rows]))
        built.learner._judge()
        values.append(built.learner.pool.values.item())
    assert values == [-60.0, -60.0]


@pytest.mark.parametrize("planner", ["table", "stationary"])
def test_the_best_by_the_cautious_value_is_first(planner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where another one is worth more and is less certain: the key's law goes by the same."""
    data, args = recorded(60), SimpleNamespace(doubt=0.5, ascents=20, caution=1.0, plans=4, model_t_max=5, seed=0)
    if planner == "table":
        plan = TablePlanner(data, 3, args).plan([], np.random.default_rng(0))  # type: ignore[arg-type]
    else:
        worth = iter([(10.0, 5.0), (8.0, 0.5), (9.0, 0.5), (7.0, 9.0)])
        monkeypatch.setattr(StationaryPlanner, "_judged", lambda *ignored: next(worth))
        made = StationaryPlanner(data, args, th.Generator().manual_seed(0))  # type: ignore[arg-type]
        rules = iter(range(100))
        monkeypatch.setattr("epymarl_cpa.conventions.stationary_planner.PairSearch", lambda *ignored: SimpleNamespace(
            found=lambda rng: [np.full(9, next(rules)), np.full(9, 0)]))
        plan = made.plan(np.random.default_rng(0))
        assert plan.values.tolist() == [9.0, 8.0, 10.0, 7.0]
    assert len(plan) > 1 and ((plan.values - plan.errors).diff() <= 0).all()


def test_one_agent_alone_has_no_table() -> None:
    data = recorded(20)
    alone = Experience(**{**vars(data), "obs": data.obs[:, :, :1], "actions": data.actions[:, :, :1],
                          "available": data.available[:, :, :1]})
    args: Any = SimpleNamespace(doubt=0.5)
    assert TablePlanner(alone, 3, args).reason == "there is one agent only"


def test_masks_are_those_where_agents_act_and_entries_that_nobody_saw_are_left_out() -> None:
    data = recorded(20)
    data.available[:, 3, 0, 1] = False
    View(data)  # no agent acts there
    data.available[:, 2, 0, 1] = False
    with pytest.raises(UserError, match="available actions never change"):
        View(data)


def of_one_step(episodes: int) -> Experience:
    """As formats have it that hold no state after the last action."""
    whole, rng = recorded(episodes), np.random.default_rng(1)
    state = th.from_numpy(np.eye(2)[rng.integers(2, size=episodes)].astype(np.float32)).repeat(1, 3)
    filled = th.stack([th.ones(episodes), th.zeros(episodes)], 1).bool()
    cut = {name: value[:, :2].clone() for name, value in vars(whole).items()}
    cut["state"][:, 0], cut["state"][:, 1] = state, 0
    cut["obs"][:], cut["terminated"][:, 0] = 0, True
    cut["reward"][:, 0] = (cut["actions"][:, 0, 0] == state[:, 1]).float()
    return Experience(**{**cut, "filled": filled, "played": filled[:, :1], "paid": filled[:, :1]})


def test_games_of_one_step_whose_end_nobody_recorded_can_be_planned() -> None:
    data = of_one_step(60)
    args: Any = SimpleNamespace(doubt=0.5, ascents=3, plans=2, caution=1.0)
    plan = TablePlanner(data, 1, args).plan([], np.random.default_rng(0))
    assert len(plan) >= 1 and bool(plan.values.isfinite().all())


def test_rewards_of_last_steps_are_learned_where_nobody_recorded_what_follows() -> None:
    data, generator = of_one_step(60), th.Generator().manual_seed(0)
    columns = Columns(data.state[:, 0])
    reward = RewardModel(columns, 2, 2)
    trained_on(data, reward, 300, generator)
    told = reward(columns.numbers(data.state[:, 0]), data.actions[:, 0]).detach()
    assert float((told - data.reward[:, 0]).abs().max()) < 0.2
    with pytest.raises(UserError, match=r"no recorded step says which state follows.*improvement=imitation"):
        trained_on(data, ColumnModel(columns, 2, 2), 1, generator)


@pytest.mark.parametrize("size", [3, 127, 150])
def test_every_column_is_told_of_all_columns_before_it_and_no_other(size: int) -> None:
    columns = Columns(th.tensor([[0.0], [1.0]]).repeat(1, size))
    one, two, three = ColumnModel(columns, 2, 2).masks
    told = (one @ two @ three > 0)[::2, ::2]  # of each column its first value
    assert th.equal(told, th.ones(size, size, dtype=th.bool).triu(1))
