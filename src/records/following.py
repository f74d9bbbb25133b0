"""The commands that follow from a run that has ended."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import keys_of, resolve
from ..controllers import REGISTRY as MACS
from ..controllers.pa_controller import AgreementMAC
from ..controllers.student_controller import PLAIN
from ..envs import REGISTRY
from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from ..learners.cpa_ar_learner import CpaArLearner
from ..settings import CORE, Decides
from ..utils.live_line import is_there

STUDENTS = "cpa_pa"  # the method that teaches what a teacher has learned


def program(script: str) -> str:
    """What to type for this program, which was started by ``script``."""
    name = Path(script).name
    return "epymarl-cpa" if name == "epymarl-cpa" else "python -m epymarl_cpa" if name == "__main__.py" else \
        f"python {script}"


def following(script: str, config: Mapping[str, Any], alg: str, env: str, words: Sequence[str], model: str,
              ) -> list[str]:
    """Commands to try next with what a run has trained, as they can be typed.

    Args:
        script: with which this program was started.
        config: of the run.
        alg, env: values of ``--config`` and ``--env-config``; empty for a run that was resumed.
        words: what was changed on the command line.
        model: folder of the run's models.
    """
    if not model or not env or config["runner"] == "record":
        return []
    start, named = program(script).split(), config["env_args"].get("key")
    key = [] if REGISTRY[config["env"]].pure or not named else [f"--key={named}"]
    kept = [word for word in words if not _is_of_this_run_only(word, config)]
    found = []
    if not config["evaluate"]:
        found.append([*start, f"--config={alg}", f"--env-config={env}", "with", *kept, f"checkpoint_path={model}",
                      "evaluate=true"])
        if students := _students(config, env, kept, model):
            found.append([*start, f"--config={STUDENTS}", f"--env-config={env}", "with", *students])
    out = "team.gif" if is_there("PIL") else "team.txt"  # what there is to paint with
    found.append(["python", "-m", "epymarl_cpa.render.command", model, f"--out={out}", *key])
    if issubclass(MACS[config["mac"]], AgreementMAC):
        found.append(["python", "-m", "epymarl_cpa.deploy", "export", model, "--out=agents", *key])
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
    key = _key(word)
    return key == "render" or keys_of(config)[key].decides in (Decides.EXTENT, Decides.WATCHING)
