"""How a run is watched, written down and computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from atari_dqn.settings.bounds import (
    FIXED,
    FREE,
    Device,
    Environments,
    EpisodesOrNone,
    May,
    Period,
    Probability,
    Range,
    StepList,
    Steps,
    Threads,
)

Resize = Literal["auto", "games", "replay"]
Compile = Literal["auto", "on", "off"]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
COMPUTED = May(change=False, differ=True)  # the numbers would go on otherwise than they began


@dataclass(frozen=True)
class EvaluationConfig:
    """Evaluations during training."""

    eval_period: Period = 250_000
    """Agent steps between evaluations (protocol `monitor`); 0 for none. Paper: 250,000."""
    eval_period_episodes: EpisodesOrNone = None
    """Episodes between evaluations, instead of `eval_period`; none: that one counts. Paper: none."""
    eval_early_steps: StepList = ()
    """Further agent steps at which a run is evaluated and filmed; 0: one episode before it learns. Paper: none."""
    eval_steps: Steps = 125_000
    """Length of one evaluation, agent steps: the episodes that fit in count. Paper: 125,000."""
    eval_episodes: EpisodesOrNone = None
    """Episodes of one evaluation, instead of `eval_steps`; none: that one counts. Paper: none."""
    eval_epsilon: Probability = 0.05
    """Chance of a random action in evaluations during training. Paper: 0.05."""
    eval_num_envs: Annotated[Environments, FREE] = 16
    """Environments of an evaluation side by side; does not change the result."""


@dataclass(frozen=True)
class LoggingConfig:
    """What a run writes, and how often."""

    may: ClassVar[May] = FREE

    log_period: Steps = 10_000
    """Agent steps between points in TensorBoard and metrics.jsonl."""
    checkpoint_period: Period = 250_000
    """Agent steps between checkpoints; 0 for the end only."""
    save_replay: bool = True
    """Checkpoints hold the replay, so that a resumed run is exactly the one that was interrupted."""
    film_seconds: Annotated[int, Range(0, 300, "seconds of play", "the pictures are held in memory")] = 20
    """Length of the GIF in TensorBoard, seconds of play; it shows an episode of each best or early evaluation. 0: none.
    Backends `native`, `workers` and `classic`."""


@dataclass(frozen=True)
class MachineConfig:
    """Devices, precision, compilation and threads."""

    may: ClassVar[May] = FREE

    device: Annotated[str, Device(10)] = "auto"
    """`auto` (CUDA if present, printed), `cpu`, `cuda`, `cuda:1`, or `mps` (GPUs of Apple's; not measured)."""
    replay_device: Annotated[str, Device(10)] = "auto"
    """Where frames are kept: `auto` (beside the network if they fit), `cpu` or `cuda`."""
    replay_tiles: bool = False
    """Keep frames as tiles of 12 x 12 pixels on the host, each different one once: 0.2 to 1.3 GB for a million
    transitions of Atari (random play) instead of 7.1. Minibatches are the same and take a little longer to read."""
    precision: Annotated[Precision, COMPUTED] = "fp32"
    """Arithmetic of the network: `fp32`, `tf32` (CUDA), `bf16`, or `auto`: bf16 where a measurement finds it faster.
    Later starts reuse the measurement; `atari-dqn doctor` names its folder."""
    compile: Compile = "auto"
    """Compile the update: loss, gradients and the paper's RMSProp on a GPU, RMSProp alone on a CPU. `on`, `off`, or
    `auto` (for networks for images, where the compiler works)."""
    own_kernels: bool = True
    """Update by this package's Triton kernels where they fit: the paper's network, optimizer and loss in `bf16` on a
    GPU, compiled, without any extension to learning. No: torch.compile's kernels."""
    overlap: Annotated[bool, COMPUTED] = True
    """Learn while the emulators play. Paper: no, the serial order: wait for them first."""
    cuda_graph: bool = True
    """Replay the learner's work as one CUDA graph. No: kernel by kernel, with the same results. No effect on a CPU."""
    torch_threads: Threads = 0
    """CPU threads of the network; 0 for all cores, or one beside a GPU, where the emulators need them all. Two share an
    update by whole operations, with the numbers of one; more divide each operation."""
    env_threads: Threads = 0
    """Threads of the emulators, or worker processes; 0 for all cores."""
    resize: Annotated[Resize, FIXED] = "auto"
    """Where screens of `workers` become 84 x 84: beside the `games`, or beside the `replay`; `auto`: beside the replay
    if it is on a GPU."""
