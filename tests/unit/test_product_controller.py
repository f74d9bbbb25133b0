"""Students without agreement: what they play is the product of their policies."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
import torch as th
from helpers import Built

from epymarl_cpa.controllers.student_controller import STUDENTS, TEACHER
from epymarl_cpa.errors import UserError

WORDS = ("hidden_dim=8", "pool_hidden=8", "head_hidden=8", "test_greedy=false")


def students(env: str, *words: str) -> Built:
    """Students with decided opinions."""
    built = Built("kd", env, *WORDS, *words)
    built.mac.enter(STUDENTS)
    th.manual_seed(3)
    with th.no_grad():
        for param in built.mac.agent.parameters():
            param.add_(0.5 * th.randn_like(param))
    return built


def test_play_follows_the_stated_law() -> None:
    built = students("xor")
    batch = built.played(4000)
    built.mac.init_hidden(4000)
    played = Counter(map(tuple, built.mac.select_actions(batch, 0, 0, test_mode=True).tolist()))
    law = built.mac.joint_law(batch, th.tensor([0]), th.tensor([0]), 16)
    assert law.probs.shape == (1, 4)
    assert float(law.probs.max()) < 0.9
    for joint, share in zip(law.actions[0].tolist(), law.probs[0].tolist(), strict=True):
        assert played[tuple(joint)] / 4000 == pytest.approx(share, abs=0.03)


def test_luck_is_new_in_every_step_and_forbidden_actions_never_come() -> None:
    with pytest.raises(UserError, match="key_per=episode has no meaning without an agreement key"):
        students("sensor", "key_per=episode")
    built = students("sensor")
    batch = built.played(50)
    batch.data.transition_data["state"][:] = batch["state"][:, :1].clone()  # the same situation again and again
    batch.data.transition_data["avail_actions"][:] = batch["avail_actions"][:, :1].clone()
    built.mac.init_hidden(50)
    chosen = [built.mac.select_actions(batch, t, 0, test_mode=True) for t in range(3)]
    assert not th.equal(chosen[0], chosen[1])
    assert not th.equal(chosen[1], chosen[2])
    for t, actions in enumerate(chosen):
        assert batch["avail_actions"][:, t].gather(2, actions[..., None]).all()


def test_greedy_students_take_their_likeliest_actions() -> None:
    built = students("sensor")
    built.mac.args = dataclasses.replace(built.mac.args, test_greedy=True)
    batch = built.played(20)
    built.mac.init_hidden(20)
    likeliest = built.mac._policies(built.mac.encode_at(batch, slice(None), 0), batch["avail_actions"][:, 0]).argmax(-1)
    assert th.equal(built.mac.select_actions(batch, 0, 0, test_mode=True), likeliest)


def test_until_they_are_taught_the_teacher_plays() -> None:
    built = students("xor")
    built.mac.enter(TEACHER)
    batch = built.played(4)
    law, taught = (mac.joint_law(batch, th.arange(4), 0, 16) for mac in (built.mac, built.mac.teacher))
    assert th.equal(law.probs, taught.probs)


@pytest.mark.parametrize(("word", "said"), [("pool_size=2", "kd needs pool_size=1"),
                                            ("selection=encoder", "kd needs selection=likelihood"),
                                            ("key=cvae_index", "kd needs key=prior")])
def test_what_needs_a_key_is_refused(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Built("kd", "xor", *WORDS, word)
