"""Signals as a terminal has them: a runner in the background may hand on ignored ones, and runs keep them so.

And nothing is kept in the user's cache folder, nor sent by onnxruntime, which tests import themselves.
"""

import atexit
import os
import signal
import tempfile

_cache = tempfile.TemporaryDirectory(prefix="atari_dqn_", ignore_cleanup_errors=True)
atexit.register(_cache.cleanup)
os.environ["ATARI_DQN_CACHE"] = _cache.name
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
