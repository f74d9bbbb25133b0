"""On a GPU every method computes what it computes on the processor; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch as th

from epymarl_cpa.config.files import names
from epymarl_cpa.experiments.measure import gpu
from epymarl_cpa.experiments.measure.plan import Plan
from epymarl_cpa.experiments.measure.trials import Stepper, trial_of
from epymarl_cpa.experiments.sweeps.stack import Stack

pytestmark = pytest.mark.skipif(not th.cuda.is_available(), reason="there is no GPU")

#: methods that draw at random while they learn, and draw other numbers on a GPU
DRAWING = ("alberdice", "cpa_pa_printed", "oryx")


def plan(folder: Path, device: str) -> Plan:
    return Plan(quick=True, device=device, folder=folder)


@pytest.mark.parametrize("env", ["xor", "bridge", "sensor"])
@pytest.mark.parametrize("method", names("algs"))
def test_updates_are_those_of_the_processor(method: str, env: str, tmp_path: Path) -> None:
    row = gpu._same(plan(tmp_path, "cpu"), plan(tmp_path, "cuda"), method, env)
    assert "remark" not in row
    assert method in DRAWING or row["to rounding"], row


@pytest.mark.parametrize("env, repeats", [("xor", True), ("bridge", True), ("sensor", True), ("sensor", False)])
def test_repeated_updates_are_those_that_are_computed(env: str, repeats: bool, tmp_path: Path) -> None:
    found = []
    for on in (repeats, False):
        step = Stepper(trial_of(plan(tmp_path, "cuda"), "cpa_ar", env, "learner_log_interval=1"))
        learner = step.trial.learner.learners[0]
        learner.step_source.repeats = on
        found.append([step() for _ in range(30)])
        assert (learner._captured is not None) is on
        assert learner._captured is None or not learner._captured.refused
    for one, other in zip(*found, strict=True):
        assert one["critic_loss"] == pytest.approx(other["critic_loss"], rel=1e-3)
        assert one["policy_loss"] == pytest.approx(other["policy_loss"], rel=1e-3)


@pytest.mark.parametrize("env", ["xor", "bridge"])
def test_seeds_learn_together(env: str, tmp_path: Path) -> None:
    there = plan(tmp_path, "cuda")
    alone = [trial_of(there, "cpa_ar", env, seed=seed) for seed in range(3)]
    stack = Stack([trial_of(there, "cpa_ar", env, seed=seed) for seed in range(3)])
    for t in range(1, 11):
        stack.update(t)
        for trial in alone:
            trial.learner.train(trial.runner.run(), t, 0)
    stack.write_back()
    assert stack._captured is not None and not stack._captured.refused
    for trial, learner in zip(alone, stack.learners, strict=True):
        for one, other in zip(trial.learner.learners[0].nets.values(), learner.nets.values(), strict=True):
            for value, same in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
                assert th.allclose(value, same, atol=2e-4)
