"""The dtype gate: what users pass becomes float32 or float64 arrays, or integer arrays for indices. Nothing below it
looks at a dtype."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from .errors import DtypeError, ShapeError, describe
from .op import Array, PlanValue
from .tape import Traced

FLOATS = (np.float32, np.float64)
NATIVE = (np.dtype(np.float32), np.dtype(np.float64))


def floats(op: str, **arguments: ArrayLike) -> tuple[Array, ...]:
    """The arguments of differentiable parameters, in order. Arrays keep their dtype, lists become float64, a Python
    scalar takes the dtype of the arrays beside it (alone: float64)."""
    if all([type(x) is np.ndarray and x.dtype in NATIVE for x in arguments.values()]):  # most calls: nothing to do
        return cast(tuple[Array, ...], tuple(arguments.values()))
    values = [x if is_number(x) else _float_array(op, name, x) for name, x in arguments.items()]
    arrays = [x for x in values if isinstance(x, (np.ndarray, Traced))]
    beside = np.result_type(*(x.dtype for x in arrays)) if arrays else np.dtype(np.float64)
    keep = any(isinstance(x, Traced) and x.trace.keeps_inputs for x in arrays)
    result = []
    for given, value in zip(arguments.values(), values, strict=True):
        if not isinstance(value, (np.ndarray, Traced)):
            value = value.as_array(beside) if isinstance(value, PlanValue) else np.asarray(value, dtype=beside)
        elif keep and isinstance(given, np.ndarray):
            value = snapshot(value)
        result.append(value)
    return cast(tuple[Array, ...], tuple(result))


def is_number(x: Any) -> bool:
    return type(x) in (int, float) or (isinstance(x, PlanValue) and isinstance(x, (int, float)))


def indices(op: str, name: str, value: ArrayLike, beside: Any) -> Array:
    """An argument that holds indices, of any integer dtype. `beside` is the array that they point into."""
    if isinstance(value, Traced):  # only graphs record integers
        traced_of_kind(op, name, value, "iu", "integers")
        return cast(Array, value)
    array = _plain_array(op, name, value)
    if array.size == 0 and isinstance(value, (list, tuple)):
        array = array.astype(np.intp)
    if array.dtype.kind not in "iu":
        raise DtypeError(describe(op, f"{name} must be integers", "convert it to an integer array", dtype=array.dtype))
    keep = isinstance(beside, Traced) and beside.trace.keeps_inputs and isinstance(value, np.ndarray)
    return cast(Array, snapshot(array)) if keep else array


def booleans(op: str, name: str, value: ArrayLike, beside: Any) -> Array:
    """An argument of truth values. `beside` is an array of the same call."""
    if isinstance(value, Traced):
        traced_of_kind(op, name, value, "b", "Boolean")
        return cast(Array, value)
    array = value.as_array() if isinstance(value, PlanValue) else np.asarray(value)
    if array.dtype != np.bool_ and array.size:
        remedy = "compare first, such as values > 0"
        raise DtypeError(describe(op, f"{name} must be Boolean", remedy, dtype=array.dtype))
    keep = isinstance(beside, Traced) and beside.trace.keeps_inputs and isinstance(value, np.ndarray)
    return cast(Array, snapshot(array)) if keep else array.astype(np.bool_, copy=False)


def traced_of_kind(op: str, name: str, value: Traced, kinds: str, what: str) -> None:
    if value.dtype.kind not in kinds:
        remedy = "close over plain values, or make it an input of that dtype"
        raise DtypeError(describe(op, f"{name} must be {what}", remedy, **{name: value}))


def snapshot(value: Any) -> Any:
    """A copy that the caller cannot change before the reverse pass reads it. Not needed for traced values, nor for an
    array that owns its data and is read-only."""
    if not isinstance(value, np.ndarray) or (value.flags.owndata and not value.flags.writeable):
        return value
    return value.copy(order="K")


def is_float(value: Any) -> bool:
    """Whether a leaf of a transform's arguments is differentiated: a Python float, or float32 or float64 data."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.type in FLOATS
    return type(value) is float or (isinstance(value, PlanValue) and isinstance(value, float))


def _plain_array(op: str, name: str, value: Any) -> Array:
    if isinstance(value, np.ma.MaskedArray):
        raise DtypeError(describe(op, f"{name} is a masked array", "fill it, and multiply by a mask of 0 and 1"))
    if not isinstance(value, (np.ndarray, np.generic, list, tuple, int, float)):
        raise DtypeError(
            describe(op, f"{name} is not an array", "pass a NumPy array, a number or a list", type=type(value).__name__)
        )
    if isinstance(value, PlanValue):
        return cast(Array, value.as_array())
    try:
        array: Array = np.asarray(value)
    except ValueError as error:
        if type(error) is not ValueError:  # GraphError, from a traced value in a list
            raise
        raise ShapeError(describe(op, f"{name} is a list whose rows differ in length", "make it rectangular")) from None
    return array


def _float_array(op: str, name: str, value: Any) -> Any:
    if isinstance(value, Traced):
        if value.dtype.type not in FLOATS:
            raise DtypeError(describe(op, f"{name} must be float32 or float64", "check the input", **{name: value}))
        return value
    array = _plain_array(op, name, value)
    if isinstance(value, (list, tuple)) and array.dtype.kind in "iuf":
        return array.astype(np.float64)
    if array.dtype.type not in FLOATS:
        remedy = "convert it with .astype(np.float32) or .astype(np.float64)"
        raise DtypeError(describe(op, f"{name} must be float32 or float64", remedy, dtype=array.dtype))
    return array.astype(array.dtype.newbyteorder("="), copy=False)
