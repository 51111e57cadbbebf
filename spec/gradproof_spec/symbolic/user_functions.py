"""TRUSTED. NumPy functions with a meaning of their own in users' code. Each takes the dispatching array first."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import array, asarray, empty, empty_like, full_like, ones_like, zeros_like

from .array import BOOLEAN, _along_axis, _machine_booleans, _objects, _take_along_axis, _where
from .meanings import Unsupported
from .user_code import (
    PlainUserArray,
    UserArray,
    buffer,
    common_dtype,
    dtype_of,
    filled_like,
    full_of,
    in_order_of,
    made_array,
    users_code,
)

OWN = PlainUserArray.own


def means(*functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(f: Callable[..., Any]) -> Callable[..., Any]:
        OWN.update(dict.fromkeys(functions, f))
        return f
    return add


def users(x: Any) -> Any:
    """x as an array of symbols, constants included."""
    found = made_array(x, None, None)
    if isinstance(found, UserArray):
        return found
    kind = found.dtype
    return _objects(UserArray.meanings.ufunc("lift")(found)).view(UserArray).as_declared(kind)


def _kept(result: Any, axis: Any, ndim: int, keepdims: bool) -> Any:
    if not keepdims:
        return result
    return np.reshape(result, (1,) * ndim) if axis is None else np.expand_dims(result, axis)


# ---------------------------------------------------------------- choices
@means(np.where)
def where(self: PlainUserArray, condition: Any, *branches: Any) -> Any:
    if not branches:
        return nonzero(self, condition)
    branches = tuple(made_array(b, None, None) if isinstance(b, (list, tuple)) else b for b in branches)
    kind = common_dtype(branches)
    c = made_array(condition, None, None)
    if not isinstance(c, PlainUserArray) and c.dtype != bool:
        c = c != 0
    result = _where(self, c, *branches)
    if not isinstance(result, PlainUserArray):
        return result
    if kind != BOOLEAN:
        result = _objects(self._function("lift")(result.view(np.ndarray))).view(UserArray)
    result = result.copy("K")
    result.flags.writeable = True
    return result.as_declared(kind)


@means(np.select)
def select(self: PlainUserArray, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError("list of cases must be same length as list of conditions")
    conditions = [made_array(c, None, None) for c in condlist]
    if any(dtype_of(c) != BOOLEAN for c in conditions):
        raise TypeError("invalid entry in condlist: should be boolean ndarray")
    result = default
    for c, choice in zip(reversed(conditions), reversed(list(choicelist)), strict=True):
        result = np.where(c, choice, result)
    shape = np.broadcast_shapes(*(np.shape(x) for x in (*conditions, *choicelist)))
    return np.broadcast_to(result, shape).copy()


@means(np.piecewise)
def piecewise(self: PlainUserArray, x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """As NumPy does it: a function gets the elements where its condition holds, so that every element is a branch."""
    x = made_array(x, None, None)
    if isinstance(condlist, bool) or (not isinstance(condlist[0], (list, np.ndarray)) and x.ndim != 0):
        condlist = [condlist]
    conditions = [np.broadcast_to(made_array(c, None, None), x.shape) for c in condlist]
    if any(dtype_of(c) != BOOLEAN for c in conditions):
        raise Unsupported("np.piecewise: conditions must be Boolean arrays")
    if len(funclist) == len(conditions) + 1:
        rest = conditions[0]
        for c in conditions[1:]:
            rest = rest | c
        conditions.append(~rest)
    elif len(funclist) != len(conditions):
        raise ValueError(f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} "
                         f"functions are expected")
    y = zeros_of(self, x)
    for c, f in zip(conditions, funclist, strict=True):
        if not callable(f):
            y[c] = f
        elif (chosen := x[c]).size:
            y[c] = f(chosen, *args, **kw)
    return y


@means(np.nonzero)
def nonzero(self: PlainUserArray, a: Any) -> Any:
    """Every element is a branch."""
    x = made_array(a, None, None)
    return _decided(x).nonzero()


def _decided(x: Any) -> Any:
    if not isinstance(x, PlainUserArray):
        return x != 0
    raw = x.view(np.ndarray)
    return array([bool(x.meanings.truth(e if x.meanings.is_truth(e) else x.meanings.lift(e))) for e in raw.ravel()],
                 dtype=bool).reshape(raw.shape)


@means(np.flatnonzero)
def flatnonzero(self: PlainUserArray, a: Any) -> Any:
    return nonzero(self, np.ravel(a))[0]


@means(np.argwhere)
def argwhere(self: PlainUserArray, a: Any) -> Any:
    return np.transpose(nonzero(self, a))


@means(np.count_nonzero)
def count_nonzero(self: PlainUserArray, a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    x = made_array(a, None, None)
    return (x if dtype_of(x) == BOOLEAN else x != 0).sum(axis=axis, keepdims=keepdims)


@means(np.nan_to_num)
def nan_to_num(self: PlainUserArray, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None,
               neginf: Any = None) -> Any:
    """Nothing is nan; an infinity needs its replacement to be named, because the largest float is no real number."""
    a, result = users(x), users(x)
    if not copy:
        raise Unsupported("np.nan_to_num: copy=False is not modelled")
    for name, limit, is_limit in (("posinf", posinf, np.isposinf(a)), ("neginf", neginf, np.isneginf(a))):
        if np.any(is_limit) if is_limit.dtype == bool and not isinstance(is_limit, PlainUserArray) else True:
            if limit is None:
                raise Unsupported(f"np.nan_to_num of values that may be infinite: give {name}=")
            result = np.where(is_limit, limit, result)
    return result.copy("K")


@means(np.isneginf)
def isneginf(self: PlainUserArray, x: Any, out: Any = None) -> Any:
    return _which(self, "is_below", x, out)


@means(np.isposinf)
def isposinf(self: PlainUserArray, x: Any, out: Any = None) -> Any:
    return _which(self, "is_above", x, out)


def _which(self: PlainUserArray, name: str, x: Any, out: Any) -> Any:
    if out is not None:
        raise Unsupported("np.isposinf, np.isneginf: out= is not modelled")
    result = users(x)._wrap(_machine_booleans(self._function(name)(users(x).view(np.ndarray))))
    return result.as_declared(BOOLEAN, scalar=True) if isinstance(result, PlainUserArray) else result


@means(np.iscomplexobj)
def iscomplexobj(self: PlainUserArray, x: Any) -> bool:
    return False


@means(np.result_type)
def result_type(self: PlainUserArray, *values: Any) -> Any:
    return np.result_type(*(v.declared if isinstance(v, PlainUserArray) else v for v in values))


# ---------------------------------------------------------------- buffers
@means(zeros_like)
def zeros_of(self: PlainUserArray, a: Any, *args: Any, **kwargs: Any) -> Any:
    return filled_like(zeros_like, 0, a, *args, **kwargs)


@means(ones_like)
def ones_of(self: PlainUserArray, a: Any, *args: Any, **kwargs: Any) -> Any:
    return filled_like(ones_like, 1, a, *args, **kwargs)


@means(empty_like)
def empty_of(self: PlainUserArray, prototype: Any, *args: Any, **kwargs: Any) -> Any:
    return filled_like(empty_like, None, prototype, *args, **kwargs)


@means(full_like)
def full_of_array(self: PlainUserArray, a: Any, fill_value: Any, *args: Any, **kwargs: Any) -> Any:
    return full_of(a, fill_value, *args, **kwargs)


@means(np.copy)
def copy(self: PlainUserArray, a: Any, order: str = "K", subok: bool = False) -> Any:
    return made_array(a, None, True, order=order)


@means(np.copyto)
def copyto(self: PlainUserArray, dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if casting not in ("same_kind", "unsafe") or not isinstance(dst, PlainUserArray):
        raise Unsupported("np.copyto: casting=, or into a machine array: make it with np.zeros")
    dst[...] = src if where is True else np.where(where, src, dst)


@means(np.fill_diagonal)
def fill_diagonal(self: PlainUserArray, a: Any, val: Any, wrap: bool = False) -> None:
    if a.ndim != 2 or wrap or np.ndim(val) > 0 or not isinstance(a, PlainUserArray):
        raise Unsupported("np.fill_diagonal: only of a square or wide matrix of floats, with one number")
    for i in range(min(a.shape)):
        a[i, i] = val


@means(np.take_along_axis)
def take_along_axis(self: PlainUserArray, arr: Any, indices: Any, axis: Any = -1) -> Any:
    result = _take_along_axis(self, arr, indices, axis)
    return result.as_declared(np.dtype(dtype_of(arr))) if isinstance(result, PlainUserArray) else result


@means(np.bincount)
def bincount(self: PlainUserArray, x: Any, weights: Any = None, minlength: int = 0) -> Any:
    places = asarray(x)
    if isinstance(x, PlainUserArray) or places.ndim != 1 or places.dtype.kind not in "iu" or weights is None:
        raise Unsupported("np.bincount: only of a machine array of integers, with weights; else np.add.at")
    if np.shape(weights) != places.shape:
        raise ValueError("The weights and list don't have the same length.")
    if places.size and places.min() < 0:
        raise ValueError("'list' argument must have no negative elements")
    result = buffer(max(int(places.max()) + 1 if places.size else 0, int(minlength)), 0, float)
    np.add.at(result, places, weights)
    return result


@means(np.unravel_index)
def unravel_index(self: PlainUserArray, indices: Any, shape: Any, order: str = "C") -> Any:
    if order != "C":
        raise Unsupported("np.unravel_index: order= is not modelled")
    found, rest = [], made_array(indices, None, None)
    for n in reversed((shape,) if isinstance(shape, int) else tuple(shape)):
        found.append(rest % n)
        rest = rest // n
    return tuple(reversed(found))


@means(np.ravel_multi_index)
def ravel_multi_index(self: PlainUserArray, multi_index: Any, dims: Any, mode: str = "raise", order: str = "C") -> Any:
    if mode != "raise" or order != "C":
        raise Unsupported("np.ravel_multi_index: mode= and order= are not modelled")
    for index, n in zip(multi_index, dims, strict=True):
        if isinstance(index, PlainUserArray):
            for e in index.view(np.ndarray).ravel():
                if any(not 0 <= v < n for _, (v,) in index.meanings.cases((e,))):
                    raise Unsupported("np.ravel_multi_index: an index that may be out of bounds")
        elif np.any(asarray(index) < 0) or np.any(asarray(index) >= n):
            raise ValueError("invalid entry in coordinates array")
    flat = 0
    for index, n in zip(multi_index, dims, strict=True):
        flat = flat * n + made_array(index, None, None)
    return flat


# ---------------------------------------------------------------- order
@means(np.sort)
def sort(self: PlainUserArray, a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *,
         stable: Any = None) -> Any:
    x = users(a)
    if axis is None:
        x, axis = x.reshape(-1), 0
    places = argsort(self, x, axis, kind, order, stable=stable)
    found = np.asarray(x)[_along_axis(x, places, axis)]
    return in_order_of(x, found).view(UserArray).as_declared(np.dtype(dtype_of(x)))


@means(np.argsort)
def argsort(self: PlainUserArray, a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *,
            stable: Any = None) -> Any:
    """Machine integers: every comparison is a branch. Equal elements stay in order."""
    if order is not None:
        raise Unsupported("np.sort, np.argsort: order= is not modelled")
    x = users(a)
    if axis is None:
        x, axis = x.reshape(-1), 0
    raw = np.moveaxis(x.view(np.ndarray), axis, -1)
    result = empty(raw.shape, dtype=np.intp)
    for i in np.ndindex(*raw.shape[:-1]):
        result[i] = x.meanings.sorted([x.meanings.lift(e) for e in raw[i]])
    return np.moveaxis(result, -1, axis)


@means(np.median)
def median(self: PlainUserArray, a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
           keepdims: bool = False) -> Any:
    if out is not None or overwrite_input or isinstance(axis, (tuple, list)):
        raise Unsupported("np.median: out=, overwrite_input= and tuples of axes are not modelled")
    x = users(a)
    ordered = sort(self, x, axis)
    d = 0 if axis is None else axis
    n = ordered.shape[d]
    if n == 0:
        raise Unsupported("np.median of nothing is nan")
    middle = ordered.take(range((n - 1) // 2, n // 2 + 1), axis=d)
    return _kept(middle.mean(axis=d), axis, x.ndim, keepdims)


# ---------------------------------------------------------------- sums
@means(np.average)
def average(self: PlainUserArray, a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *,
            keepdims: bool = False) -> Any:
    x = users(a)
    if returned or (weights is not None and isinstance(axis, (tuple, list))):
        raise Unsupported("np.average: returned= and tuples of axes with weights are not modelled")
    if weights is None:
        return x.mean(axis=axis, keepdims=keepdims)
    w = users(weights)
    if w.shape != x.shape:
        if axis is None or w.ndim != 1 or w.shape[0] != x.shape[axis]:
            raise TypeError("np.average: weights of another shape need an axis, and one weight for each place along it")
        w = np.moveaxis(w.reshape((1,) * (x.ndim - 1) + (-1,)), -1, axis)
        w = np.broadcast_to(w, x.shape)
    return (x * w).sum(axis=axis, keepdims=keepdims) / w.sum(axis=axis, keepdims=keepdims)


@means(np.convolve)
def convolve(self: PlainUserArray, a: Any, v: Any, mode: str = "full") -> Any:
    x, y = users(np.atleast_1d(a)), users(np.atleast_1d(v))
    if x.ndim != 1 or y.ndim != 1 or not x.size or not y.size or mode not in ("full", "same", "valid"):
        raise Unsupported("np.convolve: only of vectors that are not empty, mode full, same or valid")
    x, y = (y, x) if len(y) > len(x) else (x, y)
    n, m = len(x), len(y)
    result = buffer(n + m - 1, 0, common_dtype([x, y])) if common_dtype([x, y]).kind == "f" else None
    if result is None:
        raise Unsupported("np.convolve of integers: use .astype(float)")
    for k in range(m):
        result[k:k + n] += x * y[k]
    start = {"full": 0, "same": (m - 1) // 2, "valid": m - 1}[mode]
    return result[start:start + {"full": n + m - 1, "same": n, "valid": n - m + 1}[mode]]


@means(np.correlate)
def correlate(self: PlainUserArray, a: Any, v: Any, mode: str = "valid") -> Any:
    if mode == "same" and np.size(v) > np.size(a):
        raise Unsupported("np.correlate: mode='same' with the longer vector second")
    return convolve(self, a, users(v)[::-1], mode)


@means(np.apply_along_axis)
def apply_along_axis(self: PlainUserArray, func1d: Callable[..., Any], axis: int, arr: Any, *args: Any,
                     **kwargs: Any) -> Any:
    moved = np.moveaxis(users(arr), axis, -1)
    axis %= moved.ndim
    results = [made_array(func1d(moved[i], *args, **kwargs), None, None) for i in np.ndindex(*moved.shape[:-1])]
    if not results:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    if len({np.dtype(dtype_of(r)) for r in results}) > 1:
        raise Unsupported("np.apply_along_axis: results of several dtypes, which NumPy casts: return floats")
    joined = np.stack(results).reshape(moved.shape[:-1] + results[0].shape)
    outer = moved.ndim - 1
    return np.moveaxis(joined, range(outer, joined.ndim), range(axis, axis + joined.ndim - outer))


# ---------------------------------------------------------------- linear algebra
@means(np.linalg.norm)
def norm(self: PlainUserArray, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    a = users(x)
    matrix = isinstance(axis, (tuple, list)) and len(axis) == 2
    if ord is None or (axis is None and ord == 2 and a.ndim == 1) or (matrix and ord == "fro") or (
            axis is None and a.ndim == 2 and ord == "fro"):
        return np.sqrt((a * a).sum(axis=tuple(axis) if matrix else axis, keepdims=keepdims))
    if matrix or (axis is None and a.ndim != 1):
        raise Unsupported(f"np.linalg.norm: ord={ord} of a matrix: only the Frobenius norm is modelled")
    if ord == 2:
        return np.sqrt((a * a).sum(axis=axis, keepdims=keepdims))
    if ord == 1:
        return np.abs(a).sum(axis=axis, keepdims=keepdims)
    if ord in (np.inf, -np.inf):
        return (np.abs(a).max if ord > 0 else np.abs(a).min)(axis=axis, keepdims=keepdims)
    if isinstance(ord, (int, float)) and ord != 0:
        return (np.abs(a) ** ord).sum(axis=axis, keepdims=keepdims) ** (1 / ord)
    raise Unsupported(f"np.linalg.norm: ord={ord}: numbers other than 0, and inf are modelled")


def _square(a: Any) -> Any:
    x = users(a)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    if not 1 <= x.shape[-1] <= 3:
        raise Unsupported("np.linalg.det, inv, solve: only matrices up to 3 x 3 are modelled")
    return x


def _cofactor(x: UserArray, i: int, j: int) -> Any:
    n = x.shape[-1]
    if n == 1:
        return np.ones(x.shape[:-2])
    r, c = ([k for k in range(n) if k != d] for d in (i, j))
    if n == 2:
        return (-1) ** (i + j) * x[..., r[0], c[0]]
    minor = x[..., r[0], c[0]] * x[..., r[1], c[1]] - x[..., r[0], c[1]] * x[..., r[1], c[0]]
    return (-1) ** (i + j) * minor


@means(np.linalg.det)
def det(self: PlainUserArray, a: Any) -> Any:
    x = _square(a)
    total = x[..., 0, 0] * _cofactor(x, 0, 0)
    for j in range(1, x.shape[-1]):
        total = total + x[..., 0, j] * _cofactor(x, 0, j)
    return total


@means(np.linalg.inv)
def inv(self: PlainUserArray, a: Any) -> Any:
    """The adjugate over the determinant, which must not be 0."""
    x = _square(a)
    n = x.shape[-1]
    rows = [np.stack([_cofactor(x, j, i) for j in range(n)], axis=-1) for i in range(n)]
    return np.stack(rows, axis=-2) / np.asarray(det(self, x))[..., None, None]


@means(np.linalg.solve)
def solve(self: PlainUserArray, a: Any, b: Any) -> Any:
    y = users(b)
    return (inv(self, a) @ y[:, None])[..., 0] if y.ndim == 1 else inv(self, a) @ y


__all__ = ["OWN", "users_code"]
