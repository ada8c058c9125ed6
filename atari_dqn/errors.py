"""The one exception that means "the input cannot work", as opposed to "the program is wrong"."""

# by their words in the errors of Python, torch, safetensors and ale-py, which often carry no number: what is too little
REFUSALS = {
    "too many open files": "too few files may be open at once; raise the limit (ulimit -n)",
    "can't start new thread": "no thread can be started; raise the limits (ulimit -u, ulimit -v)",
    "resource temporarily unavailable": "no thread or process can be started; raise the limit (ulimit -u)",
    "can't allocate memory": "the memory is full, or limited (ulimit -v); end what else runs here, or ask for less",
    "cannot allocate memory": "the memory is full, or limited (ulimit -v); end what else runs here, or ask for less",
    "failed to map segment": "the memory is full, or limited (ulimit -v); end what else runs here, or ask for less",
    "bad_alloc": "the memory is full, or limited (ulimit -v); end what else runs here, or ask for less",
}


class UsageError(ValueError):
    """A value, file or machine that the user can change; the message names it and the remedy.

    The command line prints the message alone and exits with 2. Every other exception is a bug and keeps its traceback.
    """


class GameError(UsageError):
    """A game failed or broke its contract; all around it is as it was."""


class MachineRefused(UsageError):
    """The machine gives no more memory, threads or open files; nothing is wrong with what was being read."""


def refusal(error: BaseException) -> str | None:
    """What the machine refused and the remedy, in words; None for an error of another kind."""
    if isinstance(error, MemoryError):
        return REFUSALS["bad_alloc"]
    return next((words for mark, words in REFUSALS.items() if mark in str(error).lower()), None)
