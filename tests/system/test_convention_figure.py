"""Which convention recorded episodes follow: told and drawn from a model, or refused with a reason."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch as th
from helpers import Built
from outcome import Outcome

from epymarl_cpa.components.transitions import transitions
from epymarl_cpa.conventions.likelihood import episode_likelihood
from epymarl_cpa.experiments.conventions import main
from epymarl_cpa.experiments.figures import convention_use as module
from epymarl_cpa.experiments.figures.convention_use import convention_use
from epymarl_cpa.learners.convention_learner import ConventionLearner

pytestmark = pytest.mark.thorough

SHORT = ("student_t_max=20", "recipes.medium.episodes=60", "ascents=2", "plans=3", "pool_size=4", "pool_hidden=8")
PROBLEM = ("env_args.problem=dectiger", "env_args.episode_limit=2", "test_greedy=true")


def test_the_likelihood_of_an_episode_is_that_of_its_actions() -> None:
    built = Built("cpa_pa", "dpomdp", "pool_size=3", "plans=3", "hidden_dim=8", *PROBLEM)
    batch = built.played(4)
    step = transitions(batch, batch["state"], built.mac.encode(batch))
    every = built.mac.agent.every(step.inputs)
    found = episode_likelihood(step, every, 4)
    wanted = th.zeros(4, 3)
    for m, e in enumerate(step.episode.tolist()):
        for j in range(3):
            for i in range(2):
                own = every[m, j, i].masked_fill(~step.available[m, i], -th.inf).log_softmax(0)
                wanted[e, j] += own[step.actions[m, i]]
    assert th.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("improvement", ["table", "imitation"])
def test_rows_are_the_behaviours_of_the_data(improvement: str, tiny_run: Callable[..., Outcome], tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    short = [word for word in SHORT if improvement == "table" or "ascents" not in word]
    models = str(tiny_run(*short, *PROBLEM, f"improvement={improvement}", alg="cpa_pa", env="dpomdp").models)
    use = convention_use(models)
    assert use.behaviours[-1] == "all" and all(name.startswith("optimum_") for name in use.behaviours[:-1])
    assert use.episodes[-1] == use.episodes[:-1].sum() == 60
    assert use.follow.sum(1) == pytest.approx(np.ones(len(use.episodes)))
    assert use.follow[-1] == pytest.approx(use.episodes[:-1] @ use.follow[:-1] / 60)
    assert ((use.same >= 0) & (use.same <= 1)).all()
    assert use.law.sum() == pytest.approx(1) and use.choice == 0 and (np.diff(use.law) <= 0).all()
    assert improvement == "imitation" or sorted(use.entries) == [0, 1, 2]
    assert use.is_trained_on and use.recorded < 0
    capsys.readouterr()
    assert main([models, "--dataset=good"]) == 0
    said = capsys.readouterr().out
    assert "near_0" in said and "These are not the data that the model learned from." in said
    pytest.importorskip("matplotlib")
    for name, start in (("a.png", b"\x89PNG"), ("new/b.svg", b"<?xml")):
        assert main([models, f"--out={tmp_path / name}"]) == 0
        assert (tmp_path / name).read_bytes().startswith(start)
    assert f"*{use.entries[0]}" in capsys.readouterr().out
    assert not (tmp_path / "a.svg").exists()


def test_many_behaviours_share_a_row(tiny_run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    use = convention_use(str(tiny_run(*SHORT, *PROBLEM, alg="cpa_pa", env="dpomdp").models))
    assert len(use.behaviours) == 3 and use.behaviours[1].endswith(" others")
    assert use.episodes[0] + use.episodes[1] == use.episodes[2]


def test_what_cannot_be_shown_is_told(tiny_run: Callable[..., Outcome], tmp_path: Path,
                                      monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    other = str(tiny_run().models)
    with monkeypatch.context() as as_before:  # models on the way had no values
        as_before.setattr(ConventionLearner, "make_ready", lambda learner: None)
        early = tiny_run(*SHORT, *PROBLEM, "save_model_interval=4", alg="cpa_pa", env="dpomdp").models
    first = str(min(early.iterdir(), key=lambda folder: int(folder.name)))
    for words, message in (([other], "holds no conventions"), ([first], "before its conventions had a value"),
                           ([str(tmp_path / "nowhere")], "holds no checkpoint"),
                           ([str(early), "--dataset=no"], "no recipe and no file 'no'")):
        assert main(words) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(early), "--out=picture.gif"])
    for name in [*sys.modules]:
        if name.startswith("epymarl_cpa.experiments.figures."):
            monkeypatch.delitem(sys.modules, name)
    import epymarl_cpa.experiments.figures as figures
    for name in ("canvas", "conventions"):
        monkeypatch.delattr(figures, name, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([str(early), f"--out={tmp_path / 'a.png'}"]) == 2
    assert "figures need matplotlib: pip install 'epymarl-cpa[report]'." in capsys.readouterr().err
