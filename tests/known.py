"""Games that only tests know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from epymarl_cpa.envs import REGISTRY
from epymarl_cpa.envs.game import Game


@contextmanager
def known_game(cls: type[Game], yaml: str, folder: Path) -> Iterator[str]:
    """The game is known inside the ``with`` block, by the environment file whose path this gives."""
    file = folder / f"{cls.name}.yaml"
    file.write_text(yaml)
    REGISTRY[cls.name] = cls
    try:
        yield str(file)
    finally:
        del REGISTRY[cls.name]
