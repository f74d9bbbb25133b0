"""Minari's data sets, in a convention of ours: all agents together are Minari's one agent.

Minari knows no teams, so each step is one observation, a dictionary of ``state`` ``[S]``, ``action_mask``
``[N, A]`` and, where agents see something else than the state, ``obs`` ``[N, O]``; one action
``MultiDiscrete([A] * N)``; and the team's reward.  ``infos["agent_reward"][t]`` ``[N]`` holds the individual
rewards of action t.  The folder is called like the data set, for example ``xor-good-v0``, and
``minari.load_dataset`` finds it in the folder that ``MINARI_DATASETS_PATH`` names.

What Minari cannot hold (padding, behaviours, episodes without a step) is in ``data/epymarl_cpa.h5`` and
``data/epymarl_cpa.json``, so that we read back exactly what we wrote.  Data of others are read if they follow
the convention; a plain vector as observation is taken for the state, a ``Discrete`` action for one agent's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError, one_line
from ...utils.bounded import RATIO, check_claim
from ..chunks import spans
from ..dataset import OfflineDataset
from ..ends import mend_ends
from ..seal import checked
from .base import REGISTRY, Format, metadata
from .h5 import opened, refuse_links
from .minari_spaces import Spaces
from .minari_write import EXTRA, MAIN, SIDE, WHAT, held, package, sha256, write_minari
from .parts import HEADER, read_header

Array = NDArray[Any]
LEAST = 64  # bytes that an episode takes in any file


@REGISTRY.register("minari")
class Minari(Format):
    """Episodes are read and written some at a time, through Minari's own storage."""

    title = "a Minari data set with the joint agent of our convention"
    folder = True

    def recognises(self, path: Path) -> bool:
        return "data_format" in metadata(_data(path))

    def fits(self, path: Path) -> bool:
        return re.fullmatch(r"[-\w]+-v\d+", path.name) is not None

    def name_wanted(self) -> str:
        return "the name of a folder that ends in a version, such as xor-good-v0"

    def read(self, path: Path) -> Iterator[OfflineDataset]:
        path = _data(path)
        header = read_header(path)
        if header is None:
            yield from _foreign(path)
        else:
            yield from checked(_own(path, header.meta, header.episodes), header, str(path))

    def write(self, parts: Iterator[OfflineDataset], path: Path) -> None:
        write_minari(parts, path)


def _data(path: Path) -> Path:
    return path / "data" if (path / "data").is_dir() else path


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what Minari raises into a sentence; files of others fail in many ways."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:  # of the package for its other kinds of files
        raise UserError(f"{path} cannot be read yet: {one_line(error)}.") from None
    except Exception as error:
        raise UserError(f"{path} is damaged or no Minari data set ({type(error).__name__}: "
                        f"{one_line(error)}).") from None


def _own(path: Path, meta: dict[str, Any], episodes: int) -> Iterator[OfflineDataset]:
    with opened(path / SIDE, WHAT, EXTRA) as side, _told(path):
        # Minari's file has no checksums, and its library may crash over a damaged one.
        if np.bytes_(sha256(path / MAIN)) != np.bytes_(side.attrs["main"]):
            raise UserError(f"{path / MAIN} was altered since it was written; copy it again, or delete {HEADER} to "
                            "import it as it is.")
        limit, number, place = int(side.attrs["limit"]), 0, dict.fromkeys(side, 0)
        spaces, storage = _open(path)
        for span in spans(episodes, spaces.step_bytes * (limit + 1)):
            length = side["length"][span]
            arrays = _filled_in(storage, spaces, length, limit, number, "agent_reward" in side)
            number += int((length > 0).sum())
            if "no_next" in side:
                arrays["no_next"] = np.zeros((len(length), limit + 1), np.bool_)
            for key in set(arrays) & set(side):
                rest = ~held(key, length, limit)
                arrays[key][rest] = side[key][place[key]: place[key] + rest.sum()]
                place[key] += int(rest.sum())
            yield OfflineDataset(**arrays, behaviour=side["behaviour"][span], meta=meta, source=str(path),
                                 first=span.start)


def _foreign(path: Path) -> Iterator[OfflineDataset]:
    with _told(path):
        spaces, storage = _open(path)
        total = int(storage.total_episodes)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        check_claim(path, total * LEAST * RATIO, size)
        there = _episodes_there(path)
        if there != total:
            raise UserError(f"{path}: metadata.json tells of {total} episodes (total_episodes), but there are {there}; "
                            "put the right number there, or copy the data again.")
        steps = np.array([int(each["total_steps"]) for each in storage.get_episode_metadata(range(total))])
        if not total or steps.min() < 1:
            raise UserError(f"{path} holds no episodes, or some without a step.")
        limit = int(steps.max())
        check_claim(path, float((steps + 1).sum()) * spaces.step_bytes, size)
        individual = "agent_reward" in (next(iter(storage.get_episodes([0])))["infos"] or {})
        meta = {"format": "minari", "provenance": {"dataset_id": metadata(path).get("dataset_id")}}
        for span in spans(total, spaces.step_bytes * (limit + 1)):
            arrays = _filled_in(storage, spaces, steps[span], limit, span.start, individual)
            unknown = np.full(len(steps[span]), -1, dtype=np.int64)
            yield OfflineDataset(**arrays, behaviour=unknown, meta=meta, source=str(path), first=span.start)


def _episodes_there(path: Path) -> int:
    """How many episodes a data set's files hold, whatever its metadata tell."""
    if (path / MAIN).is_file():
        with opened(path / MAIN, WHAT, EXTRA) as file:
            return sum(re.fullmatch(r"episode_\d+", key) is not None for key in file)
    return sum(each.is_dir() and each.name.isdecimal() for each in path.iterdir())  # Minari's other kind of files


def _open(path: Path) -> tuple[Spaces, Any]:
    content = metadata(path)
    if not {"observation_space", "action_space"} <= set(content):
        # Minari would make the environment that the file names, and with it run whatever code that is.
        raise UserError(f"{path}: metadata.json lacks the spaces of observations and actions, without which the data "
                        "cannot be read.")
    if (path / MAIN).exists():
        with opened(path / MAIN, WHAT, EXTRA) as file:
            refuse_links(file, path / MAIN)
    storage_class, _ = package()
    storage = storage_class.read(path)
    return Spaces.of(storage.observation_space, storage.action_space, path), storage


def _filled_in(storage: Any, spaces: Spaces, length: NDArray[np.int64], limit: int, number: int, individual: bool,
               ) -> dict[str, Array]:
    """Padded arrays of some episodes, those with steps being Minari's from ``number`` on."""
    lead = len(length), limit + 1
    arrays = spaces.empty(lead)
    arrays |= {"reward": np.zeros(lead, np.float32), "terminated": np.zeros(lead, np.bool_),
               "filled": np.arange(limit + 1) <= length[:, None]}
    for key, wanted in (("obs", spaces.has_obs), ("agent_reward", individual)):
        if not wanted:
            del arrays[key]
    rows = np.flatnonzero(length > 0).tolist()
    for e, episode in zip(rows, storage.get_episodes(range(number, number + len(rows))) if rows else (), strict=True):
        steps = len(episode["rewards"])
        if steps != length[e]:
            raise UserError(f"{storage.data_path}: key 'rewards', episode {episode['id']}: {steps} steps, "
                            f"not {length[e]}.")
        with np.errstate(over="ignore"):  # becomes infinite, which validation refuses
            for key, array in spaces.decode(episode, steps, individual).items():
                arrays[key][e, : len(array)] = array
    mend_ends(arrays)
    return arrays
