"""Series and models in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError, one_line
from . import REGISTRY
from .base import Observer, RunStart

PROJECT = "epymarl-cpa"


@REGISTRY.register("wandb")
class WandbObserver(Observer):
    """Records in ``wandb`` in the folder of results, and sends it if ``wandb_mode=online`` (key ``use_wandb``).

    A resumed run goes on under the same id.
    """

    _run: Any = None

    @classmethod
    def check(cls) -> None:
        _library()

    def start(self, run: RunStart) -> None:
        config, wandb = run.config, _library()
        self._saves, self._name = bool(config["wandb_save_model"]), run.name
        run.results.mkdir(parents=True, exist_ok=True)
        try:
            self._run = wandb.init(
                entity=config["wandb_team"], project=config["wandb_project"] or PROJECT, mode=config["wandb_mode"],
                name=run.name, id=run.name, resume="allow", group=str(config["name"]), config=dict(config),
                dir=str(run.results), settings=wandb.Settings(console="off", silent=True))  # our words are ours
        except wandb.Error as error:
            raise UserError(f"use_wandb=true cannot begin a run ({one_line(error)}); log in with `wandb "
                            "login`, or set wandb_mode=offline.") from None

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        self._run.log({**values, "t_env": t_env}, step=t_env)

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        self.evaluation(t_env, values)

    def checkpoint(self, t_env: int, folder: Path) -> None:
        if self._saves:
            artifact = _library().Artifact(self._name, type="model", metadata={"t_env": t_env})
            for file in sorted(folder.iterdir()):  # add_dir would talk
                artifact.add_file(str(file), name=file.name)
            self._run.log_artifact(artifact)

    def end(self, result: Mapping[str, Any]) -> None:
        if self._run is not None:
            self._run.summary.update({key: value for key, value in result.items() if isinstance(value, int | float)})
            self._run.finish(exit_code=0 if result else 1)


def _library() -> Any:
    try:
        import wandb
    except ImportError:
        raise UserError("use_wandb=true needs Weights & Biases: pip install 'epymarl-cpa[wandb]'.") from None
    return wandb
