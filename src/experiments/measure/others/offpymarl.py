"""ICQ of offpymarl (https://github.com/zzq-bot/offline-marl-framework-offpymarl), as it is there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


class Quiet:
    """In place of their logger."""

    def log_stat(self, *args: object, **kwargs: object) -> None:
        """Keeps nothing."""


def build(folder: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[Callable[[], None], float]:
    """One call of their ``train`` on a batch; arguments as everywhere here."""
    source = folder / "src"
    sys.path.insert(0, str(source))
    controllers = importlib.import_module("controllers.basic_controller")
    learners = importlib.import_module("learners.icq_learner")
    buffers = importlib.import_module("components.offline_buffer")
    import torch as th
    import yaml

    th.set_num_threads(1)
    settings: dict[str, Any] = {}
    for file in ("default", "algs/icq"):
        settings |= yaml.safe_load((source / f"config/{file}.yaml").read_text())
    n_agents, n_actions, n_state = arrays["actions"].shape[-1], arrays["available"].shape[-1], arrays["state"].shape[-1]
    args = SimpleNamespace(**{**settings, "n_agents": n_agents, "n_actions": n_actions, "state_shape": n_state,
                              "use_cuda": False, "device": "cpu"})
    scheme = {"state": {"vshape": n_state}, "obs": {"vshape": n_state}, "actions_onehot": {"vshape": (n_actions,)}}
    learner = learners.ICQLearner(controllers.BasicMAC(scheme, {"agents": n_agents}, args), scheme, Quiet(), args)
    state, actions, size = th.from_numpy(arrays["state"]), th.from_numpy(arrays["actions"]), args.offline_batch_size
    whole = {"state": state, "obs": state[:, :, None].expand(-1, -1, n_agents, -1), "actions": actions[..., None],
             "actions_onehot": th.nn.functional.one_hot(actions, n_actions).float(),
             "avail_actions": th.from_numpy(arrays["available"]).int(),
             "reward": th.from_numpy(arrays["reward"])[..., None],
             "terminated": th.from_numpy(arrays["terminated"])[..., None].to(th.uint8),
             "filled": th.from_numpy(arrays["filled"])[..., None].long()}

    def update() -> None:
        rows = np.random.choice(len(actions), size, replace=False)
        length = int(whole["filled"][rows].sum(1).max())
        batch = buffers.OfflineDataBatch({name: value[rows] for name, value in whole.items()}, size, length)
        learner.train(batch, 1, 0)

    return update, float(about["steps"]) * size
