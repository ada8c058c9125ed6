"""A process for tests that kill one, limit it, or take something away from it: it begins with torch loaded.

It is forked from a server that has imported the libraries of others once, for which a fresh interpreter takes five
seconds each time. Ours are imported by each process anew, and it has no files open but the three of any process.
What lies between a shell and `main` is for other tests.
"""

import multiprocessing
import os
import signal
import sys

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["ale_py.vector_env", "filelock", "gymnasium", "psutil", "rich", "safetensors.torch", "scipy.stats", "tyro",
     "zstandard", "torch._dynamo", "torch.utils.tensorboard"]
)  # fmt: skip
COMMAND_LINE = "from atari_dqn.cli import entry; entry()"
A_SCRIPT = """
import os, runpy, sys
del sys.argv[0]  # "-c"
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""  # the first of WORDS, with the others after it


class WarmProcess:
    """As `subprocess.Popen` of `python -c CODE WORDS`; what it writes is read at its end, and may have 64 kB.

    Args:
      code:        to run.
      words:       after the program's name.
      environment: variables besides those of this process.
    """

    def __init__(self, code, words, environment=None):
        self._texts, ends = zip(*(SERVER.Pipe(duplex=False) for _ in range(2)), strict=True)
        arguments = code, list(map(str, words)), os.environ | (environment or {}), ends
        self._process = SERVER.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        for end in ends:
            end.close()
        self.pid = self._process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None):
        """What it wrote to stdout and to stderr."""
        self._process.join(timeout)
        if late := self.returncode is None:
            self.kill()
        texts = []
        for end in self._texts:
            with open(os.dup(end.fileno()), encoding="utf-8") as file:
                texts.append(file.read())
        assert not late, f"it still ran after {timeout} s: {texts}"
        return texts


def _run(code, words, environment, ends):
    os.environ.clear()
    os.environ.update(environment)
    for number, end in enumerate(ends, start=1):
        os.dup2(end.fileno(), number)
        end.close()
    os.closerange(3, 256)  # files of the server
    sys.stdout = os.fdopen(1, "w", closefd=False)  # the server has others
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = ["-c", *words]
    exec(code, {"__name__": "__main__"})
