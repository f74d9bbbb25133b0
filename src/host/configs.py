"""EPyMARL's command line with our configuration in it."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .. import config, envs
from ..errors import UserError
from ..utils.registry import nearest
from .checkout import Checkout
from .registration import Names

MARK = "# Written by 'epymarl-cpa install'"  # first words of our YAML files in a checkout
OPTIONS = {"--config": "algs", "--env-config": "envs"}


class CommandLine:
    """The words behind EPyMARL's ``main.py``, with algorithms and environments of ours among the choices.

    EPyMARL merges its ``default.yaml``, the environment's file and the algorithm's, and Sacred refuses
    keys that none of them has.  Ours are therefore resolved here, as our own command line does it, and
    handed over as two complete files.  A name that EPyMARL has is EPyMARL's.

    Args:
        checkout: where EPyMARL is.
        names: what our classes are called there.
    """

    def __init__(self, checkout: Checkout, names: Names) -> None:
        self.checkout, self.names = checkout, names

    def rewrite(self, words: Sequence[str]) -> list[str]:
        """The words for EPyMARL.

        Raises:
            UserError: an unknown name, or a bad key or value of ours.
        """
        rest = list(words)
        chosen = {option: config.take_option(rest, option) for option in OPTIONS}
        alg, env = (self._of_ours(kind, chosen[option]) for option, kind in OPTIONS.items())
        out = {option: f"{option}={name}" for option, name in chosen.items() if name is not None}
        updates = rest[rest.index("with") + 1:] if "with" in rest else []
        if alg is not None:
            if env is None:
                raise UserError(f"--config={chosen['--config']} plays the environments {', '.join(envs.REGISTRY)}, not "
                                f"--env-config={chosen['--env-config']} of EPyMARL.")
            whole = self._named(config.resolve(alg, env, self._ours_of(updates)))
            section = {key: whole.pop(key) for key in ("env", "env_args")}
            out = {"--config": f"--config={_written('alg', whole)}",
                   "--env-config": f"--env-config={_written('env', section)}"}
        elif env is not None:
            game, env_args, _ = config.read_env(env, [word for word in updates if word.startswith("env_args.")])
            section = {"env": game, "env_args": {"map_name": game, **env_args}}
            out["--env-config"] = f"--env-config={_written('env', section)}"
        return [*out.values(), *rest]

    def _of_ours(self, kind: str, name: str | None) -> str | None:
        """What our configuration is asked for if the file ``name`` is ours: a name or a path; else None.

        Raises:
            UserError: nobody has it.
        """
        if name is None:
            return None
        file = self.checkout.config_file(kind, name)
        if file.is_file():
            ours = file.read_text(encoding="utf-8", errors="replace").startswith(MARK)
            return str(file) if ours else None
        theirs = list(self.checkout.names(kind))
        try:
            config.find(kind, name)
        except UserError as error:
            raise UserError(f"{error} EPyMARL has{nearest(name, theirs)}: {', '.join(theirs)}.") from None
        return name

    def _ours_of(self, words: Sequence[str]) -> list[str]:
        """``key=value`` words without those about keys that only EPyMARL has."""
        theirs = yaml.safe_load((self.checkout.source / "config/default.yaml").read_text(encoding="utf-8"))
        ours = config.read_yaml(config.FOLDER / "default.yaml")
        return [word for word in words if not word.startswith("-")
                and not (word.partition("=")[0] in theirs and word.partition("=")[0] not in ours)]

    def _named(self, whole: dict[str, Any]) -> dict[str, Any]:
        """A resolved configuration with EPyMARL's names; an unset seed is Sacred's to draw."""
        for key, names in (("mac", self.names.macs), ("learner", self.names.learners),
                           ("runner", self.names.runners)):
            if whole[key] not in names:
                raise UserError(f"{key}={whole[key]} does not run inside EPyMARL, which has its own; "
                                f"use one of its algorithms with our environments.")
            whole[key] = names[whole[key]]
        return {key: value for key, value in whole.items() if key != "seed" or value is not None}


def _written(name: str, content: Mapping[str, Any]) -> str:
    """A YAML file that lives as long as this process, as EPyMARL wants it: without its ending."""
    folder = Path(tempfile.mkdtemp(prefix="epymarl-cpa-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(dict(content)), encoding="utf-8")
    return str(folder / name)
