"""Every op agrees with PyTorch, an implementation that shares nothing with ours: forward, JVP, VJP; ties included."""
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

import gradproof as gp

# Both sides round: results may differ by a few units in the last place of the largest element.
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}
EXAMPLES = 60


@dataclass
class Call:
    """The same call on both sides. What is not an array of floats is bound inside the two functions."""

    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    arrays: list[np.ndarray] = field(default_factory=list)


CALLS: dict[str, Callable[..., Call]] = {}


def case(function):
    CALLS[function.__name__] = st.composite(function)
    return function


def array(draw, dtype, *shape):
    """Quarters between -2 and 2: ties occur, and all that is exact stays exact."""
    size = int(np.prod(shape))
    return (np.array(draw(st.lists(st.integers(-8, 8), min_size=size, max_size=size))) / 4).astype(dtype).reshape(shape)


def extent(draw, least=1, most=4):
    return draw(st.integers(least, most))


def any_shape(draw):
    return draw(st.lists(st.integers(1, 3), max_size=3))


def broadcastable(draw):
    """Two shapes that broadcast together."""
    full = any_shape(draw)
    shapes = [[n if draw(st.booleans()) else 1 for n in full][draw(st.integers(0, len(full))):] for _ in range(2)]
    return shapes


def binary(ours, theirs):
    def call(draw, dtype):
        return Call(ours, theirs, [array(draw, dtype, *shape) for shape in broadcastable(draw)])

    return call


def unary(ours, theirs):
    def call(draw, dtype):
        return Call(ours, theirs, [array(draw, dtype, *any_shape(draw))])

    return call


for name, call in {"add": binary(gp.add, torch.add), "sub": binary(gp.sub, torch.sub), "mul": binary(gp.mul, torch.mul),
                   "maximum": binary(gp.maximum, torch.maximum), "neg": unary(gp.neg, torch.neg),
                   "exp": unary(gp.exp, torch.exp), "relu": unary(gp.relu, F.relu)}.items():
    CALLS[name] = st.composite(call)


def shape_and_axes(draw):
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    axes = draw(st.lists(st.integers(-len(shape), -1), min_size=1, unique=True))
    return shape, tuple(axes), draw(st.booleans())


@case
def reduce_sum(draw, dtype):
    shape, axis, keep = shape_and_axes(draw)
    return Call(lambda x: gp.reduce_sum(x, axis, keep), lambda x: x.sum(axis, keep), [array(draw, dtype, *shape)])


@case
def reduce_mean(draw, dtype):
    shape, axis, keep = shape_and_axes(draw)
    return Call(lambda x: gp.reduce_mean(x, axis, keep), lambda x: x.mean(axis, keep), [array(draw, dtype, *shape)])


@case
def matmul(draw, dtype):
    n, k, m = (extent(draw) for _ in range(3))
    left, right = broadcastable(draw)
    return Call(gp.matmul, torch.matmul, [array(draw, dtype, *left, n, k), array(draw, dtype, *right, k, m)])


@case
def linear(draw, dtype):
    i, o = extent(draw), extent(draw)
    arrays = [array(draw, dtype, *any_shape(draw), i), array(draw, dtype, o, i), array(draw, dtype, o)]
    return Call(gp.linear, F.linear, arrays[: draw(st.integers(2, 3))])


@case
def reshape(draw, dtype):
    a, b, c = (extent(draw) for _ in range(3))
    shape = draw(st.sampled_from([(a * b, c), (a, b * c), (c, b, a), (-1,), (b, -1)]))
    return Call(lambda x: gp.reshape(x, shape), lambda x: x.reshape(shape), [array(draw, dtype, a, b, c)])


@case
def broadcast_to(draw, dtype):
    full = any_shape(draw)
    shape = [n if draw(st.booleans()) else 1 for n in full][draw(st.integers(0, len(full))):]
    return Call(lambda x: gp.broadcast_to(x, tuple(full)), lambda x: x.broadcast_to(full), [array(draw, dtype, *shape)])


@case
def concat(draw, dtype):
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        shape[axis] = extent(draw, 0, 3)
        parts.append(array(draw, dtype, *shape))
    return Call(lambda *xs: gp.concat(xs, axis), lambda *xs: torch.cat(xs, axis), parts)


@case
def gather_rows(draw, dtype):
    rows = extent(draw)
    indices = np.array(draw(st.lists(st.integers(0, rows - 1), max_size=5)), dtype=np.int64)
    return Call(lambda x: gp.gather_rows(x, indices), lambda x: x.index_select(0, torch.from_numpy(indices)),
                [array(draw, dtype, rows, extent(draw))])


@case
def softmax(draw, dtype):
    shape, axes, _ = shape_and_axes(draw)
    return Call(lambda x: gp.softmax(x, axes[0]), lambda x: F.softmax(x, axes[0]), [array(draw, dtype, *shape)])


@case
def log_softmax(draw, dtype):
    shape, axes, _ = shape_and_axes(draw)
    return Call(lambda x: gp.log_softmax(x, axes[0]), lambda x: F.log_softmax(x, axes[0]), [array(draw, dtype, *shape)])


@case
def conv(draw, dtype):
    c, o, h, w, u, v = (extent(draw, 1, 3) for _ in range(6))
    padding = (extent(draw, 0, 2), extent(draw, 0, 2))
    u, v = min(u, h + 2 * padding[0]), min(v, w + 2 * padding[1])
    stride = (extent(draw, 1, 3), extent(draw, 1, 3))
    batch = draw(st.lists(st.integers(1, 2), max_size=1))
    arrays = [array(draw, dtype, *batch, c, h, w), array(draw, dtype, o, c, u, v), array(draw, dtype, o)]
    return Call(lambda *xs: gp.conv(*xs, stride=stride, padding=padding),
                lambda *xs: F.conv2d(*xs, stride=stride, padding=padding), arrays[: draw(st.integers(2, 3))])


@case
def max_pool(draw, dtype):
    kernel = (extent(draw, 1, 3), extent(draw, 1, 3))
    stride = (extent(draw, 1, 3), extent(draw, 1, 3))
    padding = tuple(extent(draw, 0, k // 2) for k in kernel)  # PyTorch wants at most half the kernel
    h, w = (extent(draw, k, 5) for k in kernel)
    shape = (*draw(st.lists(st.integers(1, 2), min_size=1, max_size=2)), h, w)
    return Call(lambda x: gp.max_pool(x, kernel, stride, padding), lambda x: F.max_pool2d(x, kernel, stride, padding),
                [array(draw, dtype, *shape)])


@case
def layer_norm(draw, dtype):
    d = extent(draw)
    return Call(gp.layer_norm, lambda x, gamma, beta: F.layer_norm(x, (d,), gamma, beta),
                [array(draw, dtype, *any_shape(draw), d), array(draw, dtype, d), array(draw, dtype, d)])


@case
def mse_loss(draw, dtype):
    shape = any_shape(draw)
    return Call(gp.mse_loss, F.mse_loss, [array(draw, dtype, *shape), array(draw, dtype, *shape)])


def agree(ours, theirs, dtype):
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == dtype
    bound = TOLERANCE[dtype] * max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


def test_every_op_is_compared():
    assert sorted(CALLS) == sorted(gp.OPS)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("op", CALLS)
def test_forward_jvp_and_vjp_agree(op, dtype):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(data=st.data())
    def compare(data):
        call = data.draw(CALLS[op](dtype))
        primals = tuple(call.arrays)
        tangents = tuple(array(data.draw, dtype, *x.shape) for x in primals)
        torch_primals, torch_tangents = (tuple(map(torch.from_numpy, xs)) for xs in (primals, tangents))

        out, tangent = gp.jvp(call.ours, primals, tangents)
        torch_out, torch_tangent = torch.func.jvp(call.theirs, torch_primals, torch_tangents)
        agree(call.ours(*primals), torch_out, dtype)
        agree(out, torch_out, dtype)
        agree(tangent, torch_tangent, dtype)

        g = array(data.draw, dtype, *out.shape)
        _, pullback = gp.vjp(call.ours, *primals)
        _, torch_pullback = torch.func.vjp(call.theirs, *torch_primals)
        for ours, theirs in zip(pullback(g), torch_pullback(torch.from_numpy(g)), strict=True):
            agree(ours, theirs, dtype)

    compare()
