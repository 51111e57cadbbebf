"""TRUSTED. One NumPy meaning per ATen operation: `OPS[name](*args, **kwargs)`, with PyTorch's own arguments.

A name is the operation's (`add`), or with its overload (`max.dim`) where overloads differ. Operations that make_fx
decomposes (PyTorch's core ATen decompositions) are not here. Over the reals a dtype has no width.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from . import foreign_arrays as fa
from . import torch_layers as layers
from .foreign_arrays import Array
from .symbolic import ObjectArray, Unsupported


def dtype_kind(dtype: Any) -> str:
    """"b", "i" or "f" of a torch.dtype."""
    if dtype.is_complex:
        raise Unsupported(f"{dtype} is not modelled: reals, integers and Booleans only")
    return "f" if dtype.is_floating_point else "b" if str(dtype) == "torch.bool" else "i"


def _is_boolean(x: Any) -> bool:
    if isinstance(x, ObjectArray):
        return x.size > 0 and all(map(x.meanings.is_truth, x.view(np.ndarray).ravel()))
    return bool(np.asarray(x).dtype == bool)


def _is_integer(x: Any) -> bool:
    return not isinstance(x, ObjectArray) and np.asarray(x).dtype.kind in "iu"


def _number(x: Array) -> Array:
    return np.where(x, 1, 0) if _is_boolean(x) else x


def _to(x: Array, dtype: Any) -> Array:
    if dtype is None:
        return x
    source = "b" if _is_boolean(x) else "i" if _is_integer(x) else "f"
    return fa.converted(x, source, dtype_kind(dtype), np.int64)


def _axes(x: Array, dim: Any) -> tuple[int, ...]:
    """PyTorch's rule: no axis or an empty list means all axes."""
    if dim is None or (isinstance(dim, list) and not dim):
        return tuple(range(x.ndim))
    return tuple(d % max(x.ndim, 1) for d in (dim if isinstance(dim, list) else [dim]))


def _same(x: Array, *_: Any, **__: Any) -> Array:
    return x


# ---------------------------------------------------------------- arithmetic
def _add(a: Array, b: Array, alpha: Any = 1) -> Array:
    return _number(a) + _number(b) if alpha == 1 else _number(a) + alpha * _number(b)


def _sub(a: Array, b: Array, alpha: Any = 1) -> Array:
    return a - b if alpha == 1 else a - alpha * b


def _rsub(a: Array, b: Array, alpha: Any = 1) -> Array:
    return _sub(b, a, alpha)


def _mul(a: Array, b: Array) -> Array:
    return np.logical_and(a, b) if _is_boolean(a) and _is_boolean(b) else a * b


def _div(a: Array, b: Array, rounding_mode: Any = None) -> Array:
    if rounding_mode is None:
        return _number(a) / _number(b)
    return (np.floor if rounding_mode == "floor" else np.trunc)(a / b) if not _is_integer(a) else _integer_div(
        a, b, rounding_mode)


def _integer_div(a: Array, b: Array, rounding_mode: str) -> Array:
    return a // b if rounding_mode == "floor" else np.sign(a) * np.sign(b) * (abs(a) // abs(b))


def _logic(on_truth: np.ufunc, on_integers: np.ufunc) -> Callable[..., Array]:
    return lambda *x: (on_truth if all(map(_is_boolean, x)) else on_integers)(*x)


def _clamp(x: Array, low: Any = None, high: Any = None, **named: Any) -> Array:
    low, high = named.get("min", low), named.get("max", high)
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def _pow(x: Array, e: Array) -> Array:
    return np.power(x, float(e) if isinstance(e, int) and not _is_integer(x) else e)


def _gelu(x: Array, approximate: str = "none") -> Array:
    if approximate == "none":
        return 0.5 * x * (1 + fa.erf(x * np.sqrt(0.5)))
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))


def _leaky_relu(x: Array, slope: float = 0.01) -> Array:
    return np.where(x > 0, x, x * slope)


def _elu(x: Array, alpha: Any = 1, scale: Any = 1, input_scale: Any = 1) -> Array:
    return np.where(x > 0, x * scale, np.expm1(x * input_scale) * alpha * scale)


# ---------------------------------------------------------------- reductions and scans
def _reduction(f: Callable[..., Any]) -> Callable[..., Array]:
    def reduce(x: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
        axes = _axes(x, dim)
        return _to(f(x, axis=axes, keepdims=keepdim) if x.ndim else x, dtype)
    return reduce


def _sum(x: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    return _reduction(np.sum)(_to(_number(x), dtype), dim, keepdim)


def _mean(x: Array, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    return _sum(x, dim, keepdim, dtype) / prod(x.shape[d] for d in _axes(x, dim))


def _var(x: Array, dim: Any = None, correction: Any = 1, keepdim: bool = False) -> Array:
    centred = x - _mean(x, dim, True)
    n = prod(x.shape[d] for d in _axes(x, dim))
    return _sum(centred * centred, dim, keepdim) / (n - (1 if correction is None else correction))


def _extreme(f: Callable[..., Any], arg: Callable[..., Any]) -> Callable[..., Any]:
    """max(x), or (values, indices of the first) along an axis."""
    def extreme(x: Array, dim: Any = None, keepdim: bool = False) -> Any:
        of_truth = {np.max: np.any, np.min: np.all}[f]
        best = of_truth if _is_boolean(x) else f
        if dim is None or x.ndim == 0:
            return best(x) if dim is None else [x, np.int64(0)]
        return [best(x, axis=dim, keepdims=keepdim), arg(_number(x), axis=dim, keepdims=keepdim)]
    return extreme


def _arg(f: Callable[..., Any]) -> Callable[..., Array]:
    def arg(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        return f(x, axis=dim, keepdims=keepdim) if x.ndim else np.int64(0)
    return arg


def _cumulative(ufunc: np.ufunc) -> Callable[..., Array]:
    return lambda x, dim, dtype=None: fa.cumulative(_to(x, dtype), ufunc, dim) if x.ndim else x


def _norm(x: Array, order: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Array:
    if order == 2:
        return np.sqrt(_sum(x * x, dim, keepdim))
    if order == 1:
        return _sum(abs(x), dim, keepdim)
    if order == np.inf:
        return _reduction(np.max)(abs(x), dim, keepdim)
    raise Unsupported(f"the PyTorch operation aten.linalg_vector_norm with ord={order}: 1, 2 and inf are modelled")


def _exp_shifted(x: Array, dim: int) -> tuple[Array, Array]:
    """x - m and exp(x - m): m is the maximum on floats and 0 on symbols, where nothing overflows."""
    x = x if isinstance(x, ObjectArray) else x - np.max(x, axis=dim, keepdims=True)
    return x, np.exp(x)


def _softmax(x: Array, dim: int, half: bool = False) -> Array:
    e = _exp_shifted(x, dim)[1]
    return e / np.sum(e, axis=dim, keepdims=True)


def _log_softmax(x: Array, dim: int, half: bool = False) -> Array:
    x, e = _exp_shifted(x, dim)
    return x - np.log(np.sum(e, axis=dim, keepdims=True))


def _sort(x: Array, dim: int = -1, descending: bool = False) -> list[Array]:
    order = fa.order_of(x, dim, descending)
    return [fa.read(x, fa.along_axis(order, dim)), order]


def _topk(x: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> list[Array]:
    order = fa.order_of(x, dim, largest)[(slice(None),) * (dim % x.ndim) + (slice(k),)]
    return [fa.read(x, fa.along_axis(order, dim)), order]


# ---------------------------------------------------------------- shapes
def _expand(x: Array, shape: Sequence[int], implicit: bool = False) -> Array:
    known = (1,) * (len(shape) - x.ndim) + x.shape
    return np.broadcast_to(x, [k if n == -1 else n for n, k in zip(shape, known, strict=True)])


def _squeeze(x: Array, dim: Any = None) -> Array:
    axes = _axes(x, dim)
    return x.reshape([n for d, n in enumerate(x.shape) if d not in axes or n != 1])


def _at(x: Array, dim: int, where: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * (dim % x.ndim), where)


def _slice(x: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    return x[_at(x, dim, slice(start, end, step))]


def _with(x: Array, where: Any, values: Array) -> Array:
    result = np.zeros_like(values if isinstance(values, ObjectArray) else x, shape=x.shape)
    result[...] = x
    result[where] = values
    return result


def _slice_scatter(x: Array, values: Array, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Array:
    return _with(x, _at(x, dim, slice(start, end, step)), values)


def _diagonal_scatter(x: Array, values: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    places = np.arange(x.size).reshape(x.shape).diagonal(offset, dim1, dim2)
    return fa.written(x, np.unravel_index(places, x.shape), values)


def _split(x: Array, sizes: Sequence[int], dim: int = 0) -> list[Array]:
    return fa.pieces(x, sizes, dim % x.ndim)


def _unbind(x: Array, dim: int = 0) -> list[Array]:
    return [x[_at(x, dim, i)] for i in range(x.shape[dim])]


def _constant_pad(x: Array, pad: Sequence[int], value: Any = 0) -> Array:
    ends = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[-2::-2], pad[::-2], strict=True))
    return fa.padded(x, [a for a, _ in ends], [b for _, b in ends], fill=value)


def _cat(xs: Sequence[Array], dim: int = 0) -> Array:
    ndim = max(x.ndim for x in xs)
    return np.concatenate([x for x in xs if x.ndim == ndim], axis=dim)  # a tensor of shape (0,) joins anything


def _unfold(x: Array, dim: int, size: int, step: int) -> Array:
    starts = range(0, x.shape[dim] - size + 1, step)
    return np.stack([np.moveaxis(x[_at(x, dim, slice(s, s + size))], dim, -1) for s in starts], axis=dim % x.ndim)


def _filled(shape: Any, value: Any, **_: Any) -> Array:
    return np.broadcast_to(np.asarray(value) if not isinstance(value, ObjectArray) else value, tuple(shape))


# ---------------------------------------------------------------- indexing
def _index(x: Array, indices: Sequence[Any]) -> Array:
    return x[tuple(slice(None) if i is None else i for i in indices)]


def _index_put(x: Array, indices: Sequence[Any], values: Array, accumulate: bool = False) -> Array:
    key: tuple[Any, ...] = tuple(slice(None) if i is None else i for i in indices)
    if len(key) == 1 and _is_boolean(key[0]):
        if values.ndim > 0 and values.size > 1:
            raise Unsupported("the PyTorch operation aten.index_put with a mask and more than one value: torch.where")
        mask = key[0].reshape(key[0].shape + (1,) * (x.ndim - key[0].ndim))
        return np.where(mask, x + values.reshape(()) if accumulate else values.reshape(()), x)
    if not all(isinstance(i, np.ndarray) for i in key) or len(key) < x.ndim:
        if any(isinstance(i, ObjectArray) for i in key):
            raise Unsupported("the PyTorch operation aten.index_put of slices with an index that depends on symbols")
        key = np.unravel_index(np.arange(x.size).reshape(x.shape)[key], x.shape)
    return fa.written(x, key, values, "add" if accumulate else "set")


def _gather(x: Array, dim: int, index: Array, sparse_grad: bool = False) -> Array:
    return fa.read(x, fa.along_axis(index, dim)) if x.ndim else x


def _scatter(how: str) -> Callable[..., Array]:
    def scatter(x: Array, dim: int, index: Array, src: Any, reduce: Any = None) -> Array:
        if reduce is not None:
            raise Unsupported(f"the PyTorch operation aten.scatter with reduce={reduce}")
        if np.ndim(src):
            src = src[tuple(map(slice, index.shape))]
        return fa.written(x, fa.along_axis(index, dim), src, how)
    return scatter


def _index_select(x: Array, dim: int, index: Array) -> Array:
    return np.take(x, index, axis=dim)


def _index_add(x: Array, dim: int, index: Array, values: Array, alpha: Any = 1) -> Array:
    index = index.reshape([-1 if d == dim % x.ndim else 1 for d in range(x.ndim)])
    places = [index if d == dim % x.ndim else fa.grid(values.shape, d) for d in range(x.ndim)]
    return fa.written(x, places, values * alpha, "add")


def _embedding(weight: Array, index: Array, *_: Any, **__: Any) -> Array:
    return np.take(weight, index, axis=0)


def _addmm(b: Array, x: Array, y: Array, beta: Any = 1, alpha: Any = 1) -> Array:
    return _scaled(b, beta) + _scaled(np.matmul(x, y), alpha)


def _scaled(x: Array, factor: Any) -> Array:
    return x if factor == 1 else x * factor


# ---------------------------------------------------------------- the table
OPS: dict[str, Callable[..., Any]] = {
    # arithmetic and elementary functions
    "add": _add, "sub": _sub, "rsub": _rsub, "mul": _mul, "div": _div, "neg": np.negative, "pow": _pow,
    "reciprocal": lambda x: 1 / x, "square": np.square, "abs": np.abs, "sign": np.sign, "sgn": np.sign,
    "exp": np.exp, "exp2": fa.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x), "sin": np.sin, "cos": np.cos, "tan": fa.tan, "sinh": fa.sinh, "cosh": fa.cosh,
    "tanh": np.tanh, "sigmoid": fa.logistic, "erf": fa.erf, "erfc": fa.erfc,
    "hypot": lambda a, b: np.sqrt(a * a + b * b), "maximum": np.maximum, "minimum": np.minimum, "fmax": np.maximum,
    "fmin": np.minimum, "clamp": _clamp, "clamp_min": _clamp, "clamp_max": lambda x, high: np.minimum(x, high),
    "addcmul": lambda x, a, b, value=1: x + value * a * b, "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    # on floats only: NumPy's own, without a meaning on symbols
    "log2": np.log2, "log10": np.log10, "atan": np.arctan, "asin": np.arcsin, "acos": np.arccos, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "atan2": np.arctan2, "floor": fa.of_constants(np.floor),
    "ceil": fa.of_constants(np.ceil), "trunc": fa.of_constants(np.trunc), "fmod": np.fmod, "remainder": np.remainder,
    # activations that no decomposition reached
    "relu": lambda x: np.maximum(x, 0), "gelu": _gelu, "leaky_relu": _leaky_relu,
    "elu": _elu, "silu": lambda x: x * fa.logistic(x), "hardtanh": lambda x, low=-1, high=1: _clamp(x, low, high),
    **dict.fromkeys(("hardshrink_backward", "softshrink_backward"), lambda g, x, cut: np.where(abs(x) <= cut, 0, g)),
    "threshold_backward": lambda g, x, threshold: np.where(x <= threshold, 0, g),
    # comparisons, logic, choices
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_not": np.logical_not, "logical_xor": np.logical_xor,
    "bitwise_and": _logic(np.logical_and, np.bitwise_and), "bitwise_or": _logic(np.logical_or, np.bitwise_or),
    "bitwise_xor": _logic(np.logical_xor, np.bitwise_xor), "bitwise_not": _logic(np.logical_not, np.invert),
    "where": np.where, "masked_fill": lambda x, mask, value: np.where(mask, value, x),
    # copies and conversions
    **dict.fromkeys(("clone", "detach", "alias", "lift_fresh_copy", "lift_fresh", "contiguous"), _same),
    "copy": lambda x, source, non_blocking=False: np.broadcast_to(source, x.shape),
    "copy_": lambda x, source, non_blocking=False: np.broadcast_to(source, x.shape),
    "_to_copy": lambda x, dtype=None, **_: _to(x, dtype),
    # reductions, scans, sorting
    "sum": _sum, "mean": _mean, "prod": _reduction(np.prod), "amax": _reduction(np.max), "amin": _reduction(np.min),
    "any": _reduction(np.any), "all": _reduction(np.all), "max": _extreme(np.max, np.argmax),
    "min": _extreme(np.min, np.argmin), "argmax": _arg(np.argmax), "argmin": _arg(np.argmin), "var": _var,
    "std": lambda *x, **named: np.sqrt(_var(*x, **named)), "linalg_vector_norm": _norm, "cumsum": _cumulative(np.add),
    "cumprod": _cumulative(np.multiply), "_softmax": _softmax, "_log_softmax": _log_softmax,
    "sort": _sort, "topk": _topk,
    # shapes
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), lambda x, shape, *_: x.reshape(shape)),
    "expand": _expand, "permute": lambda x, dims: x.transpose(dims), "t": lambda x: x.T,
    "transpose": np.swapaxes, "unsqueeze": np.expand_dims, "squeeze": _squeeze, "slice": _slice,
    "select": lambda x, dim, i: x[_at(x, dim, i)], "slice_scatter": _slice_scatter,
    "select_scatter": lambda x, values, dim, i: _with(x, _at(x, dim, i), values),
    "diagonal": lambda x, offset=0, dim1=0, dim2=1: x.diagonal(offset, dim1, dim2),
    "diagonal_scatter": _diagonal_scatter, "split_with_sizes": _split, "unbind": _unbind, "cat": _cat,
    "stack": lambda xs, dim=0: np.stack(xs, axis=dim), "flip": np.flip, "roll": lambda x, shifts, dims=None: np.roll(
        x, shifts, tuple(dims) if dims else None), "repeat": np.tile, "constant_pad_nd": _constant_pad,
    "unfold": _unfold,
    # new tensors
    **dict.fromkeys(("full", "full_like"), lambda x, value, **_: _filled(getattr(x, "shape", x), value)),
    **dict.fromkeys(("zeros", "zeros_like", "empty", "empty_permuted"),
                    lambda x, *_, **__: _filled(getattr(x, "shape", x), 0)),
    **dict.fromkeys(("ones", "ones_like"), lambda x, *_, **__: _filled(getattr(x, "shape", x), 1)),
    **dict.fromkeys(("new_zeros", "new_empty_strided"), lambda x, shape, *_, **__: _filled(shape, 0)),
    "new_ones": lambda x, shape, **_: _filled(shape, 1), "new_full": lambda x, shape, value, **_: _filled(shape, value),
    "_new_zeros_with_same_feature_meta": lambda x, like, **_: _filled(like.shape, 0),
    "scalar_tensor": lambda value, **_: np.asarray(value),
    "arange": lambda *bounds, **_: np.arange(*bounds),
    # indexing
    "index": _index, "index_put": _index_put, "gather": _gather, "scatter": _scatter("set"),
    "scatter_add": _scatter("add"), "index_select": _index_select, "index_add": _index_add, "embedding": _embedding,
    # matrices, convolutions, pooling, normalisation
    **dict.fromkeys(("mm", "bmm", "mv", "dot", "matmul"), np.matmul), "addmm": _addmm, "baddbmm": _addmm,
    "addmv": _addmm, "convolution": layers.convolution, "convolution_backward": layers.convolution_backward,
    "max_pool2d_with_indices": layers.max_pool, "max_pool2d_with_indices_backward": layers.max_pool_backward,
    "avg_pool2d": layers.avg_pool, "avg_pool2d_backward": layers.avg_pool_backward,
    "native_layer_norm": layers.layer_norm, "native_group_norm": layers.group_norm,
    "native_batch_norm": layers.batch_norm}
