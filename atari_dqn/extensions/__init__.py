"""Not the paper: published ideas, each in a file of its own and off by default.

priorities.py (prioritized replay, Schaul et al. 2016).
"""
