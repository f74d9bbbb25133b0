"""YAML files and command-line words become one checked configuration, or one clear sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from epymarl_cpa import config
from epymarl_cpa.config import FOLDER, load_env, merge, parse_overrides, read_yaml, resolve
from epymarl_cpa.errors import UserError
from epymarl_cpa.settings import CORE


def write(folder: Path, text: str, name: str = "own.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize(("text", "value"), [
    ("1e-3", 1e-3), ("-2", -2), ("010", 10), ("0.5", 0.5), ("5.", 5.0), (".5", 0.5), ("1E5", 1e5), ("null", None),
    ("None", None), ("~", None), ("true", True), ("False", False), ("on", "on"), ("no", "no"), ("1:30", "1:30"),
    ("2024-01-01", "2024-01-01"), ("2024-99-99", "2024-99-99"), ("1_000", "1_000"), ("infinity", "infinity"),
    ("", ""), ("a=b", "a=b"), ("results/x y", "results/x y"), ("'12'", "12"), ("[1, 2e0]", [1, 2.0]),
    ("{a: 1}", {"a": 1}), ("{a: 1, a: 2}", "{a: 1, a: 2}"), ("*x", "*x"), ("!!int x", "!!int x"),
    ("results/exp #3/out", "results/exp #3/out"), ("#1/x", "#1/x"), ("'a #b' # c", "a #b"), ("a#b", "a#b"),
    ("!!timestamp x", "!!timestamp x"), ("!!bool x", "!!bool x"), ("[" * 5000, "[" * 5000)])
def test_values_are_read_as_plain_yaml(text: str, value: object) -> None:
    got = parse_overrides([f"key={text}"])["key"]
    assert got == value
    assert type(got) is type(value)


def test_words_nest() -> None:
    assert parse_overrides(["a.b.c=1", "a.d=x", "e=2"]) == {"a": {"b": {"c": 1}, "d": "x"}, "e": 2}
    assert parse_overrides(["a={b: 1}", "a.c=2"]) == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize(("words", "complaint"), [
    (["lr"], "'lr' is not of the form key=value"), (["=1"], "'=1' is not of the form"),
    (["a..b=1"], "is not of the form"), ([".a=1"], "is not of the form"), (["lr=1", "lr=2"], "'lr' is given twice"),
    (["a.b=1", "a=2"], "'a' is given twice"),
    (["a=1", "a.b=2"], "'a.b=2' contradicts an earlier word")])
def test_words_that_are_no_settings(words: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(complaint)):
        parse_overrides(words)


def test_merge_goes_key_by_key_and_modifies_nothing() -> None:
    base, updates = {"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}, "b": {"z": 1}}
    assert merge(base, updates) == {"a": {"x": 1, "y": 5}, "b": {"z": 1}}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}
    assert updates == {"a": {"y": 5}, "b": {"z": 1}}


def test_later_sources_win() -> None:
    by_env, alg = resolve("bcq", "bridge"), read_yaml(FOLDER / "algs/bcq.yaml")
    assert alg["per_env"]["bridge"]["bcq_threshold"] != alg["bcq_threshold"]
    section = alg["per_env"]["bridge"]["bcq_threshold"]
    assert by_env["bcq_threshold"] == section, "the algorithm's section for the environment"
    assert by_env["state_levels"] == 6, "the environment's YAML"
    assert resolve("bcq", "xor")["bcq_threshold"] == alg["bcq_threshold"], "the algorithm's YAML"
    assert resolve("bc", "xor")["lr"] == yaml.safe_load((FOLDER / "default.yaml").read_text())["lr"]
    assert resolve("cpa_ar", "bridge", ["alpha=0.3"])["alpha"] == 0.3, "the command line"
    changed = resolve("cpa_ar", "bridge", ["env_args.start=separate", "recipes.poor.episodes=7"])
    assert changed["env_args"] == {**by_env["env_args"], "start": "separate"}
    assert changed["recipes"]["poor"] == {**by_env["recipes"]["poor"], "episodes": 7}


@pytest.mark.parametrize(("words", "complaint"), [
    (["lrr=1"], "unknown config key 'lrr' (did you mean 'lr'?)"), (["weihgt=chain"], "(did you mean 'weight'?)"),
    (["env_args.n_agnets=2"], "unknown config key 'env_args.n_agnets' of xor (did you mean 'n_agents'?)"),
    (["lr.x=1"], "config key 'lr' must be a number"), (["env_args=3"], "config key 'env_args' must be a mapping"),
    (["t_max=3.5"], "'t_max' must be a whole number, not 3.5"), (["t_max=true"], "'t_max' must be a whole number"),
    (["t_max=-1"], "'t_max' must be at least 0, not -1"), (["gamma=1.5"], "'gamma' must be at most 1.0, not 1.5"),
    (["use_cuda=1"], "'use_cuda' must be true or false, not 1"), (["name=7"], "'name' must be text, not 7"),
    (["name=../x"], "'name' names a folder"), (["env_args.map_name=a/b"], "'env_args.map_name' names a folder"),
    (["env_args.n_agents=two"], "'env_args.n_agents' must be a whole number, not 'two'"),
    (["reward_scalarisation=max"], "must be sum or mean, not 'max'"), (["batch_size_run=0"], "must be at least 1"),
    (["batch_size_run=4"], "batch_size_run=4 has no effect without runner=episode"),
    (["reward_min=.nan"], "'reward_min' must be a finite number"), (["lr=.inf"], "'lr' must be a finite number"),
    (["seed=none of it"], "'seed' must be a whole number or null"), (["lr=null"], "'lr' must be a number, not None"),
    (["recipes.poor=3"], "'recipes.poor' must be a mapping"), (["recipes={a b: {}}"], "below config key 'recipes'"),
    (["mac=ar_mca"], "unknown mac 'ar_mca' (did you mean 'ar_mac'?)"), (["learner=x"], "unknown learner 'x'"),
    (["env=xro"], "unknown game 'xro' (did you mean 'xor'?)"), (["runner=offlin"], "(did you mean 'offline'?)"),
    (["runner=episode", "reward_scale=1.0"], "offline_selection=true has no effect with runner=episode"),
    (["runner=episode", "reward_scale=1.0", "offline_selection=false", "buffer_size=5", "batch_size=6"],
     "buffer_size=5 must be at least batch_size=6")])
def test_bad_settings_are_told_before_anything_runs(words: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=re.escape(complaint)):
        resolve("cpa_ar", "xor", words)


def test_good_settings() -> None:
    got = resolve("cpa_ar", "xor", ["lr=1e-4", "seed=null", "reward_min=-2", "use_cuda=True", "lr_final=1",
                                    "env_args={n_agents: 3}", "env_args.seed=5", "checkpoint_path="])
    assert got["lr"] == 1e-4
    assert got["seed"] is None
    assert (got["reward_min"], type(got["reward_min"])) == (-2.0, float)
    assert got["use_cuda"] is True
    assert (got["lr_final"], type(got["lr_final"])) == (1.0, float)
    assert got["env_args"]["n_agents"] == 3
    assert got["env_args"]["seed"] == 5
    assert got["checkpoint_path"] == ""


@pytest.mark.parametrize(("alg", "env", "complaint"), [
    ("cpa-ar", "xor", "unknown --config=cpa-ar (did you mean 'cpa_ar'?); the choices are: "),
    ("a=b", "xor", "unknown --config=a=b;"),
    ("cpa_ar", "snesor", "unknown --env-config=snesor (did you mean 'sensor'?)"),
    ("./cpa_ar", "xor", "unknown --config=./cpa_ar"), ("x" * 5000, "xor", "unknown --config=xxx")])
def test_unknown_files(alg: str, env: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(complaint)):
        resolve(alg, env)


@pytest.mark.parametrize("ending", ["", ".yaml"])
def test_own_files_by_path(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, yaml.safe_dump({**read_yaml(FOLDER / "algs/cpa_ar.yaml"), "name": "mine"}), "cpa_ar.yaml")
    write(tmp_path, "env: xor\nenv_args: {bb_reward: -2}\ngamma: 9e-1", "x=y.yaml")
    monkeypatch.chdir(tmp_path)
    got = resolve(f"./cpa_ar{ending}", str(tmp_path / f"x=y{ending}"))
    assert got["name"] == "mine"
    assert got["env_args"] == {"map_name": "xor", "bb_reward": -2.0}
    assert got["gamma"] == 0.9, "PyYAML alone takes 9e-1 for text"


@pytest.mark.parametrize(("text", "complaint"), [
    ("lr: 1\nlr: 2", "the key 'lr' is given twice"), ("env_args: {a: 1, a: 2}", "the key 'a' is given twice"),
    ("1: 2", "the key '1' is not text"), ("[a, b]: 2", "is not text"), ("- a", "must hold a mapping"), ("", "must"),
    ("a: [", "is not valid YAML"), ("a: !!python/object/apply:os.getcwd []", "is not valid YAML"),
    ("lr: !!int x", "is not valid YAML"), ("a: \x00", "is not valid YAML")])
def test_bad_files(text: str, complaint: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=re.escape(complaint)) as error:
        read_yaml(Path(path))
    assert path in str(error.value)
    assert "\n" not in str(error.value)


def test_merge_keys_of_yaml_may_be_overridden(tmp_path: Path) -> None:
    text = "recipes:\n  a: &a {episodes: 1, per: step}\n  b: {<<: *a, episodes: 2}"
    assert read_yaml(Path(write(tmp_path, text)))["recipes"]["b"] == {"episodes": 2, "per": "step"}


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    for path in (tmp_path / "latin.yaml", tmp_path, tmp_path / "absent.yaml"):
        with pytest.raises(UserError, match="cannot be read"):
            read_yaml(path)


@pytest.mark.parametrize(("changes", "complaint"), [
    ({"per_env": {"snesor": {"lr": 1}}}, "unknown game 'snesor' (did you mean 'sensor'?)"),
    ({"per_env": 3}, "must be a mapping"), ({"per_env": {"xor": 3}}, "must be a mapping"),
    ({"per_env": {"xor": {"lrr": 3}}}, ".yaml: unknown config key 'lrr'"),
    ({"lr": "high"}, ".yaml: config key 'lr' must be a number"),
    ({"env_args": {"rows": 3}}, "unknown config key 'env_args.rows' of xor")])
def test_bad_algorithm_files(changes: dict[str, object], complaint: str, tmp_path: Path) -> None:
    content = {**read_yaml(FOLDER / "algs/ar_bc.yaml"), **changes}
    with pytest.raises(UserError, match=re.escape(complaint)):
        resolve(write(tmp_path, yaml.safe_dump(content)), "xor")
    with pytest.raises(UserError, match=r"^config key 'lr' must be a number"):
        resolve(write(tmp_path, yaml.safe_dump(read_yaml(FOLDER / "algs/ar_bc.yaml"))), "xor", ["lr=high"])


def test_missing_keys(tmp_path: Path) -> None:
    short = write(tmp_path, "name: x\nmac: ar_mac\nlearner: cpa_ar_learner\nbeta: 0.0\nbeta_mode: ratio\n"
                            "shared_seed: false\nalpha: 1.0\nalpha_share: 0.1\nconservatism: 0.0\n"
                            "soft_values: true\ncritic_time: true\noffline_selection: false\n"
                            "value_hidden_dim: 8\n"
                            "mixer_weights: softmax\ntarget_weight: one\nalpha_q: 1000.0")
    with pytest.raises(UserError, match="config key 'weight' is missing"):
        resolve(short, "xor")
    with pytest.raises(UserError, match="must name its game: env: <name>"):
        resolve("cpa_ar", write(tmp_path, "t_max: 5", "no_game.yaml"))


def test_every_default_has_a_comment_and_a_type_and_nothing_else_has() -> None:
    lines = (FOLDER / "default.yaml").read_text().splitlines()
    keys = [line.partition(":")[0] for line in lines if re.match(r"\w", line)]
    assert len(keys) == len(set(keys))
    assert set(keys) == set(CORE)
    for line in lines:
        assert not line.strip() or "#" in line, f"no comment: {line}"


def test_load_env() -> None:
    game, recipes = load_env("sensor", ["env_args.rows=2", "env_args.catch_reward=4"])
    assert (game.n_agents, game.spec()["catch_reward"]) == (10, 4.0)
    assert recipes == config.resolve("cpa_ar", "sensor")["recipes"]
    for words, complaint in ((["lr=1"], "not 'lr'"), (["env_args.x=1"], "unknown config key 'env_args.x'"),
                             (["env_args=1"], "'env_args' must be a mapping"), (["env_args.rows=x"], "a whole number")):
        with pytest.raises(UserError, match=complaint):
            load_env("sensor", words)


def test_a_file_may_extend_another_and_wins_over_its_sections(tmp_path: Path) -> None:
    child = tmp_path / "mine.yaml"
    child.write_text("extends: cpa_ar\nname: mine\nalpha: 0.7\nper_env: {aloha: {alpha: 0.9}}\n")
    assert resolve(str(child), "sensor")["alpha"] == 0.7
    assert resolve(str(child), "aloha")["alpha"] == 0.9
    assert resolve(str(child), "sensor")["lr"] == resolve("cpa_ar", "sensor")["lr"]


@pytest.mark.parametrize("base", ["[1]", "SELF"])
def test_a_file_that_extends_nothing_sensible_is_refused(base: str, tmp_path: Path) -> None:
    child = tmp_path / "mine.yaml"
    child.write_text(f"extends: {base.replace('SELF', str(child))}\nname: mine\n")
    with pytest.raises(UserError, match="must name another algorithm's file"):
        resolve(str(child), "xor")
