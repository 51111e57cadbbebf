"""sum to cumsum."""
from math import prod

import hypothesis.strategies as st
import torch

import gradproof as gp

from .common import CALLS, Call, array, axes, case, dims, one_axis, shape, shape_or_empty


@case
def sum(draw, dtype):
    return Call(gp.sum, torch.sum, [array(draw, dtype, *shape_or_empty(draw))])


def reduction(name, theirs, shapes=shape):
    """PyTorch reads dim=() as all axes, we as none (as NumPy does)."""

    def call(draw, dtype):
        drawn = shapes(draw)
        axis, keepdims = axes(draw, len(drawn)), draw(st.booleans())
        reduced = dims(axis, len(drawn))
        return Call(getattr(gp, name), lambda x: theirs(x, reduced, keepdims) if reduced else x,
                    [array(draw, dtype, *drawn)], {"axis": axis, "keepdims": keepdims})

    CALLS[name] = st.composite(call)


reduction("reduce_sum", torch.sum, shapes=shape_or_empty)
reduction("reduce_mean", torch.mean)
reduction("max_axis", torch.amax)
reduction("min_axis", torch.amin)


def spread(name, theirs):
    """With `correction`, and more elements than that."""

    def call(draw, dtype):
        drawn = shape(draw)
        axis, keepdims, correction = axes(draw, len(drawn)), draw(st.booleans()), draw(st.integers(0, 2))
        reduced = dims(axis, len(drawn))
        elements = prod(drawn[dim] for dim in reduced)
        attributes = {"axis": axis, "correction": min(correction, elements - 1), "keepdims": keepdims}
        return Call(getattr(gp, name),
                    lambda x: theirs(x, reduced, correction=attributes["correction"], keepdim=keepdims)
                    if reduced else x * 0,  # the variance of one element
                    [array(draw, dtype, *drawn)], attributes)

    CALLS[name] = st.composite(call)


spread("var", torch.var)


@case
def cumsum(draw, dtype):
    drawn = shape_or_empty(draw, least=1)
    axis = one_axis(draw, len(drawn))
    return Call(gp.cumsum, lambda x: torch.cumsum(x, axis), [array(draw, dtype, *drawn)], {"axis": axis})
