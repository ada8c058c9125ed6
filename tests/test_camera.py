"""The camera films the very game that is played: the planes that the network sees can be rebuilt from the film."""

import cv2
import numpy as np
import pytest

from atari_dqn.envs import make_envs
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole, nature
from atari_dqn.video.camera import AtariCamera


def plane(screens):
    """What the network sees of the luminance screens of one step, by OpenCV."""
    return cv2.resize(np.maximum.reduce(screens[-2:]), (84, 84), interpolation=cv2.INTER_AREA)


MODE = {"backend": "reference", "game_mode": 4, "difficulty": 1}
FILMED = [("pong", 0.0, 5, {}), ("ms_pacman", 0.25, 6, {}), ("seaquest", 0.25, 7, {}), ("breakout", 0.25, 5, MODE)]


@pytest.mark.parametrize(("game", "sticky", "seed", "how"), FILMED, ids=str)
def test_the_planes_of_a_game_are_in_the_film_of_its_screens(game, sticky, seed, how):
    config = nature(game).replace(sticky_probability=sticky, terminal_on_life_loss=False, **how)
    envs = make_envs(config.replace(num_envs=1, env_threads=1))
    gray, colour = AtariCamera(config, colours=False), AtariCamera(config)
    step, opening = envs.reset(np.array([seed])), gray.open(seed)
    colour.open(seed)
    assert (plane([opening]) == step.frame[0]).all()
    draw, points = np.random.default_rng(seed), 0.0
    for _ in range(260):
        action = int(draw.integers(envs.spec.num_actions))
        envs.send(np.array([action]))
        step, shots, coloured = envs.recv(), gray.play(action), colour.play(action)
        assert sum(shot.reward for shot in shots) == step.reward[0]
        assert [shot[1:] for shot in shots] == [shot[1:] for shot in coloured]
        assert shots[-1].over == step.terminated[0]
        points += float(step.reward[0])
        if shots[-1].over:
            break
        assert len(shots) == 4
        assert (plane([shot.screen for shot in shots]) == step.frame[0]).all()
    assert points != 0  # something happened
    assert coloured[-1].screen.shape == (210, 160, 3)
    assert colour.action_names == envs.spec.action_names
    for part in (envs, gray, colour):
        part.close()


def test_a_game_ends_within_a_step_and_the_camera_stops_there():
    camera = AtariCamera(nature("breakout").replace(terminal_on_life_loss=False))
    camera.open(3)
    lengths = []
    for time in range(2000):
        shots = camera.play(1 if time % 8 == 0 else 0)  # serves, never moves: five lives go by
        lengths.append(len(shots))
        if shots[-1].over:
            break
    assert set(lengths[:-1]) == {4}
    assert 1 <= lengths[-1] <= 4
    assert [shot.over for shot in shots] == [False] * (len(shots) - 1) + [True]
    camera.close()


def test_what_has_no_emulator_is_refused():
    with pytest.raises(UsageError, match="'classic', which cannot be filmed"):
        AtariCamera(cartpole())
