"""The update of the paper's network in bfloat16 on a CUDA GPU, as a handful of Triton kernels.

Read `update.py` for the order of launches, then `convolution.py` and `dense.py` for what each of them computes.
"""
