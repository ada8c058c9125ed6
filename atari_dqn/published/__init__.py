"""What others measured, and the statistics to compare with it.

In reading order: scores.py (tables of papers), curves.py (learning curves), aggregates.py (means and intervals over
games).
"""
