"""Traps in pickles, wherever a file could hold one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch as th

from epymarl_cpa.data.formats.parts import HEADER
from epymarl_cpa.utils.manifest import MANIFEST, write_manifest

from .samples import facts_of
from .traps import Hostile, boxed, traps

SOME = ("os.system", "import")  # where each takes a while


def cases() -> Iterator[Hostile]:
    """All of them."""
    kinds = list(traps(Path()))
    for kind in kinds:
        for place in ("state", "header", "extra", "avail_actions", None):
            yield Hostile(f"{kind} in {place or 'place of'} a data file", "whole.npz", partial(_npz, place, kind))
        for place in ("meta", "digest", "entries.w0", "extra", None):
            yield Hostile(f"{kind} in {place or 'place of'} a policy", "agents", partial(_policy, place, kind))
        for place in ("learner.th", "mac.th", "run.th"):
            for form in ("pickle", "torch", "legacy torch", "inside a state"):
                yield Hostile(f"{kind} in {place}, {form}", "model", partial(_model, place, form, kind))
        for form in ("alone", "in a list", "as a column", "protocol 0", "as state"):
            yield Hostile(f"{kind} in trials, {form}", "trials.pickle", partial(_trials, form, kind))
        for place in ("values", "policy_0_0_0", None):
            yield Hostile(f"{kind} in {place or 'place of'} a kept solution", "solution.npz",
                          partial(_npz, place, kind))
        yield Hostile(f"{kind} in place of a manifest", "model", partial(_manifest, kind))
    for kind in SOME:
        for name in ("state", "actions", "reward", "terminated", "filled", "avail_actions", "obs"):
            for sample in ("others", "ours"):
                yield Hostile(f"{kind} in {name}.npy of {sample}", sample, partial(_npy, name, kind))
        for where in ("attribute", "other attribute", "array"):
            for sample in ("ours.h5", "others.h5"):
                yield Hostile(f"{kind} in an {where} of {sample}", sample, partial(_hdf5, where, kind))
        yield Hostile(f"{kind} in a part", "parts", partial(_part, kind))
        yield Hostile(f"{kind} in the header of a folder", "ours", partial(_text, HEADER, kind))


def _npz(place: str | None, kind: str, path: Path) -> None:
    trap = traps(path.parent)[kind]
    if place is None:
        path.write_bytes(pickle.dumps(trap))
        return
    with np.load(path) as file:
        arrays: dict[str, Any] = dict(file)
    with open(path, "wb") as stream:
        np.savez(stream, allow_pickle=True, **{**arrays, place: boxed(trap)})


def _policy(place: str | None, kind: str, path: Path) -> None:
    for file in path.glob("*.npz"):
        _move_up(partial(_npz, place, kind), file)


def _part(kind: str, path: Path) -> None:
    _move_up(partial(_npz, "state", kind), path / "part-00000.npz")


def _move_up(make: Any, file: Path) -> None:
    """Makes a file as if it lay beside its folder, where the canary is looked for."""
    above = file.parents[1] / file.name
    file.rename(above)
    make(above)
    above.rename(file)


def _npy(name: str, kind: str, path: Path) -> None:
    np.save(path / f"{name}.npy", boxed(traps(path.parent)[kind]), allow_pickle=True)


def _hdf5(where: str, kind: str, path: Path) -> None:
    import h5py

    content = np.void(pickle.dumps(traps(path.parent)[kind]))
    with h5py.File(path, "r+") as file:
        if where == "array":
            del file["reward"]
            file["reward"] = content
        else:
            file.attrs["epymarl_cpa" if where == "attribute" else "pickled"] = content


def _model(place: str, form: str, kind: str, path: Path) -> None:
    trap, file = traps(path.parent)[kind], path / place
    if form == "pickle":
        file.write_bytes(pickle.dumps(trap))
    elif form == "inside a state" and file.exists():
        th.save({**th.load(file, weights_only=True), "more": [trap]}, file)
    else:
        th.save({"a": trap}, file, _use_new_zipfile_serialization=form == "torch")
    write_manifest(path, 2, facts_of(path))


def _manifest(kind: str, path: Path) -> None:
    (path / MANIFEST).write_bytes(pickle.dumps(traps(path.parent)[kind]))


def _text(name: str, kind: str, path: Path) -> None:
    (path / name).write_bytes(pickle.dumps(traps(path.parent)[kind]))


def _trials(form: str, kind: str, path: Path) -> None:
    trap: Any = traps(path.parent)[kind]
    content = {"in a list": [trap], "as a column": {"layout_name": [trap]}, "as state": _Stateful(trap)}.get(form, trap)
    path.write_bytes(pickle.dumps(content, protocol=0 if form == "protocol 0" else 4))


class _Stateful:
    """Something allowed whose state is a trap."""

    def __init__(self, trap: Any) -> None:
        self.trap = trap

    def __reduce__(self) -> Any:
        return np.dtype, ("f4",), self.trap
