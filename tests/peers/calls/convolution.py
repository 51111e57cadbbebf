"""conv, conv_transpose."""
import hypothesis.strategies as st
import torch.nn.functional as F

import gradproof as gp

from .common import Call, array, batch, case, extent, int_or_tuple, one_batch_axis, per_axis

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def window(draw, d):
    """kernel, stride, padding, dilation: one entry per spatial axis, fewer cells in three dimensions."""
    most = 3 if d < 3 else 2
    return [per_axis(draw, least, most, d) for least in (1, 1, 0, 1)]


def channels(draw, d):
    """Groups, input and output channels of a group."""
    return extent(draw, 1, 3 if d < 3 else 2), extent(draw, 1, 2), extent(draw, 1, 2)


@case
def conv(draw, dtype):
    d = extent(draw, 1, 3)
    (groups, c, o), (kernel, stride, padding, dilation) = channels(draw, d), window(draw, d)
    least = [max(1, s * (k - 1) + 1 - 2 * p) for k, s, p in zip(kernel, dilation, padding, strict=True)]
    cells = [n + extent(draw, 0, 3 - d // 2) for n in least]
    arrays = [array(draw, dtype, *batch(draw), groups * c, *cells), array(draw, dtype, groups * o, c, *kernel),
              array(draw, dtype, groups * o)][: draw(st.integers(2, 3))]
    attributes = {"stride": int_or_tuple(draw, stride), "padding": int_or_tuple(draw, padding),
                  "dilation": int_or_tuple(draw, dilation), "groups": groups}
    return Call(gp.conv, one_batch_axis(lambda *xs: CONV[d](*xs, **attributes), d + 1), arrays, attributes)


@case
def conv_transpose(draw, dtype):
    d = extent(draw, 1, 3)
    (groups, c, o), (kernel, stride, padding, dilation) = channels(draw, d), window(draw, d)
    extra = tuple(extent(draw, 0, s - 1) for s in stride)
    cells = []
    for k, s, p, t, e in zip(kernel, stride, padding, dilation, extra, strict=True):
        least = max(0, -(-(2 * p - t * (k - 1) - e) // s)) + 1  # the output has an element
        cells.append(least + extent(draw, 0, 3 - d))
    arrays = [array(draw, dtype, *batch(draw), groups * c, *cells), array(draw, dtype, groups * c, o, *kernel),
              array(draw, dtype, groups * o)][: draw(st.integers(2, 3))]
    attributes = {"stride": int_or_tuple(draw, stride), "padding": int_or_tuple(draw, padding),
                  "output_padding": int_or_tuple(draw, extra), "groups": groups,
                  "dilation": int_or_tuple(draw, dilation)}
    return Call(gp.conv_transpose, one_batch_axis(lambda *xs: CONV_TRANSPOSE[d](*xs, **attributes), d + 1), arrays,
                attributes)
