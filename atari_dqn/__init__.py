"""A Nature-paper DQN for Atari from pixels."""

__version__ = "0.1.0"
