"""The exceptions that a user's mistake may raise."""


class UserError(Exception):
    """Bad input, told in one sentence: what is wrong, where, and what to do.

    The command line prints the sentence and exits with status 2; no traceback is shown.
    """


class Diverged(UserError):
    """Training has come to something that is not finite."""
