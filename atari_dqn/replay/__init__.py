"""Every frame once, and every stack rebuilt from it.

In reading order: layout.py (sizes), index.py (which rows may be drawn), screens.py (screens to frames), pages.py
(memory), frames.py (the planes), tiles.py (the same in less memory), buffer.py (all of it), recent.py (what was just
played).
"""
