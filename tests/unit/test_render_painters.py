"""Painters: every state of every game can be drawn, and what happened is told."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import OUR_GAMES
from hypothesis import given, settings
from hypothesis import strategies as st

from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.render.painters import REGISTRY, painter_of
from epymarl_cpa.render.panel import Panel, transcript
from epymarl_cpa.render.play import Played, Turn

GAMES: list[tuple[str, dict[str, Any]]] = [
    *OUR_GAMES, ("xor", {"n_agents": 16}), ("permutation", {"n_agents": 8}), ("aloha", {"rows": 12, "cols": 1}),
    ("sensor", {"rows": 2, "cols": 2, "n_preys": 1}), ("dpomdp", {"problem": "boxpushing"}),
    ("bridge", {"start": "separate", "episode_limit": 3})]


def played(game: Game, seed: int = 0, script: dict[int, list[int]] | None = None) -> Played:
    """An episode of random actions, or those of the script at its times."""
    rng = np.random.default_rng(seed)
    state = game.initial(1, rng)
    episode = Played(state[0])
    while True:
        time = len(episode.turns)
        actions = game.random_actions(state, rng)
        if script and time in script:
            actions = np.array([script[time]])
        step = game.transition(state, actions, rng)
        reward = float(step.reward[0])
        info = {key: float(value[0]) for key, value in step.info.items()}
        episode.turns.append(Turn(time, state[0], actions[0], step.state[0], reward, episode.total + reward,
                                  bool(step.done[0]), info))
        if step.done[0]:
            return episode
        state = step.state


def told(name: str, actions: list[int], before: int = 0, **env_args: Any) -> str:
    """What is said of a joint action at the first step (after so many random ones)."""
    game = make_game(name, **env_args)
    turn = played(game, script={before: actions}).turns[before]
    return painter_of(game).words(turn)


@pytest.mark.parametrize("name, env_args", GAMES, ids=str)
@settings(max_examples=3, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31))
def test_all_states_of_random_episodes_are_painted(name: str, env_args: dict[str, Any], seed: int) -> None:
    pytest.importorskip("PIL")
    from epymarl_cpa.render.film import Film

    game = make_game(name, **env_args)
    film = Film([Panel(painter_of(game), "random play", "", [played(game, seed)])], 200, 2)
    pictures = [film.picture(index) for index in range(min(len(film), 5))]
    assert len({picture.shape for picture in pictures}) == 1 and pictures[0].shape[1] == 200
    assert not np.array_equal(pictures[0], pictures[1]), "what is done is seen"


@pytest.mark.parametrize("name, env_args", OUR_GAMES, ids=str)
def test_text_shows_every_state_action_and_reward(name: str, env_args: dict[str, Any]) -> None:
    game = make_game(name, **env_args)
    episode = played(game, 3)
    painter = painter_of(game)
    text = transcript(Panel(painter, "random play", "", [episode]))
    assert text.startswith("random play\n\nepisode 1\n")
    for turn in episode.turns:
        assert game.draw(turn.before) in text
        assert f"step {turn.step + 1}: {painter.doing(turn)}\n" in text
        assert f"reward {turn.reward:.4g}, return {turn.total:.4g}" in text


def test_every_game_of_ours_has_a_painter() -> None:
    assert {name for name, _ in OUR_GAMES} <= REGISTRY.keys()


def test_matrix_games_say_who_clashes() -> None:
    assert told("xor", [0, 1]) == "different: win"
    assert told("xor", [1, 1]) == "both the same: no win"
    assert told("xor", [1, 1, 0], n_agents=3) == "2 B, an even number: no win"
    assert told("permutation", [0, 2, 1, 3]) == "all different: win"
    assert told("permutation", [0, 2, 2, 3]) == "C more than once: no win"


def test_bridge_says_who_is_stopped() -> None:
    assert told("bridge", [3, 3]) == "agent 0 goes right, agent 1 goes right"
    assert told("bridge", [3, 4]) == "agent 0 cannot go right, agent 1 cannot go left"
    assert told("bridge", [1, 0]) == "agent 0 cannot go up, agent 1 stays"


def test_aloha_says_what_gets_through_and_what_collides() -> None:
    assert told("aloha", [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]) == "5 sent, 0 collided (so far 5 and 0)"
    assert told("aloha", [1, 1, 0, 0, 1, 0, 0, 0, 0, 0]) == "1 sent, 2 collided (so far 1 and 2)"
    assert told("aloha", [1, 0, 0, 0, 1, 1, 0, 0, 0, 0]) == "0 sent, 3 collided (so far 0 and 3)", "across a row's end"
    game = make_game("aloha", arrival_rate=0.0)
    turn = played(game, script={0: [1] + [0] * 9, 1: [1] + [0] * 9}).turns[1]
    assert painter_of(game).words(turn) == "0 sent, 0 collided, 1 had nothing to send (so far 1 and 0)"


def test_sensor_counts_what_the_reward_counts() -> None:
    game = make_game("sensor")
    painter = painter_of(game)
    for seed in range(20):
        for turn in played(game, seed).turns:
            caught, scans = _caught_and_scans(painter.words(turn))
            seen = painter.seen(turn)  # type: ignore[attr-defined]
            paid = sum(3.0 * count / 2 for cell, count in seen.items() if count >= 2 and cell in turn.before[1:])
            assert turn.reward == pytest.approx(paid - scans)
            assert (caught > 0) == (paid > 0)


def _caught_and_scans(words: str) -> tuple[int, int]:
    numbers = [int(word) for word in words.replace(",", "").split() if word.isdecimal()]
    return numbers[0], numbers[2]


def test_a_game_without_a_painter_is_shown_by_its_own_shapes() -> None:
    pytest.importorskip("PIL")
    from epymarl_cpa.render.film import Film
    from epymarl_cpa.render.painters import painter_of

    game = make_game("bridge", episode_limit=3)
    game.name = "mine"
    film = Film([Panel(painter_of(game), "mine", "", [played(game)])], 300, 2)
    colours = {tuple(colour) for colour in film.picture(1).reshape(-1, 3).tolist()}
    assert {(45, 108, 190), (226, 120, 24)} <= colours, "both agents' discs"


def test_pictures_of_the_docs_are_small_and_made_by_the_commands_that_stand_there() -> None:
    from epymarl_cpa.render.command import _check, _parser

    folder = Path(__file__).parents[2] / "docs/pictures"
    page = (folder / "README.md").read_text(encoding="utf-8").replace("\\\n", "")
    commands = [shlex.split(line)[3:] for line in page.splitlines() if line.startswith("python -m epymarl_cpa.render ")]
    made = set()
    for words in commands:
        args = _parser().parse_intermixed_args(words)
        _check(args)
        made.add(Path(args.out).name)
    pictures = {file.name: file.stat().st_size for file in folder.glob("*.gif")}
    assert made == {*pictures, "film.gif"} and max(pictures.values()) < 300_000
    assert all(f"]({name})" in page for name in pictures)
