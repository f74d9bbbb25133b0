"""Trained teams that can leave, and what of each agent leaves: facts and arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ..agreement.students import Students
from ..build import Team
from ..controllers import Controller
from ..controllers.ar_controller import AutoregressiveMAC
from ..controllers.bcq_controller import BcqMAC
from ..controllers.independent_controller import QMAC, BasicMAC, GreedyMAC, IndependentMAC
from ..controllers.pa_controller import AgreementMAC
from ..controllers.product_controller import ProductMAC
from ..controllers.student_controller import StudentMAC
from ..conventions.network import Conventions
from ..envs import own_args
from ..errors import UserError
from .policy_file import FORMAT, digest
from .sight import ENCODERS

Arrays = dict[str, NDArray[Any]]
#: how teams act that can leave; a class that builds on one of them may act otherwise, so it is not one of them
KINDS: Mapping[type[Controller], str] = {
    BasicMAC: "independent", GreedyMAC: "independent", QMAC: "independent", BcqMAC: "independent",
    AutoregressiveMAC: "chain", AgreementMAC: "students", ProductMAC: "students"}


class LeavingTeam(Team):
    """A team that can be exported, from a checkpoint.

    Attributes:
        kind: how its agents act: ``independent``, ``chain``, ``students`` or ``conventions``.
        draws: whether each draws its own action from its policy, instead of taking the best.

    Raises:
        UserError: there is no whole checkpoint, or it holds none that can be exported.
    """

    def __init__(self, path: str, key: str = "") -> None:
        super().__init__(path, key)
        self.take()

    def take(self) -> None:
        """Finds out how the controller's agents act.

        Raises:
            UserError: in a way that cannot be exported.
        """
        mac = self.mac
        if type(mac) not in KINDS:
            raise UserError(f"{self.folder} was trained with mac={self.config['mac']}, whose agents cannot be "
                            "exported; those that can are of the methods in src/config/algs.")
        if isinstance(mac, StudentMAC) and not mac.taught:
            raise UserError(f"{self.folder} was saved before the students began to learn; take a later checkpoint.")
        self.kind = KINDS[type(mac)]
        if isinstance(mac, AgreementMAC) and mac.conventional:
            self.kind = "conventions"
        self.draws = isinstance(mac, BasicMAC | AutoregressiveMAC | ProductMAC) and not self.config["test_greedy"]

    def check_encoder(self) -> None:
        """Whether there is a counterpart of what the agents see by.

        Raises:
            UserError: there is none.
        """
        if self.mac.encoder.exported not in ENCODERS:
            raise UserError(f"{self.folder} was trained with agent={self.config['agent']}, which has no counterpart in "
                            f"sight.py; those that can be exported are: {', '.join(ENCODERS)}.")

    def facts(self, agent: int) -> dict[str, Any]:
        """Plain facts of one agent, but for what tells the team from others."""
        mac, config, game = self.mac, self.config, self.game
        facts = {"format": FORMAT, "kind": self.kind, "method": config["name"], "agent": agent,
                 "n_agents": game.n_agents, "n_actions": game.n_actions, "action_names": list(game.action_names),
                 "env": config["env"], "env_args": own_args(config["env_args"]), "input": config["policy_input"],
                 "n_seen": mac.encoder.sight.n_observed, "encoder": mac.encoder.exported,
                 "state_levels": config["state_levels"], "obs_last_action": config["obs_last_action"],
                 "obs_agent_id": config["obs_agent_id"],
                 "repeat_limit": mac.repeat_limit if isinstance(mac, AgreementMAC) else 0,
                 "before": agent if self.kind == "chain" else 0, "draws": self.draws, "key_per": "step",
                 "key_numbers": game.n_agents if self.draws else 0, "seed": config["seed"], "t_env": self.t_env,
                 "own_actions": np.flatnonzero(game.possible()[agent]).tolist(),
                 "own_seen": game.own_obs_dim(agent) if config["policy_input"] == "obs" else
                 mac.encoder.sight.n_observed}
        if isinstance(mac, AgreementMAC):
            conventional = mac.conventional
            facts |= {"key_per": "episode" if conventional else config["key_per"], "greedy": config["test_greedy"],
                      "key_numbers": 0 if config["test_greedy"] else mac.key_length, "conventions": conventional}
        elif isinstance(mac, ProductMAC):
            facts |= {"greedy": True, "conventions": False}
        if isinstance(mac, StudentMAC):
            facts |= {"pool_size": config["pool_size"], "key": config["key"], "entry_floor": config["entry_floor"]}
        elif isinstance(mac, BcqMAC) and config["filter_actions"]:
            facts |= {"filter_least": math.log(max(config["bcq_threshold"], 1e-30))}
        elif isinstance(mac, AutoregressiveMAC) and self.draws:
            facts |= {"beta": config["beta"], "beta_mode": config["beta_mode"]}
        return facts

    def arrays(self, agent: int) -> Arrays:
        """Parameters that one agent needs to act, and no other agent's."""
        mac = self.mac
        if isinstance(mac, StudentMAC):
            arrays = arrays_of(mac.agent, agent)
        elif isinstance(mac, AutoregressiveMAC):
            layers = mac.agent.layers_of(agent)
            arrays = named("rows", layers)
            if agent:
                arrays["before.rows"] = plain(mac.agent.given_by(agent))
        else:
            assert isinstance(mac, IndependentMAC)
            arrays = named("rows", mac.agent.layers_of(agent))  # type: ignore[operator]
            if isinstance(mac, BcqMAC) and self.config["filter_actions"]:
                arrays |= named("filter", mac.imitation.layers_of(agent))
        return arrays | {f"encoder.{name}": plain(value) for name, value in mac.encoder.arrays_of(agent).items()}

    def contents(self) -> list[tuple[dict[str, Any], Arrays]]:
        """Facts and arrays of all agents; ``team`` among the facts tells these networks from any others."""
        arrays = [self.arrays(agent) for agent in range(self.game.n_agents)]
        return [({**self.facts(agent), "team": digest_of(arrays)}, own) for agent, own in enumerate(arrays)]

    def digest(self) -> str:
        """What tells this team's networks from any other's."""
        return digest_of([self.arrays(agent) for agent in range(self.game.n_agents)])


class StudentTeam(LeavingTeam):
    """A team of students who agree by a key, from a checkpoint.

    Raises:
        UserError: there is no whole checkpoint, or it holds no such team.
    """

    mac: AgreementMAC

    def __init__(self, path: str, key: str = "") -> None:
        super().__init__(path, key)
        if not isinstance(self.mac, AgreementMAC):
            raise UserError(f"{self.folder} was trained with mac={self.config['mac']}, not as students who agree by a "
                            "key (--config=cpa_pa).")


def arrays_of(students: Students | Conventions, agent: int) -> Arrays:
    """The layers that one student needs, as :mod:`.heads` names them."""
    if isinstance(students, Conventions):
        arrays: Arrays = {f"convention.{name}": plain(value) for name, value in students.part_of(agent).items()}
        return arrays | {"convention.law": students.law().cpu().numpy()}
    own = agent if students.local else 0
    nets = {"entries": students.pool.entry_net.layers_of(own), "head": students.pool.heads.layers_of(agent),
            "shares": students.share_net.layers_of(0)}
    if students.local:  # shares that depend on nothing: no weights, only the bias
        nets["shares"] = [(th.zeros(students.n_input, students.pool.size), nets["shares"][0][1])]
    reader = students.key.read_net()
    if reader is not None:
        nets["key"] = reader.layers_of(0)
    return {name: array for net, layers in nets.items() for name, array in named(net, layers).items()}


def named(net: str, layers: list[tuple[Tensor, Tensor]]) -> Arrays:
    """Layers of a network by their names in a policy file."""
    return {f"{net}.{kind}{i}": plain(value) for i, layer in enumerate(layers)
            for kind, value in zip("wb", layer, strict=True)}


def plain(value: Tensor) -> NDArray[np.float32]:
    """A tensor as an array."""
    array: NDArray[np.float32] = np.ascontiguousarray(value.detach().cpu().numpy())
    return array


def digest_of(team: list[Arrays]) -> str:
    """SHA-256 over all that the agents of a team are made of."""
    return digest({}, {f"{agent}.{name}": array for agent, arrays in enumerate(team) for name, array in arrays.items()})
