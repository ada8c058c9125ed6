"""`python -m atari_dqn`: the command line."""

from atari_dqn.cli import entry

if __name__ == "__main__":
    entry()
