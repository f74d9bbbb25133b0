"""From a trained team to one policy file per agent."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch
from ..controllers.pa_controller import AgreementMAC
from ..envs import Game, make_game
from ..errors import UserError
from ..modules.students import Students
from ..utils import checkpoint
from ..utils.files import write_text, write_with
from . import policy

LOADER = Path(policy.__file__)


class Team:
    """A trained ``pa_mac`` controller and its game, from a checkpoint.

    Args:
        path: a run's model folder, or one checkpoint in it.

    Attributes:
        mac, game: controller and rules.
        config: the run's configuration.
        t_env: when the checkpoint was written.

    Raises:
        UserError: there is no whole checkpoint, or it holds no students.
    """

    def __init__(self, path: str) -> None:
        folder = checkpoint.find(path, 0, "the model folder")
        manifest = checkpoint.read_manifest(folder)
        self.config: dict[str, Any] = manifest["config"]
        if self.config.get("mac") != "pa_mac":
            raise UserError(f"{folder} was trained with mac={self.config.get('mac')}; only the students of policy "
                            "agreement (--config=cpa_pa) can act on their own and be exported.")
        self.t_env: int = manifest["t_env"]
        env_args = {key: value for key, value in self.config["env_args"].items() if key not in ("map_name", "seed")}
        self.game: Game = make_game(self.config["env"], **env_args)
        game = self.game
        args = SimpleNamespace(**self.config, n_agents=game.n_agents, n_actions=game.n_actions)
        self.groups = {"agents": game.n_agents}
        self.scheme: dict[str, Any] = {
            "state": {"vshape": game.state_dim}, "obs": {"vshape": game.obs_dim, "group": "agents"},
            "avail_actions": {"vshape": (game.n_actions,), "group": "agents", "dtype": th.int}}
        self.mac = AgreementMAC(self.scheme, self.groups, args)
        checkpoint.load_into(self.mac, folder)
        if not self.mac.taught:
            raise UserError(f"{folder} was saved before the students began to learn; take a later checkpoint.")

    def digest(self) -> str:
        """What tells this team's networks from any other's."""
        return policy.digest({}, {key: value.cpu().numpy() for key, value in self.mac.agent.state_dict().items()})

    def empty_batch(self) -> EpisodeBatch:
        """Room for one episode."""
        return EpisodeBatch(self.scheme, self.groups, 1, self.game.episode_limit + 1)


def export(path: str, out: Path) -> list[Path]:
    """Writes ``agent_<i>.npz`` for every agent, and ``policy.py``, which reads and runs them.

    A file holds what this agent needs and no other agent's head.

    Args:
        path: a run's model folder, or one checkpoint in it.
        out: folder to write to, made if needed.

    Raises:
        UserError: no students there, or the folder cannot be written.
    """
    team = Team(path)
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = [out / f"agent_{agent}.npz" for agent in range(team.game.n_agents)]
        for agent, file in enumerate(files):
            content = _content(team, agent)
            write_with(file, lambda target, content=content: target.write(content))  # type: ignore[misc]
        for file in out.glob("agent_*.npz"):
            if file not in files:  # of a larger team that was here before
                file.unlink()
        write_text(out / LOADER.name, LOADER.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the policies cannot be written to {out} ({error.strerror}).") from None
    return files


def _content(team: Team, agent: int) -> bytes:
    """The bytes of one agent's file."""
    students, config, game = team.mac.agent, team.config, team.game
    meta = {"format": policy.FORMAT, "agent": agent, "n_agents": game.n_agents, "n_actions": game.n_actions,
            "action_names": list(game.action_names), "env": config["env"],
            "env_args": {key: value for key, value in config["env_args"].items() if key not in ("map_name", "seed")},
            "input": config["policy_input"], "n_seen": game.obs_dim if students.local else game.state_dim,
            "state_levels": config["state_levels"], "pool_size": students.pool.size, "key": config["key"],
            "key_per": config["key_per"], "key_numbers": students.key.numbers, "entry_floor": config["entry_floor"],
            "greedy": config["test_greedy"], "seed": config["seed"], "t_env": team.t_env, "team": team.digest()}
    arrays, buffer = arrays_of(students, agent), io.BytesIO()
    np.savez(buffer, meta=np.array(json.dumps(meta)), digest=np.array(policy.digest(meta, arrays)),
             **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def arrays_of(students: Students, agent: int) -> dict[str, NDArray[np.float32]]:
    """The layers that one agent needs, as :class:`policy.Policy` names them."""
    own = agent if students.local else 0
    nets = {"entries": students.pool.entry_net.layers_of(own), "head": students.pool.heads.layers_of(agent),
            "shares": students.share_net.layers_of(0)}
    if students.local:  # shares that depend on nothing: no weights, only the bias
        nets["shares"] = [(th.zeros(students.n_input, students.pool.size), nets["shares"][0][1])]
    reader = students.key.read_net()
    if reader is not None:
        nets["key"] = reader.layers_of(0)
    return {f"{net}.{kind}{i}": _array(value) for net, layers in nets.items()
            for i, layer in enumerate(layers) for kind, value in zip("wb", layer, strict=True)}


def _array(value: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = np.ascontiguousarray(value.cpu().numpy())
    return array
