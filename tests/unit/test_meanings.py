"""Every key says what it means, in one place: declarations, YAML comments and ``explain`` agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from epymarl_cpa.agreement.readers import REGISTRY as READERS
from epymarl_cpa.commands.catalogue import HERE, GameFile, game_file, game_files, method, methods
from epymarl_cpa.commands.explaining import explain, known_keys
from epymarl_cpa.config import keys_of, load_env
from epymarl_cpa.config.declared import acts_declared, registered, settings_declared
from epymarl_cpa.config.files import FOLDER, names
from epymarl_cpa.controllers import REGISTRY as MACS
from epymarl_cpa.controllers.independent_controller import BasicMAC
from epymarl_cpa.envs import REGISTRY as GAMES
from epymarl_cpa.errors import UserError
from epymarl_cpa.learners import REGISTRY as LEARNERS
from epymarl_cpa.modules.critics import REGISTRY as CRITICS
from epymarl_cpa.settings import CORE, Decides, Key, settings_of
from epymarl_cpa.settings.env_args import documented, env_args_of
from epymarl_cpa.settings.schema import in_words

PARTS = [(kind, name) for kind, registry in (("mac", MACS), ("learner", LEARNERS)) for name in sorted(registry)]


# ------------------------------------------------------------------------------------- told without importing
@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_the_source_of_a_part_tells_its_settings(kind: str, name: str) -> None:
    registry: Mapping[str, type] = {"mac": MACS, "learner": LEARNERS}[kind]  # type: ignore[assignment]
    assert settings_declared(kind, name) is settings_of(registry[name])


@pytest.mark.parametrize("name", sorted(MACS))
def test_the_source_of_a_controller_tells_how_it_acts(name: str) -> None:
    assert acts_declared(name) == MACS[name].acts


@pytest.mark.parametrize("each", methods(), ids=lambda each: each.name)
def test_keys_are_the_same_with_and_without_importing(each: object) -> None:
    assert each.keys == keys_of(each.config)  # type: ignore[attr-defined]


def test_a_part_that_registers_itself_in_another_way_is_found_in_the_registry() -> None:
    class Own(BasicMAC):
        pass

    MACS["not_in_a_file"] = Own
    try:
        assert settings_declared("mac", "not_in_a_file") is settings_of(Own)
    finally:
        del MACS["not_in_a_file"]
    with pytest.raises(UserError, match=r"unknown learner 'bc_lerner' .did you mean 'bc_learner'"):
        settings_declared("learner", "bc_lerner")


def test_choices_that_are_written_down_are_those_of_the_registries() -> None:
    keys = method("cpa_pa").keys
    assert set(keys["weight"].choices) == set(CRITICS)
    assert set(keys["key"].choices) == set(READERS)


# ------------------------------------------------------------------------------------------------- meanings
@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_every_key_of_every_part_has_a_meaning(kind: str, name: str) -> None:
    assert not [key for key, declared in settings_declared(kind, name).keys().items() if not declared.doc]


@pytest.mark.parametrize("name", sorted(GAMES))
def test_every_argument_of_every_game_has_a_meaning(name: str) -> None:
    assert not [key for key, declared in env_args_of(GAMES[name]).items() if not declared.doc]


def commented(path: Path) -> Iterator[tuple[str, str]]:
    """Keys of a YAML file, and the comments beside them."""
    yield from re.findall(r"^(\w+):.*?[ \t]# (.*)$", path.read_text(encoding="utf-8"), re.M)


def test_the_comments_of_default_yaml_are_the_meanings() -> None:
    assert dict(commented(FOLDER / "default.yaml")) == {name: key.doc for name, key in CORE.items()}


@pytest.mark.parametrize("path", [FOLDER / kind / f"{name}.yaml" for kind in ("algs", "envs") for name in names(kind)],
                         ids=lambda path: path.stem)
def test_comments_of_other_files_are_the_meanings_or_about_the_value_here(path: Path) -> None:
    keys = method(path.stem).keys if path.parent.name == "algs" else CORE
    for name, text in commented(path):
        if name != "per_env":  # no key
            assert text.startswith(HERE) or text == keys[name].doc, name


@pytest.mark.parametrize("each", game_files(), ids=lambda each: each.name)
def test_comments_of_arguments_are_their_meanings_or_about_the_value_here(each: GameFile) -> None:
    section = re.search(r"^env_args:\n((?:  .*\n)*)", each.path.read_text(encoding="utf-8"), re.M)
    for name, text in re.findall(r"^  (\w+):.*?[ \t]# (.*)$", section[1] if section else "", re.M):
        assert text.startswith(HERE) or text == env_args_of(each.cls)[name].doc, name


def test_an_argument_of_a_docstring_may_share_its_line_and_go_on() -> None:
    text = """A game.

    Args:
        rows, cols: size of the ``grid``;
            at most 12.
        kind: one of :data:`.KINDS`.

    Attributes:
        width: not an argument.
    """
    assert documented(text) == {"rows": "size of the grid; at most 12", "cols": "size of the grid; at most 12",
                                "kind": "one of KINDS"}
    assert documented("Nothing.") == {}


@pytest.mark.parametrize(("key", "words"), [
    (Key(int, low=1, high=2**53), "a whole number of at least 1"),
    (Key(float, low=0.0, high=1.0), "a number of at least 0 and at most 1"),
    (Key(float | None), "a number or null"), (Key(bool), "true or false"), (Key(str, is_name=True), "without slashes"),
    (Key(str | None, choices=("qmix", None)), "one of qmix, null"),
    (Key(list[float]), "a list in which each entry is a number")])
def test_values_in_words(key: Key, words: str) -> None:
    assert words in in_words(key)


# -------------------------------------------------------------------------------------------------- explain
def test_every_key_can_be_explained() -> None:
    keys = known_keys()
    assert {"lr", "alpha", "env_args.rows", "env_args.map_name", "epsilon_start"} <= set(keys)
    for name in keys:
        text = "\n".join(explain(name))
        assert re.match(rf"{re.escape(name)}( of \w+)?: \w", text), name
        assert "decides" in text
        assert "values" in text


def test_a_key_tells_type_range_default_and_who_sets_it() -> None:
    text = " ".join(" ".join(explain("t_max")).split())
    assert "values a whole number of at least 0" in text
    assert "default 3000" in text
    assert f"decides {Decides.EXTENT.value} (extent)" in text
    assert "read by every run" in text
    assert "aloha 5000" in text
    assert "0.8 on bridge" in " ".join(" ".join(explain("bcq_threshold")).split())


def test_a_key_with_several_meanings_tells_each() -> None:
    text = " ".join("\n".join(explain("td_lambda")).split())
    assert "td_lambda: mixes targets of one and more steps" in text
    assert "td_lambda: share of the recorded returns in the targets" in text
    assert "read by maicq, maicq_tuned" in text


def test_a_key_of_a_part_that_no_file_names_is_explained() -> None:
    text = " ".join(" ".join(explain("team")).split())
    assert "team: name of a scripted team" in text
    assert "read by runs with mac=scripted_mac" in text


def test_the_parts_that_sources_register_are_those_of_the_registries() -> None:
    assert registered("mac") == sorted(MACS)
    assert registered("learner") == sorted(LEARNERS)


def test_a_value_behind_a_key_does_not_matter() -> None:
    assert explain("lr=3") == explain("lr")


def test_a_method_tells_its_keys_and_what_is_special_about_their_values() -> None:
    text = " ".join(" ".join(explain("maicq_tuned")).split())
    assert "extends maicq" in text
    assert "learner=maicq_learner mac=basic_mac runner=offline" in text
    assert 'alpha 10.0 temperature of the policy\'s weights (here: by the sweep "search")' in text
    assert "bridge lr=0.002" in text


def test_a_game_tells_rules_arguments_and_data() -> None:
    text = " ".join(" ".join(explain("sensor")).split())
    assert "agents x actions 15 x 9" in text
    assert "Each scan costs scan_cost" in text
    assert "n_preys 3 a whole number number of targets" in text
    assert "medium 5000 episodes expert 0.4, eager 0.4, hesitant 0.2" in text


@pytest.mark.parametrize(("name", "sentence"), [
    ("alhpa", "'alhpa' (did you mean 'alpha'?)"), ("learning_rate", "(did you mean 'lr'?)"),
    ("cpa-pa", "(did you mean 'cpa_pa'?)"), ("sensr", "(did you mean 'sensor'?)"),
    ("env_args.row", "(did you mean 'env_args.rows'?)"), ("mine.yaml", "mine.yaml")])
def test_what_nobody_knows_is_told_with_what_resembles_it(name: str, sentence: str) -> None:
    with pytest.raises(UserError) as told:
        explain(name)
    assert sentence in str(told.value)


def test_files_of_the_users_own_are_explained(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("# Mine: CQL with less push.\nextends: cql\nname: mine\ncql_alpha: 0.2  # here: by hand\n")
    text = " ".join(" ".join(explain(str(own))).split())
    assert "Mine: CQL with less push" in text
    assert "cql_alpha 0.2" in text
    assert "(here: by hand)" in text
    own.write_text("# Larger XOR.\nenv: xor\nenv_args: {n_agents: 3}\nrecipes: {}\n")
    assert "agents x actions 3 x 2" in " ".join(" ".join(explain(str(own))).split())


# ---------------------------------------------------------------------------------------------- other packages
@pytest.mark.parametrize("name", [each.name for each in game_files() if each.needs != "-"])
def test_sizes_that_files_tell_of_other_packages_environments_are_right(name: str) -> None:
    each = game_file(name)
    if each.sizes == "any":
        assert name in ("gymma", "pettingzoo")
        return
    if find_spec(each.needs.split()[0]) is None:
        pytest.skip(f"needs {each.needs}")
    game = load_env(name)[0]
    assert each.sizes == f"{game.n_agents} x {game.n_actions}"
