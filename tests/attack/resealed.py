"""Nonsense with a right digest: wrong types, shapes, lengths, counts and values, sealed anew after the damage."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch as th

from epymarl_cpa.data.dataset import FORMAT
from epymarl_cpa.data.formats.parts import HEADER
from epymarl_cpa.data.manifest import NAME
from epymarl_cpa.data.mapped import FOLDER
from epymarl_cpa.data.seal import Header
from epymarl_cpa.deploy.policy import digest
from epymarl_cpa.run import prepare
from epymarl_cpa.utils.manifest import MANIFEST, write_manifest

from . import damage, samples
from .forked import Tally, each, note, once
from .reading import attempt

PROMISE = "Nonsense whose digest is right is refused in a sentence, or is sound data"
GUARDS = ("unit/test_bounded.py", "property/test_dataset_files.py", "property/test_format_round_trips.py",
          "unit/test_checkpoint.py", "system/test_deploy.py", "unit/test_validate.py")


class Way(NamedTuple):
    """What is made from which sample: ``make`` damages a copy of it and returns the kind of damage."""

    sample: str
    make: Callable[[Path, random.Random], str]
    read: Callable[[Path], str]


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """``count`` files of nonsense."""
    whole = work / "whole"
    if not whole.exists():
        whole.mkdir()
        once(lambda: samples.build(whole))
    names = {sample.path for sample in samples.available()}
    ways = [way for way in WAYS if way.sample in names]

    def case(number: int) -> tuple[str, str]:
        luck = random.Random(f"{seed} resealed {number}")
        way = luck.choice(ways)
        own = work / f"resealed-{os.getpid()}" / way.sample
        if own.is_dir():
            shutil.rmtree(own)
        own.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (whole / way.sample).is_dir() else shutil.copyfile)(whole / way.sample, own)
        kind = way.make(own, luck)
        note(about := f"{way.sample}, {kind}, resealed")
        what, fault = attempt(lambda: way.read(own))
        return f"{way.sample} resealed: {what}", fault and f"{about}: {fault}"

    return each(count, case, workers, 30, 4 * 2**30)


def _data_file(path: Path, luck: random.Random) -> str:
    """An ``.npz`` file of ours."""
    with np.load(path) as file:
        arrays = dict(file)
    meta: Any = json.loads(arrays.pop("header").tobytes())["meta"]
    kind = ""
    if luck.random() < 0.3:
        kind, meta = damage.of_tree(meta, luck)
    for _ in range(luck.randint(0, 2) if kind else 1):
        key = luck.choice(list(arrays))
        kind, arrays[key] = damage.of_array(arrays[key], luck)
    total = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name, array in arrays.items():  # as OfflineDataset.digest
        total.update(f"{name}{array.dtype}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    header = json.dumps({"format": FORMAT, "digest": total.hexdigest(), "meta": meta})
    with open(path, "wb") as stream:
        np.savez(stream, header=np.frombuffer(header.encode(), np.uint8), **arrays)
    return kind


def _solution(path: Path, luck: random.Random) -> str:
    """A kept solution, whose digest is that what it says of its policies is true."""
    with np.load(path) as file:
        arrays = dict(file)
    key = luck.choice(list(arrays))
    kind, arrays[key] = damage.of_array(arrays[key], luck)
    np.savez(path, **arrays)
    return kind


def _header(path: Path, luck: random.Random) -> str:
    """The header of a folder: other counts, digests or provenance, in a text whose digest is right."""
    content = json.loads(path.read_text())
    content.pop("digest")
    kind, content = damage.of_tree(content, luck)
    total = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**content, "digest": total} if isinstance(content, dict) else content))
    return kind


def _buffer(path: Path, luck: random.Random) -> str:
    """An AlberDICE folder of ours, array and header."""
    if luck.random() < 0.4:
        return _header(path / HEADER, luck)
    header = Header.parse((path / HEADER).read_bytes(), "x")
    file = luck.choice(sorted(path.glob("*.npy")))
    kind, array = damage.of_array(np.load(file), luck)
    np.save(file, array)
    sums = dict(header.sha256)
    if file.stem in sums and array.ndim:
        total = hashlib.sha256(f"{file.stem}{array.dtype}{array.shape[1:]}".encode())
        total.update(np.ascontiguousarray(array).data)
        sums[file.stem] = total.hexdigest()
    (path / HEADER).write_text(Header(len(array) if luck.random() < 0.5 and array.ndim else header.episodes,
                                      header.meta, sums).text())
    return kind


def _mapped(path: Path, luck: random.Random) -> str:
    """A folder that stays on the disk: array, digests and manifest."""
    if luck.random() < 0.4:
        return _header(path / NAME, luck)
    file = luck.choice(sorted((path / FOLDER).glob("*.npy")))
    kind, array = damage.of_array(np.load(file), luck)
    np.save(file, array)
    content = json.loads((path / NAME).read_text())
    content.pop("digest")
    if array.ndim and len(array):
        chunk = content["chunk"]
        content["sha256"][file.stem] = "".join(hashlib.sha256(np.ascontiguousarray(array[k:k + chunk]).data).hexdigest()
                                               for k in range(0, len(array), chunk))
        if luck.random() < 0.7:
            content["shapes"][file.stem] = list(array.shape[1:])
        if luck.random() < 0.3:
            content["episodes"] = len(array)
    total = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (path / NAME).write_text(json.dumps({**content, "digest": total}))
    return kind


def _hdf5(path: Path, luck: random.Random) -> str:
    """An HDF5 file: an array of another kind, and none of its checksums wrong."""
    import h5py

    with h5py.File(path, "r+") as file:
        key = luck.choice(list(file))
        kind, array = damage.of_array(file[key][:], luck)
        del file[key]
        file[key] = array if array.dtype.kind not in "UM" else array.astype("S32")
        if luck.random() < 0.5:
            file.attrs.pop("epymarl_cpa", None)
    return kind


def _policy(path: Path, luck: random.Random) -> str:
    """An exported agent."""
    file = luck.choice(sorted(path.glob("*.npz")))
    with np.load(file) as stored:
        arrays = dict(stored)
    meta: Any = json.loads(str(arrays.pop("meta")))
    arrays.pop("digest")
    if luck.random() < 0.5:
        kind, meta = damage.of_tree(meta, luck)
    else:
        key = luck.choice(list(arrays))
        kind, arrays[key] = damage.of_array(arrays[key], luck)
    if isinstance(meta, dict):
        np.savez(file, meta=json.dumps(meta), digest=digest(meta, arrays), **arrays)
    return kind


def _checkpoint(path: Path, luck: random.Random) -> str:
    """A checkpoint: facts, tensors or counters."""
    facts: Any = samples.facts_of(path)
    if luck.random() < 0.5:
        kind, facts = damage.of_tree(facts, luck)
    else:
        file = luck.choice(sorted(path.glob("*.th")))
        kind, state = damage.of_tree(th.load(file, weights_only=True), luck)
        th.save(state, file)
    write_manifest(path, 2, facts)
    return kind


def _continued(path: Path, whole: dict[str, Any]) -> str:
    """Goes on with a checkpoint, or evaluates it."""
    config = {**whole, "checkpoint_path": str(path), "local_results_path": str(path.parent / "results"),
              "evaluate": hashlib.sha256((path / "run.th").read_bytes()).digest()[0] % 2 == 0, "student_t_max": 3}
    console = logging.getLogger("attack")
    console.setLevel("CRITICAL")
    result = prepare(config, None, console).run()
    assert np.isfinite(result["return"])
    return "played"


def _continue(path: Path) -> str:
    whole = json.loads((path.parents[1] / "whole/model" / MANIFEST).read_text())["config"]
    return _continued(path, whole)


def _tree_file(path: Path, luck: random.Random, read: Callable[[str], Any] = json.loads) -> str:
    """A JSON or YAML file, or one of several in a folder, with one wrong value."""
    file = luck.choice(sorted(path.glob("*.json"))) if path.is_dir() else path
    kind, tree = damage.of_tree(read(file.read_text()), luck)
    file.write_text(json.dumps(tree))
    return kind


def _row_lines(path: Path, luck: random.Random) -> str:
    lines = path.read_text().splitlines()
    number = luck.randrange(len(lines))
    kind, row = damage.of_tree(json.loads(lines[number]), luck)
    lines[number] = json.dumps(row)
    path.write_text("\n".join(lines))
    return kind


def _yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


READ = {sample.path: sample.read for sample in samples.SAMPLES}
WAYS = [
    Way("whole.npz", _data_file, READ["whole.npz"]),
    Way("solution.npz", _solution, READ["solution.npz"]),
    Way("ours", _buffer, READ["ours"]),
    Way("ours.h5", _hdf5, READ["ours.h5"]),
    Way("parts", lambda path, luck: _header(path / HEADER, luck), READ["parts"]),
    Way("x.mapped", _mapped, READ["x.mapped"]),
    Way("ours-v0", lambda path, luck: _header(path / "data" / HEADER, luck), READ["ours-v0"]),
    Way("others-v0", lambda path, luck: _tree_file(path / "data/metadata.json", luck), READ["others-v0"]),
    Way("vault", lambda path, luck: _tree_file(path / "metadata.json", luck), READ["vault"]),
    Way("agents", _policy, READ["agents"]),
    Way("model", _checkpoint, READ["model"]),
    Way("model", _checkpoint, _continue),
    Way("rows.jsonl", _row_lines, READ["rows.jsonl"]),
    Way("rows", _tree_file, READ["rows"]),
    Way("epymarl_cpa/optima.json", _tree_file, READ["epymarl_cpa/optima.json"]),
    Way("method.yaml", partial(_tree_file, read=_yaml), READ["method.yaml"]),
    Way("game.yaml", partial(_tree_file, read=_yaml), READ["game.yaml"]),
    Way("grid.yaml", partial(_tree_file, read=_yaml), READ["grid.yaml"]),
]
