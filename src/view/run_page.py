"""What the page of a run shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError, one_line
from ..utils.libraries import film
from .record import Record, model_of_record, read_record, record_of_model

POINTS = 2000  # most of a curve that are shown
FIRST = ("test_return_mean", "test_score_mean", "return_mean", "loss")
ELSEWHERE = ("seed", "name", "recipes")


def run_page(path: Path, is_model: bool, key: str = "") -> dict[str, Any]:
    """The page of a run as JSON.

    Args:
        path: its model folder or a checkpoint in it, or its folder of Sacred.
        is_model: which of both.
        key: the ``env_args.key`` of an environment of another package.

    Raises:
        UserError: neither a record nor a whole checkpoint can be read there.
    """
    record = record_of_model(path) if is_model else read_record(path)
    model = path if is_model else model_of_record(record) if record is not None else None
    said = list(record.said) if record is not None else ["No Sacred record of this run was found beside its models; "
                                                         "curves are missing."]
    team, policies, manifest = None, None, dict[str, Any]()
    try:
        if model is None:
            raise UserError("No model of this run was found, so its policy is not shown.")
        team, policies, manifest = _played(model, key)
    except UserError as error:
        if is_model and record is None:
            raise
        said.append(f"{one_line(error)}.")
    config = dict(team.config) if team is not None else dict(record.config) if record is not None else {}
    result = _result(record, team, policies)
    return {
        "kind": "run", "title": f"{config.get('name', 'run')} on {config.get('env', '?')}", "source": str(path),
        "facts": _facts(config, record, manifest, team), "said": said, "result": result,
        "series": [] if record is None else _series(record), "config": _config(config), "policies": policies,
        "places": _places(config, record, model), "commands": _commands(config, model),
    }


def _played(model: Path, key: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The team, what it does, and its manifest."""
    from ..build import Team  # brings torch
    from ..utils.manifest import read_manifest
    from .policies import policies

    team = Team(str(model), key)
    seed = team.config.get("seed")
    return team, policies(team, seed if type(seed) is int else 0), read_manifest(team.folder)


def _result(record: Record | None, team: Any, policies: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return, random play, optimum and score, as far as they are known."""
    from ..envs.score import score

    found: dict[str, Any] = {"value": None, "random": None, "optimum": None, "score": None, "what": "test return"}
    points = (record.series.get("test_return_mean") or []) if record is not None else []
    if team is not None:  # a checkpoint has its own results, and not those of the run's end
        points = [point for point in points if point[0] == team.t_env]
    if points:
        found["value"] = points[-1][1]
    elif policies is not None:
        found["value"] = sum(policies["returns"]) / len(policies["returns"])
    if team is not None and team.game.pure:
        found["optimum"] = team.game.optimum()
        if team.game.headline == "return":
            found["random"] = team.game.random_headline()
            if found["value"] is not None:
                found["score"] = score(found["value"], found["random"], found["optimum"])
    return found


def _facts(config: Mapping[str, Any], record: Record | None, manifest: Mapping[str, Any], team: Any,
           ) -> list[list[str]]:
    data = manifest.get("dataset") if isinstance(manifest.get("dataset"), dict) else {}
    facts = [["Method", str(config.get("name", "?"))], ["Game", str(config.get("env", "?"))],
             ["Data", str(config.get("dataset", "?"))] if config.get("runner", "offline") == "offline" else
             ["Learns", "online"], ["Seed", str(config.get("seed", "?"))]]
    if data and data.get("digest"):
        facts.append(["Data digest", str(data["digest"])[:12]])
    if team is not None:
        facts.append(["Checkpoint", f"t_env {team.t_env:,}"])
    if record is not None:
        facts.append(["Status", str(record.run.get("status", "?")).lower()])
        if isinstance(record.run.get("start_time"), str):
            facts.append(["Started", record.run["start_time"][:16].replace("T", " ")])
    return facts


def _series(record: Record) -> list[dict[str, Any]]:
    """All curves, the returns first."""
    def rank(name: str) -> tuple[int, str]:
        return (FIRST.index(name) if name in FIRST else 1 if name.startswith("test_") else 2, name)

    found = []
    for name in sorted(record.series, key=rank):
        points = record.series[name]
        every = -(-len(points) // POINTS)
        kept = points[::every] + ([points[-1]] if (len(points) - 1) % every else [])
        found.append({"name": name, "points": [list(point) for point in kept],
                      "left": len(points) - len(kept)})
    return found


def _config(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every key with its value and the default, which is null where nobody knows it."""
    default = _default(config)
    rows = []
    for name in sorted(config):
        known = name in default
        rows.append({"key": name, "value": _text(config[name]), "default": _text(default[name]) if known else None,
                     "differs": known and default[name] != config[name] and name not in ELSEWHERE})
    return rows


def _default(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the method's own files say for the game, by the file of the game that is closest to what was run.

    Nothing where no file of ours is known to be the method's, or the game's.
    """
    from ..config import read_env, resolve
    from ..config.files import names

    env, env_args = config.get("env"), config.get("env_args")
    key = env_args.get("key") if isinstance(env_args, dict) else None
    try:
        files = [name for name in names("envs") for game, args, _ in [read_env(name)]
                 if game == env and args.get("key") == key]
        found = [resolve(str(config.get("name")), name) for name in files]
        return min(found, key=lambda each: sum(config.get(name) != value for name, value in each.items()), default={})
    except (UserError, TypeError):
        return {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _places(config: Mapping[str, Any], record: Record | None, model: Path | None) -> list[list[str]]:
    places = []
    if model is not None:
        places.append(["Model", str(model)])
    if record is not None and record.folder is not None:
        places.append(["Sacred record", str(record.folder)])
        places += [[what, str(record.folder / name)] for what, name in
                   (("Console output", "cout.txt"), ("Curves", "metrics.json"), ("Row for tables", "row.jsonl"))
                   if (record.folder / name).is_file()]
    if config.get("datasets_path"):
        places.append(["Data sets made from recipes", str(config["datasets_path"])])
    return places


def _commands(config: Mapping[str, Any], model: Path | None) -> list[list[str]]:
    """What to do next, as commands."""
    import shlex

    from ..envs.trust import named_again

    env, env_args = config.get("env"), config.get("env_args")
    if model is None or not isinstance(env, str) or not isinstance(env_args, dict):
        return []
    key = [f"--key={env_args['key']}"] if env_args.get("key") else []
    return [[what, shlex.join(["epymarl-cpa", *words])] for what, words in (
        ("Evaluate it again", ["evaluate", str(model), *named_again(env, env_args)]),
        ("Show it as a film", ["render", str(model), f"--out={film()}", *key]),
        ("Export its agents", ["export", str(model), "--out=agents", *key]))]
