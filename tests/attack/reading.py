"""What reading a file came to: a value, a sentence, or a fault."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator

from epymarl_cpa.deploy.policy import PolicyError
from epymarl_cpa.errors import UserError

from .forked import place_of

VALUE, REFUSED = "read to a value", "refused in a sentence"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what libraries print or warn of."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), \
            contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def attempt(read: Callable[[], str], wanted: str | None = None) -> tuple[str, str]:
    """Reads something that was damaged.

    Args:
        read: gives the digest of what was read.
        wanted: the only digest that is right; None where any sound value is, since nothing seals the file.

    Returns:
        ``VALUE`` or ``REFUSED``, and what was wrong ("" for nothing).
    """
    try:
        with quiet():
            found = read()
    except (UserError, PolicyError) as error:
        return REFUSED, fault_of(str(error))
    except Exception as error:
        return VALUE, f"{type(error).__name__} instead of a sentence: {str(error)[:200]} {place_of(error)}"
    return VALUE, "" if wanted in (None, found) else "read to another value without a word"


def fault_of(sentence: str) -> str:
    """What is wrong with a sentence for users; "" for nothing."""
    ended = sentence.strip().endswith(".") or re.search(r": \S*[^:]*--[\w-]+=\S+$", sentence)  # or a command to copy
    if not ended or len(sentence) < 20:
        return f"no sentence: {sentence[:200]!r}"
    if "\n" in sentence or "Traceback" in sentence or len(sentence) > 3000:
        return f"more than a sentence: {sentence[:300]!r}"
    return ""
