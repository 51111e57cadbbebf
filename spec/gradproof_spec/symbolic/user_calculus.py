"""TRUSTED. NumPy's rounding, differences and products of vectors in users' code.

floor and nint (the nearest integer, of two the even one) stay functions in the terms: they are locally constant but
where they jump, and gradient_check leaves those points out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .meanings import Unsupported
from .user_code import PlainUserArray, dtype_of, users_code
from .user_functions import means, users


def is_whole(x: Any) -> bool:
    return np.dtype(dtype_of(x)).kind in "iub"


@means(np.round, np.around)
def rounded(self: PlainUserArray, a: Any, decimals: int = 0, out: Any = None) -> Any:
    if out is not None:
        raise Unsupported("np.round: out= is not modelled")
    x = users(a)
    if is_whole(x):
        if decimals < 0:
            raise Unsupported("np.round of integers to tens: use .astype(float)")
        return x.copy()
    if decimals == 0:
        return np.rint(x)
    scale = 10 ** abs(decimals)
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


@means(np.fix)
def fix(self: PlainUserArray, x: Any, out: Any = None) -> Any:
    if out is not None:
        raise Unsupported("np.fix: out= is not modelled")
    return np.trunc(users(x))


@means(np.dsplit)
def dsplit(self: PlainUserArray, ary: Any, indices_or_sections: Any) -> Any:
    if np.ndim(ary) < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return np.split(ary, indices_or_sections, axis=2)


@means(np.cross)
def cross(self: PlainUserArray, a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1,
          axis: int | None = None) -> Any:  # fmt: skip
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = np.moveaxis(users(a), axisa, -1), np.moveaxis(users(b), axisb, -1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise Unsupported("np.cross: only of vectors of 3 elements")
    parts = [x[..., j] * y[..., k] - x[..., k] * y[..., j] for j, k in ((1, 2), (2, 0), (0, 1))]
    return np.stack(parts, axis=axisc if parts[0].ndim else -1)


@means(np.gradient)
def gradient(self: PlainUserArray, f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Central differences inside, one-sided ones of the given order at the ends; spacings are numbers."""
    x = users(f)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if edge_order not in (1, 2) or any(np.ndim(h) for h in varargs) or len(varargs) not in (0, 1, len(axes)):
        raise Unsupported("np.gradient: only with numbers as spacings, one or one per axis, and edge_order 1 or 2")
    if any(x.shape[d] < edge_order + 1 for d in axes):
        raise ValueError("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) "
                         "elements are required.")  # fmt: skip
    spacings = list(varargs) * (1 if len(varargs) == len(axes) else len(axes)) or [1.0] * len(axes)
    found = []
    for d, h in zip(axes, spacings, strict=True):
        y = np.moveaxis(x, d, 0)
        if edge_order == 1:
            ends = (y[1] - y[0]) / h, (y[-1] - y[-2]) / h
        else:
            ends = ((-3 * y[0] + 4 * y[1] - y[2]) / (2 * h), (3 * y[-1] - 4 * y[-2] + y[-3]) / (2 * h))
        result = np.empty_like(x, dtype=np.result_type(x.dtype, 1.0))
        np.moveaxis(result, d, 0)[...] = np.concatenate([ends[0][None], (y[2:] - y[:-2]) / (2 * h), ends[1][None]])
        found.append(result)
    return found[0] if len(found) == 1 else tuple(found)


@means(np.sinc)
def sinc(self: PlainUserArray, x: Any) -> Any:
    """sin(pi x) / (pi x), and 1 at 0."""
    a = users(x)
    y = np.pi * np.where(a == 0, 1.0, a)
    return np.where(a == 0, 1.0, np.sin(y) / y)


@means(np.isclose)
def isclose(self: PlainUserArray, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """|a - b| <= atol + rtol |b| of finite numbers; infinities are close where they are equal."""
    x, y = users(a), users(b)
    finite = np.isfinite(x) & np.isfinite(y)
    p, q = np.where(np.isfinite(x), x, 0.0), np.where(np.isfinite(y), y, 0.0)
    return ((np.abs(p - q) <= atol + rtol * np.abs(q)) & finite) | (x == y)


@means(np.allclose)
def allclose(self: PlainUserArray, a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> bool:
    return bool(np.all(isclose(self, a, b, rtol, atol)))


@means(np.array_equal)
def array_equal(self: PlainUserArray, a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    return np.shape(a1) == np.shape(a2) and bool(np.all(users(a1) == users(a2)))


@means(np.astype)
def astype(self: PlainUserArray, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    if device is not None:
        raise Unsupported("np.astype: device= is not modelled")
    return users(x).astype(dtype, copy=copy)


__all__ = ["users_code"]
