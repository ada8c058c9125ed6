"""What the network sees, pinned: a hash of frames for a fixed list of actions."""

import hashlib

import numpy as np

from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.native import NativeEnvs

GOLDEN = "41a99007ed7fe06d5c34eeac4bdbc866c0ec5ff73c8bd8d5755bb838ea8ab937"


def test_frames_are_the_recorded_ones():
    envs = NativeEnvs(AtariRules("breakout"), 2, num_threads=1)
    digest = hashlib.sha256(envs.reset(np.array([1, 2])).frame.tobytes())
    for number in range(200):
        envs.send(np.array([number % 4, (number // 3) % 4]))
        step = envs.recv()
        for array in (step.frame, step.reward, step.terminated):
            digest.update(array.tobytes())
    envs.close()
    assert digest.hexdigest() == GOLDEN, (
        "the preprocessing shows other frames than recorded. If that is meant (another ale-py, say), check "
        "tests/test_envs_agree.py, put the new hash into GOLDEN, and say in the commit why it moved"
    )
