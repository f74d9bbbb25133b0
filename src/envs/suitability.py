"""What would be played and learned from without sense: opponents as one team, pictures as flat vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from gymnasium import spaces

from ..errors import UserError

LARGE = 10_000  # values of a picture that a dense network can still take


def check_team(key: str, env: Any, agents: Sequence[str]) -> None:
    """Refuses environments whose agents play against one another, as far as they say so.

    The agents of MPE say it themselves; others by their names.  Rewards that cancel out are found in data.

    Args:
        key: of the environment, for messages.
        env: the environment.
        agents: their names.

    Raises:
        UserError: naming two of them.
    """
    world = getattr(getattr(env, "unwrapped", env), "world", None)
    sides = [bool(getattr(agent, "adversary", False)) for agent in getattr(world, "agents", None) or ()]
    if len(sides) != len(agents):
        sides = ["adversary" in str(agent).lower() for agent in agents]  # names may be numbers
    if any(sides) and not all(sides):
        one, other = agents[sides.index(True)], agents[sides.index(False)]
        raise UserError(f"'{one}' and '{other}' of {key} play against each other, but here all agents are one team "
                        "that is paid together. Take an environment in which all want the same, or a function of your "
                        "own in which one side acts by itself, with env_args.key=<module>:<function>.")


def check_size(key: str, agent: str, space: Any) -> None:
    """Refuses observations that are pictures too large to be flattened.

    Raises:
        UserError: saying how large, and how to make them smaller.
    """
    for shape in _pictures(space):
        raise UserError(f"the observations of '{agent}' in {key} are pictures of {' x '.join(map(str, shape))}, "
                        f"{prod(shape):,} values each, but networks here see vectors; pictures may have {LARGE:,} at "
                        "most. Make them smaller in a function of your own, such as with color_reduction_v0 and "
                        "resize_v1 of the package supersuit, and name it with env_args.key=<module>:<function>.")


def is_large_picture(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array is a picture that is too large to be flattened."""
    return array.ndim > 1 and array.size > LARGE


def _pictures(space: Any) -> Iterator[tuple[int, ...]]:
    """Shapes of the large pictures in a space."""
    if isinstance(space, spaces.Box) and len(space.shape) > 1 and prod(space.shape) > LARGE:
        yield space.shape
    elif isinstance(space, spaces.Dict | spaces.Tuple):
        for inner in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
            yield from _pictures(inner)
