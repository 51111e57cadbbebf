"""What the calls share: how arrays, shapes and attributes are drawn, and the table of calls."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Any

import hypothesis.strategies as st
import numpy as np


@dataclass
class Call:
    """The same call on both sides: ours(*arrays, **attributes), and theirs(*tensors), the attributes bound in it."""

    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    arrays: Sequence[np.ndarray]
    attributes: dict[str, Any] = field(default_factory=dict)


CALLS: dict[str, Callable[..., st.SearchStrategy[Call]]] = {}
COMPOSED: dict[str, str] = {}  # compared with a composition of PyTorch's functions: why
NO_COUNTERPART: dict[str, str] = {}  # not compared: why


def case(function):
    """Enter the strategy `function(draw, dtype) -> Call` under its name."""
    CALLS[function.__name__] = st.composite(function)
    return function


def composed(why):
    """As `case`, for a function that PyTorch does not have."""

    def enter(function):
        COMPOSED[function.__name__] = why
        return case(function)

    return enter


# Arrays


@cache
def text(size):
    return st.binary(min_size=size, max_size=size)


def steps(draw, *shape):
    """Whole numbers from -8 to 8, the smallest example being 0."""
    drawn = np.frombuffer(draw(text(prod(shape))), np.uint8).astype(np.int64)
    return ((drawn + 8) % 17 - 8).reshape(shape)


def array(draw, dtype, *shape):
    """Quarters between -2 and 2: ties occur, and all that is exact stays exact."""
    return np.asarray(steps(draw, *shape) / 4, dtype)


def wide(draw, dtype, *shape):
    """Even numbers between -16 and 16."""
    return np.asarray(steps(draw, *shape) * 2, dtype)


def positive(draw, dtype, *shape):
    """Quarters between 1/4 and 17/4."""
    return np.asarray((steps(draw, *shape) + 9) / 4, dtype)


def nonzero(draw, dtype, *shape):
    """Quarters between -2 and 9/4 without 0."""
    drawn = steps(draw, *shape)
    return np.asarray(np.where(drawn >= 0, drawn + 1, drawn) / 4, dtype)


def booleans(draw, *shape):
    """About three of four are True."""
    return np.asarray(steps(draw, *shape) < 4)


# Shapes


def extent(draw, least=1, most=4):
    return draw(st.integers(least, most))


def shape(draw, least=0, most=3):
    """A shape with `least` to `most` axes."""
    return tuple(draw(st.lists(st.integers(1, 3), min_size=least, max_size=most)))


def shape_or_empty(draw, least=0, most=3):
    """A shape that has an axis without elements now and then."""
    return tuple(draw(st.lists(st.sampled_from((1, 2, 3, 2, 3, 4, 2, 3, 0)), min_size=least, max_size=most)))


def batch(draw):
    """The leading axes that an op leaves alone."""
    return tuple(draw(st.lists(st.integers(1, 2), max_size=2)))


def narrowed(draw, full):
    """A shape that broadcasts to `full`."""
    return tuple(n if draw(st.booleans()) else 1 for n in full)[draw(st.integers(0, len(full))):]


# Attributes


def one_axis(draw, rank):
    return draw(st.integers(-rank, rank - 1))


def axes(draw, rank):
    """An axis, a tuple of axes or None; from either end."""
    tuples = st.sets(st.integers(0, rank - 1)) if rank else st.just(set())
    chosen = draw(st.one_of(st.none(), tuples, *([st.integers(-rank, rank - 1)] if rank else [])))
    if isinstance(chosen, set):
        return tuple(axis - rank * draw(st.booleans()) for axis in draw(st.permutations(sorted(chosen))))
    return chosen


def dims(axis, rank):
    """What PyTorch gets: a tuple."""
    if axis is None:
        return tuple(range(rank))
    return tuple(a % rank for a in (axis if isinstance(axis, tuple) else (axis,)))


def int_or_tuple(draw, values):
    """One entry per spatial axis; where all are equal, now and then that int alone."""
    return values[0] if len(set(values)) == 1 and draw(st.booleans()) else tuple(values)


def per_axis(draw, least, most, count):
    return tuple(draw(st.integers(least, most)) for _ in range(count))


# What PyTorch wants otherwise


def one_batch_axis(function, inner):
    """`function` on x whose axes before the last `inner` are joined: PyTorch allows one batch axis, we any number."""

    def call(x, *others):
        lead = x.shape[: x.ndim - inner]
        y = function(x.reshape(prod(lead), *x.shape[len(lead):]), *others)
        return y.reshape(*lead, *y.shape[1:])

    return call
