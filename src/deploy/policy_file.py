"""Reading a policy file: what it claims is checked before it is read, and what it says before it is believed.

NumPy is all that is needed; exported agents take this file along.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from ..agreement.key import PolicyError
except ImportError:  # exported: the file lies beside this one
    from key import PolicyError  # type: ignore[import-not-found, no-redef]

FORMAT = 2
ARRAYS = re.compile(r"(meta|digest|(entries|shares|key|head|rows|filter)\.[wb]\d{1,3}|before\.rows|"
                    r"(convention|encoder)\.[\w.]{1,60})\.npy")
MOST_TEXT = 2**22  # bytes of the facts
#: facts that are whole numbers, with their ranges; what is as long as one of them must fit into memory
COUNTS = {"agent": (0, 2**12), "n_agents": (1, 2**12), "n_actions": (1, 2**20), "n_seen": (1, 2**24),
          "state_levels": (0, 2**12), "key_numbers": (0, 2**16), "repeat_limit": (0, 2**31), "before": (0, 2**12)}
POOLS = {"pool_size": (1, 2**20)}  # and those of agents that have a pool of joint actions
WORDS = {"input": ("state", "obs"), "key_per": ("step", "episode"), "encoder": None, "env": None, "team": None}
BOUNDED = {"filter_least": (-100.0, 0.0), "beta": (0.0, 1.0)}  # facts that are numbers, where they are given
KINDS = ("independent", "chain", "students", "conventions")
LATER = {"repeat_limit": 0, "before": 0}


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The facts and arrays of a policy file; nothing in it is ever executed.

    Raises:
        PolicyError: the file is missing, truncated, altered, of another format, or claims what cannot be.
    """
    try:
        _check_archive(Path(path))
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
        signed = str(arrays.pop("digest"))
        intact = signed == digest(meta, arrays)
    except FileNotFoundError:
        raise PolicyError(f"there is no policy file {path}.") from None
    except Exception as error:  # zipfile, zlib, NumPy and json raise some dozen kinds for damaged bytes
        raise PolicyError(f"{path} is no whole policy file ({short(error, 100)}); export it again.") from None
    if not intact:
        raise PolicyError(f"{path} was altered after it was exported; export it again.")
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else None
        raise PolicyError(f"{path} has format {short(found)}, this loader reads {FORMAT}; export it again.")
    if fault := _fault(meta, arrays):  # the digest keeps accidents away, not people
        raise PolicyError(f"{path} {fault}; export it again.")
    return meta, arrays


def _check_archive(path: Path) -> None:
    """Refuses what is no file, has other arrays than policies, or could unpack to more than its size.

    Raises:
        ValueError: as said.
        OSError, zipfile.BadZipFile: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not ARRAYS.fullmatch(member.filename):
                raise ValueError(f"it holds '{member.filename[:80]}'")
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError("it is compressed, which policies never are")
            if member.filename in ("meta.npy", "digest.npy") and member.file_size > MOST_TEXT:
                raise ValueError(f"{member.filename} is too large")


def short(value: object, most: int = 40) -> str:
    """A value on one line, however much of a file it repeats."""
    return " ".join(str(value).split())[:most]


def kind_of(meta: Mapping[str, Any]) -> str:
    """The kind of a policy, which files of before did not say: only students were exported."""
    return str(meta.get("kind", "conventions" if meta.get("conventions") else "students"))


def _fault(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """What cannot be in a policy file; empty if nothing is wrong."""
    if (kind := kind_of(meta)) not in KINDS:
        return f"says kind={short(kind)}, which makes no sense"
    pooled = kind in ("students", "conventions")
    for name, (low, high) in {**COUNTS, **(POOLS if pooled else {})}.items():
        value = meta.get(name, LATER.get(name))
        if type(value) is not int or not low <= value <= high:
            return f"says {name}={short(value)}, which must be a whole number from {low} to {high}"
    if meta["agent"] >= meta["n_agents"]:
        return f"is that of agent {meta['agent']} of {meta['n_agents']}"
    if meta.get("before", 0) != (meta["agent"] if kind == "chain" else 0):
        return f"says before={short(meta.get('before', 0))}, which agent {meta['agent']} of kind {kind} cannot need"
    if meta.get("draws") and meta["key_numbers"] != meta["n_agents"]:
        return f"says key_numbers={meta['key_numbers']}, but each of {meta['n_agents']} agents draws by one of its own"
    for name, choices in {**WORDS, **({"key": None} if pooled else {})}.items():
        if not isinstance(meta.get(name), str) or (choices and meta[name] not in choices):
            return f"says {name}={short(meta.get(name))}, which makes no sense"
    if (pooled and type(meta.get("entry_floor")) not in (int, float)) or not isinstance(meta.get("env_args"), dict):
        return "lacks entry_floor or env_args"
    for name, (least, most) in BOUNDED.items():
        value = meta.get(name, least)
        if type(value) not in (int, float) or not least <= value <= most:
            return f"says {name}={short(value)}, which must be a number from {least:g} to {most:g}"
    if "beta" in meta and meta.get("beta_mode") not in ("ratio", "flat"):
        return f"says beta_mode={short(meta.get('beta_mode'))}, which makes no sense"
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            return f"holds no numbers in '{short(name)}'"
    if fault := _misfit(meta, {name: array.shape for name, array in arrays.items()}):
        return fault
    own = meta.get("own_actions", [])  # a fact that files of before do not have
    if not isinstance(own, list) or any(type(action) is not int or not 0 <= action < meta["n_actions"]
                                        for action in own):
        return f"says own_actions={short(own)}, which must be numbers of its {meta['n_actions']} actions"
    return ""


def _misfit(meta: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Which fact does not fit the networks' shapes; empty if all do."""
    def width(net: str) -> int:
        last = max((name for name in shapes if name.startswith(f"{net}.b")), default="",
                   key=lambda name: int(name.rpartition(".b")[2]))
        return shapes.get(last, (0,))[-1]

    kind = kind_of(meta)
    if kind == "conventions":
        fits = [("n_actions", shapes.get("convention.last.w", (0,))[-1])]
    elif kind == "students":
        fits = [("n_actions", width("head")), ("pool_size", width("shares"))]
    else:
        fits = [("n_actions", width("rows"))]
        if "filter.b0" in shapes:
            fits.append(("n_actions", width("filter")))
        if meta.get("before", 0):
            given = shapes.get("before.rows", (0,))
            fits += [("before", given[0]), ("n_actions", given[-2] if len(given) == 3 else 0)]
    return next((f"says {name}={meta[name]}, but its networks are made for {width}" for name, width in fits
                 if meta[name] != width), "")


def digest(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over facts, names, shapes and contents."""
    total = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(arrays):
        total.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode() + arrays[name].tobytes())
    return total.hexdigest()
