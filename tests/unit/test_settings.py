"""Settings: frozen, declared by the parts that read them, and known to the last key."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import get_type_hints

import pytest
from helpers import settings

from epymarl_cpa import config
from epymarl_cpa.agreement.settings import PoolSettings
from epymarl_cpa.config import FOLDER, keys_of, resolve
from epymarl_cpa.controllers import REGISTRY as MACS
from epymarl_cpa.controllers.independent_controller import BasicMAC
from epymarl_cpa.errors import UserError
from epymarl_cpa.learners import REGISTRY as LEARNERS
from epymarl_cpa.learners.bc_learner import BcLearner
from epymarl_cpa.modules.settings import CriticSettings, MixerSettings
from epymarl_cpa.runners import REGISTRY as RUNNERS
from epymarl_cpa.settings import CORE, Decides, Key, Settings, setting, settings_of
from epymarl_cpa.settings.schema import UNSET

PARTS = {f"{registry.kind} {name}": part for registry in (MACS, LEARNERS, RUNNERS) for name, part in registry.items()}
ALGS = sorted(file.stem for file in (FOLDER / "algs").glob("*.yaml"))


@dataclass(frozen=True, kw_only=True)
class Warm(Settings):
    warmth: float = setting(low=0.0)


@dataclass(frozen=True, kw_only=True)
class Warmer(Settings):
    warmth: float = setting(low=1.0)


@pytest.fixture
def own_parts() -> Iterator[None]:
    """A controller and two learners, one of which declares a key of the controller otherwise."""
    class OwnMAC(BasicMAC):
        args: Warm

    class OwnLearner(BcLearner):
        args: Warmer

    class FittingLearner(BcLearner):
        args: Warm

    MACS["own_mac"], LEARNERS["own_learner"], LEARNERS["fitting_learner"] = OwnMAC, OwnLearner, FittingLearner
    yield
    del MACS["own_mac"], LEARNERS["own_learner"], LEARNERS["fitting_learner"]


# ------------------------------------------------------------------------------------------------- frozen
@pytest.mark.parametrize("part", PARTS)
def test_settings_cannot_be_changed(part: str) -> None:
    kind = settings_of(PARTS[part])
    found = object.__new__(kind)
    for each in fields(kind):
        with pytest.raises(FrozenInstanceError):
            setattr(found, each.name, 3)
    with pytest.raises(FrozenInstanceError):
        found.anything = 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("alg", ALGS)
def test_every_part_gets_just_what_it_declares(alg: str) -> None:
    chosen = {**resolve(alg, "xor"), "seed": 3}
    for part in (MACS[chosen["mac"]], LEARNERS[chosen["learner"]], RUNNERS[chosen["runner"]]):
        kind = settings_of(part)
        found = kind.of(chosen)
        assert type(found) is kind
        assert vars(found) == {each.name: chosen[each.name] for each in fields(kind)}
    assert set(chosen) == set(keys_of(chosen)), "no key is nobody's"


def test_a_configuration_without_a_key_makes_no_settings() -> None:
    chosen = resolve("bc", "xor")
    del chosen["gamma"]
    with pytest.raises(KeyError, match="gamma"):
        Settings.of(chosen)


# ------------------------------------------------------------------------------------------------ declared
@pytest.mark.parametrize("part", PARTS)
def test_every_parts_settings_resolve_to_keys(part: str) -> None:
    kind = settings_of(PARTS[part])
    keys = kind.keys()
    assert list(keys) == [each.name for each in fields(kind)]
    assert all(replace(keys[name], before=key.before) == key for name, key in CORE.items()), \
        "what every run has is declared in one place; elsewhere only since when it names rows"
    for name, key in keys.items():
        assert isinstance(key, Key)
        assert isinstance(key.decides, Decides)
        with pytest.raises(UserError, match=f"'{name}' must be "):
            key.check(name, object())


def test_parts_without_settings_of_their_own_have_those_of_every_run() -> None:
    assert settings_of(BcLearner) is settings_of(BasicMAC) is settings_of(object) is Settings


def test_subclasses_keep_the_settings_of_their_parents() -> None:
    class Child(MACS["q_mac"]):  # type: ignore[misc]
        pass

    assert settings_of(Child) is settings_of(MACS["q_mac"]) is not Settings


def test_values_live_in_files_alone() -> None:
    @dataclass(frozen=True, kw_only=True)
    class WithDefault(Settings):
        warmth: float = 3.0

    @dataclass(frozen=True, kw_only=True)
    class WithFactory(Settings):
        warmth: list[int] = field(default_factory=list)

    for kind in (WithDefault, WithFactory):
        with pytest.raises(TypeError, match=rf"{kind.__name__}\.warmth must have no default: values live in YAML"):
            kind.keys()


def test_a_seed_may_be_left_to_the_run_but_no_settings_are_without() -> None:
    assert CORE["seed"].check("seed", None) is None
    assert get_type_hints(Settings)["seed"] is int
    assert settings(Settings, "bc", "xor", "seed=3").seed == 3


# ------------------------------------------------------------------------------------------------- clashes
def test_a_key_that_two_parts_declare_differently_is_refused_in_one_sentence(own_parts: None) -> None:
    with pytest.raises(UserError) as caught:
        resolve("bc", "xor", ["mac=own_mac", "learner=own_learner", "warmth=2"])
    assert str(caught.value) == ("OwnLearner declares the config key 'warmth' otherwise than others do that run with "
                                 "it; give its own another name.")


def test_a_key_that_two_parts_declare_alike_is_one_key(own_parts: None) -> None:
    words = ["mac=own_mac", "learner=fitting_learner"]
    assert resolve("bc", "xor", [*words, "warmth=0.5"])["warmth"] == 0.5
    with pytest.raises(UserError, match="config key 'warmth' is missing"):
        resolve("bc", "xor", words)
    with pytest.raises(UserError, match=r"'warmth' must be at least 0\.0, not -1\.0"):
        resolve("bc", "xor", [*words, "warmth=-1"])


def test_keys_of_parts_that_are_not_chosen_are_unknown() -> None:
    with pytest.raises(UserError, match="unknown config key 'epsilon_start'"):
        resolve("bc", "xor", ["epsilon_start=0.5"])


@pytest.mark.parametrize(("alg", "words", "said"), [
    ("cpa_ar", ["policy_loss=expected", "weight=joint"],
     "policy_loss=expected needs the value of every action, but weight=joint values recorded joint actions only; set "
     "policy_loss=weighted."),
    ("cpa_ar", ["target_weight=printed"],
     "target_weight=printed has no effect with weight=chain, whose target is another; set weight=per_agent."),
    ("cpa_ar", ["mixer_weights=abs", "weight=prefix"], "mixer_weights=abs has no effect with weight=prefix"),
    ("cpa_pa", ["encoder_state=false"], "encoder_state=false has no effect without an encoder; set selection=encoder."),
    ("cpa_pa", ["entry_loss=false"], "entry_loss=false has no effect without an encoder; set selection=encoder."),
    ("cpa_pa", ["policy_input=obs", "selection=encoder"], "selection=encoder compares entries with an encoding"),
    ("kd", ["pool_size=2"], "pool_size=2 has no meaning without an agreement key")])
def test_settings_that_contradict_one_another_are_refused_before_anything_runs(alg: str, words: list[str], said: str,
                                                                               ) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        resolve(alg, "xor", words)


def test_a_learner_refuses_controllers_that_it_cannot_train() -> None:
    with pytest.raises(UserError, match=r"^learner=bc_learner cannot train mac=ar_mac; it needs mac=basic_mac\.$"):
        resolve("bc", "xor", ["mac=ar_mac", "beta=0", "beta_mode=ratio", "shared_seed=false"])
    assert config.mac_of(LEARNERS["bcq_learner"]) is MACS["bcq_mac"]


# ------------------------------------------------------------------------------------------- consequences
def test_every_core_key_says_what_it_decides() -> None:
    """What a key decides has consequences for rows, checkpoints and continued runs, so each is listed here, too."""
    assert {what: [name for name, key in CORE.items() if key.decides is what] for what in Decides} == {
        Decides.LEARNING: ["runner", "mac", "learner", "env", "env_args", "common_reward", "reward_scalarisation",
                           "seed", "dataset", "recipes", "reward_scale", "reward_min", "batch_size", "buffer_size",
                           "batch_size_run", "use_cuda", "torch_threads", "gamma", "lr", "lr_final", "grad_norm_clip",
                           "hidden_dim", "n_layers", "policy_input", "use_rnn", "agent", "obs_last_action",
                           "obs_agent_id", "critic_input", "state_levels", "target_update_interval_or_tau"],
        Decides.EXTENT: ["t_max", "checkpoint_path", "load_step", "evaluate"],
        Decides.TESTING: ["test_nepisode", "test_interval", "test_greedy"],
        Decides.WATCHING: ["name", "log_interval", "runner_log_interval", "learner_log_interval", "use_tensorboard",
                           "use_wandb", "wandb_team", "wandb_project", "wandb_mode", "wandb_save_model",
                           "observers", "progress", "save_model", "save_model_interval", "models_kept", "render"],
        Decides.FILES: ["datasets_path", "local_results_path", "record_to", "record_from", "record_steps",
                        "record_epsilons", "record_episodes"]}


def test_what_is_only_watched_or_filed_names_no_rows() -> None:
    for name, key in CORE.items():
        assert key.names_rows is (key.decides not in (Decides.WATCHING, Decides.FILES)), name


@pytest.mark.parametrize("part", PARTS)
def test_what_a_part_declares_decides_what_is_learned(part: str) -> None:
    for name, key in settings_of(PARTS[part]).keys().items() - CORE.items():
        assert key.decides in (Decides.LEARNING, Decides.EXTENT), name


def test_values_before_a_key_was_there_are_values_of_it() -> None:
    for part in PARTS.values():
        for name, key in settings_of(part).keys().items():
            if key.before is not UNSET:
                assert key.check(name, key.before) == key.before


def test_the_limits_of_what_pools_critics_and_mixers_read() -> None:
    """The last value on either side that is accepted; sizes of networks go from 1 to 65,536."""
    limits = {**dict.fromkeys(("pool_size", "pool_dim", "pool_hidden", "head_hidden", "key_dim", "value_hidden_dim",
                               "mixing_embed_dim", "hypernet_embed"), (1, 65_536)),
              "entry_floor": (0.0, 0.5), "alpha": (1e-6, math.inf), "alpha_q": (1e-6, math.inf),
              "alpha_share": (0.0, math.inf), "conservatism": (0.0, math.inf)}
    found = {name: (key.low, key.high) for part in (PoolSettings, CriticSettings, MixerSettings)
             for name, key in part.keys().items() if name in limits}
    assert found == limits
