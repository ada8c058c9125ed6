"""Games played to measure an agent: play.py."""
