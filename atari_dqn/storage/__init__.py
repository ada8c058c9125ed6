"""State on disk, whole or not at all.

In reading order: checkpoint.py (nested dicts), newest.py (which one is read), frame_store.py (the replay's frames),
saver.py (both, in the background).
"""
