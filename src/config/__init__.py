"""From YAML files and the command line to one checked configuration (see :mod:`.gathering` for which source wins).

Names are imported when they are asked for: what resolves a configuration imports games, learners and controllers,
which takes seconds; what only looks at files does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..utils.registry import on_demand

if TYPE_CHECKING:
    from .files import FOLDER, find_config
    from .reading import merge, parse_overrides, read_yaml, take_option
    from .resolving import keys_of, load_env, mac_of, read_env, resolve, resolve_again
    from .written import word

__getattr__ = on_demand(
    __name__,
    **dict.fromkeys(("FOLDER", "find_config"), "files"),
    **dict.fromkeys(("merge", "parse_overrides", "read_yaml", "take_option"), "reading"),
    **dict.fromkeys(("keys_of", "load_env", "mac_of", "read_env", "resolve", "resolve_again"), "resolving"),
    word="written")

__all__ = ["FOLDER", "find_config", "keys_of", "load_env", "mac_of", "merge", "parse_overrides", "read_env",
           "read_yaml", "resolve", "resolve_again", "take_option", "word"]
