"""The exceptions that a user's mistake may raise."""


class UserError(Exception):
    """Bad input, told in one sentence: what is wrong, where, and what to do.

    The command line prints the sentence and exits with status 2; no traceback is shown.
    """


class Diverged(UserError):
    """Training has come to something that is not finite."""


def clipped(value: object) -> str:
    """A value in at most 80 letters, on one line, for messages."""
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def shown(value: object) -> str:
    """A value as Python writes it, clipped; its kind where Python cannot, as for numbers of thousands of digits."""
    try:
        return clipped(repr(value))
    except Exception:
        return f"a value of the kind {type(value).__name__}"


def one_line(error: BaseException) -> str:
    """What an error says in at most 400 letters, without line breaks and the full stop; its kind if it says nothing.

    Errors of libraries may repeat all that a file holds.
    """
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= 400 else f"{text[:397]}..."
