"""Attributes as users write them (an int or a tuple, negative axes, None) in the one form that the table takes."""

from __future__ import annotations

import operator
from itertools import pairwise
from typing import Any, cast

from .errors import DomainError, DtypeError, GradproofError, ShapeError, describe
from .op import PlanValue, Shape


def integer(op: str, name: str, value: Any) -> int:
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise DtypeError(describe(op, f"{name} must be an integer", "pass a Python int", **{name: value}))


def integers(op: str, name: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, (tuple, list)):
        remedy = "pass a tuple such as (2, 2)"
        raise DtypeError(describe(op, f"{name} must be a tuple of integers", remedy, **{name: value}))
    return tuple(integer(op, name, item) for item in value)


def spatial(op: str, name: str, value: Any, axes: int) -> tuple[int, ...]:
    """One entry per spatial axis, from an int (the same for all) or a tuple."""
    items = integers(op, name, value) if isinstance(value, (tuple, list)) else (integer(op, name, value),) * axes
    if len(items) != axes:
        remedy = f"pass an int or a tuple of {axes}"
        raise DomainError(describe(op, f"{name} needs one entry per spatial axis", remedy, **{name: value}))
    return items


def one_axis(op: str, axis: Any, rank: int) -> int:
    position = integer(op, "axis", axis)
    if not -rank <= position < rank:
        remedy = f"use {-rank} to {rank - 1}" if rank else "give the array an axis"
        raise DomainError(describe(op, "there is no such axis", remedy, axis=position, rank=rank))
    return position % rank


def many_axes(op: str, axis: Any, rank: int) -> tuple[int, ...]:
    """Sorted and non-negative; None means all axes."""
    if axis is None:
        return tuple(range(rank))
    if type(axis) is int and -rank <= axis < rank:
        return (axis % rank,)
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = sorted(one_axis(op, item, rank) for item in given)
    if any(first == second for first, second in pairwise(axes)):
        raise DomainError(describe(op, "an axis is named twice", "name each axis once", axis=axis, rank=rank))
    return tuple(axes)


def number(op: str, name: str, value: Any) -> float:
    if isinstance(value, PlanValue):
        return cast(float, value.as_float())
    if not isinstance(value, (str, bytes, bool)):
        try:
            return float(value)
        except GradproofError:  # a traced value: it says what to do instead
            raise
        except (TypeError, ValueError, OverflowError):
            pass
    raise DtypeError(describe(op, f"{name} must be a number", "pass a Python float", **{name: value}))


ROUNDS_TO_ZERO = {"float32": 2.0**-150}  # what is not larger: half of the smallest number


def small_number(op: str, name: str, value: Any, dtype: Any) -> float:
    """A number that is added or compared in arrays of this dtype: if it is positive, it must be so there."""
    result = number(op, name, value)
    if result > 0 and not result > ROUNDS_TO_ZERO.get(dtype.name, 0.0):
        raise DomainError(describe(op, f"{name} is 0 in {dtype}", "use a larger one, or float64", **{name: value}))
    return result


def target_shape(op: str, shape: Any) -> Shape:
    return integers(op, "shape", shape) if isinstance(shape, (tuple, list)) else (integer(op, "shape", shape),)


def broadcast_shape(op: str, **shapes: Shape) -> Shape:
    """NumPy's rule: aligned on the right, extents equal or 1."""
    first, *more = shapes.values()
    if all(shape == first for shape in more):
        return first
    result: list[int] = []
    for position in range(1, max(len(shape) for shape in shapes.values()) + 1):
        extents = [shape[-position] for shape in shapes.values() if len(shape) >= position]
        others = [extent for extent in extents if extent != 1]
        if any(extent != others[0] for extent in others):
            remedy = "extents must be equal or 1, counted from the right; reshape one of them"
            raise ShapeError(describe(op, "the shapes do not broadcast", remedy, **shapes))
        result.append(others[0] if others else 1)
    return tuple(reversed(result))
