"""The kinds of the IR. Each has the number of its parents, its attributes, its payload, and two functions:

- its lowering, from the Vars of a graph that is being recorded to a Var, made of gradproof's public functions, and
- its meaning, from arrays to an array, in plain NumPy, which knows nothing of gradproof's ops. No branch of it depends
  on values, so it also runs on arrays of symbols (dtype object).

Both get the attributes and the arrays of the payload as keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from . import ops
from .builder import GraphBuilder
from .errors import DomainError, GraphError, ShapeError, describe
from .graph import CONST
from .op import Array, Shape
from .ops import random
from .ops.structural import adjacent_swaps

# The payloads: the data of a node that is no attribute.


@dataclass(frozen=True, eq=False)
class Const:
    """The value of a const node: an array of its shape, or the flat vector of its elements in row-major order."""

    value: ArrayLike
    arrays: ClassVar[tuple[str, ...]] = ("value",)


@dataclass(frozen=True, eq=False)
class Linear:
    """weight (O,I) and bias (O,) of a linear node."""

    weight: ArrayLike
    bias: ArrayLike
    arrays: ClassVar[tuple[str, ...]] = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class Conv2d:
    """weight (O,I,U,V) and bias (O,) of a conv2d node; stride and padding, in cells, are those of its attributes."""

    weight: ArrayLike
    bias: ArrayLike
    stride: int = 1
    padding: int = 0
    arrays: ClassVar[tuple[str, ...]] = ("weight", "bias")


@dataclass(frozen=True, eq=False)
class BatchNorm2d:
    """gamma, beta, mean and var, each (C,), and eps of a batch_norm2d_nchw_eval node."""

    gamma: ArrayLike
    beta: ArrayLike
    mean: ArrayLike
    var: ArrayLike
    eps: float = 1e-5
    arrays: ClassVar[tuple[str, ...]] = ("gamma", "beta", "mean", "var")


PayloadEntry = Const | Linear | Conv2d | BatchNorm2d


@dataclass(frozen=True)
class Kind:
    """parents: how many, with `variadic` at least. attributes: their names; those of TUPLES are tuples of natural
    numbers, the others are natural numbers, those of OPTIONAL may be left out."""

    parents: int
    lower: Callable[..., Any]
    meaning: Callable[..., Any]
    attributes: tuple[str, ...] = ()
    payload: type[PayloadEntry] | None = None
    variadic: bool = False

    def takes(self, count: int) -> bool:
        return count >= self.parents if self.variadic else count == self.parents


TUPLES = frozenset(("perm", "source", "target"))
OPTIONAL = frozenset(("stream",))
RANDOM = frozenset(("rand_uniform", "bernoulli_mask"))

# Lowerings. What gradproof's function would take and the IR does not is refused here.


def leaf(*, value: Any) -> Any:
    """The lowering and the meaning of input and const."""
    return value


def need_rank(kind: str, x: Any, rank: int, form: str) -> None:
    if x.ndim != rank:
        raise ShapeError(describe(kind, "wrong rank", f"the parent must be {form}", x=x.shape))


def need_same(kind: str, a: Any, b: Any) -> None:
    if a.shape != b.shape:
        raise ShapeError(describe(kind, "the parents differ in shape", "broadcast first", a=a.shape, b=b.shape))


def need_axis(kind: str, axis: int, rank: int) -> None:
    if axis >= rank:
        raise DomainError(describe(kind, "there is no such axis", "use 0 <= axis < rank", axis=axis, rank=rank))


def need_source(kind: str, x: Any, source: Shape) -> None:
    if x.shape != source:
        what, remedy = "source is not the shape of the parent", "make them equal"
        raise ShapeError(describe(kind, what, remedy, source=source, parent=x.shape))


def same_shape(kind: str, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of two arrays, without its broadcasting."""

    def lowered(a: Any, b: Any) -> Any:
        need_same(kind, a, b)
        return function(a, b)

    return lowered


def lower_bernoulli_mask(keep_prob: Any, *, shape: Shape, seed: int, stream: int, dtype: Any) -> Any:
    builder: GraphBuilder = keep_prob.trace
    if builder.nodes[keep_prob.id].op != CONST:
        remedy = "make the parent a const: a mask takes a number"
        raise GraphError(describe("bernoulli_mask", "keep_prob is computed", remedy, parent=keep_prob))
    if keep_prob.shape != ():
        remedy = "its shape must be ()"
        raise ShapeError(describe("bernoulli_mask", "keep_prob is no scalar", remedy, shape=keep_prob.shape))
    return ops.bernoulli_mask(float(builder.payload[keep_prob.id]), shape, seed, stream, dtype)


def swapped(x: Any, depths: Sequence[int]) -> Any:
    for depth in depths:
        x = ops.swap_adjacent(x, depth)
    return x


def lower_permute(x: Any, *, perm: tuple[int, ...]) -> Any:
    if sorted(perm) != list(range(x.ndim)):
        remedy = "name every axis of the parent once"
        raise DomainError(describe("permute", "perm is no permutation of the axes", remedy, perm=perm, parent=x.shape))
    return swapped(x, adjacent_swaps(perm))


def lower_swap_first_two(x: Any) -> Any:
    if x.ndim < 2:
        raise ShapeError(describe("swap_first_two", "wrong rank", "the parent needs two axes", x=x.shape))
    return ops.swap_adjacent(x, 0)


def lower_transpose3d_last_two(x: Any) -> Any:
    need_rank("transpose3d_last_two", x, 3, "(A,B,C)")
    return ops.transpose3d_last_two(x)


def lower_broadcast_to(x: Any, *, source: Shape, target: Shape) -> Any:
    need_source("broadcast_to", x, source)
    return ops.broadcast_to(x, target)


def lower_reshape(x: Any, *, source: Shape, target: Shape) -> Any:
    need_source("reshape", x, source)
    return ops.reshape(x, target)


def lower_flatten(x: Any, *, source: Shape) -> Any:
    need_source("flatten", x, source)
    return ops.flatten(x)


def lower_concat(*xs: Any, axis: int) -> Any:
    first = xs[0].shape
    for x in xs:
        if x.ndim != len(first) or x.ndim == 0:
            remedy = "give all the same rank, at least 1"
            raise ShapeError(describe("concat", "the ranks do not fit", remedy, shapes=[x.shape for x in xs]))
    need_axis("concat", axis, len(first))
    for x in xs:
        if any(n != m for at, (n, m) in enumerate(zip(first, x.shape, strict=True)) if at != axis):
            what, remedy = "the shapes differ", "only the extents along axis may differ"
            raise ShapeError(describe("concat", what, remedy, shapes=[x.shape for x in xs], axis=axis))
    to_front = range(axis - 1, -1, -1)
    joined = ops.concat([swapped(x, to_front) for x in xs], axis=0)
    return swapped(joined, range(axis))


def lower_max_pool2d(x: Any, *, kernel_h: int, kernel_w: int, stride: int, padding: int = 0) -> Any:
    need_rank("max_pool2d", x, 3, "(C,H,W)")
    return ops.max_pool(x, (kernel_h, kernel_w), stride, padding)


def lower_avg_pool2d(x: Any, *, kernel_h: int, kernel_w: int, stride: int, padding: int = 0) -> Any:
    need_rank("avg_pool2d", x, 3, "(C,H,W)")
    return ops.avg_pool(x, (kernel_h, kernel_w), stride, padding)


def lower_reduce_sum(x: Any, *, axis: int) -> Any:
    need_axis("reduce_sum", axis, x.ndim)
    return ops.reduce_sum(x, axis)


def lower_reduce_mean(x: Any, *, axis: int) -> Any:
    need_axis("reduce_mean", axis, x.ndim)
    return ops.reduce_mean(x, axis)


def lower_softmax(x: Any, *, axis: int) -> Any:
    need_axis("softmax", axis, x.ndim)
    return ops.softmax(x, axis)


LAYERNORM_EPS = 1e-6


def lower_layernorm(x: Any, *, axis: int) -> Any:
    need_axis("layernorm", axis, x.ndim)
    rows, extent = prod(x.shape[:axis]), prod(x.shape[axis:])
    if rows == 0 or extent == 0:
        what, remedy = "there is nothing to normalize", "the extents before and from axis on must be positive"
        raise ShapeError(describe("layernorm", what, remedy, x=x.shape, axis=axis))
    builder: GraphBuilder = x.trace
    gamma, beta = (ops.broadcast_to(builder.const(np.full((), c, x.dtype)), (extent,)) for c in (1, 0))
    y = ops.layer_norm(ops.reshape(x, (rows, extent)), gamma, beta, LAYERNORM_EPS)
    return ops.reshape(y, x.shape)


def lower_linear(x: Any, *, weight: Any, bias: Any) -> Any:
    return ops.linear(x, weight, bias)


def lower_conv2d(
    x: Any,
    *,
    in_channels: int,
    out_channels: int,
    kernel_h: int,
    kernel_w: int,
    stride: int,
    padding: int,
    weight: Any,
    bias: Any,
) -> Any:
    need_rank("conv2d", x, 3, "(I,H,W)")
    declared = (out_channels, in_channels, kernel_h, kernel_w)
    if weight.shape != declared:
        what, remedy = "the attributes are not those of the payload", "weight is (out_channels,in_channels,U,V)"
        raise ShapeError(describe("conv2d", what, remedy, attributes=declared, weight=weight.shape))
    return ops.conv(x, weight, bias, stride, padding)


def lower_batch_norm(x: Any, *, channels: int, gamma: Any, beta: Any, mean: Any, var: Any, eps: float) -> Any:
    kind = "batch_norm2d_nchw_eval"
    need_rank(kind, x, 4, "(N,C,H,W)")
    for name, vector in {"gamma": gamma, "beta": beta, "mean": mean, "var": var}.items():
        if vector.shape != (channels,):
            remedy = "it must be (channels,)"
            raise ShapeError(describe(kind, f"{name} does not fit", remedy, **{name: vector.shape}, channels=channels))
    return ops.batch_norm_eval(x, gamma, beta, mean, var, eps, channel_axis=1)


def lower_matmul(a: Any, b: Any) -> Any:
    if (a.ndim, b.ndim) not in ((2, 2), (3, 3)):
        what, remedy = "the ranks are not supported", "pass (N,K) and (K,M), or (B,N,K) and (B,K,M)"
        raise ShapeError(describe("matmul", what, remedy, a=a.shape, b=b.shape))
    return ops.matmul(a, b) if a.ndim == 2 else ops.bmm(a, b)


# Meanings.


def mean_rand_uniform(*, shape: Shape, seed: int, stream: int, dtype: Any) -> Array:
    return random.uniform(shape, seed, stream, dtype)


def mean_bernoulli_mask(keep_prob: Any, *, shape: Shape, seed: int, stream: int, dtype: Any) -> Any:
    return np.where(random.uniform(shape, seed, stream, dtype) < keep_prob, 1.0, 0.0).astype(dtype)


def mean_sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def mean_softmax(x: Any, *, axis: int) -> Any:
    if x.shape[axis] == 0:
        return x
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def mean_layernorm(x: Any, *, axis: int) -> Any:
    axes = tuple(range(axis, x.ndim))
    count = prod(x.shape[axis:])
    centred = x - np.sum(x, axis=axes, keepdims=True) / count
    return centred / np.sqrt(np.sum(centred * centred, axis=axes, keepdims=True) / count + LAYERNORM_EPS)


def mean_batch_norm(x: Any, *, channels: int, gamma: Any, beta: Any, mean: Any, var: Any, eps: float) -> Any:
    gamma, beta, mean, var = (vector[:, None, None] for vector in (gamma, beta, mean, var))
    return ((x - mean) / np.sqrt(var + eps)) * gamma + beta


def mean_mse_loss(yhat: Any, target: Any) -> Any:
    return np.sum((yhat - target) * (yhat - target)) / yhat.size


def mean_linear(x: Any, *, weight: Any, bias: Any) -> Any:
    return np.sum(x[..., None, :] * weight, axis=-1) + bias


def mean_matmul(a: Any, b: Any) -> Any:
    return np.sum(a[..., :, :, None] * b[..., None, :, :], axis=-2)


def windows(extent: int, kernel: int, stride: int, padding: int) -> list[tuple[slice, slice]]:
    """For each window along an axis the cells of it that are not padding, and their places in the window."""
    found = []
    for start in range(-padding, extent + padding - kernel + 1, stride):
        first = max(start, 0)
        last = max(first, min(start + kernel, extent))
        found.append((slice(first, last), slice(first - start, last - start)))
    return found


def over_windows(rows: list[tuple[slice, slice]], columns: list[tuple[slice, slice]], f: Callable[..., Any]) -> Any:
    """f(cells, places), both pairs of slices, for each window, as the last two axes."""
    along = [[f((r, c), (u, v)) for c, v in columns] for r, u in rows]
    return np.stack([np.stack(row, axis=-1) for row in along], axis=-2)


def mean_max_pool2d(x: Any, *, kernel_h: int, kernel_w: int, stride: int, padding: int = 0) -> Any:
    rows, columns = (windows(n, k, stride, padding) for n, k in zip(x.shape[1:], (kernel_h, kernel_w), strict=True))
    return over_windows(rows, columns, lambda cells, _: np.max(x[:, *cells], axis=(1, 2)))


def mean_avg_pool2d(x: Any, *, kernel_h: int, kernel_w: int, stride: int, padding: int = 0) -> Any:
    rows, columns = (windows(n, k, stride, padding) for n, k in zip(x.shape[1:], (kernel_h, kernel_w), strict=True))
    return over_windows(rows, columns, lambda cells, _: np.sum(x[:, *cells], axis=(1, 2)) / (kernel_h * kernel_w))


def mean_conv2d(x: Any, *, stride: int, padding: int, weight: Any, bias: Any, **_: int) -> Any:
    rows, columns = (windows(n, k, stride, padding) for n, k in zip(x.shape[1:], weight.shape[2:], strict=True))

    def at(cells: tuple[slice, slice], places: tuple[slice, slice]) -> Any:
        return np.sum(x[:, *cells] * weight[:, :, *places], axis=(1, 2, 3)) + bias

    return over_windows(rows, columns, at)


WINDOW = ("kernel_h", "kernel_w", "stride")
CHANNELS = ("in_channels", "out_channels")

KINDS: dict[str, Kind] = {
    "input": Kind(0, leaf, leaf),
    "const": Kind(0, leaf, leaf, payload=Const),
    "rand_uniform": Kind(0, ops.rand_uniform, mean_rand_uniform, ("seed", "stream")),
    "permute": Kind(1, lower_permute, lambda x, perm: np.transpose(x, perm), ("perm",)),
    "detach": Kind(1, ops.detach, lambda x: x),
    "bernoulli_mask": Kind(1, lower_bernoulli_mask, mean_bernoulli_mask, ("seed", "stream")),
    "abs": Kind(1, ops.abs, np.abs),
    "sqrt": Kind(1, ops.sqrt, np.sqrt),
    "inv": Kind(1, ops.reciprocal, lambda x: 1 / x),
    "max_pool2d": Kind(1, lower_max_pool2d, mean_max_pool2d, WINDOW),
    "max_pool2d_pad": Kind(1, lower_max_pool2d, mean_max_pool2d, (*WINDOW, "padding")),
    "avg_pool2d": Kind(1, lower_avg_pool2d, mean_avg_pool2d, WINDOW),
    "avg_pool2d_pad": Kind(1, lower_avg_pool2d, mean_avg_pool2d, (*WINDOW, "padding")),
    "broadcast_to": Kind(
        1, lower_broadcast_to, lambda x, source, target: np.broadcast_to(x, target), ("source", "target")
    ),
    "reduce_sum": Kind(1, lower_reduce_sum, lambda x, axis: np.sum(x, axis=axis), ("axis",)),
    "reduce_mean": Kind(1, lower_reduce_mean, lambda x, axis: np.sum(x, axis=axis) / x.shape[axis], ("axis",)),
    "sum": Kind(1, ops.sum, lambda x: np.sum(x)),
    "linear": Kind(1, lower_linear, mean_linear, payload=Linear),
    "conv2d": Kind(1, lower_conv2d, mean_conv2d, (*CHANNELS, *WINDOW, "padding"), Conv2d),
    "batch_norm2d_nchw_eval": Kind(1, lower_batch_norm, mean_batch_norm, ("channels",), BatchNorm2d),
    "relu": Kind(1, ops.relu, lambda x: np.maximum(x, 0)),
    "tanh": Kind(1, ops.tanh, np.tanh),
    "sigmoid": Kind(1, ops.sigmoid, mean_sigmoid),
    "exp": Kind(1, ops.exp, np.exp),
    "log": Kind(1, ops.log, np.log),
    "sin": Kind(1, ops.sin, np.sin),
    "cos": Kind(1, ops.cos, np.cos),
    "softmax": Kind(1, lower_softmax, mean_softmax, ("axis",)),
    "layernorm": Kind(1, lower_layernorm, mean_layernorm, ("axis",)),
    "reshape": Kind(1, lower_reshape, lambda x, source, target: np.reshape(x, target), ("source", "target")),
    "flatten": Kind(1, lower_flatten, lambda x, source: np.reshape(x, (prod(source),)), ("source",)),
    "swap_first_two": Kind(1, lower_swap_first_two, lambda x: np.swapaxes(x, 0, 1)),
    "transpose3d_last_two": Kind(1, lower_transpose3d_last_two, lambda x: np.swapaxes(x, 1, 2)),
    "add": Kind(2, same_shape("add", ops.add), lambda a, b: a + b),
    "sub": Kind(2, same_shape("sub", ops.sub), lambda a, b: a - b),
    "mul_elem": Kind(2, same_shape("mul_elem", ops.mul), lambda a, b: a * b),
    "max_elem": Kind(2, same_shape("max_elem", ops.maximum), np.maximum),
    "min_elem": Kind(2, same_shape("min_elem", ops.minimum), np.minimum),
    "matmul": Kind(2, lower_matmul, mean_matmul),
    "mse_loss": Kind(2, same_shape("mse_loss", ops.mse_loss), mean_mse_loss),
    "concat": Kind(
        2, lower_concat, lambda *xs, axis: np.concatenate(xs, axis=axis), ("axis",), variadic=True
    ),
}
