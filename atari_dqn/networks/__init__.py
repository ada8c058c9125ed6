"""Observations to action values.

In reading order: nature_cnn.py (the paper's), convolutions.py (its first layer, faster), heads.py (hidden layers and
how the last one says values), histograms.py (a categorical head), vector.py (games of a few numbers), weights.py.
"""
