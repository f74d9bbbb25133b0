"""``epymarl-cpa --epymarl DIR --config=cpa_ar --env-config=sensor with ...``: EPyMARL with our classes in it."""

from __future__ import annotations

import runpy
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ..config import take_option
from ..errors import UserError, one_line
from ..utils.process import handling, interrupt
from .checkout import Checkout
from .configs import CommandLine
from .installer import install, uninstall

COMMANDS = {"install": install, "uninstall": uninstall}
OPTION = "--epymarl"
#: roots of the checkouts whose registries have our classes in this process
ENTERED: set[Path] = set()


def main(argv: Sequence[str]) -> int:
    """Runs EPyMARL's own ``main.py`` in this process, or installs into a checkout.

    Args:
        argv: the command line, with the program's name first.

    Returns:
        The exit status: 0 on success, 1 for a failure, 2 for a user's mistake (told in one sentence), 130
        after SIGINT or SIGTERM.
    """
    words = list(argv[1:])
    try:
        if words[0] in COMMANDS:
            if len(words) != 2:
                raise UserError(f"epymarl-cpa {words[0]} needs the folder of an EPyMARL checkout and nothing else.")
            print(COMMANDS[words[0]](Checkout(words[1])))
            return 0
        folder = take_option(words, OPTION)
        if not folder or OPTION in words:
            raise UserError(f"{OPTION} needs the folder of an EPyMARL checkout.")
        checkout = Checkout(folder)
        words = enter(checkout, words)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    sys.argv = [str(checkout.main), *words]
    try:
        with handling((signal.SIGTERM,), interrupt):
            runpy.run_path(str(checkout.main), run_name="__main__")
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:  # Sacred has printed what went wrong
        if isinstance(end.code, str):  # but of options that are not understood, it leaves that to Python
            print(end.code, file=sys.stderr)
            return 2
        return 2 if type(end.__context__).__name__ == "Error" else int(end.code or 0)
    return 0


def enter(checkout: Checkout, words: Sequence[str]) -> list[str]:
    """Registers everything of ours in the checkout's EPyMARL, for this process.

    Returns:
        The command line ``words`` as EPyMARL understands it.

    Raises:
        UserError: EPyMARL cannot be imported, the words are wrong, or its results cannot be written.
    """
    from .registration import register  # here: it can be imported only where our classes are needed

    checkout.prepare()
    try:
        names = register()
    except ImportError as error:
        raise UserError(f"EPyMARL in {checkout.root} cannot be imported ({one_line(error)}); install what its README "
                        "asks for.") from None
    ENTERED.add(checkout.root)
    words = CommandLine(checkout, names).rewrite(words)
    checkout.keep_apart(checkout.root / "results")
    return words
