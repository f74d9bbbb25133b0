"""AlberDICE by its authors (https://github.com/dematsunaga/alberdice), in their networks, with their settings."""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

EPISODES = 1000  # of the data, which their loader goes through step by step


class Quiet:
    """In place of their logger."""

    def log_stat(self, *args: object, **kwargs: object) -> None:
        """Keeps nothing."""


def build(folder: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[Callable[[], None], float]:
    """One call of their ``train``, which updates every agent once on one batch; arguments as everywhere here."""
    source = folder / "pymarl-master/src"
    sys.path.insert(0, str(source))
    buffers = importlib.import_module("components.episode_buffer")
    transforms = importlib.import_module("components.transforms")
    controllers = importlib.import_module("controllers.basic_controller")
    learners = importlib.import_module("learners.alberdice_learner")
    import torch as th
    import yaml

    th.set_num_threads(1)
    settings: dict[str, Any] = {}
    for file in ("default", "envs/bridge", "algs/alberdice"):
        settings |= yaml.safe_load((source / f"config/{file}.yaml").read_text())
    data = {name: value[:EPISODES] for name, value in arrays.items()}
    episodes, entries, n_agents = data["actions"].shape
    n_state, n_actions = data["state"].shape[-1], data["available"].shape[-1]
    args = SimpleNamespace(**{
        **settings, "n_agents": n_agents, "n_actions": n_actions, "agent": "sep_mlp", "device": "cpu",
        "use_cuda": False, "state_shape": n_state, "obs_shape": n_state,
        "batch_size": min(episodes, 128 if about["env"] == "bridge" else 32), "env": about["env"]})
    extra = int(args.absorbing_state)
    scheme = {"state": {"vshape": n_state + extra}, "obs": {"vshape": n_state + extra, "group": "agents"},
              "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
              "avail_actions": {"vshape": (n_actions,), "group": "agents", "dtype": th.int},
              "reward": {"vshape": (1,)}, "terminated": {"vshape": (1,), "dtype": th.uint8}}
    groups = {"agents": n_agents}
    buffer = buffers.ReplayBuffer(scheme, groups, episodes, entries, 1,
                                  preprocess={"actions": ("actions_onehot", [transforms.OneHot(out_dim=n_actions)])},
                                  absorbing_state=args.absorbing_state)
    with tempfile.TemporaryDirectory() as place:
        _write(Path(place), data)
        buffer.load(f"{place}/", episodes)
    macs = [controllers.BasicMAC(buffer.scheme, groups, args, **kind) for kind in
            ({}, {"data_policy": True}, {"data_policy": True, "autoregressive": True})]
    learner = learners.AlberDiceLearner(*macs, buffer.scheme, Quiet(), args)

    def sample() -> Any:
        batch = buffer.sample(args.batch_size)
        return batch[:, : batch.max_t_filled()]

    def update() -> None:
        learner.train(sample, 1, 0)  # not 0: at which they would write statistics

    update()
    return update, float(about["steps"]) * args.batch_size


def _write(folder: Path, data: Mapping[str, Any]) -> None:
    """The data set as the folder of arrays that their loader reads."""
    actions, n_agents = data["actions"], data["actions"].shape[-1]
    acted = data["filled"].copy()
    acted[:, :-1] &= data["filled"][:, 1:]  # the last entry of an episode is a state without an action
    acted[:, -1] = False
    onehot = np.eye(data["available"].shape[-1], dtype=np.float32)[actions] * acted[..., None, None]
    files = {"state": data["state"], "obs": np.repeat(data["state"][:, :, None], n_agents, 2),
             "actions": (actions * acted[..., None])[..., None], "actions_onehot": onehot,
             "avail_actions": data["available"].astype(np.int32), "reward": data["reward"][..., None],
             "terminated": data["terminated"][..., None].astype(np.uint8),
             "filled": data["filled"][..., None].astype(np.int64)}
    for name, value in files.items():
        np.save(folder / f"{name}.npy", value)
    meta = {"buffer_index": 0, "episodes_in_buffer": len(actions), "buffer_size": len(actions)}
    (folder / "meta.json").write_text(json.dumps(meta))
