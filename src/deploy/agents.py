"""Exported agents as processes of their own."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import UserError
from ..utils.process import python_module
from .policy import Policy, PolicyError
from .policy_file import kind_of

PATIENCE = 60  # seconds
OWN = ("agent", "before", "own_actions", "own_seen")  # facts in which agents of one team differ
LOADER = Policy.__module__


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
        self._process = subprocess.Popen([*python_module(LOADER), str(file)], stdin=subprocess.PIPE,
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
        if {**meta, **dict.fromkeys(OWN)} != {**first, **dict.fromkeys(OWN)}:
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
        self.chained = kind_of(self.meta) == "chain"
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
        """Gives each agent its seed and compares their commitments, if anything is drawn from it.

        Raises:
            UserError: the seeds differ.
        """
        for agent, seed in zip(self.agents, seeds, strict=True):
            agent.tell({"seed": int(seed)})
        said = [agent.answer()["commitment"] for agent in self.agents]
        others = [str(i) for i, word in enumerate(said) if word != said[0]]
        if others and self.meta["key_numbers"]:
            raise UserError(f"agent 0 and agent {', '.join(others)} were started with different seeds: they would draw "
                            "different agreement keys and play parts of different joint actions. Give all the same.")

    def act(self, seen: Any, available: Any, episode: int, step: int) -> list[int]:
        """All agents' actions; each is told what it sees (``seen[i]``), and where it acts after others what they do,
        and no more."""
        actions: list[int] = []
        for i, agent in enumerate(self.agents):
            asked = {"seen": seen[i].tolist(), "available": available[i].tolist(), "episode": episode, "step": step}
            agent.tell({**asked, "before": actions} if self.chained else asked)
            if self.chained:
                actions.append(agent.answer())
        return actions if self.chained else [agent.answer() for agent in self.agents]
