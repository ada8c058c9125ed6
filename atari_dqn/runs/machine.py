"""What this machine can do: device, threads, precision and memory, decided once at the start and said aloud."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import logging
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch

from atari_dqn import host
from atari_dqn.config import Config
from atari_dqn.cuda_graph import captured
from atari_dqn.dqn.agent import learns_in_two_threads, make_agent, uses_own_kernels
from atari_dqn.dqn.optim import load_compiler
from atari_dqn.dqn.second_thread import flushes_denormals
from atari_dqn.errors import UsageError
from atari_dqn.runs.measured import seconds_per_update
from atari_dqn.runs.memory import refuse_large_network
from atari_dqn.settings.running import Precision
from atari_dqn.types import EnvSpec, Transitions

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
TORCH_CACHE = "TORCHINDUCTOR_CACHE_DIR"  # environment variable: where torch keeps what it compiles
MEASURE_SECONDS = 0.5  # for each precision
OTHER_THREADS = 3  # backward passes, the saver, and the process that watches the run
SHORT_SECONDS = 0.1  # where it is for a forecast only


def resolve(config: Config, *, begun: bool = False, learns: bool = True) -> Config:
    """Replace every `auto` of the config by what this machine has, and set the process up for it.

    Args:
      config: of a run.
      begun:  the run may come from another machine: `tf32`, which only CUDA GPUs have, is fp32 elsewhere.
      learns: no: it only plays.

    Raises:
      UsageError: a device or precision that is not to be had here.
    """
    config = config.replace(device=settle_device(config.machine.device))
    cores = host.cores()
    # beside a GPU, torch's threads have next to nothing to do, and wait for it actively where the emulators could play
    torch_threads = 1 if config.machine.device.startswith("cuda") else cores
    config = config.replace(
        torch_threads=config.machine.torch_threads or torch_threads, env_threads=config.machine.env_threads or cores
    )
    if config.env.backend == "workers" and config.machine.resize == "auto":
        far = not config.machine.device.startswith("cuda") or config.machine.replay_device == "cpu"
        config = config.replace(resize="games" if far else "replay")
    host.refuse_few_threads(config.machine.torch_threads + _threads_of_games(config) + OTHER_THREADS)
    torch.set_num_threads(1 if learns and learns_in_two_threads(config) else config.machine.torch_threads)
    _settle_cache()
    _reuse_freed_memory()
    log.info(
        f"threads: {config.machine.torch_threads} for the network, {config.machine.env_threads} for the games, "
        f"of {cores} core{'s' * (cores != 1)}"
    )
    return config.replace(precision=settle_precision(config, begun))


def _threads_of_games(config: Config) -> int:
    """Threads or processes in which emulators play: of the run, and of an evaluation beside it."""
    if config.env.backend != "native" and config.env.backend != "workers":
        return 0
    evaluations = (
        min(config.machine.env_threads, config.evaluation.eval_num_envs) if config.evaluation.eval_period else 0
    )
    return min(config.machine.env_threads, config.env.num_envs) + evaluations


def settle_device(name: str) -> str:
    """The device of this name, `auto` chosen.

    Raises:
      UsageError: it is not to be had here.
    """
    if name == "auto":
        chosen = "cuda" if torch.cuda.is_available() else "cpu"
        log.info(f"device: {chosen} (chosen; --device decides)")
        return chosen
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device is {name!r}; use cpu, cuda, cuda:0 or mps") from error
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"device is {name!r}; use cpu, cuda, cuda:0 or mps")
    if device.type == "mps":
        if not torch.backends.mps.is_available():
            raise UsageError(f"device is 'mps', but torch {torch.__version__} sees no GPU of Apple's; use --device cpu")
        log.info("device: mps (never measured: compare its speed and scores with --device cpu)")
        return name
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device is {name!r}, but torch {torch.__version__} sees no CUDA GPU here; use --device cpu")
    if device.index is not None and device.type == "cuda" and device.index >= torch.cuda.device_count():
        raise UsageError(f"device is {name!r}, but there are only {torch.cuda.device_count()} GPUs")
    if device.index is not None and device.type == "cuda":
        torch.cuda.set_device(device)  # streams, graphs and Triton's kernels are the current device's, not the tensors'
    log.info(f"device: {name}")
    return name


def _settle_cache() -> None:
    """See that torch can keep what it compiles: where it cannot, even its plain optimizers do not come to be.

    Raises:
      UsageError: there is no place for temporary files at all.
    """
    try:
        tempfile.gettempdir()  # the usual place is below it
    except OSError as error:
        raise UsageError(f"torch needs a place for temporary files ({error.strerror}); name one with TMPDIR") from error
    if not (named := os.environ.get(TORCH_CACHE)):
        return
    try:
        os.makedirs(named, exist_ok=True)
        with tempfile.TemporaryFile(dir=named):
            return
    except OSError as error:
        place = tempfile.TemporaryDirectory(prefix="torch_", ignore_cleanup_errors=True)
        atexit.register(place.cleanup)
        os.environ[TORCH_CACHE] = place.name
        log.info(
            f"{TORCH_CACHE} cannot be written ({named}: {error.strerror}); what is compiled is kept for this run only"
        )


def settle_precision(config: Config, begun: bool) -> Precision:
    """The precision of a config, `auto` measured; see `resolve`."""
    on_gpu = config.machine.device.startswith("cuda")
    if config.machine.precision == "tf32" and not on_gpu:
        if not begun:
            raise UsageError("precision is 'tf32', which only CUDA GPUs have; use fp32 or bf16")
        log.info("precision: tf32 is fp32 here, only CUDA GPUs have it; the numbers go on, rounded otherwise")
    precision = config.machine.precision
    if precision == "auto":
        if config.network.network != "nature_cnn" or config.machine.device.startswith("mps"):
            precision = "fp32"  # too small to gain from less, or unknown
        else:
            candidates: tuple[Precision, ...] = ("fp32", "bf16")
            # who waits for a second thread seems to lack a core, and what is measured then is not kept
            alone = config.replace(torch_threads=1) if learns_in_two_threads(config) else config
            found = seconds_per_update(alone, candidates, lambda name: time_update(alone, name), load_compiler)
            precision = min(candidates, key=lambda name: found.seconds[name])
            told = ", ".join(f"{name} {1e3 * seconds:.1f} ms" for name, seconds in found.seconds.items())
            log.info(f"precision: {precision} (one update: {told}; --precision decides)")
            log.info(f"precision: {found.told}")
    if on_gpu:
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
    return precision


def settle_compile(config: Config, timed: Callable[[float], None] = lambda seconds: None) -> Config:
    """Decide `compile` for a run that will learn, by compiling and taking one update (`config` resolved).

    Args:
      config: of the run.
      timed:  is told the seconds of an update, where one is compiled; `update_seconds` measures those that are not.

    Raises:
      UsageError: compilation was asked for and does not work here.
    """
    on_gpu = config.machine.device.startswith("cuda")
    what = "update" if on_gpu else "optimizer"
    if config.machine.compile == "off" or (not on_gpu and config.optimizer.optimizer != "rmsprop"):
        if config.machine.compile == "on":
            log.info(f"optimizer: not compiled, {config.optimizer.optimizer} never is on a CPU")
        return config.replace(compile="off")
    if config.machine.compile == "auto" and config.machine.device.startswith("mps"):
        return config.replace(compile="off")  # never measured there
    if config.machine.compile == "auto" and (
        config.network.network != "nature_cnn" or (on_gpu and config.algorithm.own_loss)
    ):
        return config.replace(compile="off")  # too small to gain, or unknown
    began = time.perf_counter()
    try:
        with warnings.catch_warnings(action="ignore"):  # that fp32 could be faster as tf32
            timed(time_update(config.replace(compile="on"), config.machine.precision, seconds=0.0))
    except Exception as error:  # no C++ compiler, no headers, a version of torch where it fails: all end alike
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        if uses_own_kernels(config.replace(compile="on")):
            log.info(f"update: not by our own kernels, {reason}")
            return settle_compile(config.replace(own_kernels=False), timed)
        if config.machine.compile == "on":
            raise UsageError(f"compile is 'on', but the {what} cannot be compiled here ({reason}); use off") from error
        log.info(f"{what}: not compiled, {reason}")
        return config.replace(compile="off")
    seconds = time.perf_counter() - began
    log.info(f"{what}: compiled in {seconds:.0f} s, the next run takes it from a cache; --compile decides")
    return config.replace(compile="on")


@contextlib.contextmanager
def flushed_denormals(flush: bool = True) -> Iterator[None]:
    """Meanwhile the processor takes numbers below 1.2e-38 for 0, here and in threads that torch starts now.

    Weights of inputs that are always 0 (dead pixels of a game) have no gradient, and their averages in the optimizer
    shrink at every update until they are that small, after some thousand updates. On such numbers arithmetic takes
    tens of times longer, and what is added to the weights does not change. Afterwards the mode is as it was: others in
    the process may need such numbers.
    """
    before = flushes_denormals()
    torch.set_flush_denormal(flush)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _reuse_freed_memory() -> None:
    """Tell glibc to keep freed blocks of up to 32 MB (its limit) instead of handing them back to the system.

    Batches and activations of megabytes come and go with every update. Each time, the system would map their pages
    anew and fill them with zeros, which takes longer than the arithmetic on them.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL(None)
            libc.mallopt(M_MMAP_THRESHOLD, 32 * 2**20)
            libc.mallopt(M_TRIM_THRESHOLD, 2**30)


def update_seconds(config: Config) -> float | None:
    """Time of one update that is not compiled, measured in a moment (`config` resolved); None for other than images."""
    if config.network.network != "nature_cnn":
        return None
    return time_update(config.replace(compile="off"), config.machine.precision, SHORT_SECONDS)


def time_update(config: Config, precision: Precision, seconds: float = MEASURE_SECONDS) -> float:
    """Median time of one update at this precision, measured for so long, at least once; on pixels in any case.

    On a GPU it is one launch, as in the run itself: bound by what is computed, not by the launches of each kernel.
    """
    spec = EnvSpec("measurement", (84, 84), "uint8", ("noop",) * 6, config.env.frame_skip)
    config = config.replace(precision=precision, network="nature_cnn")
    refuse_large_network(config, spec)
    agent = make_agent(config, spec)
    shape = (config.replay.batch_size, config.env.frame_stack, 84, 84)
    generator = torch.Generator().manual_seed(0)
    obs = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).to(config.machine.device)
    batch = Transitions(
        obs=obs,
        action=torch.zeros(config.replay.batch_size, dtype=torch.int64, device=config.machine.device),
        reward=torch.ones(config.replay.batch_size, config.algorithm.n_step, device=config.machine.device),
        num_steps=torch.ones(config.replay.batch_size, dtype=torch.int64, device=config.machine.device),
        terminated=torch.zeros(config.replay.batch_size, dtype=torch.bool, device=config.machine.device),
        next_obs=obs,
    )
    learn = captured(
        lambda *parts: agent.learn(Transitions(*parts)).loss, config.machine.device, record=config.machine.cuda_graph
    )
    for _ in range(3):
        learn(*batch).item()
    times: list[float] = []
    while not times or sum(times) < seconds:
        began = time.perf_counter()
        learn(*batch).item()
        times.append(time.perf_counter() - began)
    return float(np.median(times))
