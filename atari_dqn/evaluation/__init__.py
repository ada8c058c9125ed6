"""Games played to measure an agent: play.py; what came out: result.py."""
