"""Published ideas that are not in the paper; the defaults leave all of them off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from atari_dqn.settings.bounds import LONGEST, ROUNDED, YEAR, Range, Rewards, StepList, StepsOrNone

Distribution = Literal["none", "c51", "quantiles", "iqn"]
PrioritySampler = Literal["candidates", "exact"]
OUTPUTS = "the network has so many outputs for each action"


@dataclass(frozen=True)
class ExtensionsConfig:
    """Published ideas that the paper does not have; all are off by default."""

    dueling: bool = False
    """Dueling head: half of the last hidden layer feeds the state value, half the advantages (Wang et al. 2016). Paper:
    no."""
    n_step_end: Rewards = 1
    """Value of `n_step` after `n_step_decay_steps` agent steps. Paper: 1."""
    n_step_decay_steps: StepsOrNone = None
    """Length of the fall of `n_step`, by equal factors, agent steps counted from learning_starts; none: it stays.
    Paper: none."""
    categorical_bins: Annotated[int | None, Range(2, 4_096, "bins", OUTPUTS)] = None
    """Bins of a categorical value head trained with cross-entropy, whatever `loss` says (HL-Gauss, Farebrother et al.
    2024); none: scalar values. Paper: none."""
    value_support: Annotated[float, Range(0, 1e30, "discounted rewards", ROUNDED, above=True)] = 10.0
    """Largest value of the bins, which share [-value_support, value_support], in discounted rewards as the loss sees
    them. Ours: 10."""
    distribution: Distribution = "none"
    """Distribution of returns instead of a value: `c51` (Bellemare et al. 2017) with `atoms` in
    [-value_support, value_support], `quantiles` (QR-DQN, Dabney et al. 2018a) with `atoms` of them, `iqn` (Dabney et
    al. 2018b). Paper: none."""
    atoms: Annotated[int, Range(2, 4_096, "outputs per action", OUTPUTS)] = 51
    """Bins of `c51` (Bellemare et al. 2017: 51), or number of `quantiles` (Dabney et al. 2018: 200), of each action."""
    munchausen_alpha: Annotated[float, Range(0, 1, "weight, 0 = none")] = 0.0
    """Weight of the Munchausen bonus, in [0, 1], with a soft maximum (Vieillard et al. 2020: 0.9). Paper: 0, none."""
    munchausen_temperature: Annotated[float, Range(0, 1e30, "discounted rewards", ROUNDED, above=True)] = 0.03
    """Temperature of the Munchausen policy, > 0, in discounted rewards (Vieillard et al. 2020: 0.03)."""
    noisy_sigma: Annotated[float, Range(0, 100, "0 = none", "weights would drown in noise")] = 0.0
    """Initial size of noise on the weights of fully connected layers (Fortunato et al. 2018: 0.5). Paper: 0, none."""
    priority_alpha: Annotated[float, Range(0, 1, "0 = uniform")] = 0.0
    """Exponent alpha of prioritized replay in [0, 1]: transitions are drawn in proportion to |TD error| to this power
    (Schaul et al. 2016), at most four times more often than by chance. Paper: 0, uniform."""
    priority_decay_steps: StepsOrNone = None
    """Length of the fall of `priority_alpha` to 0, agent steps counted from learning_starts; none: it stays. Paper:
    none."""
    priority_beta: Annotated[float, Range(0, 1, "0 = no correction")] = 0.5
    """Importance-sampling exponent beta in [0, 1]: 0 corrects nothing, 1 all of the bias (Schaul et al. 2016)."""
    priority_beta_end: Annotated[float, Range(0, 1, "at total_steps")] = 0.5
    """Value of `priority_beta` at total_steps, in [0, 1], reached in a straight line; exact draws only (Schaul et al.
    2016: 1)."""
    priority_sampler: PrioritySampler = "candidates"
    """`exact`: chances exactly proportional to priorities, by a sum tree (Schaul et al. 2016). `candidates`: the choice
    among four uniform draws for each transition. Ours: candidates, because nobody waits for the GPU."""
    replay_window_fraction: Annotated[float, Range(0, 1, "of all steps", above=True)] = 1.0
    """Window of the newest transitions that are drawn from, as a share of all agent steps so far, in (0, 1]. Paper:
    1, all that are kept."""
    replay_window_growth_steps: StepsOrNone = None
    """Length of the rise of `replay_window_fraction` to 1, agent steps counted from the end of the fall of `n_step`;
    none: it stays. Paper: none."""
    replay_window_min: Annotated[int, Range(0, LONGEST, "transitions", YEAR)] = 0
    """Smallest size of that window, transitions, if so many are kept. Ours: 0; more give short runs variety."""
    reset_steps: StepList = ()
    """Agent steps at which the network gets fresh weights; the replay stays (Nikishin et al. 2022). Paper: none."""
    reset_updates: Annotated[int, Range(0, LONGEST, "updates", YEAR)] = 10_000
    """Updates after each reset before play goes on. Ours: 10,000; the paper has no resets."""
    subtract_mean_frame: bool = False
    """Subtract the mean frame of the warm-up from the pixels that a network for images sees. Paper: no."""
    epsilon_ladder: Annotated[float, Range(1, 1_000, "power, 1 = all alike", "a chance to such a power is 0")] = 1.0
    """Per-environment exploration as in Ape-X: environment i uses epsilon ** k_i, k_i from 1 / ladder to ladder. 1: the
    same epsilon everywhere. Paper: 1."""
    ez_greedy_warm_up: bool = False
    """Until learning_starts every second environment holds a random action for n agent steps, with probability
    proportional to 1 / n^2 (ez-greedy, Dabney et al. 2021). Paper: no."""
