"""max_pool to adaptive_avg_pool."""
import hypothesis.strategies as st
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import CALLS, COMPOSED, Call, array, batch, case, composed, extent, int_or_tuple, one_batch_axis, per_axis

MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
MORE_PADDING = "PyTorch pads at most half the kernel; its pool up to there, a pad and its pool beyond"


def window(draw, dtype, d, dilated=False):
    """x, and kernel, stride, padding, dilation: one entry per spatial axis. Every window fits and has a cell of x."""
    kernel, stride = per_axis(draw, 1, 3, d), per_axis(draw, 1, 3, d)
    dilation = per_axis(draw, 1, 2, d) if dilated else (1,) * d
    padding = tuple(extent(draw, 0, s * (k - 1)) for k, s in zip(kernel, dilation, strict=True))
    least = [max(s, s * (k - 1) + 1 - 2 * p) for k, s, p in zip(kernel, dilation, padding, strict=True)]
    x = array(draw, dtype, *batch(draw), *(n + extent(draw, 0, 3 if d < 3 else 1) for n in least))
    return x, kernel, stride, padding, dilation


def padded(x, padding, value):
    return F.pad(x, [width for p in padding[::-1] for width in (p, p)], value=value)


def accepted(x, kernel, padding):
    """Whether PyTorch takes them; avg_pool3d wants x to have room for the kernel without the padding."""
    return all(2 * p <= k <= h for k, p, h in zip(kernel, padding, x.shape[2:], strict=True))


def written(draw, kernel, stride, padding, named):
    """kernel, stride and padding as a user may write them; `named`: 1d, 2d, 3d, which take an int as the kernel."""
    kernel = int_or_tuple(draw, kernel) if named else kernel
    stride = None if stride == kernel and draw(st.booleans()) else int_or_tuple(draw, stride)
    return {"kernel": kernel, "stride": stride, "padding": int_or_tuple(draw, padding)}


def max_pool_call(draw, dtype, d, named):
    x, kernel, stride, padding, dilation = window(draw, dtype, d, dilated=True)
    attributes = written(draw, kernel, stride, padding, named)
    attributes["dilation"] = int_or_tuple(draw, dilation)
    ours = getattr(gp, f"max_pool{d}d") if named else gp.max_pool

    def theirs(x):
        if accepted(x, kernel, padding):
            return MAX_POOL[d](x, kernel, stride, padding, dilation)
        return MAX_POOL[d](padded(x, padding, -torch.inf), kernel, stride, 0, dilation)

    return Call(ours, one_batch_axis(lambda x: theirs(x[:, None])[:, 0], d), [x], attributes)


def avg_pool_call(draw, dtype, d, named):
    x, kernel, stride, padding, _ = window(draw, dtype, d)
    attributes = written(draw, kernel, stride, padding, named)
    attributes["count_include_pad"] = include = draw(st.booleans())
    ours = getattr(gp, f"avg_pool{d}d") if named else gp.avg_pool

    def theirs(x):
        if accepted(x, kernel, padding):
            return AVG_POOL[d](x, kernel, stride, padding, count_include_pad=include)
        mean = AVG_POOL[d](padded(x, padding, 0), kernel, stride)
        return mean if include else mean / AVG_POOL[d](padded(torch.ones_like(x), padding, 0), kernel, stride)

    return Call(ours, one_batch_axis(lambda x: theirs(x[:, None])[:, 0], d), [x], attributes)


@composed(MORE_PADDING)
def max_pool(draw, dtype):
    return max_pool_call(draw, dtype, extent(draw, 1, 3), named=False)


@composed(MORE_PADDING)
def avg_pool(draw, dtype):
    return avg_pool_call(draw, dtype, extent(draw, 1, 3), named=False)


def named_pool(kind, call, d):
    COMPOSED[f"{kind}{d}d"] = MORE_PADDING
    CALLS[f"{kind}{d}d"] = st.composite(lambda draw, dtype: call(draw, dtype, d, named=True))


for d in (1, 2, 3):
    named_pool("max_pool", max_pool_call, d)
    named_pool("avg_pool", avg_pool_call, d)


@composed("PyTorch has no smooth pool; logsumexp of the unfolded windows")
def smooth_max_pool(draw, dtype):
    d = extent(draw, 1, 3)
    x, kernel, stride, padding, _ = window(draw, dtype, d)
    attributes = written(draw, kernel, stride, padding, named=False)
    attributes["beta"] = beta = draw(st.sampled_from((1.0, 3.5, 0.25, -1.0, -4.0)))

    def theirs(x):
        windows = padded(beta * x, padding, -torch.inf)
        for axis in range(d):
            windows = windows.unfold(axis - d if axis == 0 else axis + x.ndim - d, kernel[axis], stride[axis])
        return torch.logsumexp(windows, tuple(range(-d, 0))) / beta

    return Call(gp.smooth_max_pool, theirs, [x], attributes)


@case
def adaptive_avg_pool(draw, dtype):
    d = extent(draw, 1, 3)
    size = per_axis(draw, 1, 4, d)
    theirs = one_batch_axis(lambda x: ADAPTIVE[d](x[:, None], size)[:, 0], d)
    return Call(gp.adaptive_avg_pool, theirs,
                [array(draw, dtype, *batch(draw), *per_axis(draw, 1, 5 - d // 2, d))], {"output_size": size})
