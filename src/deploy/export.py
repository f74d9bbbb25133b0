"""From a trained team to one policy file per agent."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ..agreement import key
from ..agreement.students import Students
from ..build import Team
from ..controllers.pa_controller import AgreementMAC
from ..conventions.network import Conventions
from ..envs import own_args
from ..errors import UserError
from ..utils.files import write_text, write_with
from . import policy, policy_file

SHIPPED = (Path(policy.__file__), Path(policy_file.__file__), Path(key.__file__))  # what exported agents run


class StudentTeam(Team):
    """A team of students, from a checkpoint.

    Raises:
        UserError: there is no whole checkpoint, or it holds no students who agree by a key, or none that can be
            exported.
    """

    mac: AgreementMAC

    def __init__(self, path: str, key: str = "") -> None:
        super().__init__(path, key)
        if not isinstance(self.mac, AgreementMAC):
            raise UserError(f"{self.folder} was trained with mac={self.config['mac']}; only the students of policy "
                            "agreement (--config=cpa_pa) can act on their own and be exported.")
        if not self.mac.taught:
            raise UserError(f"{self.folder} was saved before the students began to learn; take a later checkpoint.")

    def digest(self) -> str:
        """What tells this team's networks from any other's."""
        nets = {**self.mac.agent.state_dict(), **{f"encoder.{key}": value for key, value in
                                                  self.mac.encoder.state_dict().items()}}
        return policy.digest({}, {key: value.cpu().numpy() for key, value in nets.items()})


def export(path: str, out: Path, key: str = "") -> list[Path]:
    """Writes ``agent_<i>.npz`` for every agent, and the programs that read and run them (:data:`SHIPPED`).

    A file holds what this agent needs and no other agent's head.

    Args:
        path: a run's model folder, or one checkpoint in it.
        out: folder to write to, made if needed.
        key: see :class:`..build.Team`.

    Raises:
        UserError: no students there, or the folder cannot be written.
    """
    team = StudentTeam(path, key)
    _check_encoder(team)
    try:
        out.mkdir(parents=True, exist_ok=True)
        files = [out / f"agent_{agent}.npz" for agent in range(team.game.n_agents)]
        for agent, file in enumerate(files):
            content = _content(team, agent)
            write_with(file, lambda target, content=content: target.write(content))  # type: ignore[misc]
        for file in out.glob("agent_*.npz"):
            if file not in files:  # of a larger team that was here before
                file.unlink()
        for source in SHIPPED:
            write_text(out / source.name, source.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the policies cannot be written to {out} ({error.strerror}).") from None
    return files


def _check_encoder(team: StudentTeam) -> None:
    if team.mac.encoder.exported not in policy.ENCODERS:
        raise UserError(f"{team.folder} was trained with agent={team.config['agent']}, which has no counterpart in "
                        f"{SHIPPED[0].name}; those that can be exported are: {', '.join(policy.ENCODERS)}.")


def _content(team: StudentTeam, agent: int) -> bytes:
    """The bytes of one agent's file."""
    students, config, game = team.mac.agent, team.config, team.game
    meta = {"format": policy.FORMAT, "agent": agent, "n_agents": game.n_agents, "n_actions": game.n_actions,
            "action_names": list(game.action_names), "env": config["env"],
            "env_args": own_args(config["env_args"]),
            "input": config["policy_input"], "n_seen": team.mac.encoder.sight.n_observed,
            "encoder": team.mac.encoder.exported, "state_levels": config["state_levels"],
            "obs_last_action": config["obs_last_action"], "obs_agent_id": config["obs_agent_id"],
            "repeat_limit": config["repeat_limit"] if team.mac.conventional else 0,
            "pool_size": config["pool_size"], "key": config["key"], "conventions": team.mac.conventional,
            "key_per": "episode" if team.mac.conventional else config["key_per"],
            "key_numbers": team.mac.key_length, "entry_floor": config["entry_floor"],
            "greedy": config["test_greedy"], "seed": config["seed"], "t_env": team.t_env, "team": team.digest()}
    arrays, buffer = arrays_of(students, agent), io.BytesIO()
    arrays |= {f"encoder.{name}": _array(value) for name, value in team.mac.encoder.arrays_of(agent).items()}
    np.savez(buffer, meta=np.array(json.dumps(meta)), digest=np.array(policy.digest(meta, arrays)),
             **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def arrays_of(students: Students | Conventions, agent: int) -> dict[str, NDArray[Any]]:
    """The layers that one agent needs, as :class:`policy.Policy` names them."""
    if isinstance(students, Conventions):
        arrays = {f"convention.{name}": _array(value) for name, value in students.part_of(agent).items()}
        return arrays | {"convention.law": students.law().cpu().numpy()}
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
