"""Convolutions in the form that is fastest: for the first layer everywhere, for the others where they are compiled."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PIXEL_SCALE = 1.0 / 255.0
STRIDE = 4  # of the first convolution, and the block of space-to-depth


class Convolution(nn.Conv2d):
    """A convolution without padding: what `nn.Conv2d` computes."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, filters, `size_after(H)`, `size_after(W)`]."""
        return convolve(x, self.weight, self.bias, self.stride[0])

    def size_after(self, size: int) -> int:
        """Height or width of the output for that of the input."""
        return (size - self.kernel_size[0]) // self.stride[0] + 1


class PixelConvolution(Convolution):
    """The first convolution, of pixels / 255, with the stride of `space_to_depth`."""

    def forward(self, pixels: Tensor, mean_frame: Tensor | None = None) -> Tensor:
        """[B, K, H, W] uint8, less the mean frame ([H, W] uint8) if there is one -> [B, filters, ...]."""
        dtype = compute_dtype(self.weight)
        x = space_to_depth(pixels).to(dtype)
        if mean_frame is not None:  # whole numbers up to 255, and their differences, are exact in bfloat16 too
            x = x - space_to_depth(mean_frame.expand(1, *pixels.shape[1:])).to(dtype)
        kernel = space_to_depth_kernel(self.weight) * PIXEL_SCALE  # a few thousand weights instead of all pixels
        return convolve(x, kernel, self.bias)


def compute_dtype(weight: Tensor) -> torch.dtype:
    """What pixels become: the autocast type, which spares a copy in float32, else the weights' type."""
    if torch.is_autocast_enabled(weight.device.type):
        return torch.get_autocast_dtype(weight.device.type)
    return weight.dtype


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1) -> Tensor:
    """`F.conv2d`; where it is compiled, for a GPU, in the form that is fastest there.

    In bfloat16 that has stride 1 (see `space_to_depth`): the gradient of one with a larger stride is mostly
    multiplications by 0. In float32, with or without tensor cores, it is a matrix product of all patches. Both move
    numbers about, which costs little only if it is compiled into what is done with them before and after. The gradient
    of patches is added up in any order, so they are not for those who ask cuDNN for the same bits every time.
    """
    if not torch.compiler.is_compiling():
        return F.conv2d(x, weight, bias, stride)
    if x.dtype == torch.float32 and not torch.backends.cudnn.deterministic:
        return _convolve_patches(x, weight, bias, stride)
    if stride > 1 and all(size % stride == 0 for size in (*weight.shape[2:], *x.shape[2:])):
        return F.conv2d(space_to_depth(x, stride), space_to_depth_kernel(weight, stride), bias)
    return F.conv2d(x, weight, bias, stride)


def _convolve_patches(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    x = x.permute(0, 2, 3, 1).contiguous()
    batch, height, width, channels = x.shape
    filters, _, size, _ = weight.shape
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    line = width * channels
    steps = (height * line, stride * line, stride * channels, line, channels, 1)
    patches = x.as_strided((batch, rows, columns, size, size, channels), steps).reshape(-1, size * size * channels)
    out = F.linear(patches, weight.permute(0, 2, 3, 1).reshape(filters, -1), bias)
    return out.view(batch, rows, columns, filters).permute(0, 3, 1, 2)


def space_to_depth(obs: Tensor, block: int = STRIDE) -> Tensor:
    """Each 4 x 4 block of pixels becomes 16 channels: [B, K, H, W] -> [B, 16 K, H/4, W/4], channels last in memory.

    A convolution of 8 x 8 with stride 4 on the left is one of 2 x 2 with stride 1 on the right, which processors
    do several times faster. Channel order: plane, row in the block, column in the block.
    """
    batch, planes, height, width = obs.shape
    rows, columns = height // block, width // block
    followed = torch.compiler.is_compiling() or torch._C._get_tracing_state()  # which know no pixels as words
    if obs.dtype == torch.uint8 and block == 4 and obs.is_contiguous() and not followed:
        # four neighbouring pixels are moved as one 32-bit word; whole rows first, then a transposition in the cache
        words = obs.view(torch.int32).view(batch, planes, rows, block, columns)
        lines = words.permute(0, 2, 1, 3, 4).contiguous().view(batch, rows, planes * block, columns)
        blocks = lines.transpose(2, 3).contiguous().view(torch.uint8)
    else:
        pixels = obs.reshape(batch, planes, rows, block, columns, block)
        blocks = pixels.permute(0, 2, 4, 1, 3, 5)
    return blocks.reshape(batch, rows, columns, planes * block**2).permute(0, 3, 1, 2)


def space_to_depth_kernel(weight: Tensor, block: int = STRIDE) -> Tensor:
    """The same rearrangement for the kernel: [32, K, 8, 8] -> [32, 16 K, 2, 2], differentiable."""
    filters, planes, height, width = weight.shape
    blocks = weight.view(filters, planes, height // block, block, width // block, block)
    blocks = blocks.permute(0, 2, 4, 1, 3, 5)
    kernel = blocks.reshape(filters, height // block, width // block, planes * block**2)
    return kernel.permute(0, 3, 1, 2)
