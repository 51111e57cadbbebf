"""TRUSTED. What the JAX and the PyTorch interpreter share: windows, convolutions, positions; on floats and on symbols.

Only NumPy functions that `symbolic.ObjectArray` has a meaning for are called, so each function is one meaning for both.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .symbolic import Ledger, ObjectArray

LARGEST_DENOMINATOR = 1000  # two such fractions differ by 1e-6, far more than floats do
Array = Any  # np.ndarray of machine numbers, or an ObjectArray


class NumpyFunctions(NamedTuple):
    """A translated function. A result is an array, or a tuple of the arrays in the function's result."""

    forward: Callable[..., Any]  # forward(*xs)
    vjp: Callable[..., Any]  # vjp(g, *xs): a cotangent per argument, None for integers; no tuple for a single argument
    jvp: Callable[..., Any] | None  # jvp(primals, tangents); None where the framework has no forward mode of it
    primal: Callable[..., Any]  # forward as the vjp computes it: the fwd of a custom_vjp can differ from the function


def symbolic_class(values: Sequence[Any]) -> type[ObjectArray] | None:
    """The class of the first symbolic array among the values, None on floats."""
    return next((type(x) for x in values if isinstance(x, ObjectArray)), None)


def decimals(constant: Any) -> Array:
    """A constant of the traced function: narrow floats become the float64 of their shortest decimal."""
    constant = np.asarray(constant)
    if constant.dtype.kind == "f" and constant.dtype.itemsize < 8:
        return np.array([float(str(x)) for x in constant.ravel()]).reshape(constant.shape)
    return constant


def typed(value: Any, kind: type[ObjectArray] | None, floating: bool, dtype: Any) -> Array:
    """A result with the dtype that the framework gives it. In a run on symbols floats become elements, so that
    arithmetic on constants is exact: 1/3 is not 0.333..."""
    if isinstance(value, ObjectArray):
        known = value.dtype.kind  # O for a SymbolicArray, which has no dtype
        if known in "iub" and floating:
            return value.astype(np.float64)
        return value.astype(np.int64) if known == "f" and not floating and np.dtype(dtype).kind in "iu" else value
    value = np.asarray(value)
    if not floating:
        return value.astype(dtype, copy=False)
    value = value.astype(np.float64, copy=False)
    if kind is None:
        return value
    cells = np.empty(value.shape, dtype=object).view(np.ndarray)
    for i in np.ndindex(*value.shape):
        cells[i] = constant(float(value[i]), kind)
    return elements(cells, kind, np.float64)


def elements(x: np.ndarray, kind: type[ObjectArray], dtype: Any) -> Array:
    """Machine numbers as a symbolic array: one that knows dtypes has this one."""
    cells: Any = x.astype(object).view(kind)
    return cells.as_declared(np.dtype(dtype)) if hasattr(cells, "as_declared") else cells


def constant(x: float, kind: type[ObjectArray]) -> Any:
    """A float as an element: 0.3333333333333333 is 1/3, -1.1283791670955126 the negative of the named 2/sqrt(π)."""
    if not math.isfinite(x):
        return x
    if x < 0:
        return kind.meanings.negative(constant(-x, kind))
    fraction = Fraction(x).limit_denominator(LARGEST_DENOMINATOR)
    if float(fraction) != x or fraction == Fraction(repr(x)):
        return x
    if Ledger.active is not None:
        Ledger.active.decimal_constants[repr(x)] = fraction
    return kind.meanings.lift(fraction)


def argument(what: str, x: Any, shape: tuple[int, ...]) -> Array:
    """An argument of the translated function, checked."""
    x = decimals(x) if not isinstance(x, ObjectArray) else x
    if x.shape != tuple(shape):
        raise ValueError(f"{what}: shape {x.shape} given, the function was translated for {tuple(shape)}")
    return x


# ---------------------------------------------------------------- elementwise
def erf(x: Array) -> Array:
    return x.erf() if isinstance(x, ObjectArray) else np.asarray(np.frompyfunc(math.erf, 1, 1)(x), dtype=np.float64)


def erfc(x: Array) -> Array:
    if isinstance(x, ObjectArray):
        return 1 - x.erf()
    return np.asarray(np.frompyfunc(math.erfc, 1, 1)(x), dtype=np.float64)


def logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def tan(x: Array) -> Array:
    return np.sin(x) / np.cos(x)


def sinh(x: Array) -> Array:
    return (np.exp(x) - np.exp(-x)) / 2 if isinstance(x, ObjectArray) else np.sinh(x)


def cosh(x: Array) -> Array:
    return (np.exp(x) + np.exp(-x)) / 2 if isinstance(x, ObjectArray) else np.cosh(x)


def exp2(x: Array) -> Array:
    return np.power(2.0, x)


def machine(x: Array) -> np.ndarray | None:
    """x in machine floats; None if it depends on symbols."""
    if not isinstance(x, ObjectArray):
        return np.asarray(x)
    numbers = [x.meanings.constant(e) for e in x.view(np.ndarray).ravel()]
    return None if None in numbers else np.array(numbers, dtype=np.float64).reshape(x.shape)


def of_constants(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """f on constants; on symbols f itself, which says that it has no meaning."""
    def apply(x: Array) -> Array:
        numbers = machine(x)
        return f(x if numbers is None else numbers)
    return apply


def converted(x: Array, source: str, target: str, dtype: Any) -> Array:
    """From one kind of dtype to another ("b", "i", "f"): over the reals a change of width is the identity."""
    if target == "b":
        return x if source == "b" else x != 0
    if source == "b":
        return np.where(x, 1, 0)
    if source == "f" and target == "i" and isinstance(x, ObjectArray):
        return x.astype(np.int64)  # Unsupported unless integers
    if isinstance(x, ObjectArray) or source == target == "f":
        return x
    return x.astype(np.float64 if target == "f" else dtype)


def element(x: Array) -> Any:
    """The one element of a 0-d array."""
    return x.view(np.ndarray)[()] if isinstance(x, np.ndarray) else x


# ---------------------------------------------------------------- padding and windows
def padded(x: Array, low: Sequence[int], high: Sequence[int], inside: Sequence[int] | None = None,
           fill: Any = 0.0) -> Array:
    """`inside` fills between neighbours, then low and high at the ends; negative ones remove."""
    steps = [n + 1 for n in inside or (0,) * x.ndim]
    spread = [(n - 1) * s + 1 if n else 0 for n, s in zip(x.shape, steps, strict=True)]
    start = [max(a, 0) for a in low]
    shape = [a + n + max(b, 0) for a, n, b in zip(start, spread, high, strict=True)]
    result = np.zeros_like(x, shape=shape)
    result[...] = fill
    result[tuple(slice(a, a + n, s) for a, n, s in zip(start, spread, steps, strict=True))] = x
    return result[tuple(slice(max(-a, 0), n - max(-b, 0)) for a, b, n in zip(low, high, shape, strict=True))]


def windows(size: Sequence[int], window: Sequence[int], stride: Sequence[int],
            dilation: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """For each offset inside the window: the offset, and the slices of the trailing axes that it selects."""
    out = [max((n - (k - 1) * d - 1) // s + 1, 0) for n, k, s, d in zip(size, window, stride, dilation, strict=True)]
    for offset in np.ndindex(*window):
        yield offset, (..., *(slice(u * d, u * d + (m - 1) * s + 1 if m else u * d, s)
                              for u, d, m, s in zip(offset, dilation, out, stride, strict=True)))


def window_stack(x: Array, window: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """(offset in the window, ...): every window of the trailing axes, offsets in row-major order."""
    size = x.shape[x.ndim - len(window):]
    return np.stack([x[where] for _, where in windows(size, window, stride, dilation)])


def first_largest(stack: Array) -> list[Array]:
    """For each k the condition that stack[k] is the first of the largest along axis 0."""
    result = []
    for k in range(len(stack)):
        c: Any = np.ones(stack.shape[1:], dtype=bool)
        for j in range(len(stack)):
            if j != k:
                c = np.logical_and(c, stack[j] < stack[k] if j < k else stack[j] <= stack[k])
        result.append(c)
    return result


# ---------------------------------------------------------------- convolutions: x (N,C,...), w (O,C/groups,...)
def _by_group(x: Array, axis: int, groups: int) -> Array:
    return x.reshape(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1:])


def convolution(x: Array, w: Array, stride: Sequence[int], dilation: Sequence[int], groups: int = 1) -> Array:
    """y[n,o,p] = Σ_c,u x[n,c,p*stride + u*dilation] * w[o,c,u]; x is padded already."""
    xs, ws = _by_group(x, 1, groups), _by_group(w, 0, groups)
    y: Any = 0.0
    for u, where in windows(x.shape[2:], w.shape[2:], stride, dilation):
        y = y + np.einsum("ngc...,goc->ngo...", xs[where], ws[(..., *u)])
    return y.reshape(y.shape[0], -1, *y.shape[3:])


def convolution_gx(g: Array, w: Array, shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int],
                   groups: int = 1) -> Array:
    """The cotangent of x, of the given (padded) spatial shape: also the transposed convolution of g."""
    gs, ws = _by_group(g, 1, groups), _by_group(w, 0, groups)
    gx = np.zeros_like(g, shape=(g.shape[0], groups, w.shape[1], *shape))
    for u, where in windows(shape, w.shape[2:], stride, dilation):
        gx[where] += np.einsum("ngo...,goc->ngc...", gs, ws[(..., *u)])
    return gx.reshape(g.shape[0], -1, *shape)


def convolution_gw(g: Array, x: Array, shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int],
                   groups: int = 1) -> Array:
    """The cotangent of w, of the given spatial shape."""
    gs, xs = _by_group(g, 1, groups), _by_group(x, 1, groups)
    gw: Array = np.zeros_like(g, shape=(groups, gs.shape[2], xs.shape[2], *shape))
    for u, where in windows(x.shape[2:], shape, stride, dilation):
        left, right = gs.reshape(*gs.shape[:3], -1), xs[where]
        gw[(..., *u)] += np.einsum("ngop,ngcp->goc", left, right.reshape(*right.shape[:3], -1))
    return gw.reshape(-1, *gw.shape[2:])


# ---------------------------------------------------------------- places: one index array per axis, broadcast
def grid(shape: Sequence[int], axis: int, ndim: int | None = None) -> np.ndarray:
    """0, 1, ... along one axis, broadcastable to the shape."""
    return np.arange(shape[axis]).reshape([-1 if d == axis else 1 for d in range(ndim or len(shape))])


def along_axis(index: Array, axis: int) -> list[Array]:
    """The places of take_along_axis."""
    axis %= max(index.ndim, 1)
    return [index if d == axis else grid(index.shape, d) for d in range(index.ndim)]


def read(x: Array, places: Sequence[Array]) -> Array:
    """x at the places. An index that depends on symbols owes that it is inside its axis."""
    kind = symbolic_class(places)
    if kind is not None and not isinstance(x, ObjectArray):
        x = elements(x, kind, x.dtype)
    return x[tuple(places)]


def written(x: Array, places: Sequence[Array], values: Array, how: str = "set") -> Array:
    """x with the values put at the places, or combined into them, in order."""
    kind = symbolic_class([values, *places])
    if x.dtype == bool and not isinstance(values, ObjectArray):
        values = np.asarray(values) != 0
    result = x.copy() if kind is None or isinstance(x, ObjectArray) else elements(x, kind, x.dtype)
    key, values = tuple(places), np.broadcast_to(values, np.broadcast_shapes(*map(np.shape, places)))
    if how == "set":
        result[key] = values
    else:
        {"add": np.add, "multiply": np.multiply}[how].at(result, key, values)
    return result


def order_of(x: Array, axis: int, descending: bool = False) -> Array:
    """The stable order of sorting; on symbols every comparison is a branch."""
    return np.argsort(-x if descending else x, axis=axis, kind="stable")


def cumulative(x: Array, ufunc: np.ufunc, axis: int, reverse: bool = False) -> Array:
    x = np.flip(x, axis) if reverse else x
    result = ufunc.accumulate(x, axis=axis)
    return np.flip(result, axis) if reverse else result


def pieces(x: Array, sizes: Sequence[int], axis: int) -> list[Array]:
    ends = np.cumsum([0, *sizes])
    return [x[(slice(None),) * axis + (slice(a, b),)] for a, b in pairwise(ends)]
