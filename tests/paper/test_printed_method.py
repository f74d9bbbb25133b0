"""The methods as printed: what their files set; the students' Eqs. 8 to 12 and reconstructed 13 to 17, literally."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch as th
from helpers import Built
from outcome import Outcome, equal
from torch import Tensor

from epymarl_cpa.agreement.drawn_labels import put_together
from epymarl_cpa.components.action_selectors import threshold
from epymarl_cpa.config import FOLDER, read_yaml, resolve
from epymarl_cpa.experiments.rows.paper import Methods, Task, table1
from epymarl_cpa.experiments.sweeps.grid import read_grid

GAMES = ("xor", "permutation", "bridge", "sensor", "aloha")
TEACHER = {"weight": "per_agent", "target_weight": "printed", "mixer_weights": "abs", "policy_loss": "weighted",
           "alpha": 0.1, "policy_start": 0.0, "weight_clip": 1e30, "support_share": 0.0, "support_floor": 0.0,
           "critic_time": False, "limit_ends": True, "beta_mode": "flat", "policy_input": "state", "use_rnn": False,
           "mac": "ar_mac", "learner": "cpa_ar_learner"}
STUDENTS = {**TEACHER, "labels": "drawn", "selection": "encoder", "encoder_state": False, "entry_loss": False,
            "exclusive": False, "share_weight": 0.0, "commitment": 0.25, "warm_up": 0.0, "key": "cvae_vector",
            "key_per": "step", "entry_floor": 0.0, "beta": 0.1667, "pool_size": 32, "test_greedy": False,
            "student_t_max": 3000, "mac": "pa_mac", "learner": "cpa_pa_learner"}


# ------------------------------------------------------------------------------------- what the files say
@pytest.mark.parametrize(("alg", "values"), [("cpa_ar_printed", TEACHER), ("cpa_pa_printed", STUDENTS)])
@pytest.mark.parametrize("env", GAMES)
def test_the_files_resolve_to_the_paper(alg: str, values: dict[str, object], env: str) -> None:
    config = resolve(alg, env)
    assert {key: config[key] for key in values} == values


@pytest.mark.parametrize("alg", ["cpa_ar_printed", "cpa_pa_printed"])
def test_no_game_has_settings_of_its_own(alg: str) -> None:
    """Beyond what its file sets for every method."""
    whole = read_yaml(FOLDER / "algs" / f"{alg}.yaml")
    assert "per_env" not in whole
    assert "t_max" not in whole and "lr" not in whole and "batch_size" not in whole
    of_games = {env: set(read_yaml(FOLDER / "envs" / f"{env}.yaml")) for env in GAMES}
    plain = resolve(alg, "xor")
    for env in GAMES:
        differ = {key for key, value in resolve(alg, env).items() if value != plain[key]}
        assert differ <= of_games[env] | of_games["xor"]


@pytest.mark.parametrize(("ours", "printed"), [("cpa_ar", "cpa_ar_printed"), ("cpa_pa", "cpa_pa_printed")])
def test_both_have_the_same_keys(ours: str, printed: str) -> None:
    assert resolve(ours, "bridge").keys() == resolve(printed, "bridge").keys()


def test_the_sweep_has_all_cells_and_columns_beside_the_papers() -> None:
    specs, methods = read_grid("printed"), Methods.read()
    names = [methods.of(spec.alg) for spec in specs]
    assert set(names) == {"AR as printed", "PA as printed", "AR printed but for MAICQ's target"}
    assert {(name, spec.env, spec.config["dataset"], spec.config["seed"]) for name, spec in
            zip(names, specs, strict=True)} == {(name, *task, seed) for name in set(names) for task in table1().names
                                                for seed in range(5)}
    assert all(spec.first is not None and spec.first.alg == "cpa_ar_printed" for spec in specs if "pool" in spec.alg)
    task = Task("aloha", "medium")
    assert table1().value(task, "AR as printed") == table1().values[task, "AR"] == (74.85, 0.31)
    assert table1().value(task, "PA as printed") == table1().values[task, "PA"]
    assert table1().value(task, "AR printed but for MAICQ's target") is None


# ---------------------------------------------------------------------------------------------- Eq. 8
def literal_eq_8(probs: list[float], beta: float) -> list[float]:
    """With its indicator inside the exponent, as printed."""
    weights = [math.exp(p * (p > beta)) for p in probs]
    return [weight / sum(weights) for weight in weights]


def test_eq_8_as_printed_excludes_nothing_and_is_never_deterministic() -> None:
    """So it must be mended: the text wants the likeliest action where the denominator is 0, which it cannot be."""
    probs = [0.6, 0.3, 0.1, 0.0]
    assert min(literal_eq_8(probs, 0.25)) > 0.15
    assert literal_eq_8(probs, 1.0) == [0.25] * 4
    assert min(literal_eq_8([0.0, 1.0], 0.5)) > 0.26, "not even what is not available"


def test_flat_is_eq_8_with_the_indicator_outside() -> None:
    probs = [0.6, 0.3, 0.1, 0.0]
    for beta in (0.0, 0.1, 0.25, 0.5):
        weights = [math.exp(p) * (p > beta) for p in probs]
        assert threshold(th.tensor(probs), beta, "flat").tolist() == pytest.approx(
            [weight / sum(weights) for weight in weights])
    assert threshold(th.tensor(probs), 1.0, "flat").tolist() == [1, 0, 0, 0]


# --------------------------------------------------------------------------------------------- labels
def test_labels_are_drawn_by_eq_8() -> None:
    built = Built("cpa_pa_printed", "permutation", "t_max=0", "hidden_dim=8", "pool_hidden=8", "beta=0.2")
    teacher, n = built.mac.teacher, 4000
    x, available = th.ones(1, 1, teacher.encoder.n_out), th.ones(1, 4, 4, dtype=th.bool)
    law = teacher.law(x, available, 256)
    probs = {tuple(joint): float(p) for joint, p in zip(law.actions[0].tolist(), law.probs[0], strict=True) if p > 0}
    generator = th.Generator().manual_seed(0)
    drawn = teacher.drawn(x.expand(n, -1, -1), available.expand(n, -1, -1), generator)
    joint, times = drawn.unique(dim=0, return_counts=True)
    found = {tuple(row): int(many) for row, many in zip(joint.tolist(), times, strict=True)}
    assert found.keys() <= probs.keys()
    assert 1 < len(probs) < 256, "the threshold leaves some out"
    for each, p in probs.items():
        assert abs(found.get(each, 0) - n * p) < 5 * math.sqrt(n * p * (1 - p)) + 1


def test_what_was_drawn_in_one_state_is_put_together() -> None:
    place = th.tensor([1, 0, 1, 1, 0, 1])
    actions = th.tensor([[0, 2], [1, 1], [0, 2], [3, 0], [1, 1], [0, 1]])
    joint, shares = put_together(place, actions, 2)
    found = [{tuple(a): s for a, s in zip(row, share, strict=True) if s} for row, share in
             zip(joint.tolist(), shares.tolist(), strict=True)]
    assert found == [{(1, 1): 1.0}, {(0, 2): 0.5, (3, 0): 0.25, (0, 1): 0.25}]


# ------------------------------------------------------------------------------- the students' whole loss
def test_the_students_losses_are_equations_9_to_17_step_by_step() -> None:
    """Everything that is learned, as a mean over recorded steps, and nothing besides."""
    built = Built("cpa_pa_printed", "bridge", "t_max=0", "hidden_dim=8", "pool_hidden=8", "pool_dim=3", "pool_size=4",
                  "student_t_max=10", "beta=0.2", "lr_final=1.0")
    learner, mac = built.learner, built.mac
    agent, key = mac.agent, mac.agent.key
    learner.t_env = 3
    step = learner.steps(built.played(3))
    th.manual_seed(11)
    losses, stats = learner.losses(step)
    th.manual_seed(11)
    with th.no_grad():
        x = step.state
        drawn = mac.teacher.drawn(mac.teacher.encoder(step.recorded_state[:, None]), step.available,
                                  th.default_generator)
        pool, chosen = agent.pool(x[:, None])[:, :, 0], []
        vq = first = 0.0
        for m, joint in enumerate(drawn):
            z = learner.action_encoder(th.full((1, x.shape[1]), math.nan), joint[None])[0]  # sees no state
            distances = [sum((float(a) - float(b)) ** 2 for a, b in zip(z, e, strict=True)) for e in pool[m]]
            j = min(range(4), key=distances.__getitem__)  # Eq. 9
            vq += (1 + 0.25) * distances[j]  # Eq. 10
            logits = agent.pool.heads(pool[m, j][None, None])[0]  # Eq. 11: the entry's value
            for i, a in enumerate(joint):  # Eq. 12
                allowed = [float(logit) for logit, free in zip(logits[i], step.available[m, i], strict=True) if free]
                first -= float(logits[i, a]) - math.log(sum(math.exp(logit) for logit in allowed))
            chosen.append(j)
        assert losses["vq_loss"].item() == pytest.approx(vq / len(drawn), rel=1e-4)
        assert losses["reconstruction_loss"].item() == pytest.approx(first / len(drawn), rel=1e-4)

        labels = labelled(step.recorded_state, drawn)  # each label of a state has one noise
        at = th.tensor([row for row, _ in labels])
        both = key.recognise(th.cat([x[at], pool[at, th.tensor(chosen)[at]]], 1)[:, None])[:, 0]
        noise = th.randn_like(both[:, :key.n_key])  # in the order of memory, which is the network's
        second = divergence = 0.0
        for (row, steps), eps in zip(labels, noise, strict=True):
            e = pool[row, chosen[row]]
            mean, log_std = key.recognise(th.cat([x[row], e])[None, None])[0, 0].chunk(2)  # Eq. 13
            divergence += steps * sum(0.5 * (float(u) ** 2 + math.exp(2 * float(s)) - 1 - 2 * float(s))
                                      for u, s in zip(mean, log_std, strict=True))  # Eq. 14
            read = key.read(th.cat([x[row], mean + log_std.exp() * eps])[None, None])[0, 0]  # Eq. 15
            second += steps * sum((float(a) - float(b)) ** 2 for a, b in zip(read, e, strict=True))  # Eq. 16
    rise = 2 * 3 / 10
    assert losses["key_loss"].item() == pytest.approx((second + rise * divergence) / len(drawn), rel=1e-4)  # Eq. 17
    assert losses.keys() == {"reconstruction_loss", "vq_loss", "key_loss", "share_loss"}
    assert all(float(value) >= 0 for value in stats.values())


def labelled(state: Tensor, drawn: Tensor) -> list[tuple[int, int]]:
    """For each different joint action of each different state a step that has it, and how many have; states in the
    order of their first steps, joint actions in lexicographic order."""
    order = list(dict.fromkeys(tuple(row) for row in state.tolist()))
    pairs = [(order.index(tuple(s)), tuple(a)) for s, a in zip(state.tolist(), drawn.tolist(), strict=True)]
    return [(pairs.index(pair), pairs.count(pair)) for pair in sorted(set(pairs))]


def test_the_share_network_is_trained_by_itself_and_read_by_nobody() -> None:
    """Its loss is no part of the paper's: with entry_floor=0 the key masks no entry, and Eq. 9 looks at no share."""
    built = Built("cpa_pa_printed", "permutation", "t_max=0", "hidden_dim=8", "pool_hidden=8")
    agent, learner = built.mac.agent, built.learner
    losses, _ = learner.losses(learner.steps(built.played(8)))
    own = [*agent.share_net.parameters()]
    for name, loss in losses.items():
        grads = th.autograd.grad(loss, [*agent.parameters()], retain_graph=True, allow_unused=True)
        moved = {id(p) for p, g in zip(agent.parameters(), grads, strict=True) if g is not None and g.any()}
        assert bool(moved & {id(p) for p in own}) == (name == "share_loss")
        assert name != "share_loss" or moved <= {id(p) for p in own}
    keys = th.rand(50, agent.key.numbers, dtype=th.double)
    x = th.ones(50, 1, agent.n_input)
    with th.no_grad():
        before = agent.choose(x, agent.pool(x), keys)
        for p in own:
            p.copy_(100 * th.randn_like(p))
        assert th.equal(agent.choose(x, agent.pool(x), keys), before)


# -------------------------------------------------------------------------------------------- learning
GOLDEN = {"behaviour_loss": 0.693922, "critic_loss": 0.594358, "policy_loss": 0.657055}


def test_the_printed_teacher_learns_xor() -> None:
    """Golden: it plays a winning joint action after 60 updates, and its first losses are those of today."""
    built = Built("cpa_ar_printed", "xor", "hidden_dim=16", "value_hidden_dim=16", "seed=100", "lr=0.02", "t_max=60",
                  "learner_log_interval=1")
    batch = built.played(64)
    stats = [built.learner.train(batch, t_env, 0) for t_env in range(60)]
    assert {name: stats[0][name] for name in ("behaviour_loss", "critic_loss", "policy_loss")} == pytest.approx(
        GOLDEN, rel=1e-4)
    joint = built.mac.select_actions(batch, 0, 0, test_mode=True)[0].tolist()
    assert joint in ([0, 1], [1, 0])




def test_a_resumed_run_draws_the_same_labels(tiny_run: Callable[..., Outcome]) -> None:
    words = ["t_max=2", "student_t_max=4", "pool_hidden=8", "save_model_interval=3", "test_interval=3"]
    whole = tiny_run(*words, alg="cpa_pa_printed", env="xor")
    resumed = tiny_run(*words, f"checkpoint_path={whole.models}", "load_step=3", alg="cpa_pa_printed", env="xor")
    assert equal(whole.state(), resumed.state())
    assert whole.result()["curve"] == resumed.result()["curve"]
