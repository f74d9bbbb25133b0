"""Words that would run something if anybody believed them, in every text of every file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from epymarl_cpa.config import load_env, resolve
from epymarl_cpa.data.formats.parts import HEADER
from epymarl_cpa.data.seal import Header
from epymarl_cpa.deploy.policy import digest
from epymarl_cpa.envs import make_game
from epymarl_cpa.utils.manifest import write_manifest

from .samples import facts_of
from .traps import CANARY, MODULE, Hostile

WORDS = ("os:system", f"{MODULE}:run", MODULE, f"__import__('os').system('touch {CANARY}')", f"$(touch {CANARY})",
         f"`touch {CANARY}`", f"; touch {CANARY}", f"!!python/object/apply:os.system ['touch {CANARY}']",
         f"{{{{{MODULE}}}}}", f"../{CANARY}", f"file:{CANARY}")
FIELDS = {"env": "pettingzoo", "env_args": {"key": WORDS[1], "kwargs": {"command": f"touch {CANARY}"}}}


def cases() -> Iterator[Hostile]:
    """All of them."""
    for number, word in enumerate(WORDS):
        yield Hostile(f"{word} in every text of a manifest", "model", partial(_manifest, word))
        yield Hostile(f"{word} in every text of a policy", "agents", partial(_policies, word))
        for sample in ("ours", "ours-v0/data", "parts"):
            if word != WORDS[-2]:
                yield Hostile(f"{word} in every text of the header of {sample}", sample.partition("/")[0],
                              partial(_header, word, sample))
        for sample, file in (("vault", "metadata.json"), ("others-v0", "data/metadata.json")):
            yield Hostile(f"{word} in every text of {sample}/{file}", sample, partial(_json, word, file))
        yield Hostile(f"{word} in every text of rows", "rows.jsonl", partial(_rows, word))
        for sample in ("method.yaml", "grid.yaml"):
            yield Hostile(f"{word} in every text of {sample}", sample, partial(_yaml, word))
        yield Hostile(f"{word} for texts of a .dpomdp file", "tiny.dpomdp", partial(_problem, word))
        if number < 3:
            yield Hostile(f"env_args.key={word} in a manifest", "model", partial(_key, word))
            yield Hostile(f"env_args.key={word} in a policy", "agents", partial(_policy_key, word))
            yield Hostile(f"env_args.key={word} in the file of a game", "game.yaml", partial(_game, word), _play)
            yield Hostile(f"env_args.key={word} in a grid", "grid.yaml", partial(_grid_key, word))
            yield Hostile(f"an entry point {word} in Minari's metadata", "others-v0", partial(_entry_point, word))
    for tag in ("apply:os.system", "new:os.system", "name:os.system", f"module:{MODULE}", f"apply:{MODULE}.run"):
        for sample in ("method.yaml", "game.yaml", "grid.yaml"):
            text = f"? !!python/{'object/' if ':o' in tag and 'name' not in tag else ''}{tag} ['touch {CANARY}']\n: 1\n"
            yield Hostile(f"!!python/{tag} in {sample}", sample, partial(_append, text))
            yield Hostile(f"a value !!python/{tag} in {sample}", sample,
                          partial(_append, f"\nx: !!python/object/{tag} ['touch {CANARY}']\n"))


def _everywhere(tree: Any, word: str, keep: tuple[str, ...] = ()) -> Any:
    if isinstance(tree, dict):
        return {key: inner if key in keep else _everywhere(inner, word, keep) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [_everywhere(inner, word, keep) for inner in tree]
    return word if isinstance(tree, str) else tree


def _manifest(word: str, path: Path) -> None:
    write_manifest(path, 1, _everywhere(facts_of(path), word))


def _key(word: str, path: Path) -> None:
    facts = facts_of(path)
    facts["config"] |= {**FIELDS, "env_args": {**FIELDS["env_args"], "key": word}}  # type: ignore[dict-item]
    write_manifest(path, 1, facts)


def change_policy(path: Path, change: Any) -> None:
    for file in path.glob("*.npz"):
        with np.load(file) as stored:
            arrays = dict(stored)
        meta = change(json.loads(str(arrays.pop("meta"))))
        arrays.pop("digest")
        np.savez(file, meta=json.dumps(meta), digest=digest(meta, arrays), **arrays)


def _policies(word: str, path: Path) -> None:
    change_policy(path, lambda meta: _everywhere(meta, word))


def _policy_key(word: str, path: Path) -> None:
    change_policy(path, lambda meta: {**meta, **FIELDS, "env_args": {"key": word}})


def _header(word: str, sample: str, path: Path) -> None:
    file = path / sample.partition("/")[2] / HEADER
    header = Header.parse(file.read_bytes(), "x")
    file.write_text(Header(header.episodes, _everywhere(header.meta, word), header.sha256).text())


def _json(word: str, name: str, path: Path) -> None:
    file = path / name
    file.write_text(json.dumps(_everywhere(json.loads(file.read_text()), word, keep=("data_format",))))


def _rows(word: str, path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(json.dumps(_everywhere(json.loads(line), word)) for line in lines))


def _yaml(word: str, path: Path) -> None:
    path.write_text(json.dumps(_everywhere(yaml.safe_load(path.read_text()), word)))


def _problem(word: str, path: Path) -> None:
    path.write_text(path.read_text().replace("x", word).replace("reward", word))


def _game(word: str, path: Path) -> None:
    path.write_text(json.dumps({**FIELDS, "env_args": {"key": word, "kwargs": {"command": f"touch {CANARY}"}},
                                "dataset": "random", "recipes": {"random": {"episodes": 2, "mixture": {"random": 1}}}}))


def _play(path: Path) -> object:
    """As far as a command goes that is given such a file."""
    config = resolve("bc", str(path))
    make_game(config["env"], **{key: value for key, value in config["env_args"].items() if key != "map_name"})
    return load_env(str(path))


def _grid_key(word: str, path: Path) -> None:
    path.write_text(json.dumps({"algs": [f"bc env_args.key={word}"], "envs": ["pettingzoo"], "datasets": ["random"],
                                "seeds": [0], "with": [f"env_args.kwargs.command='touch {CANARY}'"]}))


def _entry_point(word: str, path: Path) -> None:
    file = path / "data/metadata.json"
    content = json.loads(file.read_text())
    spec = json.dumps({"id": "x-v0", "entry_point": word, "kwargs": {"command": f"touch {CANARY}"}})
    for key in ("observation_space", "action_space"):
        content.pop(key)
    file.write_text(json.dumps({**content, "env_spec": spec, "eval_env_spec": spec}))


def _append(text: str, path: Path) -> None:
    path.write_text(path.read_text() + text)


