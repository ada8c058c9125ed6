"""Films of games.

In reading order: record.py (one episode of an evaluation), camera.py (the screen of an Atari), gym_camera.py (pictures
of gymnasium's games), panel.py (what the network sees and thinks), writers.py (MP4, GIF, PNG), best_game.py (the GIF in
TensorBoard). While they are played: window.py, browser.py (a network plays), by_hand.py (a person does).
"""
