"""The commands that follow from a run that has ended."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..config import keys_of, resolve
from ..controllers import REGISTRY as MACS
from ..controllers.pa_controller import AgreementMAC
from ..controllers.student_controller import PLAIN
from ..envs import REGISTRY
from ..envs.trust import named_again
from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from ..learners.cpa_ar_learner import CpaArLearner
from ..settings import CORE, Decides
from ..utils.libraries import film
from ..utils.process import program

STUDENTS = "cpa_pa"  # the method that teaches what a teacher has learned


def following(script: str, config: Mapping[str, Any], env: str, words: Sequence[str], model: str) -> list[str]:
    """Commands to try next with what a run has trained, as they can be typed.

    Args:
        script: with which this program was started.
        config: of the run.
        env: value of ``--env-config``; empty where none was given.
        words: what was changed on the command line.
        model: folder of the run's models.
    """
    if not model or config["runner"] == "record":
        return []
    start, named = shlex.split(program(script)), config["env_args"].get("key")
    key = [f"--key={named}"] if named and not REGISTRY[config["env"]].pure else []
    found = []
    if not config["evaluate"]:
        found.append([*start, "evaluate", model, *named_again(config["env"], config["env_args"])])
        kept = [word for word in words if not _is_of_this_run_only(word, config)]
        if env and (students := _students(config, env, kept, model)):
            found.append([*start, "train", STUDENTS, env, *students])
    agreed = ["--keys=2"] if issubclass(MACS[config["mac"]], AgreementMAC) and not config["test_greedy"] else []
    found += [[*start, "render", model, f"--out={film()}", *agreed, *key],
              [*start, "view", model, "--out=run.html", *key], [*start, "export", model, "--out=agents", *key]]
    return [shlex.join(command) for command in found]


def _students(config: Mapping[str, Any], env: str, words: Sequence[str], model: str) -> list[str]:
    """The words with which a teacher's students are trained; none if the run has trained no teacher."""
    if not issubclass(LEARNERS[config["learner"]], CpaArLearner) or config["mac"] != "ar_mac" \
            or any(config[key] != value for key, value in PLAIN.items()):
        return []
    taken = [*(word for word in words if _key(word) in CORE and _key(word) != "t_max"), f"teacher={model}"]
    try:
        resolve(STUDENTS, env, taken)
    except UserError:
        return []
    return taken


def _key(word: str) -> str:
    return word.partition("=")[0].partition(".")[0]


def _is_of_this_run_only(word: str, config: Mapping[str, Any]) -> bool:
    """Whether it says from where to where this run went, or how it was watched."""
    return keys_of(config)[_key(word)].decides in (Decides.EXTENT, Decides.WATCHING)
