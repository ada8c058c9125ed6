"""Observations to action values. Read in this order: nature_cnn, convolutions, heads, vector, histograms, weights."""
