"""Every number of a run in one frozen table; `presets/` has the named ones.

Units: an *agent step* is one action (4 emulator frames on Atari). A field counts agent steps unless its name ends
in `_frames`, `_updates`, `_episodes` or `_seconds`. The sentence under a field is also its help text on the command
line. "Paper" is Mnih et al. 2015, Human-level control through deep reinforcement learning.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

from tyro.conf import Suppress

from atari_dqn.config_checks import complaints
from atari_dqn.config_json import fields_of
from atari_dqn.errors import UsageError

Backend = Literal["native", "workers", "reference", "classic"]
Resize = Literal["auto", "games", "replay"]
Compile = Literal["auto", "on", "off"]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
Network = Literal["nature_cnn", "nips_cnn", "mlp", "linear", "polynomial", "tabular", "own"]
Optimizer = Literal["rmsprop", "adam", "sgd"]
Reduction = Literal["sum", "mean"]
ActionSet = Literal["minimal", "paper", "full"]
PadStack = Literal["zeros", "first_frame"]
LossName = Literal["huber", "mse", "clipped_mse"]
Distribution = Literal["none", "c51", "quantiles", "iqn"]
PrioritySampler = Literal["candidates", "exact"]
Initializer = Literal["torch7", "he_normal", "lecun_normal", "glorot_uniform"]
GYM_PREFIX = "gym:"


def is_vector_game(game: str) -> bool:
    """Is it one of gymnasium's games of vectors, by its name: `cartpole` or `gym:ID`? All others are ROM ids."""
    return game == "cartpole" or game.startswith(GYM_PREFIX)


@dataclass(frozen=True)
class Config:
    """All settings of one run. The defaults are the `nature` preset.

    A new field must default to what runs did before it was there: configs of older versions do not name it.
    """

    game: Suppress[str] = "pong"
    """ROM id such as `ms_pacman`, or `cartpole`."""
    preset: str = "nature"
    """Preset whose values apply where no flag says otherwise. Names the default run folder and the report's column."""
    seed: int = 0
    """Root of every random stream of the run, >= 0."""

    # --- environments
    backend: Backend = "native"
    """`native`: ale-py's C++ environment. `workers`: processes of our own, for training; games open in kept states.
    `reference`: gymnasium and OpenCV wrappers, slow and plain. `classic`: gymnasium games with vector observations."""
    num_envs: int = 64
    """Games played side by side. Paper: 1. Ours: more, with the same number of updates per step."""
    env_groups: int = 1
    """Groups of environments that take turns: while one is acted for, the others play. Must divide `num_envs`.
    Paper: 1."""
    frame_skip: int = 4
    """Emulator frames per agent step. Paper: action repeat, 4."""
    frame_stack: int = 4
    """Frames in one observation. Paper: agent history length, 4."""
    noop_max: int = 30
    """A game opens with a random number of no-ops up to this one, frames. Paper: no-op max, 30."""
    sticky_probability: float = 0.0
    """Chance that a frame repeats the previous action. Paper: 0. Machado et al. 2018: 0.25."""
    action_set: ActionSet = "paper"
    """`minimal`: what ale-py says the game uses. `paper`: the same as the paper's emulator says it, which differs for
    Pong only (3 actions instead of 6: none with fire). `full`: all 18 joystick actions. Machado et al. 2018: full."""
    pad_stack: PadStack = "zeros"
    """Planes of a stack before the first frame of an episode: `zeros`, or `first_frame` repeated. Paper: zeros."""
    fire_on_reset: bool = False
    """Press fire, then action 2, when an episode opens and after a lost life, in evaluations too, where the game has
    fire. Paper: no. stable-baselines3: yes."""
    noop_after_life_loss: bool = False
    """Answer a lost life with one no-op, in training. Paper: no. The wrappers of OpenAI Baselines: yes."""
    terminal_on_life_loss: bool = True
    """In training a lost life ends the Bellman sum (the game goes on). Paper: yes. Machado et al. 2018: no."""
    max_episode_steps: int = 27_000
    """Time limit of a training episode, agent steps. Ours: 27,000, which are 108,000 frames or 30 minutes of play."""
    terminal_on_time_limit: bool = False
    """In training the time limit ends the Bellman sum. Paper: no; the sources of the CartPole recipes: yes."""

    # --- the algorithm
    total_steps: int = 50_000_000
    """Length of the run, agent steps. Paper: 50 million (200 million frames)."""
    total_episodes: int = 0
    """Length of the run in episodes, if `total_steps` does not end it before; 0: no such end. Paper: 0."""
    learning_starts: int = 50_000
    """Agent steps of random play before the first update. Paper: replay start size, 50,000."""
    whole_game_warm_up: bool = False
    """The warm-up goes on until a game ends with `learning_starts` transitions in the replay. Paper: no."""
    capacity: int = 1_000_000
    """Transitions kept, all environments together. Paper: replay memory size, 1 million."""
    replay_window_fraction: float = 1.0
    """Share of all agent steps so far, the newest, that minibatches are drawn from, in (0, 1]. Paper: 1, all kept."""
    replay_window_growth_steps: int = 0
    """Length of the rise of `replay_window_fraction` to 1, agent steps, from when n_step has fallen; 0: it stays.
    Paper: 0."""
    replay_window_min: int = 0
    """Least number of transitions in that window, if so many are kept. Ours: short runs need some variety."""
    priority_alpha: float = 0.0
    """Exponent alpha of prioritized replay in [0, 1]: transitions are drawn in proportion to |TD error| to this power
    (Schaul et al. 2016), at most four times more often than by chance. Paper: 0, uniform."""
    priority_decay_steps: int = 0
    """Length of the fall of `priority_alpha` to 0, agent steps counted from learning_starts; 0: it stays. Paper: 0."""
    priority_beta: float = 0.5
    """Importance-sampling exponent beta in [0, 1]: 0 corrects nothing, 1 all of the bias (Schaul et al. 2016)."""
    priority_beta_end: float = 0.5
    """What priority_beta moves to in a straight line until total_steps, in [0, 1], where draws are exact (Schaul et al.
    2016: 1)."""
    priority_sampler: PrioritySampler = "candidates"
    """`exact`: chances exactly proportional to priorities, by a sum tree (Schaul et al. 2016). `candidates`: the choice
    among four uniform draws for each transition. Ours: candidates, because a GPU need not be waited for."""
    batch_size: int = 32
    """Transitions per update. Paper: minibatch size, 32."""
    update_period: int = 4
    """Agent steps per update. Paper: update frequency, 4."""
    game_end_updates: int = 0
    """Updates at the end of each game, then a copy to the target network, instead of `update_period` and
    `target_update_period`; 0: those two count. Paper: 0."""
    target_update_period: int = 10_000
    """Agent steps between copies to the target network. Paper's code: 10,000, its table says updates (D9)."""
    reset_steps: tuple[int, ...] = ()
    """Agent steps at which the network is drawn anew; the replay stays (Nikishin et al. 2022). Paper: none."""
    reset_updates: int = 10_000
    """Updates of a network drawn anew before play goes on. Ours: 10,000; the paper has no resets."""
    gamma: float = 0.99
    """Discount per agent step. Paper: 0.99."""
    replay: bool = True
    """Uniform draws from the replay memory. Paper: yes. No: the latest transitions, with as many updates; the
    ablation of the paper's first idea."""
    target: bool = True
    """Bootstrap from the target network. Paper: yes. No: from the online network; the ablation of the paper's
    second idea."""
    n_step: int = 1
    """Rewards summed before the bootstrap. Paper: 1."""
    n_step_end: int = 1
    """Agent steps that n_step falls to, if `n_step_decay_steps` is above 0. Paper: 1."""
    n_step_decay_steps: int = 0
    """Length of that fall, by equal factors, agent steps counted from learning_starts; 0: n_step stays. Paper: 0."""
    double_q: bool = False
    """The online network picks the next action, the target network values it (van Hasselt 2016). Paper: no."""
    reward_scale: float = 1.0
    """Rewards are multiplied by this in the loss, before any clipping; logs and scores stay raw. Paper: 1."""
    clip_reward: bool = True
    """Clip each reward to [-1, 1] in the loss; logs and scores stay raw. Paper: yes."""
    loss: LossName = "huber"
    """Of the TD error d. `huber`: d^2 / 2, gradient clipped to [-1, 1]. `mse`: d^2. `clipped_mse`: d^2, gradient 2 d
    clipped to [-1, 1] (nnabla-rl). Paper: huber."""
    own_loss: Suppress[bool] = False
    """The loss was given from Python: a resume needs it again, and nothing compiles it unless asked to."""
    loss_reduction: Reduction = "sum"
    """Over the minibatch. Paper's code: sum; optimizer_eps is scaled for it."""

    # --- exploration
    epsilon_start: float = 1.0
    """Chance of a random action when learning starts. Paper: 1.0."""
    epsilon_end: float = 0.1
    """Chance of a random action after the decay. Paper: 0.1."""
    epsilon_decay_steps: int = 1_000_000
    """Length of the linear decay, agent steps counted from learning_starts. Paper: 1 million."""
    epsilon_decay_factor: float = 1.0
    """Instead of the linear decay epsilon is multiplied by this at every action, down to epsilon_end; 1 for the
    linear decay. Paper: linear."""
    epsilon_ladder: float = 1.0
    """Per-environment exploration as in Ape-X: environment i uses epsilon ** k_i, k_i from 1 / ladder to ladder. 1: the
    same epsilon everywhere. Paper: 1."""
    ez_greedy_warm_up: bool = False
    """Until learning_starts every second environment holds a random action for n agent steps, with probability
    proportional to 1 / n^2 (ez-greedy, Dabney et al. 2021). Paper: no."""
    random_warm_up: bool = True
    """Act at random until learning_starts, and decay from there. Paper: yes. No: epsilon decays from step 0."""
    epsilon_from_zero: bool = False
    """With random_warm_up, epsilon decays from step 0 all the same: at learning_starts it is below 1. Paper: no."""

    # --- network and optimizer
    network: Network = "nature_cnn"
    """`nature_cnn`: the paper's three convolutions; `nips_cnn`: the two of its predecessor of 2013, half the cost.
    The others are for vector observations, of which the last three need games whose numbers have known ranges:
    `mlp`, `linear`, `polynomial`, and `tabular` with one row a cell. `own`: given from Python."""
    hidden_sizes: tuple[int, ...] = (512,)
    """Units of the fully connected hidden layers. Paper: 512."""
    initializer: Initializer = "torch7"
    """Initial weights, by fan_in f. `torch7`: weights and biases uniform in +-1/sqrt(f). `he_normal`: variance 2 / f.
    `lecun_normal`: 1 / f. `glorot_uniform`: 2 / (f + fan_out); biases of these three are 0. Paper's code: torch7."""
    layer_norm: bool = False
    """Normalize the sums of each hidden layer over its units (Ba et al. 2016). Paper: no."""
    value_bins: int = 0
    """A value is the mean of a histogram of so many bins, taught by cross-entropy (Farebrother et al. 2024), whatever
    `loss` says; 0: it is a number. Paper: 0."""
    value_limit: float = 10.0
    """The bins share [-value_limit, value_limit], in discounted rewards as the loss sees them. Ours: 10."""
    distribution: Distribution = "none"
    """Distribution of returns instead of a value: `c51` (Bellemare et al. 2017) with `atoms` in
    [-value_limit, value_limit], `quantiles` (QR-DQN, Dabney et al. 2018a) with `atoms` of them, `iqn` (Dabney et al.
    2018b). Paper: none."""
    atoms: int = 51
    """Bins of `c51` (Bellemare et al. 2017: 51), or number of `quantiles` (Dabney et al. 2018: 200), of each action."""
    munchausen_alpha: float = 0.0
    """Weight of the Munchausen bonus, in [0, 1], with a soft maximum (Vieillard et al. 2020: 0.9). Paper: 0, none."""
    munchausen_temperature: float = 0.03
    """Temperature of that policy, > 0, in discounted rewards (Vieillard et al. 2020: 0.03)."""
    noisy_sigma: float = 0.0
    """Initial size of noise on the weights of fully connected layers (Fortunato et al. 2018: 0.5). Paper: 0, none."""
    dueling: bool = False
    """Half of the last hidden layer values the state, half what each action adds (Wang et al. 2016). Paper: no."""
    center_pixels: bool = False
    """A network for images sees pixels less the mean frame of the warm-up. Paper: no."""
    polynomial_degree: int = 2
    """Largest degree of the products of numbers of the observation that enter `polynomial`. Ours: 2."""
    table_bins: int = 8
    """Cells of `tabular` along each number of the observation. Ours: 8."""
    optimizer: Optimizer = "rmsprop"
    """`rmsprop`: the paper's, centered, epsilon under the root. `adam`, `sgd`: torch's. Paper: `rmsprop`."""
    learning_rate: float = 0.00025
    """Step size. Paper: 0.00025."""
    learning_rate_end_ratio: float = 1.0
    """Part of the step size that is left at total_steps; it falls in a straight line from learning_starts on.
    Paper: 1, constant."""
    rmsprop_decay: float = 0.95
    """Decay of both gradient averages in rmsprop. Paper: 0.95."""
    optimizer_eps: float = 0.01
    """Added under the root by rmsprop, outside it by adam; unused by sgd. Paper: 0.01."""
    max_grad_norm: float = 0.0
    """Scale the gradient down to this Euclidean norm where it is longer; 0: never. Paper: 0. stable-baselines3: 10."""

    # --- evaluation, logs and checkpoints
    eval_period: int = 250_000
    """Agent steps between evaluations (protocol `monitor`); 0 for none. Paper: 250,000."""
    eval_period_episodes: int = 0
    """Episodes between evaluations, instead of `eval_period`; 0: that one counts. Paper: 0."""
    eval_early_steps: tuple[int, ...] = ()
    """Agent steps at which a run is evaluated and filmed besides, 0 for before it learns. Paper: none."""
    eval_steps: int = 125_000
    """Length of one evaluation, agent steps: the games that fit in count. Paper: 125,000."""
    eval_episodes: int = 0
    """Episodes of one evaluation, instead of `eval_steps`; 0: that one counts. Paper: 0."""
    eval_epsilon: float = 0.05
    """Chance of a random action in evaluations during training. Paper: 0.05."""
    eval_num_envs: int = 16
    """Evaluation games played side by side; does not change the result."""
    film_seconds: int = 20
    """Length of the GIF in TensorBoard of a game of each best or early evaluation, seconds of play; 0 for none.
    Backends `native`, `workers` and `classic`."""
    log_period: int = 10_000
    """Agent steps between points in TensorBoard and metrics.jsonl."""
    checkpoint_period: int = 250_000
    """Agent steps between checkpoints; 0 for the end only."""
    save_replay: bool = True
    """Checkpoints hold the replay, so that a resumed run is exactly the one that was interrupted."""

    # --- machine
    device: str = "auto"
    """`auto` (CUDA if present, printed), `cpu`, `cuda`, `cuda:1`, or `mps` (GPUs of Apple's; not measured)."""
    replay_device: str = "auto"
    """Where frames are kept: `auto` (beside the network if they fit), `cpu` or `cuda`."""
    precision: Precision = "fp32"
    """Arithmetic of the network: `fp32`, `tf32` (CUDA), `bf16`, or `auto` (bf16 where a measurement says it helps)."""
    compile: Compile = "auto"
    """Compile what an update does: loss, gradients and the paper's RMSProp on a GPU, the last of these alone on a CPU.
    `on`, `off`, or `auto` (for the networks for images, where it works)."""
    own_kernels: bool = True
    """Update by this package's Triton kernels where they fit: the paper's network, optimizer and loss in `bf16` on a
    GPU, compiled, without any extension to learning. No: by what torch.compile makes."""
    overlap: bool = True
    """Learn while the emulators play. Paper: no, the serial order: wait for them first."""
    cuda_graph: bool = True
    """Replay the learner's work as one CUDA graph. No: kernel by kernel, with the same results. Nothing on a CPU."""
    torch_threads: int = 0
    """CPU threads of the network; 0 for all cores, or one beside a GPU, where the emulators need them all."""
    env_threads: int = 0
    """Threads of the emulators, or worker processes; 0 for all cores."""
    resize: Resize = "auto"
    """Where screens of `workers` become 84 x 84: with the `games`, or with the `replay`; `auto`: with it on a GPU."""

    def __post_init__(self) -> None:
        for name in ("hidden_sizes", "reset_steps", "eval_early_steps"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for complaint in complaints(self, CHOICES):
            raise UsageError(complaint)

    @property
    def frames_per_step(self) -> int:
        """Emulator frames behind one agent step; 1 where there is no emulator."""
        return 1 if self.backend == "classic" else self.frame_skip

    @property
    def envs_at_once(self) -> int:
        """Environments that one vector step is about: all, or those of one group."""
        return self.num_envs // self.env_groups

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read what `to_json` wrote; fields that an older version did not have get their defaults.

        Raises:
          UsageError: not JSON, not an object, no game, an unknown field, a wrong type, a value out of range.
        """
        return cls(**fields_of(text, {field.name: field.default for field in dataclasses.fields(cls)}))


# the words that a field may hold
CHOICES = {name: get_args(hint) for name, hint in get_type_hints(Config).items() if get_origin(hint) is Literal}
