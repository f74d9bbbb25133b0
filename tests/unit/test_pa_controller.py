"""The students' controller: the same play from the same seed, in whatever order and company it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import Built
from outcome import equal
from torch import Tensor

from epymarl_cpa.agreement.readers import REGISTRY
from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.controllers.student_controller import LAW_KEYS, STUDENTS, TEACHER
from epymarl_cpa.errors import UserError
from epymarl_cpa.evaluation.play import evaluate

B, T = 12, 5
WORDS = ("hidden_dim=8", "pool_hidden=8", "head_hidden=8", "pool_dim=4", "pool_size=8", f"env_args.episode_limit={T}")
VARIANTS = list(REGISTRY)


def make(*words: str, env: str = "permutation", taught: bool = True) -> Built:
    """Untrained students with decided opinions, so that different keys mean different actions."""
    built = Built("cpa_pa", env, *WORDS, *words)
    built.mac.enter(STUDENTS if taught else TEACHER)
    with th.no_grad():
        for net in (built.mac.agent.pool.entry_net, built.mac.agent.pool.heads, built.mac.agent.key.read_net()):
            if net is not None:
                net.weights[-1].mul_(5)
    return built


def play(built: Built, batch: EpisodeBatch, test_mode: bool = True) -> Tensor:
    """Actions of all rows at all times, ``[T, B, N]``."""
    built.mac.init_hidden(batch_size=batch.batch_size)
    return th.stack([built.mac.select_actions(batch, t, 0, test_mode=test_mode) for t in range(T)])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("convert", [list, np.array, th.tensor], ids=["list", "array", "tensor"])
def test_rows_play_alike_whoever_else_is_asked(variant: str, convert: Callable[[list[int]], Any]) -> None:
    built = make(f"key={variant}", env="aloha")
    batch = built.played(B)
    whole = play(built, batch)
    assert not (whole == whole[:, :1]).all(), "rows must differ for this test to mean something"
    built.mac.seed_tests()
    built.mac.init_hidden(batch_size=B)
    for t in range(T):
        for rows in (convert([3, 0, 11]), convert([7]), slice(2, 9), slice(None, None, 5)):
            assert th.equal(built.mac.select_actions(batch, t, 0, bs=rows, test_mode=True), whole[t, rows])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("test_mode", [True, False])
def test_many_episodes_at_once_are_the_same_as_one_after_the_other(variant: str, test_mode: bool) -> None:
    built, again = (make(f"key={variant}", env="aloha") for _ in range(2))
    batch = built.played(B)
    whole = play(built, batch, test_mode)
    for r in range(B):
        assert th.equal(play(again, batch[r:r + 1], test_mode)[:, 0], whole[:, r]), r


def test_batches_of_any_sizes_count_on() -> None:
    built, again = make(), make()
    batch = built.played(B)
    whole = play(built, batch)
    parts = [play(again, batch[first:last]) for first, last in ((0, 5), (5, 6), (6, B))]
    assert th.equal(th.cat(parts, 1), whole)


def test_the_time_of_the_call_does_not_matter() -> None:
    """Steps backwards, and each of them twice."""
    built = make()
    batch = built.played(B)
    whole = play(built, batch)
    built.mac.seed_tests()
    built.mac.init_hidden(batch_size=B)
    for t in [*reversed(range(T)), *range(T)]:
        assert th.equal(built.mac.select_actions(batch, t, 0, test_mode=True), whole[t])


def test_a_call_for_the_final_state_changes_nothing_later() -> None:
    """EPyMARL's runners choose actions there, too, to have something to bootstrap from."""
    built, again = make(), make()
    batch = built.played(B)
    plain = [play(built, batch) for _ in range(2)]
    extra = []
    for _ in range(2):
        extra.append(play(again, batch))
        again.mac.select_actions(batch, T, 0, test_mode=True)
    assert all(th.equal(a, b) for a, b in zip(plain, extra, strict=True))
    assert not th.equal(plain[0], plain[1]), "other episodes have other keys"


def test_tests_never_move_trainings_keys() -> None:
    """Not between two batches, and not in the middle of one."""
    built, again = make(), make()
    batch = built.played(B)
    plain = [play(built, batch, test_mode=False) for _ in range(2)]
    again.mac.init_hidden(batch_size=B)
    got = []
    for t in range(T):
        got.append(again.mac.select_actions(batch, t, 0, test_mode=False))
        if t == 2:
            again.mac.seed_tests()
            play(again, batch)
    assert th.equal(th.stack(got), plain[0])
    assert not th.equal(play(make(), batch), plain[0]), "tests have keys of their own"
    assert th.equal(play(again, batch, test_mode=False), plain[1])


def test_different_seeds_give_different_actions() -> None:
    """With the same networks."""
    one, two, same = make("seed=1"), make("seed=2"), make("seed=1")
    for built in (two, same):
        built.mac.agent.load_state_dict(one.mac.agent.state_dict())
    batch = one.played(B)
    assert not th.equal(play(one, batch), play(two, batch))
    one.mac.seed_tests()
    assert th.equal(play(one, batch), play(same, batch))


def test_a_key_per_episode_holds_for_all_its_steps() -> None:
    for per, constant in (("episode", True), ("step", False)):
        built = make(f"key_per={per}")
        actions = play(built, built.played(B))
        assert bool((actions == actions[:1]).all()) is constant, per
        assert not (actions == actions[:, :1]).all(), "but episodes differ"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_stated_law_is_how_it_plays(variant: str) -> None:
    built, times = make(f"key={variant}"), 4000
    batch = built.played(times)
    law = built.mac.joint_law(batch, th.tensor([0]), th.tensor([0]), 1)
    stated: Counter[tuple[int, ...]] = Counter()
    for joint, chance in zip(law.actions[0].tolist(), law.probs[0].tolist(), strict=True):
        stated[tuple(joint)] += chance  # type: ignore[assignment]
    built.mac.init_hidden(batch_size=times)
    counts = Counter(map(tuple, built.mac.select_actions(batch, 0, 0, test_mode=True).tolist()))
    assert len(counts) > 1
    assert law.lost.tolist() == [0.0]
    for joint in stated | counts:
        assert counts[joint] / times == pytest.approx(stated[joint], abs=5 * (0.25 / times + 0.25 / LAW_KEYS) ** 0.5)


def test_greedy_tests_play_the_likeliest_entry_and_training_does_not() -> None:
    built = make("test_greedy=true")
    batch = built.played(B)
    actions = play(built, batch)
    assert th.equal(actions[0], built.mac.forward(batch, 0).argmax(-1))
    assert (actions == actions[0, 0]).all()
    training = play(built, batch, test_mode=False)
    assert not (training == training[0, 0]).all()


def test_every_evaluation_has_the_same_luck_and_a_larger_one_begins_with_the_smaller() -> None:
    built = make()
    few, many, again = built.batch(4), built.batch(B), built.batch(B)
    for batch in (few, many, again):
        evaluate(built.game, built.mac, batch, 0, 0)
    assert th.equal(again["actions"], many["actions"])
    assert th.equal(few["actions"], many["actions"][:4])


@pytest.mark.parametrize(("greedy", "shared"), [("true", "false"), ("false", "false"), ("false", "true")])
def test_until_students_are_taught_the_teacher_plays(greedy: str, shared: str) -> None:
    """Exactly as with its own controller, in tests and in training."""
    words = (f"test_greedy={greedy}", f"shared_seed={shared}", "beta=0.1", "seed=3")
    students = make(*words, taught=False)
    teacher = Built("cpa_ar", "permutation", "hidden_dim=8", f"env_args.episode_limit={T}", *words)
    batch = students.played(B)
    for test_mode in (True, False, True):
        assert th.equal(play(students, batch, test_mode), play(teacher, batch, test_mode))
    for built in (students, teacher):
        built.mac.seed_tests()
    assert th.equal(play(students, batch), play(teacher, batch))
    assert th.equal(students.mac.forward(batch, 1), teacher.mac.forward(batch, 1))
    laws = [built.mac.joint_law(batch, th.tensor([0]), th.tensor([0]), 256) for built in (students, teacher)]
    assert th.equal(laws[0].actions, laws[1].actions)
    assert th.equal(laws[0].probs, laws[1].probs)


def test_it_goes_through_files_and_counts_on(tmp_path: Path) -> None:
    one, two = make("seed=0"), make("seed=0")
    with th.no_grad():
        for parameter in (*one.mac.agent.parameters(), *one.mac.teacher.parameters()):
            parameter.add_(0.1)
    two.mac.enter(TEACHER)
    batch = one.played(B)
    for test_mode in (True, False):
        play(one, batch, test_mode)
    one.mac.save_models(str(tmp_path))
    two.mac.load_models(str(tmp_path))
    assert two.mac.taught
    assert equal(one.mac.state_dict(), two.mac.state_dict())
    for test_mode in (True, False):
        assert th.equal(play(one, batch, test_mode), play(two, batch, test_mode))


@pytest.mark.parametrize("key", ["cvae_vector", "cvae_index"])
def test_a_key_that_needs_the_state_is_refused_where_students_do_not_see_it(key: str) -> None:
    with pytest.raises(UserError, match=f"key={key} reads the key together with the state"):
        make("policy_input=obs", f"key={key}")


def test_an_encoding_of_the_state_is_refused_where_students_do_not_see_it() -> None:
    with pytest.raises(UserError, match="selection=encoder compares entries with an encoding of the state"):
        make("policy_input=obs", "selection=encoder")
