"""Settings that would be accepted and mean nothing are refused with a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch as th
from helpers import Built
from outcome import Outcome

from epymarl_cpa.components.action_selectors import masked_logits
from epymarl_cpa.components.levels import check_levels
from epymarl_cpa.config import keys_of, resolve, resolve_again
from epymarl_cpa.config.files import names
from epymarl_cpa.config.gathering import gather
from epymarl_cpa.controllers import REGISTRY as MACS
from epymarl_cpa.errors import UserError
from epymarl_cpa.learners import REGISTRY as LEARNERS
from epymarl_cpa.settings import settings_of
from epymarl_cpa.utils import checkpoint
from epymarl_cpa.utils.manifest import MANIFEST


@pytest.mark.parametrize(("alg", "words", "told"), [
    ("bc", ["load_step=5"], "load_step=5 has no effect without checkpoint_path="),
    ("bc", ["render=true"], "render=true has no effect without evaluate=true"),
    ("bc", ["record_to=x.npz"], "record_to=x.npz has no effect without runner=record"),
    ("bc", ["record_steps=[3]"], "record_steps=[3] has no effect without runner=record"),
    ("bc", ["agent=rnn_ns"], "agent=rnn_ns has no effect without use_rnn=true"),
    ("cpa_pa", ["entry_floor=1"], "'entry_floor' must be at most 0.5, not 1"),
    ("cpa_ar", ["alpha=0.1", "alpha_share=0.2"],
     "alpha_share=0.2 has no effect with alpha=0.1; it is read with alpha=null."),
    ("cpa_ar", ["weight=prefix", "conservatism=0.5"],
     "conservatism=0.5 has no effect with weight=prefix; it is read with weight=chain."),
    ("cpa_ar", ["weight_clip=5"], "weight_clip=5.0 has no effect with policy_loss=expected; it is read with policy_l"),
    ("cpa_pa", ["repeat_limit=2"], "repeat_limit=2 has no effect with policy_input=state; it is read with policy_inp"),
    ("cpa_pa", ["improvement=table"], "improvement=table has no effect with policy_input=state"),
    ("cpa_pa", ["policy_input=obs", "labels=drawn"], "labels=drawn has no effect with policy_input=obs"),
    ("cpa_pa", ["policy_input=obs", "improvement=table", "scenarios=9"], "scenarios=9 has no effect with improvement="),
    ("cpa_pa", ["policy_input=obs", "alpha=0.5"], "alpha=0.5 has no effect with policy_input=obs and improvement=auto; "
     "it is read with policy_input=state or improvement=stages."),
    ("cpa_pa", ["commitment=0.5"], "commitment=0.5 has no effect with selection=likelihood"),
    ("kd", ["kl_weight=4"], "kl_weight=4.0 has no effect with key=prior; it is read with key=cvae_vector or key=cvae"),
    ("cfcql", ["moderate_lambda=false", "cf_tau=3"], "cf_tau=3.0 has no effect with moderate_lambda=false"),
    *((alg, ["critic_input=history"], f"critic_input=history has no effect on {alg}, which by these settings has no")
      for alg in ("bc", "ar_bc", "iql", "vdn"))])
def test_no_effect(alg: str, words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        resolve(alg, "xor", words)


@pytest.mark.parametrize(("alg", "words"), [
    ("cpa_ar", ["critic_input=history"]), ("cpa_pa", ["critic_input=history"]), ("qmix", ["critic_input=history"]),
    ("bc", ["load_step=5", "checkpoint_path=x"]), ("bc", ["render=true", "evaluate=true"]),
    ("bc", ["agent=rnn_ns", "use_rnn=true"]), ("cpa_pa", ["entry_floor=0.5"]), ("kd", ["labels=drawn"]),
    ("cpa_pa", ["policy_input=obs", "repeat_limit=2"]),
    ("cpa_pa", ["policy_input=obs", "improvement=stages", "alpha=0.5"]), ("cpa_ar", ["reward_scalarisation=mean"]),
    ("cpa_ar", ["weight_clip=5", "policy_loss=weighted"]),
    ("cpa_ar", ["weight=prefix", "soft_values=false"]),  # as the file has it
    # What a sentence asks for can be done.
    ("cpa_ar_printed", ["weight=chain", "policy_loss=expected", "mixer_weights=softmax", "target_weight=one"]),
    ("cpa_pa_printed", ["selection=likelihood", "encoder_state=true", "entry_loss=true"])])
def test_what_has_an_effect_is_accepted(alg: str, words: list[str]) -> None:
    resolve(alg, "xor", words)


def test_what_a_continued_run_changes_must_have_an_effect() -> None:
    recorded = resolve("cpa_ar", "xor", ["alpha=0.1", "seed=0"])
    resolve_again({**recorded, "alpha_share": 0.3})  # of a file: nobody has changed it
    resolve_again(recorded, ["alpha=null", "alpha_share=0.3"])
    with pytest.raises(UserError, match=r"alpha_share=0\.3 has no effect with alpha=0\.1"):
        resolve_again(recorded, ["alpha_share=0.3"])


@pytest.mark.parametrize("alg", names("algs"))
def test_what_keys_need_are_keys_and_values_of_the_method(alg: str) -> None:
    config = gather(alg, "xor").config
    keys = keys_of(config)
    for part in (MACS[config["mac"]], LEARNERS[config["learner"]]):
        for need in settings_of(part).all_needs():
            assert {*need.keys, *need.where} <= keys.keys()
            for other, values in need.where.items():
                assert [keys[other].check(other, value) for value in values] == list(values)


# --------------------------------------------------------------------------------------------- checkpoints
def test_a_checkpoint_of_another_step_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "20").mkdir()
    (tmp_path / "20" / MANIFEST).write_text("{}")
    assert checkpoint.find(str(tmp_path / "20"), 0) == checkpoint.find(str(tmp_path / "20"), 20) == tmp_path / "20"
    with pytest.raises(UserError, match="is the checkpoint of t_env 20, but load_step=10 asks for another"):
        checkpoint.find(str(tmp_path / "20"), 10)


def test_a_run_that_is_past_its_end_does_not_go_on(tiny_run: Callable[..., Outcome],
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run("t_max=4", alg="bc")
    tiny_run("t_max=3", f"checkpoint_path={trained.models}", alg="bc", status=2)
    assert "is at t_env 4, after the end of this run at 3; set a larger t_max" in capsys.readouterr().err
    tiny_run("t_max=3", f"checkpoint_path={trained.models}", "evaluate=true", alg="bc")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_networks_with_numbers_that_are_not_finite_are_not_loaded(value: float, tmp_path: Path) -> None:
    built = Built("bc", "xor")
    built.mac.save_models(str(tmp_path))
    built.mac.load_models(str(tmp_path))
    with th.no_grad():
        next(built.mac.agent.parameters()).view(-1)[0] = value
    built.mac.save_models(str(tmp_path))
    built.run.save_models(str(tmp_path))
    for part in (built.mac, built.run):
        with pytest.raises(UserError, match=r"holds numbers that are not finite \('.*agent\."):
            part.load_models(str(tmp_path))


@pytest.mark.parametrize("logits", [[math.inf, 0.0, 1.0], [-math.inf, -math.inf, 5.0], [math.inf, -math.inf, math.inf]])
def test_a_forbidden_action_has_no_probability_whatever_the_logits(logits: list[float]) -> None:
    available = th.tensor([True, True, False])
    probs = masked_logits(th.tensor(logits), available).softmax(-1)
    assert probs[2] == 0 and np.isclose(float(probs.sum()), 1.0)
    every = th.randn(50, 3)
    assert th.equal(masked_logits(every, th.ones(50, 3)), every)  # finite ones stay as they are


# -------------------------------------------------------------------------------------------------- levels
@pytest.mark.parametrize(("words", "told"), [
    (["state_levels=2"], r"state_levels=2 needs whole numbers from 0 to 1, but .* has the value \d in 'state' "
                         r"\(episode \d+, step \d+\); set state_levels=6, or 0"),
    (["env_args.observation=local", "policy_input=obs", "state_levels=5"], "set state_levels=6, or 0")])
def test_levels_that_would_cut_states_off_are_refused(words: list[str], told: str, tiny_run: Callable[..., Outcome],
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run(*words, "t_max=1", alg="bc", env="bridge", status=2)
    assert re.search(told, capsys.readouterr().err)


def test_levels_that_hold_all_states_and_those_that_are_no_whole_numbers() -> None:
    seen, filled = th.tensor([[[0.0, 2.0], [9.0, 9.0]]]), th.tensor([[True, False]])
    check_levels(3, seen, filled, "x", "state")
    check_levels(0, seen + 0.5, filled, "x", "state")
    check_levels(3, th.where(seen == 0, -1.0, seen), filled, "x", "state")
    with pytest.raises(UserError, match=r"the value -2 in 'state'.*set state_levels=0"):
        check_levels(3, seen - 2 * filled[..., None].to(seen), filled, "x", "state")
    with pytest.raises(UserError, match=r"x has the value 0.5 in 'state' \(episode 0, step 0\); set state_levels=0"):
        check_levels(9, seen + 0.5, filled, "x", "state")
    with pytest.raises(UserError, match=r"the value 2 in 'obs' \(episode 0, step 0\); set state_levels=3, or 0"):
        check_levels(2, seen[:, :, None], filled, "x", "obs")
