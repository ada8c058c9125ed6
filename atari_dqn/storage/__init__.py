"""State on disk, whole or not at all.

In reading order: steps.py (which checkpoints there are), checkpoint.py (nested dicts), schema.py (what may stand in
them), newest.py (which one is read), frame_segments.py (the replay's frames), saver.py (both, in the background).
"""
