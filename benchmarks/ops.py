"""Each op alone against PyTorch eager: forward and VJP, three sizes, float32, the same arrays in the same process.

    python benchmarks/ops.py [--write] [NAME ...]

prints the ratios of times gradproof / PyTorch (below 1: gradproof is faster); --write puts them into docs/speed.md.
Both have 2 threads. A forward is the public function. A VJP is `Op.vjp` of the table entry that the function recorded
(where it recorded several, the tape's backward loop over them), against torch.autograd.grad on the graph that PyTorch's
forward left; both for all inputs that have a gradient. The two are timed in turn, and the ratio is the median of those
of the pairs.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "2"

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import gradproof as gp
from gradproof.tape import Tape

SIZES = ("tiny", "in cache", "out of cache")
SAMPLES, SECONDS = 11, 0.15  # at most so many pairs per figure, at least 3, and about so long
SPEED = Path(__file__).parents[1] / "docs" / "speed.md"
START, END = "<!-- benchmarks/ops.py: start -->", "<!-- benchmarks/ops.py: end -->"
LIMIT = 1.5


@dataclass(frozen=True)
class Row:
    """ours and theirs take the arrays `inputs(size)`, size 0, 1 or 2. Integer and Boolean arrays have no gradient."""

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    inputs: Callable[[int], tuple[Any, ...]]
    vjp: bool = True


rng = np.random.default_rng(0)
FLAT = ((4, 4), (256, 256), (2048, 2048))


def normal(*shape: int) -> Any:
    return rng.standard_normal(shape, dtype=np.float32)


def positive(*shape: int) -> Any:
    return rng.random(shape, dtype=np.float32) + np.float32(0.5)


def arrays(count: int, make: Callable[..., Any] = normal) -> Callable[[int], tuple[Any, ...]]:
    return lambda size: tuple(make(*FLAT[size]) for _ in range(count))


def shapes(*of_size: tuple[tuple[int, ...], ...]) -> Callable[[int], tuple[Any, ...]]:
    """of_size[size]: the shapes of the inputs."""
    return lambda size: tuple(normal(*shape) for shape in of_size[size])


def copied(f: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch's views as arrays of their own, which ours are."""
    return lambda *xs: f(*xs).clone(memory_format=torch.contiguous_format)


def pointwise() -> Iterator[Row]:
    one, two, above = arrays(1), arrays(2), arrays(1, positive)
    yield Row("add", gp.add, torch.add, two)
    yield Row("sub", gp.sub, torch.sub, two)
    yield Row("mul", gp.mul, torch.mul, two)
    yield Row("add (N,M) + (M,)", gp.add, torch.add, lambda size: (normal(*FLAT[size]), normal(FLAT[size][1])))
    yield Row("neg", gp.neg, torch.neg, one)
    yield Row("exp", gp.exp, torch.exp, one)
    yield Row("maximum", gp.maximum, torch.maximum, two)
    yield Row("relu", gp.relu, torch.relu, one)
    yield Row("div", gp.div, torch.div, arrays(2, positive))
    yield Row("square", gp.square, torch.square, one)
    yield Row("scale", lambda x: gp.scale(x, 0.3), lambda x: x * 0.3, one)
    yield Row("reciprocal", gp.reciprocal, torch.reciprocal, above)
    yield Row("minimum", gp.minimum, torch.minimum, two)
    yield Row("abs", gp.abs, torch.abs, one)
    yield Row("sqrt", gp.sqrt, torch.sqrt, above)
    yield Row("log", gp.log, torch.log, above)
    yield Row("sigmoid", gp.sigmoid, torch.sigmoid, one)
    yield Row("tanh", gp.tanh, torch.tanh, one)
    yield Row("softplus", gp.softplus, F.softplus, one)
    yield Row("safe_log", gp.safe_log, lambda x: torch.log(torch.clamp(x, min=1e-6)), one)
    yield Row("clamp", lambda x: gp.clamp(x, -0.5, 0.5), lambda x: torch.clamp(x, -0.5, 0.5), one)
    yield Row("clamp_min", lambda x: gp.clamp_min(x, 0.5), lambda x: torch.clamp(x, min=0.5), one)
    yield Row("clamp_max", lambda x: gp.clamp_max(x, 0.5), lambda x: torch.clamp(x, max=0.5), one)
    yield Row("detach", gp.detach, lambda x: x.detach().clone(), one, vjp=False)
    yield Row("gelu", gp.gelu, F.gelu, one)
    yield Row("gelu, tanh", lambda x: gp.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), one)
    yield Row("silu", gp.silu, F.silu, one)
    yield Row("leaky_relu", gp.leaky_relu, F.leaky_relu, one)
    yield Row("elu", gp.elu, F.elu, one)
    yield Row("hardtanh", gp.hardtanh, F.hardtanh, one)
    yield Row("sin", gp.sin, torch.sin, one)
    yield Row("cos", gp.cos, torch.cos, one)
    yield Row("pow, 3", lambda x: gp.pow(x, 3), lambda x: torch.pow(x, 3), one)
    yield Row("pow, 2.5", lambda x: gp.pow(x, 2.5), lambda x: torch.pow(x, 2.5), above)
    yield Row("where", gp.where, torch.where, lambda size: (normal(*FLAT[size]) > 0, *two(size)))


def reductions() -> Iterator[Row]:
    one = arrays(1)
    yield Row("sum", gp.sum, torch.sum, one)
    for axis in (0, 1):
        yield Row(f"reduce_sum, axis {axis}", lambda x, a=axis: gp.reduce_sum(x, a), lambda x, a=axis: x.sum(a), one)
    yield Row("reduce_mean", lambda x: gp.reduce_mean(x, 1), lambda x: x.mean(1), one)
    yield Row("var", lambda x: gp.var(x, 1), lambda x: x.var(1), one)
    yield Row("max_axis", lambda x: gp.max_axis(x, 1), lambda x: x.amax(1), one)
    yield Row("min_axis", lambda x: gp.min_axis(x, 1), lambda x: x.amin(1), one)
    yield Row("cumsum", lambda x: gp.cumsum(x, 1), lambda x: x.cumsum(1), one)


def products() -> Iterator[Row]:
    yield Row("linear", gp.linear, F.linear, shapes(
        ((4, 8), (8, 8), (8,)), ((128, 256), (256, 256), (256,)), ((2048, 2048), (512, 2048), (512,))))
    yield Row("matmul", gp.matmul, torch.matmul, shapes(
        ((4, 8), (8, 4)), ((256, 256), (256, 256)), ((1536, 1536), (1536, 1536))))
    yield Row("einsum, bij,bkj->bik", lambda a, b: gp.einsum("bij,bkj->bik", a, b),
              lambda a, b: torch.einsum("bij,bkj->bik", a, b),
              shapes(((2, 3, 4), (2, 3, 4)), ((16, 64, 64), (16, 64, 64)), ((64, 256, 256), (64, 256, 256))))
    yield Row("bmm", gp.bmm, torch.bmm, shapes(
        ((2, 3, 4), (2, 4, 3)), ((16, 64, 64), (16, 64, 64)), ((64, 256, 256), (64, 256, 256))))  # fmt: skip


def structural() -> Iterator[Row]:
    one, two = arrays(1), arrays(2)
    cubes = shapes(((2, 2, 4),), ((16, 64, 64),), ((64, 256, 256),))
    yield Row("concat", lambda a, b: gp.concat([a, b], 1), lambda a, b: torch.cat([a, b], 1), two)
    yield Row("slice_range", lambda x: gp.slice_range(x, 1, x.shape[1] // 2, 1),
              copied(lambda x: x[:, 1 : 1 + x.shape[1] // 2]), one)  # fmt: skip
    yield Row("reshape", lambda x: gp.reshape(x, (-1,)), copied(lambda x: x.reshape(-1)), one)
    yield Row("flatten", gp.flatten, copied(torch.flatten), one)
    yield Row("transpose", gp.transpose, copied(torch.t), one)
    yield Row("transpose2d", gp.transpose2d, copied(torch.t), one)
    yield Row("permute", lambda x: gp.permute(x, (2, 0, 1)), copied(lambda x: x.permute(2, 0, 1)), cubes)
    yield Row("swap_adjacent", lambda x: gp.swap_adjacent(x, 0), copied(lambda x: x.transpose(0, 1)), cubes)
    yield Row("transpose3d_first_to_last", gp.transpose3d_first_to_last, copied(lambda x: x.permute(1, 2, 0)), cubes)
    yield Row("transpose3d_last_to_first", gp.transpose3d_last_to_first, copied(lambda x: x.permute(2, 0, 1)), cubes)
    yield Row("transpose3d_last_two", gp.transpose3d_last_two, copied(lambda x: x.transpose(1, 2)), cubes)
    rows = shapes(((1, 4),), ((1, 256),), ((1, 2048),))
    yield Row("broadcast_to", lambda x: gp.broadcast_to(x, (x.shape[1], x.shape[1])),
              copied(lambda x: x.expand(x.shape[1], x.shape[1])), rows)  # fmt: skip
    yield Row("pad", lambda x: gp.pad(x, ((1, 1), (2, 2))), lambda x: F.pad(x, (2, 2, 1, 1)), one)
    yield Row("flip", lambda x: gp.flip(x, 1), lambda x: torch.flip(x, (1,)), one)
    yield Row("roll", lambda x: gp.roll(x, 3, 1), lambda x: torch.roll(x, 3, 1), one)
    images = shapes(((1, 2, 4, 4),), ((4, 16, 16, 16),), ((16, 32, 48, 48),))
    yield Row("upsample_nearest", lambda x: gp.upsample_nearest(x, (2 * x.shape[2], 2 * x.shape[3])),
              lambda x: F.interpolate(x, size=(2 * x.shape[2], 2 * x.shape[3])), images)  # fmt: skip
    yield Row("split", lambda x: gp.split(x, (x.shape[0] - 2, 2))[0],
              copied(lambda x: torch.split(x, (x.shape[0] - 2, 2))[0]), one)  # fmt: skip
    yield Row("stack", lambda a, b: gp.stack([a, b]), lambda a, b: torch.stack([a, b]), two)
    halves = shapes(((4, 4),), ((128, 128),), ((1024, 1024),))
    yield Row("tile", lambda x: gp.tile(x, (2, 2)), lambda x: torch.tile(x, (2, 2)), halves)
    yield Row("repeat", lambda x: gp.repeat(x, 2, 1), lambda x: torch.repeat_interleave(x, 2, 1), halves)
    yield Row("pixel_shuffle", lambda x: gp.pixel_shuffle(x, 2), lambda x: F.pixel_shuffle(x, 2), shapes(
        ((1, 4, 2, 2),), ((4, 16, 32, 32),), ((16, 64, 64, 64),)))  # fmt: skip


def indexing() -> Iterator[Row]:
    tables, counts = ((8, 4), (1024, 64), (65536, 64)), (4, 1024, 65536)

    def table(size: int) -> Any:
        return normal(*tables[size])

    def vector(size: int) -> Any:
        return normal(tables[size][0] * 16)

    def at(x: Any, size: int) -> Any:
        return rng.integers(0, x.shape[0], counts[size])

    def with_indices(make: Callable[[int], Any], single: bool = False) -> Callable[[int], tuple[Any, ...]]:
        def inputs(size: int) -> tuple[Any, ...]:
            x = make(size)
            return x, at(x, size)[0] if single else at(x, size)

        return inputs

    def with_rows(make: Callable[[int], Any]) -> Callable[[int], tuple[Any, ...]]:
        def inputs(size: int) -> tuple[Any, ...]:
            x = make(size)
            return x, normal(counts[size], *x.shape[1:]), at(x, size)

        return inputs

    yield Row("gather_rows", gp.gather_rows, lambda x, i: x.index_select(0, i), with_indices(table))
    yield Row("embedding", lambda x, i: gp.embedding(i, x), lambda x, i: F.embedding(i, x), with_indices(table))
    yield Row("gather_vec", gp.gather_vec, lambda x, i: x.index_select(0, i), with_indices(vector))
    yield Row("gather_row", gp.gather_row, lambda x, i: x.index_select(0, i)[0], with_indices(table, single=True))
    yield Row("gather_scalar", gp.gather_scalar, lambda x, i: x.index_select(0, i)[0],
              with_indices(vector, single=True))  # fmt: skip
    yield Row("scatter_add", gp.scatter_add, lambda x, v, i: x.index_add(0, i, v), with_rows(table))
    yield Row("scatter_add_row", gp.scatter_add_row, lambda x, v, i: x.index_add(0, i, v), with_rows(table))
    yield Row("scatter_add_vec", gp.scatter_add_vec, lambda x, v, i: x.index_add(0, i, v), with_rows(vector))


def softmaxes() -> Iterator[Row]:
    one = arrays(1)
    yield Row("softmax", gp.softmax, lambda x: torch.softmax(x, -1), one)
    yield Row("softmax, axis 0", lambda x: gp.softmax(x, 0), lambda x: torch.softmax(x, 0), one)
    yield Row("log_softmax", gp.log_softmax, lambda x: torch.log_softmax(x, -1), one)
    yield Row("logsumexp", gp.logsumexp, lambda x: torch.logsumexp(x, -1), one)


def windows() -> Iterator[Row]:
    yield Row("conv, 3x3", lambda *xs: gp.conv(*xs, padding=1), lambda *xs: F.conv2d(*xs, padding=1), shapes(
        ((1, 2, 6, 6), (4, 2, 3, 3), (4,)), ((32, 8, 28, 28), (16, 8, 3, 3), (16,)),
        ((64, 32, 56, 56), (32, 32, 3, 3), (32,))))
    yield Row("conv, 3x3, one channel", lambda *xs: gp.conv(*xs, padding=1), lambda *xs: F.conv2d(*xs, padding=1),
              shapes(((1, 1, 6, 6), (4, 1, 3, 3), (4,)), ((32, 1, 28, 28), (8, 1, 3, 3), (8,)),
                     ((64, 1, 256, 256), (8, 1, 3, 3), (8,))))
    yield Row("conv, 3x3, stride 2", lambda *xs: gp.conv(*xs, stride=2, padding=1),
              lambda *xs: F.conv2d(*xs, stride=2, padding=1), shapes(
                  ((1, 2, 6, 6), (4, 2, 3, 3)), ((16, 16, 28, 28), (32, 16, 3, 3)),
                  ((64, 32, 112, 112), (32, 32, 3, 3))))
    yield Row("conv, 1x1", gp.conv, F.conv2d, shapes(
        ((1, 2, 6, 6), (4, 2, 1, 1)), ((16, 32, 14, 14), (32, 32, 1, 1)), ((64, 64, 56, 56), (32, 64, 1, 1))))
    yield Row("conv, 3x3, depthwise", lambda x, w: gp.conv(x, w, padding=1, groups=x.shape[1]),
              lambda x, w: F.conv2d(x, w, padding=1, groups=x.shape[1]), shapes(
                  ((1, 2, 6, 6), (2, 1, 3, 3)), ((8, 32, 28, 28), (32, 1, 3, 3)), ((32, 64, 56, 56), (64, 1, 3, 3))))
    yield Row("conv, 1 axis", lambda x, w: gp.conv(x, w, padding=2), lambda x, w: F.conv1d(x, w, padding=2), shapes(
        ((1, 2, 16), (4, 2, 5)), ((16, 16, 256), (32, 16, 5)), ((32, 32, 4096), (32, 32, 5))))
    yield Row("conv, 3 axes", gp.conv, F.conv3d, shapes(
        ((1, 2, 4, 4, 4), (4, 2, 3, 3, 3)), ((4, 4, 12, 12, 12), (8, 4, 3, 3, 3)),
        ((16, 16, 24, 24, 24), (16, 16, 3, 3, 3))))
    yield Row("conv_transpose, 4x4, stride 2", lambda *xs: gp.conv_transpose(*xs, stride=2, padding=1),
              lambda *xs: F.conv_transpose2d(*xs, stride=2, padding=1), shapes(
                  ((1, 2, 3, 3), (2, 4, 4, 4), (4,)), ((16, 16, 14, 14), (16, 8, 4, 4), (8,)),
                  ((64, 32, 28, 28), (32, 16, 4, 4), (16,))))  # fmt: skip
    images = shapes(((1, 2, 6, 6),), ((32, 8, 28, 28),), ((64, 32, 48, 48),))
    yield Row("max_pool, 2x2", lambda x: gp.max_pool(x, (2, 2)), lambda x: F.max_pool2d(x, 2), images)
    yield Row("max_pool, 3x3, stride 2", lambda x: gp.max_pool2d(x, 3, 2, 1), lambda x: F.max_pool2d(x, 3, 2, 1),
              images)  # fmt: skip
    yield Row("avg_pool, 2x2", lambda x: gp.avg_pool(x, (2, 2)), lambda x: F.avg_pool2d(x, 2), images)
    yield Row("avg_pool, 3x3, stride 2", lambda x: gp.avg_pool2d(x, 3, 2, 1), lambda x: F.avg_pool2d(x, 3, 2, 1),
              images)  # fmt: skip
    yield Row("adaptive_avg_pool", lambda x: gp.adaptive_avg_pool(x, (4, 4)),
              lambda x: F.adaptive_avg_pool2d(x, (4, 4)), images)
    yield Row("smooth_max_pool", lambda x: gp.smooth_max_pool(x, (2, 2)),
              lambda x: torch.logsumexp(F.unfold(x, 2, stride=2).unflatten(1, (x.shape[1], 4)), 2), images)
    lines, cells = shapes(((2, 16),), ((256, 256),), ((2048, 2048),)), shapes(
        ((1, 2, 4, 4, 4),), ((4, 8, 16, 16, 16),), ((16, 16, 24, 24, 24),))  # fmt: skip
    yield Row("max_pool1d", lambda x: gp.max_pool1d(x, 2), lambda x: F.max_pool1d(x, 2), lines)
    yield Row("avg_pool1d", lambda x: gp.avg_pool1d(x, 2), lambda x: F.avg_pool1d(x, 2), lines)
    yield Row("max_pool3d", lambda x: gp.max_pool3d(x, 2), lambda x: F.max_pool3d(x, 2), cells)
    yield Row("avg_pool3d", lambda x: gp.avg_pool3d(x, 2), lambda x: F.avg_pool3d(x, 2), cells)


def normalizations() -> Iterator[Row]:
    def rows(vectors: int) -> Callable[[int], tuple[Any, ...]]:
        return lambda size: (normal(*FLAT[size]), *(normal(FLAT[size][1]) for _ in range(vectors)))

    extents = ((2, 4, 3, 3), (16, 16, 14, 14), (32, 64, 48, 48))

    def channels(vectors: int) -> Callable[[int], tuple[Any, ...]]:
        return lambda size: (normal(*extents[size]), *(positive(extents[size][1]) for _ in range(vectors)))

    yield Row("layer_norm", gp.layer_norm, lambda x, a, b: F.layer_norm(x, a.shape, a, b), rows(2))
    yield Row("rms_norm", gp.rms_norm, lambda x, a: F.rms_norm(x, a.shape, a, 1e-6), rows(1))
    yield Row("batch_norm", gp.batch_norm,
              lambda x, a, b: F.batch_norm(x, None, None, a, b, training=True), channels(2))
    yield Row("batch_norm_eval", gp.batch_norm_eval,
              lambda x, a, b, mean, var: (x - mean[:, None, None]) * (a / torch.sqrt(var + 1e-5))[:, None, None]
              + b[:, None, None], channels(4))
    yield Row("group_norm", lambda x, a, b: gp.group_norm(x, a, b, 2), lambda x, a, b: F.group_norm(x, 2, a, b),
              channels(2))
    yield Row("instance_norm", gp.instance_norm,
              lambda x, a, b: F.instance_norm(x, None, None, a, b), channels(2))  # fmt: skip


def attention() -> Iterator[Row]:
    parts = ((1, 1, 4, 4), (2, 4, 64, 32), (4, 8, 512, 64))
    yield Row("scaled_dot_product_attention", gp.scaled_dot_product_attention, F.scaled_dot_product_attention,
              lambda size: tuple(normal(*parts[size]) for _ in range(3)))
    yield Row("scaled_dot_product_attention, causal",
              lambda *xs: gp.scaled_dot_product_attention(*xs, is_causal=True),
              lambda *xs: F.scaled_dot_product_attention(*xs, is_causal=True),
              lambda size: tuple(normal(*parts[size]) for _ in range(3)))  # fmt: skip

    def theirs(heads: int) -> Callable[..., Any]:
        def f(x: Any, wq: Any, wk: Any, wv: Any, wo: Any) -> Any:
            q, k, v = (torch.matmul(x, w).unflatten(-1, (heads, -1)).transpose(1, 2) for w in (wq, wk, wv))
            return torch.matmul(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2), wo)

        return f

    tokens = ((1, 4, 4), (1, 128, 256), (4, 512, 512))
    yield Row("multi_head_attention",
              lambda *xs: gp.multi_head_attention(*xs, num_heads=2 if xs[0].shape[2] < 8 else 8),
              lambda *xs: theirs(2 if xs[0].shape[2] < 8 else 8)(*xs),
              lambda size: (normal(*tokens[size]),
                            *(normal(*2 * tokens[size][2:]) / np.float32(16) for _ in range(4))))  # fmt: skip


def losses() -> Iterator[Row]:
    def labelled(size: int) -> tuple[Any, ...]:
        return normal(*FLAT[size]), rng.integers(0, FLAT[size][1], FLAT[size][0])

    def with_log(size: int) -> tuple[Any, ...]:
        return np.log(positive(*FLAT[size])), positive(*FLAT[size])

    def targets(size: int) -> tuple[Any, ...]:
        return normal(*FLAT[size]), positive(*FLAT[size])

    yield Row("mse_loss", gp.mse_loss, F.mse_loss, arrays(2))
    yield Row("cross_entropy", gp.cross_entropy, F.cross_entropy, labelled)
    yield Row("nll_loss", gp.nll_loss, F.nll_loss, labelled)
    yield Row("bce_with_logits", gp.bce_with_logits, F.binary_cross_entropy_with_logits, targets)
    yield Row("kl_div", lambda a, b: gp.kl_div(a, b, "sum"), lambda a, b: F.kl_div(a, b, reduction="sum"), with_log)


def random() -> Iterator[Row]:
    seeds = iter(range(10**9))
    one = arrays(1)
    yield Row("rand_uniform", lambda x: gp.rand_uniform(x.shape, next(seeds)), torch.rand_like, one, vjp=False)
    yield Row("bernoulli_mask", lambda x: gp.bernoulli_mask(0.5, x.shape, next(seeds)),
              lambda x: torch.full_like(x, 0.5).bernoulli_(0.5), one, vjp=False)
    yield Row("dropout", lambda x: gp.dropout(x, 0.5, next(seeds)), F.dropout, one)  # fmt: skip


def optimizers() -> Iterator[Row]:
    yield Row("sgd_update", lambda p, g: gp.sgd_update(p, g, 0.1), lambda p, g: torch.sub(p, g, alpha=0.1), arrays(2))
    yield Row("momentum_update", lambda v, g: gp.momentum_update(v, g, 0.9),
              lambda v, g: torch.add(g, v, alpha=0.9), arrays(2))
    yield Row("exponential_average", lambda a, x: gp.exponential_average(a, x, 0.9),
              lambda a, x: torch.lerp(x, a, 0.9), arrays(2))
    yield Row("adam_update", lambda p, m, v: gp.adam_update(p, m, v, 0.1, 0.5, 0.5),
              lambda p, m, v: torch.addcdiv(p, m, (v / 0.5).sqrt() + 1e-8, value=-0.2),
              arrays(3, positive))  # fmt: skip


FAMILIES = (
    pointwise, reductions, products, structural, indexing, softmaxes, windows, normalizations, attention, losses,
    random, optimizers,
)  # fmt: skip


# ---------------------------------------------------------------- timing
def repeated(f: Callable[[], Any], times: int) -> float:
    f()  # what the other library has left in the cache, and its waiting threads
    start = perf_counter()
    for _ in range(times):
        f()
    return (perf_counter() - start) / times


def ratio(ours: Callable[[], Any], theirs: Callable[[], Any]) -> float:
    """The median of ours / theirs over pairs of runs."""
    ours(), theirs()
    once = max(min(repeated(f, 1) for _ in range(2)) for f in (ours, theirs))
    times = max(1, int(3e-4 / once))
    pairs = min(SAMPLES, max(3, int(SECONDS / (2 * once * (times + 1)))))
    return median(repeated(ours, times) / repeated(theirs, times) for _ in range(pairs))


def measured(row: Row, size: int) -> tuple[float, float | None]:
    """The ratios of the forward and of the VJP."""
    inputs = row.inputs(size)
    plain = tuple(torch.from_numpy(np.asarray(x)) for x in inputs)
    row_ours, row_theirs = row.ours, row.theirs
    with torch.no_grad():
        forward = ratio(lambda: row_ours(*inputs), lambda: row_theirs(*plain))
    if not row.vjp:
        return forward, None

    tape = Tape()
    leaves = [x.dtype.kind == "f" for x in map(np.asarray, inputs)]
    out = row_ours(*(tape.leaf(x) if leaf else x for x, leaf in zip(inputs, leaves, strict=True)))
    nodes = [node for node in tape.nodes if node.op is not None]
    g = np.empty_like(out.value)  # in the order of memory of the output, as the op behind would give it
    g[...] = normal(*g.shape)
    wanted = tuple(parent is not None for parent in nodes[-1].parents)

    def ours() -> Any:
        if len(nodes) > 1:
            return tape.pull_back([(out.node, g)])
        (node,) = nodes
        assert node.op is not None
        return node.op.vjp(g, node.inputs, node.out, node.residual, wanted, **node.attributes)

    variables = [x.clone().requires_grad_() if leaf else x for x, leaf in zip(plain, leaves, strict=True)]
    y = row_theirs(*variables)
    needed = [x for x in variables if x.requires_grad]
    cotangent = torch.from_numpy(np.ascontiguousarray(g)).reshape(y.shape)
    return forward, ratio(ours, lambda: torch.autograd.grad(y, needed, cotangent, retain_graph=True))


def table(names: list[str]) -> Iterator[str]:
    """The lines of the table as they are measured."""
    yield "| op | " + " | ".join(f"{way}, {size}" for way in ("forward", "VJP") for size in SIZES) + " |"
    yield "|---|" + "--:|" * 6
    for family in FAMILIES:
        for row in family():
            if names and not any(row.name.startswith(name) for name in names):
                continue
            pairs = [measured(row, size) for size in range(3)]
            cells = [value for way in zip(*pairs, strict=True) for value in way]
            yield f"| {row.name} | " + " | ".join(map(shown, cells)) + " |"


def shown(value: float | None) -> str:
    if value is None:
        return ""
    text = f"{value:.2f}"
    return f"**{text}**" if value > LIMIT else text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only ops whose name begins so")
    parser.add_argument("--write", action="store_true", help="put the whole table into docs/speed.md")
    options = parser.parse_args()
    if options.write and options.names:
        parser.error("--write needs the whole table")
    torch.set_num_threads(2)
    np.seterr(all="ignore")
    lines = []
    for line in table(options.names):
        print(line)
        sys.stdout.flush()
        lines.append(line)
    if options.write:
        text = SPEED.read_text(encoding="utf-8")
        before, rest = text.split(START)
        after = rest.split(END)[1]
        SPEED.write_text(before + START + "\n" + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
