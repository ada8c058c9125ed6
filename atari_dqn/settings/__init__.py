"""The settings of a run in groups, one frozen dataclass each, in reading order.

play.py: environments, exploration. learning.py: replay, algorithm, network, optimizer. extensions.py: what the paper
does not have. running.py: evaluation, logging, machine. bounds.py and table.py: what is known of a setting besides its
value. checks.py: what does not go together. from_file.py: settings in JSON. `config.py` puts them together.

Units: an *agent step* is one action (4 emulator frames on Atari). A field counts agent steps unless its name ends
in `_frames`, `_updates`, `_episodes` or `_seconds`. The sentence under a field is also its help text on the command
line, where every setting is a flag of its own name. "Paper" is Mnih et al. 2015, Human-level control through deep
reinforcement learning.
"""
