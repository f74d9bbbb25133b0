"""The teams to choose from, and the data that they learned from."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..build import Team, build_env
from ..data.dataset import OfflineDataset
from ..envs.game import Game
from ..errors import UserError, clipped
from ..runners.offline_runner import OfflineRunner
from ..settings import Settings
from ..utils import checkpoint
from ..utils.manifest import read_manifest
from .plays import Candidate


def candidates_of(models: Sequence[str], key: str = "") -> tuple[list[Candidate], Game]:
    """All checkpoints of the model folders, each once, and the game that they are for.

    Args:
        models: model folders of runs, or single checkpoints in them.
        key: see :class:`..build.Team`.

    Raises:
        UserError: a folder holds none, one is damaged, or they are of different games.
    """
    if not models:
        raise UserError("there is nothing to choose from; give model folders.")
    folders = list({folder.resolve(): folder for model in models for folder in checkpoint.find_all(model)}.values())
    if len(folders) < 2:
        raise UserError(f"there is but one checkpoint in {', '.join(map(clipped, models))}; to choose, give a run that "
                        "kept several (save_model_interval=<updates>), or several runs.")
    found, first = list[Candidate](), None
    for folder in folders:
        team = Team(str(folder), key)
        first = first or team
        for name, value in first.game.spec().items():
            if team.game.spec().get(name) != value:
                raise UserError(f"{folder} plays {name}={team.game.spec().get(name)}, but {first.folder} plays "
                                f"{name}={value}; only teams for the same game can be compared.")
        data = read_manifest(folder).get("dataset")
        digest = data.get("digest") if isinstance(data, dict) else None
        place = folder.resolve()
        found.append(Candidate(f"{place.parent.name}/{place.name}", folder, team.t_env, team.config, team.mac,
                               digest if isinstance(digest, str) else ""))
    assert first is not None
    return found, first.game


def data_of(candidates: Sequence[Candidate], data: str, folder: str) -> tuple[OfflineRunner, Settings, list[str]]:
    """The recorded episodes, the settings by which they are judged, and sentences about them.

    Args:
        candidates: teams for the same game.
        data: recipe or file; by default what the teams learned from.
        folder: where data sets made from recipes are kept; what a model's file says of it is not followed.

    Raises:
        UserError: the teams learned from different data and none are named, or the data are missing, damaged, or of
            another game.
    """
    first = candidates[0]
    if not data and (other := next((each for each in candidates if _learned(each) != _learned(first)), None)):
        raise UserError(f"{other.name} and {first.name} learned from different data ({_told(other)} and "
                        f"{_told(first)}); say with --data=<recipe or file> by which they are to be judged.")
    changed = {"dataset": data} if data else {}
    config = {**first.config, **changed, "datasets_path": folder, "evaluate": False, "use_cuda": False}
    args = Settings.of(config)
    source = OfflineRunner(args, build_env(args), logging.getLogger(__name__))
    return source, args, _remarks(candidates, source.dataset)


def _learned(candidate: Candidate) -> str:
    """What tells the data of a team from others'."""
    config = candidate.config
    return candidate.data or f"{config['dataset']} {config['seed'] if config['dataset'] in config['recipes'] else ''}"


def _told(candidate: Candidate) -> str:
    config = candidate.config
    seed = f" of seed {config['seed']}" if config["dataset"] in config["recipes"] else ""
    return f"{clipped(config['dataset'])}{seed}"


def _remarks(candidates: Sequence[Candidate], data: OfflineDataset) -> list[str]:
    """Sentences about teams and data."""
    said = []
    if strangers := sum(bool(each.data) and each.data != data.digest for each in candidates):
        said.append(f"{strangers} of {len(candidates)} teams learned from other data than these")
    for key in ("gamma", "reward_min", "state_levels"):
        values = {each.config[key] for each in candidates}
        if len(values) > 1:
            said.append(f"the teams differ in {key}; all are judged by that of the first, {candidates[0].config[key]}")
    if any(not each.mac.acting.sees_present_alone for each in candidates):
        said.append("teams that remember were asked with what was recorded before; values are those of states alone")
    return said

