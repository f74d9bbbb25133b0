"""The keys by which EPyMARL's ``gymma`` names environments of PettingZoo and VMAS.

There ``pz-<family>-<name>-<version>`` is the module ``pettingzoo.<family>.<name>_<version>``; the family mpe is a
package of its own by now, mpe2.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pettingzoo  # type: ignore[import-untyped]

from ..errors import UserError, clipped
from ..utils.registry import nearest
from .trust import missing

PETTINGZOO, MPE, VMAS = "pz-", "pz-mpe-", "vmas-"


def package_of(key: str) -> str | None:
    """The package that holds what such a key names; None for other keys."""
    if key.startswith(VMAS):
        return "vmas"
    if key.startswith(MPE):
        return _families().get("mpe", ("mpe2", []))[0].partition(".")[0]
    return "pettingzoo" if key.startswith(PETTINGZOO) else None


def module_of_pettingzoo(key: str) -> str:
    """The module that a key ``pz-...`` names; it exists.

    Raises:
        UserError: there is none, or its package is missing.
    """
    package = package_of(key)
    if package == "mpe2" and find_spec(package) is None:
        raise missing(key, None, package)
    known = {f"{PETTINGZOO}{family}-{name.replace('_', '-')}": f"{top}.{name}"
             for family, (top, names) in _families().items() for name in names}
    if key not in known:
        family = key.removeprefix(PETTINGZOO).partition("-")[0]
        alike = [other for other in known if other.startswith(f"{PETTINGZOO}{family}-")] or [*known]
        raise UserError(f"env_args.key={clipped(key)} names no environment of PettingZoo{nearest(key, alike)}; as in "
                        "EPyMARL it is pz-<family>-<name>-<version>, such as pz-mpe-simple-spread-v3.")
    return known[key]


def _families() -> dict[str, tuple[str, list[str]]]:
    """The families that are installed, each with its package and the names of its modules."""
    found: dict[str, tuple[str, list[str]]] = {}
    spec = find_spec("mpe2")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        found["mpe"] = ("mpe2", _versioned(Path(place)))
    for folder in sorted(Path(pettingzoo.__path__[0]).iterdir()):
        if names := _versioned(folder):
            found[folder.name] = (f"pettingzoo.{folder.name}", names)
    return found


def _versioned(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*_v?.py"))
