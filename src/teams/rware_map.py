"""The tiny warehouse of RWARE: its cells, and how a robot that can only turn and go ahead gets anywhere."""

from __future__ import annotations

from collections import deque
from functools import lru_cache

WIDTH, HEIGHT = 10, 11
NOOP, FORWARD, LEFT, RIGHT, TOGGLE = range(5)
#: the ways that a robot can face, up, down, left and right, as steps of x and y
FACING = ((0, -1), (0, 1), (-1, 0), (1, 0))
#: which way it faces after turning left or right
TURNED = {LEFT: (2, 3, 1, 0), RIGHT: (3, 2, 0, 1)}
GOALS = ((4, 10), (5, 10))

Cell = tuple[int, int]  # x to the right, y downwards
#: where a robot is and which way it faces
Pose = tuple[int, int, int]

#: cells with shelves at the beginning; on the others nothing may be put down
RACKS = frozenset((x, y) for x in (1, 2, 7, 8) for y in range(1, 9))


def ahead(pose: Pose) -> Cell:
    """The cell in front."""
    return pose[0] + FACING[pose[2]][0], pose[1] + FACING[pose[2]][1]


@lru_cache(maxsize=4096)
def distances(goal: Cell, closed: frozenset[Cell]) -> dict[Pose, int]:
    """Steps to a cell from every pose from which it can be reached without entering a closed cell but the goal."""
    steps: dict[Pose, int] = {(*goal, facing): 0 for facing in range(4)}
    queue = deque(steps)
    while queue:
        pose = queue.popleft()
        x, y, facing = pose
        behind = (x - FACING[facing][0], y - FACING[facing][1], facing)
        before = [(x, y, TURNED[RIGHT][facing]), (x, y, TURNED[LEFT][facing])]  # the turn back
        if 0 <= behind[0] < WIDTH and 0 <= behind[1] < HEIGHT and (x, y) not in closed - {goal}:
            before.append(behind)
        for each in before:
            if each not in steps:
                steps[each] = steps[pose] + 1
                queue.append(each)
    return steps


def action(pose: Pose, goal: Cell, closed: frozenset[Cell]) -> int:
    """The first action on a shortest way; NOOP where there is none, or nothing to do."""
    steps = distances(goal, closed)
    if pose not in steps or steps[pose] == 0:
        return NOOP
    choices = {FORWARD: (*ahead(pose), pose[2]), LEFT: (*pose[:2], TURNED[LEFT][pose[2]]),
               RIGHT: (*pose[:2], TURNED[RIGHT][pose[2]])}
    if ahead(pose) in closed - {goal}:
        del choices[FORWARD]
    return min(choices, key=lambda each: steps.get(choices[each], len(steps)))
