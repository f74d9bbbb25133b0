"""Which rows count for a run of a grid."""

from __future__ import annotations

import json
from functools import cache

from ...build import build_game
from ...errors import UserError
from ...provenance import code_digest
from ..rows.origin import MADE_BY, STACKING
from ..rows.reading import Row
from .grid import RunSpec


def code_now(spec: RunSpec) -> str:
    """Digest of the code that would do a run now."""
    return code_digest(spec.config, STACKING if spec.stack else ())


def unfit(spec: RunSpec, row: Row) -> str:
    """Why a row does not count for a run: what can be said after "it was"; empty if it counts.

    The code that made it is no reason: its row is kept, and told to be of other code.
    """
    made_with = row.get(MADE_BY, {}).get("rules")
    now = _rules_now(spec.config["env"], json.dumps(spec.config["env_args"], sort_keys=True)) if made_with else ""
    if made_with and now and made_with != now:
        return f"made with other rules of {spec.config['env']}"
    stopped = row.get("stopped")
    if stopped and stopped["by"] not in spec.config.get("observers", []):
        return f"ended early by '{stopped['by']}', which is not among this grid's observers"
    return ""


@cache
def _rules_now(env: str, env_args: str) -> str:
    """Digest of the present rules of a game; empty if it cannot be built here."""
    try:
        return build_game({"env": env, "env_args": json.loads(env_args)}).rules()
    except UserError:
        return ""
