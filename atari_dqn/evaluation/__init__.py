"""Episodes played to measure an agent.

In reading order: protocols.py (how episodes are played), play.py (plays them), result.py (their
result), player.py (a trained network that acts).
"""
