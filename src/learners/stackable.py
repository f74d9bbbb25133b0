"""What learners may do so that several seeds of theirs can be trained as one."""

from __future__ import annotations

from .base import Learner

#: what a learner may override so that several seeds of it can still be trained as one
STACKABLE = frozenset(("args", "mac", "outcomes", "rewarded", "reads_critic_input", "build", "losses", "steps",
                       "unread", "phase", "numbers", "limit_ends"))


def unstackable(learner: type[Learner]) -> list[str]:
    """What of the learner's own stands in the way of training its seeds stacked: names that it overrides."""
    told = {name for cls in Learner.__mro__[:-1] for name in vars(cls)}
    every = {name for name in told if not name.startswith(("__", "_abc_"))} | {"__init__"}
    own = {name for cls in learner.__mro__[: learner.__mro__.index(Learner)] for name in vars(cls)}
    return sorted((own & every) - STACKABLE)
