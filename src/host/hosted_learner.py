"""Our learners as EPyMARL's loop drives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch as th

from ..components.episode_buffer import EpisodeBatch
from ..learners.base import Learner
from ..utils import checkpoint
from .names import own_config


@cache
def hosted(cls: Any) -> type[Learner]:
    """The learner ``cls`` for a loop that asks for an update after every call of the runner.

    At a ``t_env`` that it has learned at it does nothing: the loop goes round once more than there are
    updates, which is when the offline runner ends the run.  What it saves is a checkpoint of ours,
    which can teach students, be exported, and be evaluated and continued outside EPyMARL.
    """

    class Hosted(cls):  # type: ignore[misc]  # one of our learners
        learned_at = -1

        def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
            if t_env != self.learned_at:
                self.learned_at = t_env
                super().train(batch, t_env, episode_num)

        def save_models(self, path: str) -> None:
            """Writes the learner's files, the runner's state and their manifest."""
            runner = self.args.hosted_by
            state = {"runner": runner.state_dict(), "episode": 0, "torch": th.get_rng_state()}
            data = {"source": runner.dataset.source, "digest": runner.dataset.digest}
            facts = {"game": self.args.game_spec, "config": _plain(own_config(vars(self.args))), "dataset": data}
            super().save_models(path)
            th.save(state, Path(path) / "run.th")
            checkpoint.seal(Path(path), runner.t_env, facts)

        def load_models(self, path: str) -> None:
            """Loads a checkpoint of ours, with the runner's state if the run goes on.

            Raises:
                UserError: it is damaged, of another game or of other networks.
            """
            folder, args = Path(path), self.args
            checkpoint.check(checkpoint.read_manifest(folder), folder, args.game_spec, own_config(vars(args)))
            super().load_models(path)
            if not args.evaluate:
                state = checkpoint.load_run_state(folder)
                args.hosted_by.load_state_dict(state["runner"])
                th.set_rng_state(state["torch"])

    Hosted.__name__ = Hosted.__qualname__ = cls.__name__
    return Hosted


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of the arguments is JSON."""
    return {key: value for key, value in config.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
