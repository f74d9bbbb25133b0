"""What a folder of arrays that stay on the disk says of itself."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..utils.bounded import read_bytes
from ..utils.files import reason, write_with
from .arrays import ARRAYS, OPTIONAL, EpisodeArrays
from .dataset import REMEDY
from .validate import LAYOUT, check_shapes

FORMAT = 1
NAME = "epymarl_cpa_mapped.json"
SHA = hashlib.sha256().digest_size
MOST = 2**29  # bytes of a manifest: digests of about a terabyte of data


@dataclass(frozen=True)
class Manifest:
    """Attributes:
        episodes: E.
        chunk: how many episodes a digest is about; the last ones may be fewer.
        meta: the provenance.
        shapes: of each array, without the axis of episodes.
        sha256: of each array, the digests of its chunks one after the other.
        whole: :attr:`.dataset.OfflineDataset.digest` of all of it.
    """

    episodes: int
    chunk: int
    meta: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    sha256: dict[str, bytes]
    whole: str

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self.episodes // self.chunk)

    @property
    def nbytes(self) -> int:
        """Size of all arrays together."""
        return self.episodes * sum(math.prod(shape) * np.dtype(LAYOUT[key][0]).itemsize
                                   for key, shape in self.shapes.items())

    def span(self, chunk: int) -> slice:
        """The episodes of a chunk."""
        return slice(chunk * self.chunk, min((chunk + 1) * self.chunk, self.episodes))

    def write(self, folder: Path) -> None:
        """Puts it in place in one move, after which the folder holds what it tells.

        Raises:
            OSError: it cannot be written.
        """
        content = {"format": FORMAT, "episodes": self.episodes, "chunk": self.chunk, "meta": self.meta,
                   "shapes": {key: list(shape) for key, shape in self.shapes.items()},
                   "sha256": {key: total.hex() for key, total in self.sha256.items()}, "whole": self.whole}
        text = json.dumps({**content, "digest": _digest(content)})
        write_with(folder / NAME, lambda file: file.write(text.encode("ascii")))

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises:
            UserError: it is missing, damaged, or of another version.
        """
        path = folder / NAME
        try:
            content = json.loads(read_bytes(path, MOST))
            sound = content.pop("digest", None) == _digest(content)
        except FileNotFoundError:
            raise UserError(f"{path} is missing; {REMEDY}.") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read ({reason(error)}).") from None
        except (ValueError, TypeError, AttributeError, RecursionError):
            sound = False
        if not sound:
            raise UserError(f"{path} is damaged or was altered; {REMEDY}.")
        if content.get("format") != FORMAT:
            raise UserError(f"{path} has format {content.get('format')!r}, but this program reads {FORMAT}.")
        try:
            return cls._of(content, str(folder))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(f"{path} lacks numbers, the provenance or digests, or they contradict one another; "
                            f"{REMEDY}.") from None

    @classmethod
    def _of(cls, content: dict[str, Any], source: str) -> Manifest:
        episodes, chunk, meta, whole = (content[key] for key in ("episodes", "chunk", "meta", "whole"))
        shapes = {key: tuple(shape) for key, shape in content["shapes"].items()}
        sizes = (episodes, chunk, *(size for shape in shapes.values() for size in shape))
        if any(type(size) is not int or not 0 < size < 2**48 for size in sizes) or not isinstance(meta, dict) \
                or not isinstance(whole, str):
            raise ValueError
        found = cls(episodes, chunk, meta, shapes, {key: bytes.fromhex(text)
                                                    for key, text in content["sha256"].items()}, whole)
        if not set(ARRAYS) <= set(shapes) <= {*ARRAYS, *OPTIONAL} or set(shapes) != set(found.sha256) or \
                any(len(total) != SHA * found.chunks for total in found.sha256.values()):
            raise ValueError
        hollow: dict[str, Any] = {key: np.broadcast_to(np.zeros((), LAYOUT[key][0]), (1, *shape))
                                  for key, shape in shapes.items()}
        check_shapes(EpisodeArrays(**hollow, meta=meta, source=source))
        return found


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
