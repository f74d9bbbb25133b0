"""The keys that every run has, and how parts declare their own.

A learner or a controller says which keys it reads by the class of its ``args``::

    @dataclass(frozen=True, kw_only=True)
    class MySettings(Settings):
        temperature: float = setting(low=1e-6, doc="small follows the rewards")

    class MyLearner(Learner):
        args: MySettings

The values come from the YAML files and the command line, checked against these declarations; ``explain`` shows them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Self, get_type_hints

from .schema import UNSET, Decides, Key, Need

MANY = 2**53  # of what is counted
MOST_SEED = 2**31 - 1
WIDEST = 2**16  # of a layer, and of other sizes that decide how large networks are
_EXTENT, _TESTING, _WATCHING, _FILES = Decides.EXTENT, Decides.TESTING, Decides.WATCHING, Decides.FILES


def setting(*, low: float = -math.inf, high: float = math.inf, choices: Sequence[Any] = (), is_name: bool = False,
        decides: Decides = Decides.LEARNING, before: Any = UNSET, may_be_unset: bool = False, doc: str = "") -> Any:
    """Declares a field of :class:`Settings`; arguments as the attributes of :class:`Key`.

    Args:
        may_be_unset: whether files may leave it null, since a value is found before the run begins.
    """
    declared = {"low": low, "high": high, "choices": tuple(choices), "is_name": is_name, "decides": decides,
                "before": before, "doc": doc}
    return field(metadata={"key": declared, "may_be_unset": may_be_unset})


KEPT = 3  # of the models that are saved at evaluations


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every run has; ``config/default.yaml`` holds the values, and repeats what each key means."""

    #: what a class's own keys need to be read, sizes of networks apart, which nobody takes for more; see
    #: :meth:`all_needs`
    needs: ClassVar[tuple[Need, ...]] = ()

    name: str = setting(is_name=True, decides=_WATCHING, doc="name of the method, used for folders and plots")
    runner: str = setting(doc="offline (learn from a data set), episode (play and learn online), record (write a data "
                              "set)")
    mac: str = setting(doc="the controller: how the team acts")
    learner: str = setting(doc="the learner: how the team learns")
    env: str = setting(doc="the game or environment")
    env_args: dict[str, Any] = setting(doc="arguments of the environment")
    common_reward: bool = setting(doc="one team reward (false: a list of equal shares)")
    reward_scalarisation: str = setting(choices=("sum", "mean"),
                                        doc="how the agents' own rewards make the team's: sum or mean; equal shares "
                                            "(common_reward: false) are scaled alike")
    seed: int = setting(low=0, high=MOST_SEED, may_be_unset=True,
                        doc="decides everything random; null: that of the checkpoint, else drawn; recorded")

    dataset: str = setting(doc="a recipe of the game (good, medium, poor), or a file or folder in any format we read")
    recipes: dict[str, Any] = setting(doc="the game's recipes, by name (see the environment's YAML)")
    datasets_path: str = setting(decides=_FILES, doc="folder where data sets made from recipes are kept")
    reward_scale: float | None = setting(low=1e-9,
                                         doc="training rewards are multiplied by this; null: by one over the typical "
                                             "recorded reward (the root of the mean square), where that is larger than "
                                             "1; evaluation never is")
    reward_min: float | None = setting(low=-1e30, high=1e30,
                                       doc="training rewards are raised to at least this before scaling")

    t_max: int = setting(low=0, high=MANY, decides=_EXTENT,
                         doc="number of updates (offline) or environment steps (online)")
    batch_size: int = setting(low=1, high=MANY, doc="episodes per update")
    buffer_size: int = setting(low=1, high=MANY, doc="episodes kept by the online runner, at least batch_size")
    batch_size_run: int = setting(low=1, high=MANY, doc="environments played at once by the online runner, between two "
                                                        "updates")
    test_nepisode: int = setting(low=1, high=MANY, decides=_TESTING, doc="number of evaluation episodes")
    test_interval: int = setting(low=1, high=MANY, decides=_TESTING,
                                 doc="t_env between evaluations; one more before training and one at the end")
    test_greedy: bool = setting(decides=_TESTING,
                                doc="evaluate by the most likely actions, or the most likely entry of a pool; false: "
                                    "draw them, by Eq. 8 with beta or by the agreement key")
    log_interval: int = setting(low=1, high=MANY, decides=_WATCHING, doc="t_env between console summaries")
    runner_log_interval: int = setting(low=1, high=MANY, decides=_WATCHING,
                                       doc="t_env between logged training returns of the online runner")
    learner_log_interval: int = setting(low=1, high=MANY, decides=_WATCHING,
                                        doc="t_env between logged learner statistics")
    use_tensorboard: bool = setting(decides=_WATCHING,
                                    doc="also write TensorBoard files (needs the extra 'tensorboard')")
    use_wandb: bool = setting(decides=_WATCHING, before=False,
                              doc="also record the run in Weights & Biases (needs the extra 'wandb')")
    wandb_team: str | None = setting(decides=_WATCHING, before=None, doc="its team; null: your own")
    wandb_project: str | None = setting(decides=_WATCHING, before=None, doc="its project; null: epymarl-cpa")
    wandb_mode: str = setting(choices=("offline", "online"), decides=_WATCHING, before="offline",
                              doc="offline: in local_results_path, for `wandb sync`; online: sent at once")
    wandb_save_model: bool = setting(decides=_WATCHING, before=False, doc="also keep every saved model there")
    observers: list[str] = setting(decides=_WATCHING,
                                   doc="further observers by name, one file each in src/observers (see there)")
    progress: bool | None = setting(decides=_WATCHING, before=None,
                                    doc="a live line on the terminal; null: where there is one, and the extra "
                                        "'progress' is installed")
    local_results_path: str = setting(decides=_FILES, doc="folder of Sacred runs, models and TensorBoard files")

    save_model: bool = setting(decides=_WATCHING, doc="save on the way, too; the last model is saved in any case")
    save_model_interval: int | None = setting(low=0, decides=_WATCHING,
                                              doc="t_env between saves; null: at each evaluation; 0: only at the end")
    models_kept: int | None = setting(low=1, decides=_WATCHING, before=None,
                                      doc="the newest models that stay; null: all, but 3 of those saved at "
                                          "evaluations")
    checkpoint_path: str = setting(decides=_EXTENT, doc="folder of a run's models to load")
    load_step: int = setting(low=0, high=MANY, decides=_EXTENT, doc="which model of checkpoint_path; 0: the newest")
    evaluate: bool = setting(decides=_EXTENT, doc="only evaluate the loaded model")
    render: bool = setting(decides=_WATCHING, doc="with evaluate: print one evaluation episode")

    record_to: str = setting(decides=_FILES,
                             doc="the .npz file, or folder x.mapped, to write; the same command goes on with an "
                                 "unfinished one")
    record_from: str = setting(decides=_FILES, doc="folder of a run's models that play; \"\": the untrained controller")
    record_steps: list[int] = setting(decides=_FILES,
                                      doc="t_env of those that play, the nearest there are; []: the newest")
    record_epsilons: list[float] = setting(decides=_FILES,
                                           doc="probabilities of a random action; episode k is played by the k-th "
                                               "pair of model and epsilon")
    record_episodes: int = setting(low=1, high=MANY, decides=_FILES, doc="number of episodes to record")

    use_cuda: bool = setting(doc="train on the GPU; falls back to the CPU with a warning")
    torch_threads: int = setting(low=1, high=1024, doc="CPU threads; more than 1 may change results in the last bits")

    gamma: float = setting(low=0.0, high=1.0, doc="discount of training; evaluation is undiscounted")
    lr: float = setting(low=0.0, doc="Adam's learning rate")
    lr_final: float = setting(low=0.0, high=1.0, doc="the learning rate falls linearly to this share of lr at t_max")
    grad_norm_clip: float = setting(low=1e-9, doc="largest gradient norm of each network")
    hidden_dim: int = setting(low=1, high=WIDEST, doc="width of hidden layers")
    n_layers: int = setting(low=1, high=1000, doc="hidden layers of each network")
    policy_input: str = setting(choices=("state", "obs"), before="state",
                                doc="state, or obs: every agent its own observation")
    use_rnn: bool = setting(before=False, doc="agents remember what they saw")
    agent: str = setting(before="rnn",
                         doc="how they remember: rnn (one recurrent network that all share), rnn_ns (one each)")
    obs_last_action: bool = setting(before=False, doc="every agent also sees its own last action (zeros at first)")
    obs_agent_id: bool = setting(before=False, doc="every agent also sees its own number")
    critic_input: str = setting(choices=("state", "history"), before="state",
                                doc="what critics and mixers see: state, or history (states and joint actions so far)")
    state_levels: int = setting(low=0, high=WIDEST,
                                doc="L > 0: integer state entries 0 .. L - 1 enter the networks as one-hot vectors "
                                    "(-1, nothing there, as 0)")
    target_update_interval_or_tau: float = setting(low=1e-9,
                                                   doc="above 1: hard copies each so many updates; else Polyak's rate")

    @property
    def watchers(self) -> list[str]:
        """Names of the observers that are asked for, each once."""
        named = (name for name, asked in (("tensorboard", self.use_tensorboard), ("wandb", self.use_wandb)) if asked)
        return [*dict.fromkeys((*named, *self.observers))]

    @property
    def saving_interval(self) -> int:
        """``t_env`` between saves; 0 for none but the last."""
        return self.test_interval if self.save_model_interval is None else self.save_model_interval

    @property
    def kept(self) -> int:
        """How many models stay; 0 for all."""
        return self.models_kept or (KEPT if self.save_model_interval is None else 0)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """The settings that this class declares, from a resolved configuration with a seed.

        In that of an older checkpoint keys may be missing that came later.

        Raises:
            KeyError: the configuration lacks one that was always there.
        """
        later = {name: key.before for name, key in cls.keys().items() if key.before is not UNSET}
        whole = {**later, **config}
        return cls(**{each.name: whole[each.name] for each in fields(cls)})

    @classmethod
    @cache
    def keys(cls) -> dict[str, Key]:
        """Type, range and consequence of every key that this class declares, by name."""
        hints, found = {name: kind for each in reversed(cls.__mro__) for name, kind in _types(each).items()}, {}
        for each in fields(cls):
            kind = hints[each.name]
            if each.metadata.get("may_be_unset"):
                kind = kind | None
            if each.default is not MISSING or each.default_factory is not MISSING:
                raise TypeError(f"{cls.__name__}.{each.name} must have no default: values live in YAML files")
            declared = {**each.metadata.get("key", {}), "doc": cls._meaning(each.name)}
            found[each.name] = Key(kind, **declared)
        return found

    @classmethod
    def all_needs(cls) -> tuple[Need, ...]:
        """What this class says of its keys in ``needs``, and those that it extends of theirs."""
        return tuple(need for each in cls.__mro__ for need in vars(each).get("needs", ()))

    @classmethod
    def _meaning(cls, name: str) -> str:
        """What a key means: by the nearest class that says it, since one that declares it anew need not repeat it."""
        said = (vars(each).get("__dataclass_fields__", {}).get(name) for each in cls.__mro__)
        return next((doc for one in said if one is not None and (doc := one.metadata.get("key", {}).get("doc"))), "")


@cache
def _types(cls: type) -> dict[str, Any]:
    """The types that a class itself declares; evaluating those of its bases again and again takes a while."""
    return inspect.get_annotations(cls, eval_str=True)


def settings_of(part: type) -> type[Settings]:
    """The class of settings that a controller, learner or runner declares as the type of its ``args``."""
    for cls in part.__mro__:
        if "args" in inspect.get_annotations(cls):
            declared: type[Settings] = get_type_hints(cls)["args"]
            return declared
    return Settings


CORE: Mapping[str, Key] = Settings.keys()
