"""Oryx by its authors (https://github.com/instadeepai/og-marl, in JAX), in their network, with their settings."""

from __future__ import annotations

import copy
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

UPDATES = 5  # in one call: their updates are one compiled loop


def build(folder: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[Callable[[], None], float]:
    """Some updates of theirs in one compiled call; arguments as everywhere here."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sys.path.insert(0, str(folder))
    jax = importlib.import_module("jax")
    optax = importlib.import_module("optax")
    buffers = importlib.import_module("flashbax")
    omegaconf = importlib.import_module("omegaconf").OmegaConf
    oryx = importlib.import_module("og_marl.baselines.jax_systems.offline.discrete_oryx")
    configs = folder / "og_marl/baselines/jax_systems/offline/configs"
    data = _stream(arrays)
    n_agents, n_actions = data["actions"].shape[-1], data["infos"]["legals"].shape[-1]
    config = omegaconf.create({"system": omegaconf.load(configs / "system/oryx/oryx.yaml"),
                               "network": omegaconf.load(configs / "network/rec_retention.yaml")})
    system = config.system
    system.num_agents, system.num_actions, system.num_updates_per_eval = n_agents, n_actions, UPDATES
    system.env_name = about["env"]
    config.network.memory_config.chunk_size = system.sample_sequence_length * n_agents
    network = oryx.OryxNetwork(n_agents=n_agents, n_agents_per_chunk=n_agents, action_dim=n_actions,
                               net_config=config.network.net_config, memory_config=config.network.memory_config,
                               action_space_type=oryx.get_action_head("discrete")[1])
    optimiser = optax.chain(optax.clip_by_global_norm(system.max_grad_norm), optax.adam(system.lr, eps=1e-8))
    state = oryx.map_og_marl_to_transition({"num_agents": n_agents}, SimpleNamespace(experience=data))
    one = jax.tree.map(lambda value: value[:, 0], state.experience.obs)
    key = jax.random.PRNGKey(0)
    hidden = jax.tree.map(lambda value: value[:1], oryx.get_init_hidden_state(config.network.net_config, 1))
    online = network.init(key, one, hidden, key, method="get_actions")
    steps = data["actions"].shape[1]
    buffer = buffers.make_trajectory_buffer(
        sample_sequence_length=system.sample_sequence_length, period=1, add_batch_size=1,
        sample_batch_size=system.sample_batch_size, max_length_time_axis=steps, min_length_time_axis=steps)
    learn = jax.jit(oryx.get_learner_fn((partial(network.apply, method="get_actions"), network.apply), optimiser.update,
                                        buffer, config))
    params = oryx.Params(online, copy.deepcopy(online))
    learned = oryx.LearnerState(params=params, opt_states=optimiser.init(online), key=key, buffer_state=state,
                                steps=jax.numpy.zeros(1))

    def update() -> None:
        nonlocal learned
        learned = jax.block_until_ready(learn(learned).learner_state)

    update()
    return update, float(UPDATES * system.sample_batch_size * system.sample_sequence_length)


def _stream(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """All recorded steps one after the other, ``[1, time, N, ...]``, as their data are kept."""
    acted = arrays["filled"].copy()
    acted[:, :-1] &= arrays["filled"][:, 1:]
    acted[:, -1] = False
    n_agents = arrays["actions"].shape[-1]

    def each(value: Any) -> Any:
        return np.repeat(value[acted][None, :, None], n_agents, 2)

    return {"observations": each(arrays["state"]), "actions": arrays["actions"][acted][None],
            "rewards": each(arrays["reward"]), "terminals": each(arrays["terminated"].astype(np.float32)),
            "infos": {"legals": arrays["available"][acted][None]}}
