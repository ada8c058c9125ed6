"""Signals as a terminal has them: a runner in the background may hand on ignored ones, and runs keep them so."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
