"""The one exception that means "the input cannot work", as opposed to "the program is wrong"."""


class UsageError(ValueError):
    """A value, file or machine that the user can change; the message names it and the remedy.

    The command line prints the message alone and exits with 2. Every other exception is a bug and keeps its traceback.
    """
