"""MAICQ by its authors (https://github.com/YiqinYang/ICQ, ``ICQ-MA``), in their networks, with their settings."""

from __future__ import annotations

import importlib
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

BATCH = 32  # episodes, as in their loop


class Quiet:
    """In place of their logger."""

    console_logger = logging.getLogger("quiet")

    def log_stat(self, *args: object, **kwargs: object) -> None:
        """Keeps nothing."""


def build(folder: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[Callable[[], None], float]:
    """Their critics' update and their agents' on one batch; arguments as everywhere here."""
    source = folder / "ICQ-MA/src" if (folder / "ICQ-MA").is_dir() else folder / "src"
    sys.path.insert(0, str(source))
    controllers = importlib.import_module("controllers.basic_controller")
    learners = importlib.import_module("learners.offpg_learner")
    import torch as th
    import yaml

    th.set_num_threads(1)
    settings: dict[str, Any] = {}
    for file in ("default", "algs/offpg_smac"):
        settings |= yaml.safe_load((source / f"config/{file}.yaml").read_text())
    n_agents, n_actions, n_state = arrays["actions"].shape[-1], arrays["available"].shape[-1], arrays["state"].shape[-1]
    args = SimpleNamespace(**{**settings, "n_agents": n_agents, "n_actions": n_actions, "state_shape": n_state,
                              "use_cuda": False, "device": "cpu"})
    scheme = {"state": {"vshape": n_state}, "obs": {"vshape": n_state}, "actions_onehot": {"vshape": (n_actions,)}}
    mac = controllers.BasicMAC(scheme, {"agents": n_agents}, args)
    learner = learners.OffPGLearner(mac, scheme, Quiet(), args)
    state = th.from_numpy(arrays["state"])
    actions = th.from_numpy(arrays["actions"])
    whole = {"state": state, "obs": state[:, :, None].expand(-1, -1, n_agents, -1), "actions": actions[..., None],
             "actions_onehot": th.nn.functional.one_hot(actions, n_actions).float(),
             "avail_actions": th.from_numpy(arrays["available"]).int(),
             "reward": th.from_numpy(arrays["reward"])[..., None],
             "terminated": th.from_numpy(arrays["terminated"])[..., None].to(th.uint8),
             "filled": th.from_numpy(arrays["filled"])[..., None].long()}
    log: dict[str, Any] = defaultdict(list)

    def update() -> None:
        rows = np.random.choice(len(actions), BATCH, replace=False)
        length = int(whole["filled"][rows].sum(1).max())
        batch: dict[str, Any] = {name: value[rows][:, :length] for name, value in whole.items()}
        batch |= {"batch_size": BATCH, "max_seq_length": length}
        learner.train_critic(batch, best_batch=None, log=log, t_env=0)
        learner.train(batch, 0, log)
        log.clear()

    update()
    return update, float(about["steps"]) * BATCH
