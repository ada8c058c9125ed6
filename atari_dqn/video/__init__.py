"""Films of games.

In reading order: record.py (one game of an evaluation), camera.py (the screen), panel.py (what the network sees and
thinks), writers.py (MP4, GIF, PNG), best_game.py (the GIF in TensorBoard).
"""
