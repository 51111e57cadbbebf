"""gather_rows to embedding. PyTorch raises on an index outside of the axis; ours reads 0 there and drops what is added
there. So outside indices are compared with a mask beside PyTorch's functions."""
from math import prod

import hypothesis.strategies as st
import numpy as np
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import Call, array, composed, extent, shape

INTEGERS = (np.int64, np.int32, np.int8)
NO_OUTSIDE = "PyTorch raises on an index outside; index_select and a mask"
NO_DROP = "PyTorch raises on an index outside; index_add of what is inside"


def indices_of(draw, rows, *shape):
    """From two below the axis to two above, of an integer type; now and then all inside."""
    reach = draw(st.sampled_from((0, 2)))
    drawn = draw(st.lists(st.integers(-reach, rows - 1 + reach), min_size=prod(shape), max_size=prod(shape)))
    return np.array(drawn, dtype=draw(st.sampled_from(INTEGERS))).reshape(shape)


def picked(x, indices):
    """x[indices], 0 where the index is outside. Without a mask where none is needed."""
    chosen = torch.from_numpy(indices.astype(np.int64))
    inside = (chosen >= 0) & (chosen < len(x))
    if inside.all():
        return x.index_select(0, chosen.flatten()).reshape(indices.shape + x.shape[1:])
    rows = x.index_select(0, chosen.clamp(0, len(x) - 1).flatten()).reshape(indices.shape + x.shape[1:])
    return torch.where(inside.reshape(indices.shape + (1,) * (x.ndim - 1)), rows, 0)


def added(x, v, indices):
    """x with v added at the indices that are inside."""
    chosen = torch.from_numpy(indices.astype(np.int64)).flatten()
    inside = (chosen >= 0) & (chosen < len(x))
    return x.index_add(0, chosen[inside], v.reshape(len(chosen), *x.shape[1:])[inside])


def gather(ours, draw, dtype, rank, one):
    """`one`: a single index, as a Python int (always inside) or as an array."""
    x = array(draw, dtype, extent(draw), *(extent(draw) for _ in range(rank - 1)))
    indices = indices_of(draw, len(x), *(() if one else (extent(draw, 0, 5),)))
    if one and draw(st.booleans()):
        index = int(indices) % len(x)
        return Call(ours, lambda x: picked(x, np.array(index)), [x], {"index": index})
    mode = "raise" if ((indices >= 0) & (indices < len(x))).all() and draw(st.booleans()) else "zero"
    return Call(ours, lambda x: picked(x, indices), [x], {"index" if one else "indices": indices, "mode": mode})


@composed(NO_OUTSIDE)
def gather_scalar(draw, dtype):
    return gather(gp.gather_scalar, draw, dtype, rank=1, one=True)


@composed(NO_OUTSIDE)
def gather_row(draw, dtype):
    return gather(gp.gather_row, draw, dtype, rank=2, one=True)


@composed(NO_OUTSIDE)
def gather_vec(draw, dtype):
    return gather(gp.gather_vec, draw, dtype, rank=1, one=False)


@composed(NO_OUTSIDE)
def gather_rows(draw, dtype):
    return gather(gp.gather_rows, draw, dtype, rank=2, one=False)


@composed("PyTorch raises on an index outside; F.embedding where all are inside, index_select and a mask elsewhere")
def embedding(draw, dtype):
    weight = array(draw, dtype, extent(draw), extent(draw))
    ids = indices_of(draw, len(weight), *shape(draw))
    inside = ((ids >= 0) & (ids < len(weight))).all()
    long = torch.from_numpy(ids.astype(np.int64))
    return Call(lambda weight, ids: gp.embedding(ids, weight),
                lambda weight: F.embedding(long, weight) if inside else picked(weight, ids), [weight], {"ids": ids})


def scatter(ours, draw, dtype, rest, one):
    x = array(draw, dtype, extent(draw), *rest)
    indices = indices_of(draw, len(x), *(() if one else (extent(draw, 0, 5),)))
    v = array(draw, dtype, *indices.shape, *rest)
    return Call(ours, lambda x, v: added(x, v, indices), [x, v], {"indices": indices})


@composed(NO_DROP)
def scatter_add(draw, dtype):
    return scatter(gp.scatter_add, draw, dtype, shape(draw, most=2), one=False)


@composed(NO_DROP)
def scatter_add_vec(draw, dtype):
    return scatter(gp.scatter_add_vec, draw, dtype, (), one=draw(st.booleans()))


@composed(NO_DROP)
def scatter_add_row(draw, dtype):
    return scatter(gp.scatter_add_row, draw, dtype, (extent(draw),), one=draw(st.booleans()))
