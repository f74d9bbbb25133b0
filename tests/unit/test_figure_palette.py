"""Methods keep their looks in all figures, and anybody can tell the lines of a panel apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.experiments.figures.palette import COLOURS, FAMILIES, FIRST, families, hexadecimal, styles
from epymarl_cpa.experiments.rows.paper import ONLINE, Methods
from epymarl_cpa.render import colours

#: what people see who lack one kind of cones, as matrices for linear RGB (Machado, Oliveira and Fernandes, 2009)
VISION = {
    "all three": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
DRAWN = [method for method in Methods.read().names if not method.endswith(ONLINE)]


def linear(colour: colours.Colour) -> NDArray[np.float64]:
    part = np.array(colour) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of linear RGB under D65."""
    whiteness = XYZ @ rgb.clip(0, 1) / XYZ.sum(1)
    root = np.where(whiteness > 0.008856, np.cbrt(whiteness), 7.787 * whiteness + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


@pytest.mark.parametrize("vision", VISION)
def test_the_colours_of_a_panel_differ(vision: str) -> None:
    """By five just noticeable differences (of 2.3 each) at least; dashes and markers differ besides."""
    for one, other in combinations((*COLOURS, colours.BLUE), 2):
        assert np.linalg.norm(lab(VISION[vision] @ linear(one)) - lab(VISION[vision] @ linear(other))) > 11.5


def test_lines_are_dark_on_white() -> None:
    """As WCAG 2.1 asks of graphics: 3 to 1."""
    for colour in (*COLOURS, colours.BLUE):
        assert 1.05 / (XYZ[1] @ linear(colour) + 0.05) > 3


def test_every_method_of_reports_has_a_look_of_its_own() -> None:
    assert {FIRST, *(method for family in FAMILIES.values() for method in family)} == set(DRAWN)
    looks = styles(DRAWN)
    assert len({(look.colour, look.dashes) for look in looks.values()}) == len(DRAWN)
    assert looks[FIRST].colour == hexadecimal(colours.BLUE)


def test_a_look_does_not_depend_on_who_is_beside() -> None:
    everyone = styles(DRAWN)
    for method in DRAWN:
        assert styles([method])[method] == everyone[method]


def test_unknown_methods_share_panels_too() -> None:
    own = [f"mine {i}" for i in range(6)]
    assert families(["BC", FIRST, *own]) == {"imitation and values": ["BC"], "other methods 1": own[:4],
                                             "other methods 2": own[4:]}
    assert families(own[:2]) == {"other methods": own[:2]}
    looks = styles(["BC", FIRST, *own])
    assert [*looks] == ["BC", FIRST, *own]
    for members in families(looks).values():
        assert len({looks[method].colour for method in members}) == len(members)
        assert len({looks[method].dashes for method in members}) == len(members)
