"""How each method looks: one colour, one kind of dashes and one marker in all figures, by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...render import colours
from ...render.colours import Colour

Dashes = tuple[int, tuple[float, ...]]

#: the method that is drawn beside all others
FIRST = "PA"
PRINTED = "as the paper prints it"
#: methods that share a panel, at most as many as there are colours
FAMILIES: dict[str, tuple[str, ...]] = {
    "imitation and values": ("BC", "BCQ", "CQL", "CFCQL"),
    "policies near the data": ("MAICQ", "MAICQ tuned", "OMIGA", "AlberDICE"),
    "in sequence, distilled": ("AR-BC", "AR", "Oryx", "KD"),
    "values without a guard": ("IQL", "VDN", "QMIX", "PA likeliest entry"),
    PRINTED: ("AR as printed", "PA as printed", "AR printed but for MAICQ's target"),
}
OTHERS = "other methods"
#: dark on white, and told apart with any kind of colour vision
COLOURS: tuple[Colour, ...] = (colours.VERMILION, colours.GREEN, colours.PURPLE, colours.INK)
DASHES: tuple[Dashes, ...] = ((0, (6, 1.8)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1)), (0, (2.6, 1.3)))
#: the first four families use up all pairs of a colour and these dashes
FURTHER_DASHES: tuple[Dashes, ...] = ((0, (9, 2)), (0, (3, 1.2, 1, 1.2, 1, 1.2)), (0, (6, 1.5, 2.5, 1.5)))
MARKERS = "s^oD"


@dataclass(frozen=True)
class Style:
    """What matplotlib needs to know of a method; ``place`` is its number among those of its family."""

    colour: str
    dashes: Dashes
    marker: str
    place: int


def hexadecimal(colour: Colour) -> str:
    """As ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def families(methods: Iterable[str]) -> dict[str, list[str]]:
    """The methods by family, without :data:`FIRST`; those of no family share panels in their own order."""
    there = [method for method in methods if method != FIRST]
    found = {title: [method for method in members if method in there] for title, members in FAMILIES.items()}
    known = {method for members in FAMILIES.values() for method in members}
    others = [method for method in there if method not in known]
    for start in range(0, len(others), len(COLOURS)):
        title = f"{OTHERS} {start // len(COLOURS) + 1}" if len(others) > len(COLOURS) else OTHERS
        found[title] = others[start:start + len(COLOURS)]
    return {title: members for title, members in found.items() if members}


def styles(methods: Sequence[str]) -> dict[str, Style]:
    """The style of each method; no two that we know of have the same, nor any two in a panel the same colour."""
    found = {FIRST: Style(hexadecimal(colours.BLUE), (0, ()), "", -1)}
    rows = [*FAMILIES.values(), *(group for title, group in families(methods).items() if title not in FAMILIES)]
    for row, members in enumerate(rows):
        for place, method in enumerate(members):
            dashes = FURTHER_DASHES[place] if members == FAMILIES[PRINTED] else DASHES[(place + row) % len(DASHES)]
            found[method] = Style(hexadecimal(COLOURS[place]), dashes, MARKERS[place], place)
    return {method: found[method] for method in methods}
