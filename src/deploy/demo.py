"""A game played by N separate processes that never hear from one another."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import torch as th

from ..envs import REGISTRY, Game, make_game, ours
from ..envs.game import IntArray
from ..envs.trust import check_files
from ..errors import UserError
from ..settings import check_env_args
from .export import StudentTeam
from .policy import Policy, PolicyError

PATIENCE = 60  # seconds
LOADER = Policy.__module__


class Played(NamedTuple):
    """What happened.

    Attributes:
        returns: of the episodes, undiscounted.
        steps: number of joint actions.
        distinct: number of different joint actions.
        agreed: joint actions equal to the controller's in the training process, if that was asked.
    """

    returns: list[float]
    steps: int
    distinct: int
    agreed: int | None


class Agent:
    """One agent in a process of its own, which runs this package's ``policy.py`` with a policy file, and nothing else.

    Args:
        file: the policy file.

    Raises:
        UserError: the file is missing or damaged.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        # In a session of its own, so that Ctrl-C reaches only the process that plays, which then ends the agents.
        self._process = subprocess.Popen([sys.executable, "-m", LOADER, str(file)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                         start_new_session=True)

    def tell(self, message: dict[str, Any]) -> None:
        """Sends one line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError:
            self._fail()

    def answer(self) -> Any:
        """Waits for the next line, but not for ever."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            raise UserError(f"the agent of {self.file} has said nothing for {PATIENCE} seconds.")
        line = self._process.stdout.readline()
        if not line:
            self._fail()
        return json.loads(line)

    def _fail(self) -> None:
        self._process.wait()
        said = self._process.stderr.read().strip() if self._process.stderr else ""
        raise UserError(f"the agent of {self.file} has ended: {said.removeprefix('Error: ') or 'without a word'}")

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()


def team_in(folder: Path) -> tuple[list[Path], dict[str, Any]]:
    """The policy files of a folder, one for each agent of a team in their order, and the facts of the first.

    Raises:
        UserError: files are missing or damaged, or belong to different teams.
    """
    files = sorted(folder.glob("agent_*.npz"), key=lambda file: (len(file.name), file.name))
    if not files:
        raise UserError(f"{folder} holds no policy files (agent_0.npz, ...); make them with: "
                        "python -m epymarl_cpa.deploy export <model folder> --out=<folder>")
    try:
        metas = [Policy.load(file).meta for file in files]
    except PolicyError as error:
        raise UserError(str(error)) from None
    first = metas[0]
    if [meta["agent"] for meta in metas] != list(range(first["n_agents"])):
        raise UserError(f"{folder} holds {len(files)} of the {first['n_agents']} agents of a team; "
                        "export them together again.")
    for file, meta in zip(files, metas, strict=True):
        if {**meta, "agent": 0} != {**first, "agent": 0}:
            raise UserError(f"{file} belongs to another team than {files[0]}; export them together.")
    return files, first


class Agents:
    """All agents of a folder, as processes; a context manager that ends them.

    Args:
        folder: with ``agent_<i>.npz``.

    Raises:
        UserError: files are missing or damaged, or belong to different teams.
    """

    def __init__(self, folder: Path) -> None:
        files, self.meta = team_in(folder)
        self.agents: list[Agent] = []
        try:
            for file in files:
                self.agents.append(Agent(file))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Agents:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends all processes."""
        for agent in self.agents:
            agent.close()

    def agree(self, seeds: Sequence[int]) -> None:
        """Gives each agent its seed and compares their commitments.

        Raises:
            UserError: the seeds differ.
        """
        for agent, seed in zip(self.agents, seeds, strict=True):
            agent.tell({"seed": int(seed)})
        said = [agent.answer()["commitment"] for agent in self.agents]
        others = [str(i) for i, word in enumerate(said) if word != said[0]]
        if others:
            raise UserError(f"agent 0 and agent {', '.join(others)} were started with different seeds: they would draw "
                            "different agreement keys and play parts of different joint actions. Give all the same.")

    def act(self, seen: Any, available: Any, episode: int, step: int) -> list[int]:
        """All agents' actions; each is told what it sees (``seen[i]``) and no more."""
        for i, agent in enumerate(self.agents):
            agent.tell({"seen": seen[i].tolist(), "available": available[i].tolist(), "episode": episode, "step": step})
        return [agent.answer() for agent in self.agents]


def play(folder: Path, seeds: Sequence[int], steps: int, model: str | None = None, key: str = "") -> Played:
    """Plays whole episodes with one process per agent until ``steps`` joint actions have been played.

    Args:
        folder: of the policy files.
        seeds: one for all agents, or one each; the first also seeds the game.
        steps: at least this many joint actions.
        model: model folder that the policies were exported from; its controller chooses beside them.
        key: see :class:`..build.Team`.

    Raises:
        UserError: anything missing, damaged, or started with different seeds.
    """
    with Agents(folder) as team:
        n = len(team.agents)
        if len(seeds) not in (1, n):
            raise UserError(f"--seed takes one seed for all, or one for each of the {n} agents, not {len(seeds)}.")
        team.agree([*seeds] if len(seeds) == n else [*seeds] * n)
        beside = None if model is None else _Beside(model, seeds[0], team.meta, key)
        game = beside.team.game if beside is not None else game_of(team.meta)
        rng = np.random.default_rng(seeds[0])
        returns: list[float] = []
        seen_actions: set[tuple[int, ...]] = set()
        played = agreed = 0
        while played < steps:
            state, done, step = game.initial(1, rng), False, 0
            returns.append(0.0)
            while not done:
                seen = game.observe(state)[0] if team.meta["input"] == "obs" else [game.global_state(state)[0]] * n
                available = game.available(state)[0]
                actions = team.act(seen, available, len(returns) - 1, step)
                if beside is not None:
                    agreed += beside.actions(state, step) == actions
                    beside.played(actions, step)
                after = game.transition(state, np.array([actions]), rng)
                returns[-1] += float(after.reward[0])
                state, done, step, played = after.state, bool(after.done[0]), step + 1, played + 1
                seen_actions.add(tuple(actions))
    return Played(returns, played, len(seen_actions), None if beside is None else agreed)


def game_of(meta: dict[str, Any]) -> Game:
    """The game that the policies were trained for.

    Raises:
        UserError: it is an environment of another package, which policy files alone must not have imported.
    """
    if meta["env"] not in ours():
        raise UserError(f"these policies play {meta['env_args'].get('key')} of another package, which would be "
                        "imported on their word alone; name the run that they were exported from with --model.")
    env_args = check_env_args(meta["env"], REGISTRY[meta["env"]], meta["env_args"])
    if env_args.get("n_agents", meta["n_agents"]) != meta["n_agents"]:
        raise UserError(f"these policies are for {meta['n_agents']} agents, but say n_agents={env_args['n_agents']} of "
                        "their game.")
    check_files(meta["env"], env_args, "a policy file")
    return make_game(meta["env"], **env_args)


class _Beside:
    """The controller of the training process, asked the same questions."""

    def __init__(self, model: str, seed: int, meta: dict[str, Any], key: str = "") -> None:
        self.team = StudentTeam(model, key)
        if self.team.digest() != meta["team"]:
            raise UserError(f"{model} is not the model that these policies were exported from.")
        self.team.mac.seed_with(seed)
        self.batch = self.team.empty_batch()

    def actions(self, state: IntArray, step: int) -> list[int]:
        if step == 0:
            self.team.mac.init_hidden(1)
        self.team.seen(state, self.batch, step)
        with th.no_grad():
            return list(self.team.mac.select_actions(self.batch, step, 0, test_mode=True)[0].tolist())

    def played(self, actions: list[int], step: int) -> None:
        """What was really played at the step, which agents may see at the next."""
        self.batch.update({"actions": np.array(actions)[None, :, None]}, ts=step)
