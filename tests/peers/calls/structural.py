"""concat to pixel_shuffle."""
from math import prod

import hypothesis.strategies as st
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import (
    CALLS,
    Call,
    array,
    axes,
    batch,
    case,
    dims,
    extent,
    narrowed,
    one_axis,
    per_axis,
    shape,
    shape_or_empty,
)


@case
def concat(draw, dtype):
    drawn = list(shape(draw, least=1))
    axis = one_axis(draw, len(drawn))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        drawn[axis] = extent(draw, 0, 3)
        parts.append(array(draw, dtype, *drawn))
    return Call(lambda *xs, axis: gp.concat(xs, axis), lambda *xs: torch.cat(xs, axis), parts, {"axis": axis})


@case
def stack(draw, dtype):
    drawn = shape_or_empty(draw)
    axis = one_axis(draw, len(drawn) + 1)
    return Call(lambda *xs, axis: gp.stack(xs, axis), lambda *xs: torch.stack(xs, axis),
                [array(draw, dtype, *drawn) for _ in range(draw(st.integers(1, 3)))], {"axis": axis})


@case
def slice_range(draw, dtype):
    drawn = shape(draw, least=1)
    axis = one_axis(draw, len(drawn))
    start = extent(draw, 0, drawn[axis])
    length = extent(draw, 0, drawn[axis] - start)
    return Call(gp.slice_range, lambda x: x.narrow(axis, start, length), [array(draw, dtype, *drawn)],
                {"start": start, "length": length, "axis": axis})


@case
def split(draw, dtype):
    drawn = list(shape(draw, least=1))
    axis = one_axis(draw, len(drawn))
    sizes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    drawn[axis] = int(sum(sizes))
    return Call(gp.split, lambda x: torch.split(x, sizes, axis), [array(draw, dtype, *drawn)],
                {"sizes": sizes, "axis": axis})


@case
def reshape(draw, dtype):
    a, b, c = (extent(draw) for _ in range(3))
    target = draw(st.sampled_from([(a * b, c), (a, b * c), (c, b, a), (-1,), (b, -1), -1]))
    return Call(gp.reshape, lambda x: x.reshape(target), [array(draw, dtype, a, b, c)], {"shape": target})


@case
def flatten(draw, dtype):
    drawn = shape_or_empty(draw)
    rank = max(len(drawn), 1)
    first, last = sorted((extent(draw, 0, rank - 1), extent(draw, 0, rank - 1)))
    attributes = {"start_axis": first - rank * draw(st.booleans()), "end_axis": last - rank * draw(st.booleans())}
    return Call(gp.flatten, lambda x: torch.flatten(x, *attributes.values()), [array(draw, dtype, *drawn)], attributes)


def permuted(draw, dtype, required):
    drawn = shape_or_empty(draw)
    order = tuple(axis - len(drawn) * draw(st.booleans()) for axis in draw(st.permutations(range(len(drawn)))))
    if not required and draw(st.booleans()):
        return Call(gp.transpose, lambda x: x.permute(tuple(range(x.ndim))[::-1]), [array(draw, dtype, *drawn)])
    return Call(gp.permute if required else gp.transpose, lambda x: x.permute(order), [array(draw, dtype, *drawn)],
                {"axes": order})


@case
def transpose(draw, dtype):
    return permuted(draw, dtype, required=False)


@case
def permute(draw, dtype):
    return permuted(draw, dtype, required=True)


@case
def swap_adjacent(draw, dtype):
    drawn = shape(draw, least=2, most=4)
    depth = extent(draw, 0, len(drawn) - 2)
    return Call(gp.swap_adjacent, lambda x: x.transpose(depth, depth + 1), [array(draw, dtype, *drawn)],
                {"depth": depth})


def named_transpose(name, *order):
    def call(draw, dtype):
        drawn = per_axis(draw, 1, 3, len(order))
        return Call(getattr(gp, name), lambda x: x.permute(order), [array(draw, dtype, *drawn)])

    CALLS[name] = st.composite(call)


named_transpose("transpose2d", 1, 0)
named_transpose("transpose3d_first_to_last", 1, 2, 0)
named_transpose("transpose3d_last_to_first", 2, 0, 1)
named_transpose("transpose3d_last_two", 0, 2, 1)


@case
def broadcast_to(draw, dtype):
    full = shape_or_empty(draw)
    return Call(gp.broadcast_to, lambda x: x.broadcast_to(full), [array(draw, dtype, *narrowed(draw, full))],
                {"shape": full})


@case
def pad(draw, dtype):
    drawn = shape_or_empty(draw)
    widths = tuple((extent(draw, 0, 2), extent(draw, 0, 2)) for _ in drawn)
    value = extent(draw, -3, 3) / 2
    flat = [width for pair in widths[::-1] for width in pair]  # PyTorch counts from the last axis
    return Call(gp.pad, lambda x: F.pad(x, flat, value=value), [array(draw, dtype, *drawn)],
                {"widths": widths, "value": value})


@case
def flip(draw, dtype):
    drawn = shape_or_empty(draw)
    axis = axes(draw, len(drawn))
    return Call(gp.flip, lambda x: torch.flip(x, dims(axis, len(drawn))), [array(draw, dtype, *drawn)], {"axis": axis})


@case
def roll(draw, dtype):
    drawn = shape(draw)
    axis = axes(draw, len(drawn))
    chosen = dims(axis, len(drawn))
    shift = extent(draw, -4, 4) if axis is None else tuple(extent(draw, -4, 4) for _ in chosen)
    if isinstance(axis, int):
        shift = shift[0]
    # PyTorch rolls the flattened array where no axis is named, we (as NumPy) only for None; axis=() rolls nothing.
    return Call(gp.roll, lambda x: torch.roll(x, shift, None if axis is None else chosen) if axis != () else x,
                [array(draw, dtype, *drawn)], {"shift": shift, "axis": axis})


@case
def tile(draw, dtype):
    reps = draw(st.one_of(st.integers(0, 3), st.lists(st.integers(0, 3), max_size=3).map(tuple)))
    return Call(gp.tile, lambda x: torch.tile(x, (reps,) if isinstance(reps, int) else reps),
                [array(draw, dtype, *shape(draw))], {"reps": reps})


@case
def repeat(draw, dtype):
    drawn = shape(draw)
    axis = draw(st.sampled_from((None, *range(-len(drawn), len(drawn)))))
    count = prod(drawn) if axis is None else drawn[axis]
    repeats = draw(st.one_of(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    theirs = repeats if isinstance(repeats, int) else torch.tensor(repeats)
    return Call(gp.repeat, lambda x: torch.repeat_interleave(x, theirs, axis), [array(draw, dtype, *drawn)],
                {"repeats": repeats, "axis": axis})


@case
def pixel_shuffle(draw, dtype):
    factor = extent(draw, 1, 3)
    drawn = (*batch(draw), extent(draw, 1, 2) * factor**2, *per_axis(draw, 1, 3, 2))
    return Call(gp.pixel_shuffle, lambda x: F.pixel_shuffle(x, factor), [array(draw, dtype, *drawn)],
                {"factor": factor})


@case
def upsample_nearest(draw, dtype):
    d = extent(draw, 1, 3)
    old, new = per_axis(draw, 1, 4, d), per_axis(draw, 1, 8 if d == 1 else 5, d)
    lead = batch(draw)

    def theirs(x):  # which multiplies by in/out in floats, at these sizes with the same indices
        return F.interpolate(x.reshape(1, -1, *old), size=new, mode="nearest").reshape(*lead, *new)

    return Call(gp.upsample_nearest, theirs, [array(draw, dtype, *lead, *old)], {"size": new})
