"""The update of the paper's network in bfloat16 on a CUDA GPU, as a handful of Triton kernels.

In reading order: update.py (one update, launch by launch), network.py (the network forward), convolution.py, dense.py,
optimizer.py (what each kernel computes).
"""
