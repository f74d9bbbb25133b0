"""Problems from files in the field's format, ``.dpomdp``, as MADP writes and reads it."""

from __future__ import annotations

from pathlib import Path

from ...errors import UserError
from ...utils.bounded import read_text, size_of
from ...utils.files import reason
from .blocks import Text, blocks
from .entries import expected_reward, laws
from .header import header
from .model import Model

ENTRIES = ("T", "O", "R")
MOST_BYTES = 2**28


def parse(content: str, name: str) -> Model:
    """The model that a file's text describes.

    Args:
        content: the text.
        name: of the file, for errors.

    Raises:
        UserError: the text is not in the format, was cut off, or holds numbers that are no laws.
    """
    text = Text(name)
    found = blocks(text, content)
    head = header(text, [block for block in found if block.key not in ENTRIES])
    transition, observation = (laws(head, [block for block in found if block.key == key], key) for key in "TO")
    reward = expected_reward(head, [block for block in found if block.key == "R"], transition, observation)
    return Model(transition, observation, reward, head.start, tuple(map(len, head.actions)),
                 tuple(map(len, head.observations)), head.states, head.actions, head.observations)


def read(path: Path) -> Model:
    """The model in a file.

    Raises:
        UserError: as :func:`parse`; the file cannot be read.
    """
    try:
        size = size_of(path)
        if size > MOST_BYTES:
            raise UserError(f"{path}: a file of {size / 1e6:.0f} MB is too large for a .dpomdp file.")
        content = read_text(path, MOST_BYTES)
    except OSError as error:
        raise UserError(f"{path}: the file cannot be read ({reason(error)}).") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not a text file in the .dpomdp format.") from None
    return parse(content, str(path))
