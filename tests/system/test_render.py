"""``render``: films and text of teams from their checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from helpers import Built

from epymarl_cpa.components.action_selectors import masked_logits
from epymarl_cpa.conventions.network import Conventions
from epymarl_cpa.deploy.export import export
from epymarl_cpa.evaluation.play import evaluate
from epymarl_cpa.render.command import main
from epymarl_cpa.render.exported import ExportedTeam
from epymarl_cpa.render.play import play, play_by_keys
from epymarl_cpa.render.team import ShownTeam
from epymarl_cpa.utils import checkpoint

SMALL = ("hidden_dim=8", "seed=1")
POOL = ("pool_hidden=8", "pool_size=6", "entry_floor=0.0", "beta=0.05", "plans=6")
Make = Callable[..., Path]


class Lamps(gymnasium.Env[Any, Any]):
    """Two agents switch lamps; the picture shows which are on."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (Gymnasium's own way)

    def __init__(self, render_mode: str | None = None, shows: bool = True) -> None:
        self.render_mode, self.shows = render_mode, shows
        self.observation_space = spaces.Tuple([spaces.Box(0, 1, (1,), np.float32)] * 2)
        self.action_space = spaces.Tuple([spaces.Discrete(2)] * 2)
        self.on = [0, 0]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.on = [0, 0]
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.on = [int(each) for each in action]
        return self._seen(), [1.0, 1.0], False, False, {}

    def _seen(self) -> Any:
        return tuple(np.array([on], dtype=np.float32) for on in self.on)

    def render(self) -> Any:
        if not self.shows:
            return None
        return np.repeat(np.array([[[255 * on, 0, 200] for on in self.on]], dtype=np.uint8).repeat(30, 0), 40, 1)


gymnasium.register("Lamps-v0", f"{__name__}:Lamps", max_episode_steps=2, disable_env_checker=True)
LAMPS = ("env_args.key=Lamps-v0", "env_args.time_limit=2")


@pytest.fixture
def model(tmp_path: Path) -> Make:
    """The model folder of a team as it is before training, students included."""

    def make(alg: str, env: str, *words: str) -> Path:
        built = Built(alg, env, *SMALL, *(POOL if alg == "cpa_pa" else ()), *words)
        if alg in ("cpa_pa", "kd"):
            built.mac.enter("students")
        root = tmp_path / f"{alg}-{env}"
        checkpoint.save(root, 7, built.run, {}, {"game": built.game.spec(), "config": built.config})
        built.game.close()
        return root

    return make


def frames(file: Path) -> list[Any]:
    """The pictures of a GIF."""
    image = pytest.importorskip("PIL.Image")
    with image.open(file) as film:
        pictures = []
        for index in range(film.n_frames):
            film.seek(index)
            pictures.append((film.size, film.info["duration"], np.asarray(film.convert("RGB"))))
    return pictures


@pytest.mark.parametrize("alg, env, words", [
    ("cpa_ar", "bridge", ("env_args.episode_limit=9",)), ("cpa_pa", "sensor", ()), ("bc", "aloha", ()),
    ("qmix", "xor", ()), ("bcq", "xor", ()), ("kd", "permutation", ()),
    ("bc", "bridge", ("use_rnn=true", "obs_last_action=true", "env_args.episode_limit=9")), ("cpa_pa", "dpomdp", ()),
    ("bc", "overcooked", ("env_args.episode_limit=5",))])
def test_any_team_is_shown_as_text(alg: str, env: str, words: tuple[str, ...], model: Make,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    folder = model(alg, env, *words)
    assert main([str(folder)]) == 0
    text = capsys.readouterr().out
    assert f"{alg} on {env}" in text and "t_env 7" in text and "step 1: " in text and "return " in text
    assert ("decide in turn" in text) == (alg == "cpa_ar")
    assert ("key 0." in text) == (alg == "cpa_pa")
    assert main([str(folder / "7")]) == 0
    assert capsys.readouterr().out == text, "the same seed gives the same film"


def test_teams_that_share_a_seed_and_decide_in_turn_tell_their_key(model: Make,
                                                                     capsys: pytest.CaptureFixture[str]) -> None:
    folder = model("cpa_ar", "permutation", "shared_seed=true", "test_greedy=false")
    assert main([str(folder), "--keys=2"]) == 0
    text = capsys.readouterr().out
    assert text.count("\nkey 0.") == 2 and text.count("decide in turn, each knowing those before") == 2


def test_a_film_is_what_evaluation_plays(model: Make) -> None:
    built = Built("cpa_ar", "sensor", *SMALL)
    folder = model("cpa_ar", "sensor")
    team = ShownTeam(str(folder))
    expected = evaluate(built.game, built.mac, built.batch(3), 1, 0)
    shown = play(team, 3)
    assert [episode.total for episode in shown] == pytest.approx(expected["return"].tolist())
    assert [len(episode.turns) for episode in shown] == expected["ep_length"].tolist()


def test_a_gif_has_a_picture_for_the_start_and_for_each_step(model: Make, tmp_path: Path,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("PIL")
    out = tmp_path / "film.gif"
    assert main([str(model("cpa_pa", "bridge")), f"--out={out}", "env_args.episode_limit=2", "--width=401", "--fps=4",
                 ]) == 0
    first, *_, last = pictures = frames(out)
    assert len(pictures) == 3 and {size for size, *_ in pictures} == {first[0]}
    assert first[0][0] == 400 and first[0][1] % 2 == 0, "sides are even"
    assert (first[1], last[1]) == (250, 1000), "the end stays for longer"
    assert capsys.readouterr().out.endswith("film.gif: 3 pictures\n")
    again = tmp_path / "again.gif"
    assert main([str(tmp_path / "cpa_pa-bridge"), f"--out={again}", "env_args.episode_limit=2", "--width=401",
                 "--fps=4"]) == 0
    assert again.read_bytes() == out.read_bytes(), "the same seed gives the same film"
    assert len([*tmp_path.glob("*.gif")]) == 2 and not [*tmp_path.glob(".film*")]


def test_an_mp4_can_be_read_again(model: Make, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    pytest.importorskip("imageio_ffmpeg")
    import imageio

    out = tmp_path / "film.mp4"
    assert main([str(model("bc", "xor")), f"--out={out}", "--width=200"]) == 0
    pictures = [picture for picture in imageio.get_reader(out)]
    assert len(pictures) == 1 + 4 and pictures[0].shape[1] == 200


def test_two_keys_are_two_ways_from_the_same_start(model: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                   ) -> None:
    folder = model("cpa_pa", "xor")
    assert main([str(folder), "--keys=2"]) == 0
    one, other = capsys.readouterr().out.split("cpa_pa on xor")[1:]
    played = [next(line for line in text.splitlines() if line.startswith("step 1: ")) for text in (one, other)]
    assert played[0] != played[1] and "shared seed 1\n" in one
    assert all(" of 6 (share 0." in text for text in (one, other))
    pytest.importorskip("PIL")
    assert main([str(folder), "--keys=2", f"--out={tmp_path / 'film.gif'}"]) == 0
    (size, _, start), (_, _, end) = frames(tmp_path / "film.gif")
    half = size[0] // 2
    cards = np.s_[72:200]
    assert size[0] == 960 and np.array_equal(start[cards, 10:half - 10], start[cards, half + 10:-10])
    assert not np.array_equal(end[cards, 10:half - 10], end[cards, half + 10:-10])


def test_the_luck_of_the_game_is_the_same_under_all_keys(model: Make) -> None:
    by_seed = play_by_keys(ShownTeam(str(model("cpa_pa", "sensor"))), 3)
    targets = [[turn.after.tolist() for turn in played[0].turns] for played in by_seed.values()]
    actions = [[turn.actions.tolist() for turn in played[0].turns] for played in by_seed.values()]
    assert targets[0] == targets[1] == targets[2] and actions[0] != actions[1] != actions[2] != actions[0]


@pytest.mark.parametrize("words", [(), ("key_per=episode",), ("use_rnn=true", "obs_last_action=true"),
                                   ("policy_input=obs", "use_rnn=true", "obs_last_action=true",
                                    "env_args.observation=local")])
@pytest.mark.parametrize("greedy", [False, True])
def test_the_entry_that_is_told_is_the_one_that_is_played(words: tuple[str, ...], greedy: bool, model: Make) -> None:
    team = ShownTeam(str(model("cpa_pa", "bridge", "env_args.episode_limit=12", *words)), greedy=greedy)
    mac, batch = team.mac, team.info.batch(1)
    turns = play(team)[0].turns
    entries = [turn.agreed for turn in turns]
    for t, turn in enumerate(turns):
        batch.update({"state": team.game.global_state(turn.before[None]), "obs": team.game.observe(turn.before[None]),
                      "avail_actions": team.game.available(turn.before[None]), "actions": turn.actions[None, :, None]},
                     ts=t)
    with th.no_grad():
        seen = mac.encode(batch)[0]
        pool = mac.agent
        every = pool.every(seen) if isinstance(pool, Conventions) else pool.pool.decode_all(pool.pool(seen))
        every = masked_logits(every, batch["avail_actions"][0][:, None]).argmax(-1)
    for t, (turn, found) in enumerate(zip(turns, entries, strict=True)):
        assert found is not None and (found.key is None) == greedy
        assert found.kind == ("convention" if "policy_input=obs" in words else "entry")
        assert every[t, found.number].tolist() == turn.actions.tolist()
    holds = not greedy and bool({"key_per=episode", "policy_input=obs"} & {*words})
    assert (len({found.key for found in entries if found}) == 1) == (holds or greedy)


def test_an_environment_of_another_package_is_shown_by_its_own_render(model: Make, tmp_path: Path,
                                                                     capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("PIL")
    folder = model("bc", "gymma", *LAMPS)
    out = tmp_path / "film.gif"
    assert main([str(folder), f"--out={out}"]) == 2
    assert "was trained on Lamps-v0 of another package" in capsys.readouterr().err
    assert main([str(folder), "--key=Lamps-v0", f"--out={out}"]) == 0
    pictures = frames(out)
    assert len(pictures) == 3
    colours = {tuple(colour) for colour in pictures[0][2].reshape(-1, 3).tolist()}
    assert any(blue > 150 and red < 40 for red, _, blue in colours), "both lamps are off at first"
    assert main([str(folder), "--key=Lamps-v0"]) == 0
    assert "Lamps-v0  step 0 of 2" in capsys.readouterr().out
    assert main([str(folder), "--key=Lamps-v0", f"--out={out}", "env_args.kwargs.shows=false"]) == 2
    assert "Lamps-v0 paints no picture of itself" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("use_rnn=true", "obs_last_action=true")])
def test_exported_agents_are_shown_as_they_play_in_training(words: tuple[str, ...], model: Make, tmp_path: Path,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    folder, agents = model("cpa_pa", "bridge", "env_args.episode_limit=12", *words), tmp_path / "agents"
    export(str(folder), agents)
    exported, team = ExportedTeam(str(agents), 1), ShownTeam(str(folder))
    assert [turn.actions.tolist() for episode in play(exported, 2) for turn in episode.turns] == \
        [turn.actions.tolist() for episode in play(team, 2) for turn in episode.turns]
    assert main([str(agents), "--keys=2", "env_args.episode_limit=3"]) == 0
    text = capsys.readouterr().out
    assert text.count("2 exported agents on bridge, shared seed") == 2 and text.count("key 0.") == 6
    assert main([str(agents), "--sample"]) == 2
    assert "play as they were exported" in capsys.readouterr().err


@pytest.mark.parametrize(("alg", "words", "keys"), [
    ("cpa_ar", ("test_greedy=false", "shared_seed=true"), True), ("cpa_ar", (), False), ("bc", (), False),
    ("kd", ("test_greedy=false",), False)])
def test_exported_agents_of_any_method_are_shown(alg: str, words: tuple[str, ...], keys: bool, model: Make,
                                                 tmp_path: Path) -> None:
    folder, agents = model(alg, "bridge", "env_args.episode_limit=6", *words), tmp_path / "agents"
    export(str(folder), agents)
    exported, team = ExportedTeam(str(agents), 1), ShownTeam(str(folder))
    assert (exported.shares_key and not exported.greedy) == keys
    assert (exported.greedy, exported.in_order) == (team.greedy, team.in_order)
    shown = [[(turn.actions.tolist(), turn.agreed and turn.agreed.key) for episode in play(each, 2)
              for turn in episode.turns] for each in (exported, team)]
    assert shown[0] == shown[1]


WRONG = [
    ([], "holds no checkpoint"),
    (["--out=film.avi"], "must end in .gif, .mp4 or .txt"),
    (["--out=nowhere/film.gif"], "there is no folder nowhere"),
    ([f"--out={'x' * 300}.gif"], "cannot be written (File name too long)"),
    (["--keys=2", "--greedy"], "--keys and --greedy contradict"),
    (["--keys=9"], "--keys must be between 1 and 4, not 9."),
    (["--fps=nan"], "--fps must be between 0.1 and 50, not nan."),
    (["--width=10"], "--width must be between 200 and 4000"),
    (["--colour=red"], "unrecognized arguments: --colour=red; --help tells"),
    (["lr=3"], "only arguments of the game can be changed"),
    (["env_args.colour=3"], "colour"),
    (["env_args.n_agents=3"], "was trained for another game"),
]


@pytest.mark.parametrize("words, sentence", WRONG, ids=[words[0] if words else "no model" for words, _ in WRONG])
def test_mistakes_are_sentences(words: list[str], sentence: str, model: Make, tmp_path: Path,
                                monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    folder = model("cpa_pa", "xor") if words else tmp_path
    assert main([str(folder), *words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("Error: ") and sentence in said.err and said.err.count("\n") == 1 and not said.out


def test_teams_without_a_key_are_told_so(model: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(model("bc", "xor")), "--keys=2"]) == 2
    assert "--keys shows teams that share a key" in capsys.readouterr().err


def test_without_pillow_text_is_shown_and_pictures_are_refused(model: Make, monkeypatch: pytest.MonkeyPatch,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    import builtins

    load = builtins.__import__

    def blocked(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in ("PIL", "imageio"):
            raise ImportError(name)
        return load(name, *rest)

    folder = model("cpa_pa", "xor")
    monkeypatch.setattr("epymarl_cpa.render.film.is_installed", lambda name: name != "PIL")
    monkeypatch.setattr(builtins, "__import__", blocked)
    assert main([str(folder), "--out=film.gif"]) == 2
    assert "pip install 'epymarl-cpa[render]'" in capsys.readouterr().err
    assert main([str(folder)]) == 0


def test_a_film_that_cannot_be_written_leaves_the_old_one(model: Make, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("PIL")
    out = tmp_path / "film.gif"
    out.write_bytes(b"before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    folder = model("cpa_pa", "xor")
    monkeypatch.setattr("os.fsync", full)
    assert main([str(folder), f"--out={out}"]) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert out.read_bytes() == b"before" and not [*tmp_path.glob(".film*")]
