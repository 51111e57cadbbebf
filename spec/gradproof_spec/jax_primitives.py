"""TRUSTED. One NumPy meaning per JAX primitive: `PRIMITIVES[name](eqn, *inputs)` is the value of the equation.

Control flow and calls are in jax_functions.py. Over the reals there is no width: float32 and float64 are the same.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import foreign_arrays as fa
from .foreign_arrays import Array
from .symbolic import ObjectArray, Unsupported

Rule = Callable[..., Any]


def dtype_kind(dtype: Any) -> str:
    """"b", "i" or "f"; bfloat16 and its like are floats too."""
    kind = {"b": "b", "i": "i", "u": "i", "f": "f"}.get(np.dtype(dtype).kind)
    if kind is None and "float" not in str(dtype):
        raise Unsupported(f"the JAX dtype {dtype} is not modelled: reals, integers and Booleans only")
    return kind or "f"


def _kind(eqn: Any, k: int = 0) -> str:
    return dtype_kind(eqn.invars[k].aval.dtype)


def _plain(f: Callable[..., Any]) -> Rule:
    return lambda eqn, *x: f(*x)


def _logic(on_truth: np.ufunc, on_integers: np.ufunc) -> Rule:
    return lambda eqn, *x: (on_truth if _kind(eqn) == "b" else on_integers)(*x)


# ---------------------------------------------------------------- elementwise
def _div(eqn: Any, a: Array, b: Array) -> Array:
    if _kind(eqn) == "f":
        return a / b
    return np.sign(a) * np.sign(b) * (abs(a) // abs(b))  # integers: towards 0


def _rem(eqn: Any, a: Array, b: Array) -> Array:
    return np.fmod(a, b) if _kind(eqn) == "f" else a - b * _div(eqn, a, b)


def _select_n(eqn: Any, which: Array, *cases: Array) -> Array:
    if _kind(eqn) == "b":
        return np.where(which, cases[1], cases[0])
    result = cases[-1]
    for k in range(len(cases) - 2, -1, -1):
        result = np.where(which == k, cases[k], result)
    return result


def _convert(eqn: Any, x: Array) -> Array:
    return fa.converted(x, _kind(eqn), dtype_kind(eqn.params["new_dtype"]), eqn.params["new_dtype"])


def _clamp(eqn: Any, low: Array, x: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


# ---------------------------------------------------------------- shapes
def _broadcast_in_dim(eqn: Any, x: Array) -> Array:
    shape, dims = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    ones = [1] * len(shape)
    for n, d in zip(x.shape, dims, strict=True):
        ones[d] = n
    return np.broadcast_to(x.reshape(ones), shape)


def _iota(eqn: Any) -> Array:
    shape, d = eqn.params["shape"], eqn.params["dimension"]
    return np.broadcast_to(fa.grid(shape, d), shape)


def _reshape(eqn: Any, x: Array) -> Array:
    if eqn.params.get("dimensions") is not None:
        x = x.transpose(eqn.params["dimensions"])
    return x.reshape(eqn.outvars[0].aval.shape)


def _pad(eqn: Any, x: Array, fill: Array) -> Array:
    low, high, inside = ([int(t[k]) for t in eqn.params["padding_config"]] for k in range(3))
    return fa.padded(x, low, high, inside, fa.element(fill))


def _slice(eqn: Any, x: Array) -> Array:
    p = eqn.params
    strides = p["strides"] or (1,) * x.ndim
    return x[tuple(map(slice, p["start_indices"], p["limit_indices"], strides))]


def _tile(eqn: Any, x: Array) -> Array:
    return np.tile(x, eqn.params["reps"])


# ---------------------------------------------------------------- reductions, contractions, sorting
def _reduction(f: Callable[..., Any]) -> Rule:
    return lambda eqn, x: f(x, axis=tuple(eqn.params["axes"])) if eqn.params["axes"] else x


def _arg(f: Callable[..., Any]) -> Rule:
    return lambda eqn, x: f(x, axis=eqn.params["axes"][0])


def _cumulative(ufunc: np.ufunc) -> Rule:
    return lambda eqn, x: fa.cumulative(x, ufunc, eqn.params["axis"], eqn.params["reverse"])


def _dot_general(eqn: Any, a: Array, b: Array) -> Array:
    (ca, cb), (ba, bb) = eqn.params["dimension_numbers"]
    fa_, fb_ = ([d for d in range(x.ndim) if d not in (*c, *bt)] for x, c, bt in ((a, ca, ba), (b, cb, bb)))
    batch = [a.shape[d] for d in ba]
    k = int(np.prod([a.shape[d] for d in ca], dtype=int))
    rows, columns = ([x.shape[d] for d in free] for x, free in ((a, fa_), (b, fb_)))
    left = a.transpose(*ba, *fa_, *ca).reshape(*batch, int(np.prod(rows, dtype=int)), k)
    right = b.transpose(*bb, *cb, *fb_).reshape(*batch, k, int(np.prod(columns, dtype=int)))
    return np.matmul(left, right).reshape((*batch, *rows, *columns))


def _sort(eqn: Any, *operands: Array) -> list[Array]:
    axis, keys = eqn.params["dimension"], eqn.params["num_keys"]
    order = fa.order_of(operands[keys - 1], axis)
    for key in operands[keys - 2::-1] if keys > 1 else ():  # from the least to the most significant
        again = fa.order_of(fa.read(key, fa.along_axis(order, axis)), axis)
        order = fa.read(order, fa.along_axis(again, axis))
    return [fa.read(x, fa.along_axis(order, axis)) for x in operands]


def _top_k(eqn: Any, x: Array) -> list[Array]:
    axis = eqn.params.get("axis", x.ndim - 1)
    order = fa.order_of(x, axis, descending=True)[(slice(None),) * axis + (slice(eqn.params["k"]),)]
    return [fa.read(x, fa.along_axis(order, axis)), order]


# ---------------------------------------------------------------- windows
def _conv(eqn: Any, x: Array, w: Array) -> Array:
    p = eqn.params
    numbers = p["dimension_numbers"]
    x, w = x.transpose(numbers.lhs_spec), w.transpose(numbers.rhs_spec)
    groups = p["feature_group_count"]
    if (batches := p["batch_group_count"]) > 1:  # group k of the batch is convolved with group k of the filters
        x = x.reshape(batches, x.shape[0] // batches, *x.shape[1:]).swapaxes(0, 1)
        x, groups = x.reshape(x.shape[0], -1, *x.shape[3:]), batches
    low, high = ([0, 0, *(int(t[k]) for t in p["padding"])] for k in (0, 1))
    x = fa.padded(x, low, high, [0, 0, *(d - 1 for d in p["lhs_dilation"])])
    y = fa.convolution(x, w, p["window_strides"], p["rhs_dilation"], groups)
    return y.transpose(np.argsort(numbers.out_spec))


def _window_stack(eqn: Any, x: Array, fill: float) -> Array:
    p = eqn.params
    low, high = ([int(t[k]) for t in p["padding"]] for k in (0, 1))
    ones = (1,) * x.ndim
    x = fa.padded(x, low, high, [d - 1 for d in p.get("base_dilation", ones)], fill)
    return fa.window_stack(x, p["window_dimensions"], p["window_strides"], p.get("window_dilation", ones))


def _reduce_window(f: Callable[..., Any], fill: float) -> Rule:
    return lambda eqn, x: f(_window_stack(eqn, x, fill), axis=0)


def _select_and_scatter_add(eqn: Any, g: Array, x: Array) -> Array:
    """g goes to the element of its window that is selected: the first largest (ge) or smallest (le)."""
    p = eqn.params
    if p["select_prim"].name not in ("ge", "le"):
        raise Unsupported(f"the JAX primitive select_and_scatter_add with select_prim={p['select_prim'].name}")
    x = x if p["select_prim"].name == "ge" else -x
    stack = _window_stack(eqn, x, -np.inf)
    low, high = ([int(t[k]) for t in p["padding"]] for k in (0, 1))
    size = [n + a + b for n, a, b in zip(x.shape, low, high, strict=True)]
    gx = np.zeros_like(g, shape=size)
    places = fa.windows(size, p["window_dimensions"], p["window_strides"], (1,) * x.ndim)
    for (_, where), c in zip(places, fa.first_largest(stack), strict=True):
        gx[where] += np.where(c, g, 0.0)
    return fa.padded(gx, [-a for a in low], [-b for b in high])


def _select_and_gather_add(eqn: Any, t: Array, x: Array) -> Array:
    """The tangent of the selected element of each window."""
    if eqn.params["select_prim"].name not in ("ge", "le"):
        raise Unsupported(f"the JAX primitive select_and_gather_add with {eqn.params['select_prim'].name}")
    x = x if eqn.params["select_prim"].name == "ge" else -x
    winners = fa.first_largest(_window_stack(eqn, x, -np.inf))
    return sum(np.where(c, ts, 0.0) for c, ts in zip(winners, _window_stack(eqn, t, 0.0), strict=True))


# ---------------------------------------------------------------- indexing
def _inside(starts: Sequence[Array], room: Sequence[int]) -> Array:
    """Where every start that is a machine integer leaves its window inside; one that depends on symbols owes it."""
    ok: Any = np.True_
    for s, n in zip(starts, room, strict=True):
        if not isinstance(s, ObjectArray):
            ok = ok & (s >= 0) & (s <= n)
    return ok


def _clipped(start: Array, room: int, always: bool = False) -> Array:
    if isinstance(start, ObjectArray):
        return np.minimum(np.maximum(start, 0), room) if always else start
    return np.clip(np.asarray(start).astype(np.int64), 0, room)


def _window_places(shape: Sequence[int], indices: Array, starts_of: Sequence[int], sizes: Sequence[int],
                   absent: Sequence[int], batching: Sequence[int], index_batching: Sequence[int],
                   clip: bool) -> tuple[list[Array], Array]:
    """Places in an array of the given shape, (batch of indices..., window...), and which windows are inside."""
    window = [d for d in range(len(shape)) if d not in absent and d not in batching]
    nb, room = indices.ndim - 1, [n - s for n, s in zip(shape, sizes, strict=True)]
    tail = (1,) * len(window)
    starts: list[Any] = [np.zeros((1,) * indices.ndim, dtype=np.int64)[..., 0] for _ in shape]
    for k, d in enumerate(starts_of):
        starts[d] = indices[..., k]
    for d, b in zip(batching, index_batching, strict=True):
        starts[d] = fa.grid(indices.shape[:-1], b, nb)
    ok = np.broadcast_to(_inside(starts, room), indices.shape[:-1])
    parts = []
    for d, start in enumerate(starts):
        part = _clipped(start, room[d], always=clip)
        part = part.reshape((*part.shape, *tail))
        if d in window:
            part = part + np.arange(sizes[d]).reshape([1] * nb + [-1 if d == e else 1 for e in window])
        parts.append(part)
    full = (*indices.shape[:-1], *(sizes[d] for d in window))
    return [np.broadcast_to(p, full) for p in parts], np.broadcast_to(ok.reshape((*ok.shape, *tail)), full)


def _mode(eqn: Any) -> str:
    return str(eqn.params["mode"]).rpartition(".")[2].upper()


def _gather(eqn: Any, x: Array, indices: Array) -> Array:
    p, n = eqn.params, eqn.params["dimension_numbers"]
    places, ok = _window_places(x.shape, indices, n.start_index_map, p["slice_sizes"], n.collapsed_slice_dims,
                                n.operand_batching_dims, n.start_indices_batching_dims, _mode(eqn) == "CLIP")
    y = fa.read(x, places)
    if _mode(eqn) == "FILL_OR_DROP" and not ok.all():
        fill = p["fill_value"]
        if fill is None:
            fill = np.nan if dtype_kind(eqn.outvars[0].aval.dtype) == "f" else np.iinfo(eqn.outvars[0].aval.dtype).min
        y = np.where(ok, y, fill)
    batch = [d for d in range(y.ndim) if d not in n.offset_dims]
    return y.transpose(np.argsort([*batch, *n.offset_dims]))


def _scatter(how: str) -> Rule:
    def scatter(eqn: Any, x: Array, indices: Array, updates: Array) -> Array:
        n = eqn.params["dimension_numbers"]
        batch = [d for d in range(updates.ndim) if d not in n.update_window_dims]
        sizes, window = [1] * x.ndim, iter(n.update_window_dims)
        for d in range(x.ndim):
            if d not in n.inserted_window_dims and d not in n.operand_batching_dims:
                sizes[d] = updates.shape[next(window)]
        places, ok = _window_places(x.shape, indices, n.scatter_dims_to_operand_dims, sizes, n.inserted_window_dims,
                                    n.operand_batching_dims, n.scatter_indices_batching_dims, _mode(eqn) == "CLIP")
        values = updates.transpose(*batch, *n.update_window_dims)
        if _mode(eqn) != "CLIP" and not ok.all():
            places, values = [p[ok] for p in places], values[ok]
        return fa.written(x, places, values, how)
    return scatter


def _slice_places(shape: Sequence[int], starts: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
    room = [n - s for n, s in zip(shape, sizes, strict=True)]
    return [_clipped(s, r, always=True) + fa.grid(sizes, d) for d, (s, r) in enumerate(zip(starts, room, strict=True))]


def _dynamic_slice(eqn: Any, x: Array, *starts: Array) -> Array:
    sizes = eqn.params["slice_sizes"]
    return fa.read(x, _slice_places(x.shape, starts, sizes))


def _dynamic_update_slice(eqn: Any, x: Array, update: Array, *starts: Array) -> Array:
    return fa.written(x, _slice_places(x.shape, starts, update.shape), update)


# ---------------------------------------------------------------- the table
ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "neg": np.negative,
    "max": np.maximum, "min": np.minimum, "pow": np.power, "abs": np.abs, "sign": np.sign, "square": np.square,
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "exp2": fa.exp2, "sqrt": np.sqrt,
    "tanh": np.tanh, "logistic": fa.logistic, "sin": np.sin, "cos": np.cos, "tan": fa.tan, "sinh": fa.sinh,
    "cosh": fa.cosh, "erf": fa.erf, "erfc": fa.erfc, "rsqrt": lambda x: 1 / np.sqrt(x),
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "is_finite": np.isfinite,
    # on floats only: NumPy's own, without a meaning on symbols
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "atan2": np.arctan2, "cbrt": np.cbrt,
    "floor": fa.of_constants(np.floor), "ceil": fa.of_constants(np.ceil),
}
PRIMITIVES: dict[str, Rule] = {
    **{name: _plain(f) for name, f in ELEMENTWISE.items()},
    **dict.fromkeys(("copy", "stop_gradient", "reduce_precision", "name"), _plain(lambda x: x)),
    "empty2": lambda eqn: np.zeros(eqn.outvars[0].aval.shape),
    "and": _logic(np.logical_and, np.bitwise_and),
    "or": _logic(np.logical_or, np.bitwise_or),
    "xor": _logic(np.logical_xor, np.bitwise_xor),
    "not": _logic(np.logical_not, np.invert),
    "div": _div,
    "rem": _rem,
    "integer_pow": lambda eqn, x: x ** eqn.params["y"],
    "select_n": _select_n,
    "clamp": _clamp,
    "convert_element_type": _convert,
    # shapes
    "broadcast_in_dim": _broadcast_in_dim,
    "iota": _iota,
    "reshape": _reshape,
    "squeeze": lambda eqn, x: x.reshape(eqn.outvars[0].aval.shape),
    "transpose": lambda eqn, x: x.transpose(eqn.params["permutation"]),
    "rev": lambda eqn, x: np.flip(x, eqn.params["dimensions"]),
    "concatenate": lambda eqn, *x: np.concatenate(x, axis=eqn.params["dimension"]),
    "split": lambda eqn, x: fa.pieces(x, eqn.params["sizes"], eqn.params["axis"]),
    "pad": _pad,
    "slice": _slice,
    "tile": _tile,
    # reductions, contractions, sorting
    "reduce_sum": _reduction(np.sum),
    "reduce_prod": _reduction(np.prod),
    "reduce_max": _reduction(np.max),
    "reduce_min": _reduction(np.min),
    "reduce_and": _reduction(np.all),
    "reduce_or": _reduction(np.any),
    "argmax": _arg(np.argmax),
    "argmin": _arg(np.argmin),
    "cumsum": _cumulative(np.add),
    "cumprod": _cumulative(np.multiply),
    "cummax": _cumulative(np.maximum),
    "cummin": _cumulative(np.minimum),
    "dot_general": _dot_general,
    "sort": _sort,
    "top_k": _top_k,
    # windows
    "conv_general_dilated": _conv,
    "reduce_window_sum": _reduce_window(np.sum, 0.0),
    "reduce_window_max": _reduce_window(np.max, -np.inf),
    "reduce_window_min": _reduce_window(np.min, np.inf),
    "select_and_scatter_add": _select_and_scatter_add,
    "select_and_gather_add": _select_and_gather_add,
    # indexing
    "gather": _gather,
    "scatter": _scatter("set"),
    "scatter-add": _scatter("add"),
    "scatter-mul": _scatter("multiply"),
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
}
# Random numbers and bits: evaluated by JAX itself, on values that do not depend on the arguments only.
BY_JAX = frozenset({
    "random_seed", "random_wrap", "random_unwrap", "random_bits", "random_split", "random_fold_in", "random_clone",
    "threefry2x32", "shift_left", "shift_right_logical", "shift_right_arithmetic", "bitcast_convert_type", "erf_inv",
    "population_count", "clz"})
