"""The exact pixels that networks are trained on. A change here makes old networks see another game.

To renew the table after a deliberate change: see that test_envs_agree passes (it compares the frames
with a plain path), then run `python -m tests.test_preprocessing_golden` and paste.
"""

import hashlib

import numpy as np
import pytest

from atari_dqn.envs.native import NativeEnvs

STEPS = 120
GOLDEN = {
    "breakout": "e380b398d5b3da04",
    "pong": "54431e1e202ca45f",
    "space_invaders": "c6b5383bbf604711",
}


def frames_hash(game: str) -> str:
    """SHA-256 over the frames and rewards of a fixed list of actions, first 16 digits."""
    envs = NativeEnvs(game, 1, num_threads=1, noop_max=0)
    digest = hashlib.sha256(envs.reset(np.array([1])).frame.tobytes())
    for number in range(STEPS):
        envs.send(np.array([number // 3 % envs.spec.num_actions]))
        step = envs.recv()
        digest.update(step.frame.tobytes() + step.reward.tobytes())
    envs.close()
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("game", GOLDEN)
def test_frames_are_the_ones_on_record(game):
    assert frames_hash(game) == GOLDEN[game], (
        f"the frames or rewards of {game} have changed. If test_envs_agree passes, the emulator or "
        "its image library was updated: trained networks see other pixels now. If that is meant, "
        "renew the table as the head of this file says, and write it into the changelog."
    )


if __name__ == "__main__":
    for each in GOLDEN:
        print(f'    "{each}": "{frames_hash(each)}",')
