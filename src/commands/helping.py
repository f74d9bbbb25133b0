"""What ``--help`` prints: our verbs and options first, then Sacred's, whose own help would take seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..records.options import OPTIONS
from .verbs import VERBS

#: makes a command line one of EPyMARL's own program
GUEST = "--epymarl"
#: options of the long line
OURS: Mapping[str, str] = {
    "--config=METHOD": "the method: a file of src/config/algs, or the path of a YAML file",
    "--env-config=GAME": "the game: a file of src/config/envs, or the path of a YAML file",
    "--evaluate=MODEL": "in place of both: only play that model, by its own configuration",
    f"{GUEST}=DIR": "run inside that clone of EPyMARL, with its loop, logger and methods beside ours",
    "with KEY=VALUE ...": "settings; 'explain KEY' says what one means, resume=last goes on with a run"}
#: Sacred's commands
COMMANDS: Mapping[str, str] = {
    "trial": "train and evaluate, or only evaluate (what runs if no command is named)",
    "print_config": "print the configuration and stop", "print_dependencies": "print versions of packages and sources",
    "print_named_configs": "print named configurations (there are none)",
    "save_config": "write the configuration to config.json"}


def asks_for_help(words: Sequence[str]) -> bool:
    """Whether help is asked for among the words of a verb."""
    return bool({"-h", "--help"} & set(words))


def program_help(name: str) -> str:
    """Help on the whole program, called ``name``."""
    verbs = [(f"{verb} {VERBS[verb].words}", VERBS[verb].what) for verb in VERBS]
    return "\n".join([
        "Offline multi-agent reinforcement learning by Cooperative Policy Agreement.", "",
        f"Usage:  {name} VERB ...", f"        {name} --config=METHOD --env-config=GAME [OPTIONS] [with KEY=VALUE ...]",
        "", f"Verbs ('{name} VERB --help' says more):", *_columns(verbs, 30), "",
        "Begin with:", f"  {name} list", f"  {name} train cpa_ar xor", f"  {name} explain cpa_pa", "",
        "Options of the long line:", *_columns(list(OURS.items()), 30), "",
        "Sacred's commands (between the options and 'with'):", *_columns(list(COMMANDS.items()), 30), "",
        "Sacred's options:", *_columns([(f"{short}, {long}", what) for short, long, what in OPTIONS], 30)])


def verb_help(verb: str) -> str:
    """Help on a verb that has no parser of its own."""
    entry = VERBS[verb]
    lines = [f"Usage:  epymarl-cpa {verb} {entry.words}", "", f"{entry.what[:1].upper()}{entry.what[1:]}."]
    if entry.example:
        lines += ["", f"Example:  epymarl-cpa {entry.example}"]
    return "\n".join(lines)


def _columns(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Two columns; a long entry of the first has a line of its own."""
    lines: list[str] = []
    for left, right in rows:
        lines += [f"  {left:<{width}}  {right}"] if len(left) <= width else [f"  {left}", f"  {'':<{width}}  {right}"]
    return lines
