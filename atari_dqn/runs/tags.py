"""What every curve of a run is, in a sentence with its unit; TensorBoard shows it beside the curve's name."""

from __future__ import annotations

SHOWN_BY_TAG = {
    "train/episode_return": "Mean raw score of the last 20 episodes in training, random actions included.",
    "train/episode_length": "Mean length of the last 20 episodes in training, agent steps.",
    "train/window_return": "Mean raw score of the episodes in training that ended since the last point.",
    "train/episodes": "Episodes finished in training so far.",
    "train/epsilon": "Chance of a random action, 0 to 1.",
    "train/learning_rate": "Step size of the optimizer.",
    "train/n_step": "Rewards summed before the bootstrap, agent steps.",
    "train/replay_window": "Newest transitions that minibatches are drawn from.",
    "train/priority_alpha": "Exponent of the priorities in prioritized replay; 0: uniform draws.",
    "train/priority_beta": "Exponent of the importance-sampling weights in prioritized replay; 1: no bias is left.",
    "train/q": "Mean Q(s, a) of the minibatches since the last point, discounted rewards as the loss sees them.",
    "train/q_held_out": "Mean of the best action's Q over 128 states of the warm-up, which stay the same for the whole "
    "run, discounted rewards as the loss sees them (Mnih et al. 2015, figure 2c and d).",
    "train/td_error": "Mean size of the TD error before clipping, discounted rewards as the loss sees them.",
    "train/loss": "Mean loss of the minibatches since the last point, as it is minimised: a sum or a mean over each.",
    "train/grad_norm": "Euclidean length of the gradient, mean since the last point.",
    "train/q_values": "Q-values of the states that the environments are in, all actions.",
    "episode/return": "Raw score of each episode in training, at the step it ended.",
    "episode/length": "Length of each episode in training, agent steps, at the step it ended.",
    "eval/episode_return": "Mean raw score of an evaluation's episodes.",
    "eval/episode_return_std": "Standard deviation of the raw scores of an evaluation's episodes.",
    "eval/episode_return_min": "Lowest raw score among an evaluation's episodes.",
    "eval/episode_return_max": "Highest raw score among an evaluation's episodes.",
    "eval/episode_return_best": "Best mean of an evaluation so far, raw score.",
    "eval/episode_length": "Mean length of an evaluation's episodes, agent steps.",
    "eval/human_normalized": "Mean of an evaluation on the scale where 0 is random play and 1 is the human, of "
    "episodes as long as these may be; the card `run` names their minutes.",
    "eval/best_game": "The first episode of the best evaluation so far.",
    "eval/early_game": "An episode of one of the first evaluations, which are earlier than their period.",
    "replay/transitions": "Transitions that minibatches can be drawn from.",
    "replay/oldest_age": "Age of the oldest transition that minibatches are drawn from, agent steps.",
    "machine/memory_gib": "Memory that the process of the run holds, without worker processes, GiB.",
    "machine/gpu_memory_gib": "Memory of the GPU that tensors of the run hold, GiB.",
    "time/steps_per_second": "Agent steps per second, all environments together, without the time of evaluations.",
    "time/frames_per_second": "Emulator frames per second, all environments together, without the time of evaluations.",
    "time/updates_per_second": "Optimizer steps per second, without the time of evaluations.",
    "time/updates_per_step": "Optimizer steps per agent step since the last point.",
    "run/text_summary": "What a run is: its command, commit, machine and versions, and which human it compares with.",
    "settings/text_summary": "Every setting of a run, `auto` replaced by what this machine has.",
    "observation": "What the network sees of the first environment: the frames of one observation, oldest first.",
}
SHOWN_BY_FAMILY = {
    "train/rmsprop_denominator/": "What RMSProp divides the gradient of these weights by, mean over them.",
    "actions/": "Share of this action among those played since the last point, random ones included, 0 to 1.",
    "network/dead_units/": "Share of units of this layer that are 0 in all of 128 states of the warm-up, 0 to 1.",
    "weights/": "Weights of this layer.",
    "gradients/": "Gradient of the last minibatch with respect to these weights.",
}
"""Of all tags that begin so."""


def description(tag: str) -> str:
    """What a curve is, its unit, and what the x-axis counts; "" for a tag that is not ours."""
    families = (text for family, text in SHOWN_BY_FAMILY.items() if tag.startswith(family))
    text = SHOWN_BY_TAG.get(tag) or next(families, "")
    return text and f"{text} x: agent steps."
