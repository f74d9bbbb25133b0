"""Batches of recorded steps by row are those that cutting the drawn episodes gives."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch as th

from epymarl_cpa.components import drawn
from epymarl_cpa.components.drawn import DrawnBatch
from epymarl_cpa.config import resolve
from epymarl_cpa.run import Trial, prepare

CONSOLE = logging.getLogger("test")
FEW = ["seed=3", "batch_size=5", "hidden_dim=8", "recipes.medium.episodes=30", "dataset=medium", "t_max=6",
       "test_nepisode=4"]


def trial(folder: Path, alg: str, env: str, *words: str) -> Trial:
    return prepare(resolve(alg, env, [*FEW, f"datasets_path={folder}", *words]), None, CONSOLE)


@pytest.mark.parametrize("alg, env, words", [
    ("cpa_ar", "bridge", []), ("maicq", "xor", []), ("bc", "sensor", ["policy_input=obs"]),
    ("maicq", "bridge", ["state_levels=12"])], ids=["lengths differ", "one step", "observations", "levels"])
def test_rows_of_all_steps_are_the_steps_of_the_drawn_episodes(tmp_path: Path, alg: str, env: str, words: list[str],
                                                               ) -> None:
    run = trial(tmp_path, alg, env, *words)
    learner = run.learner.learners[0]
    first = run.runner.run()
    assert isinstance(first, DrawnBatch)
    learner.step_source.draw(learner, first)  # the first batch shows how much memory all steps would take
    for _ in range(8):  # more than one round through the data
        batch = run.runner.run()
        assert isinstance(batch, DrawnBatch)
        by_row = learner.step_source.draw(learner, batch)
        assert batch.is_untouched, "episodes were put together in vain"
        cut = learner.steps(batch)
        for name, value in vars(cut).items():
            other = getattr(by_row, name)
            assert (value is None and other is None) or th.equal(value, other), name


@pytest.mark.parametrize("words", [["use_rnn=true"], []], ids=["an encoder learns", "too large"])
def test_steps_are_cut_anew_where_they_must_be(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch,
                                               ) -> None:
    if not words:
        monkeypatch.setattr(drawn, "ROOM", 10)
    run = trial(tmp_path, "bc", "xor", *words)
    for _ in range(3):
        batch = run.runner.run()
        assert isinstance(batch, DrawnBatch)
        run.learner.train(batch, 1, 1)
        assert not batch.is_untouched
    assert run.learner.learners[0].step_source.recorded is None


def test_a_drawn_batch_is_the_batch_of_its_rows(tmp_path: Path) -> None:
    runner = trial(tmp_path, "bc", "bridge").runner
    batch = runner.run()
    assert isinstance(batch, DrawnBatch) and batch.batch_size == 5
    whole = runner.episodes(batch.place)  # type: ignore[attr-defined]
    assert batch.max_seq_length == whole.max_seq_length and batch.batch_size == 5
    for key in ("state", "actions", "reward", "filled"):
        assert th.equal(batch[key], whole[key])
    assert batch[1:3].batch_size == 2
    with pytest.raises(AttributeError):
        batch.nothing_like_that  # noqa: B018
