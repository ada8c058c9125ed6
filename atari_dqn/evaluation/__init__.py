"""Games played to measure an agent.

In reading order: protocols.py (how games are played), play.py (plays them), result.py (what came
out), player.py (a trained network that acts).
"""
