"""Our learners as EPyMARL's loop drives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..components.episode_buffer import EpisodeBatch
from ..learners.base import Learner
from ..utils import checkpoint


@cache
def hosted(cls: type[Learner]) -> type[Learner]:
    """The learner ``cls`` for a loop that asks for an update after every call of the runner.

    At a ``t_env`` that it has learned at it does nothing: the loop goes round once more than there are
    updates, which is when the offline runner ends the run.  What it saves is a checkpoint of ours,
    which can teach students, be exported and be evaluated outside EPyMARL.
    """

    class Hosted(cls):  # type: ignore[valid-type, misc]
        learned_at = -1

        def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
            if t_env != self.learned_at:
                self.learned_at = t_env
                super().train(batch, t_env, episode_num)

        def save_models(self, path: str) -> None:
            """Writes the learner's files and their manifest."""
            super().save_models(path)
            checkpoint.seal(Path(path), self.learned_at, {"game": getattr(self.args, "game_spec", {}),
                                                          "config": _plain(vars(self.args))})

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
