"""Links, pipes and devices in place of files, paths that lead out, and files that are small until they are read."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from epymarl_cpa.data.dataset import FORMAT
from epymarl_cpa.data.formats.parts import HEADER
from epymarl_cpa.utils.manifest import MANIFEST, _to_text, write_manifest

from .hostile_strings import change_policy
from .samples import facts_of
from .traps import Hostile

FILES = {"whole.npz": "", "parts": "part-00000.npz", "ours.h5": "", "ours": "state.npy", "others": "meta.json",
         "ours-v0": "data/main_data.hdf5", "others-v0": "data/metadata.json", "vault": "metadata.json",
         "model": "manifest.json", "agents": "agent_0.npz", "method.yaml": "", "game.yaml": "", "grid.yaml": "",
         "rows.jsonl": "", "tiny.dpomdp": "", "trials.pickle": "", "epymarl_cpa/optima.json": "", "solution.npz": ""}
MORE = {"model": ("learner.th", "mac.th", "run.th"), "ours": (HEADER,), "parts": (HEADER,)}
GIB = 2**30


def cases() -> Iterator[Hostile]:
    """All of them."""
    for sample, first in FILES.items():
        for name in (first, *MORE.get(sample, ())):
            at = f"in place of {sample}/{name}".rstrip("/")
            yield Hostile(f"a pipe {at}", sample, partial(_pipe, name))
            yield Hostile(f"a folder {at}", sample, partial(_folder, name))
            for target in ("/dev/zero", "/dev/full", "/etc/passwd", "itself", "/proc/self/mem"):
                yield Hostile(f"a link to {target} {at}", sample, partial(_link, name, target))
            yield Hostile(f"a file of 6 GiB, all holes, {at}", sample, partial(_hole, name))
    for key in ("state", "avail_actions", "header", "obs"):
        yield Hostile(f"{key} of a data file unpacks to 6 GiB", "whole.npz", partial(_bomb, f"{key}.npy"))
        yield Hostile(f"{key} of a data file claims 2^50 entries", "whole.npz", partial(_claim, f"{key}.npy"))
    for key in ("meta", "entries.w0"):
        yield Hostile(f"{key} of a policy unpacks to 6 GiB", "agents", partial(_in_agents, _bomb, f"{key}.npy"))
        yield Hostile(f"{key} of a policy claims 2^50 entries", "agents", partial(_in_agents, _claim, f"{key}.npy"))
    yield Hostile("state.npy claims 2^50 entries", "ours", partial(_npy_claim, "state.npy"))
    yield Hostile("state.npy of others claims 2^50 entries", "others", partial(_npy_claim, "state.npy"))
    yield Hostile("an HDF5 file claims 2^40 episodes", "others.h5", _wide)
    for fact in ("n_seen", "pool_size", "n_actions", "state_levels", "key_numbers", "n_agents"):
        yield Hostile(f"{fact}=10^9 in a policy", "agents", partial(_fact, fact))
    for key in ("hidden_dim", "n_layers", "pool_size", "state_levels"):
        yield Hostile(f"{key}=10^9 in a manifest", "model", partial(_config, key))
    for name, text in {"deep": "[" * 10**6, "laughs": _laughs(), "long": "a: " + "9" * 10**7}.items():
        for sample in ("method.yaml", "game.yaml", "grid.yaml"):
            yield Hostile(f"{name} text in {sample}", sample, partial(_text, "", text))
    for sample, name in (("rows.jsonl", ""), ("model", "manifest.json"), ("vault", "metadata.json"), ("ours", HEADER),
                         ("others-v0", "data/metadata.json"), ("epymarl_cpa/optima.json", "")):
        yield Hostile(f"deep text in {sample}/{name}", sample, partial(_text, name, "[" * 10**6))
    for line in ("states: 999999999", "agents: 99999", "actions:\n99999999\n99999999", "observations:\n10000\n10000"):
        yield Hostile(f"{line.split()[0]} {line.split()[-1]} in a .dpomdp file", "tiny.dpomdp", partial(_line, line))
    for way in ("../../out", "/tmp/out", "..\\out"):
        yield Hostile(f"a member {way} in a data file", "whole.npz", partial(_member, way))
        yield Hostile(f"a file {way} in a manifest", "model", partial(_listed, way))


def _place(name: str, path: Path) -> Path:
    file = path / name if name else path
    shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    return file


def _pipe(name: str, path: Path) -> None:
    os.mkfifo(_place(name, path))


def _folder(name: str, path: Path) -> None:
    _place(name, path).mkdir()


def _link(name: str, target: str, path: Path) -> None:
    file = _place(name, path)
    file.symlink_to(file if target == "itself" else target)


def _hole(name: str, path: Path) -> None:
    file = path / name if name else path
    with open(file, "r+b") as stream:
        stream.truncate(6 * GIB)


def _text(name: str, text: str, path: Path) -> None:
    _place(name, path).write_text(text)


def _laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return "\n".join(lines + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)])


def _rewritten(path: Path, name: str, content: Any) -> None:
    """The archive with one member given by a function that writes it."""
    with zipfile.ZipFile(path) as old:
        members = {each: old.read(each) for each in old.namelist() if each != name}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for each, data in members.items():
            new.writestr(each, data)
        with new.open(name, "w", force_zip64=True) as stream:
            content(stream)


def _head(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_2_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def _bomb(name: str, path: Path) -> None:
    def write(stream: Any) -> None:
        stream.write(_head((6 * GIB,)))
        for _ in range(96):
            stream.write(bytes(64 * 2**20))

    _rewritten(path, name, write)


def _claim(name: str, path: Path) -> None:
    _rewritten(path, name, lambda stream: stream.write(_head((2**50,)) + b"1234"))


def _in_agents(change: Any, name: str, path: Path) -> None:
    change(name, path / "agent_0.npz")


def _npy_claim(name: str, path: Path) -> None:
    (path / name).write_bytes(_head((2**48, 2, 2), "<f4") + bytes(64))


def _wide(path: Path) -> None:
    import h5py

    with h5py.File(path, "r+") as file:
        for key in list(file):
            shape, kind = file[key].shape[1:], file[key].dtype
            del file[key]
            file.create_dataset(key, shape=(2**40, *shape), dtype=kind, chunks=(2**10, *shape), compression="gzip")


def _fact(name: str, path: Path) -> None:
    change_policy(path, lambda meta: {**meta, name: 10**9})


def _config(key: str, path: Path) -> None:
    facts = facts_of(path)
    facts["config"][key] = 10**9
    write_manifest(path, 1, facts)


def _line(line: str, path: Path) -> None:
    word = line.split(":")[0]
    kept = [each for each in path.read_text().splitlines() if not each.startswith(word)]
    path.write_text("\n".join([line, *kept]))


def _member(way: str, path: Path) -> None:
    header = json.dumps({"format": FORMAT, "meta": {}}).encode()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{way}.npy", _head((len(header),)) + header)


def _listed(way: str, path: Path) -> None:
    manifest = json.loads((path / MANIFEST).read_text())
    manifest.pop("digest")
    manifest["files"][way] = next(iter(manifest["files"].values()))
    (path / MANIFEST).write_text(_to_text(manifest))
