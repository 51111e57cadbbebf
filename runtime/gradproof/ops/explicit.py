"""Broadcasting and reshaping that a public function does for the user, recorded as the ops that they are."""

from __future__ import annotations

import numpy as np

from ..op import OPS, Array, Shape
from ..tape import Traced, apply


def reshaped(x: Array, shape: Shape) -> Array:
    if x.shape == shape:
        return x
    return x.reshape(shape) if is_plain_integer(x) else apply(OPS["reshape"], x, shape=shape)


def broadcasted(x: Array, shape: Shape) -> Array:
    if x.shape == shape:
        return x
    return np.broadcast_to(x, shape) if is_plain_integer(x) else apply(OPS["broadcast_to"], x, shape=shape)


def is_plain_integer(x: Array) -> bool:
    """Known indices or truth values: they have no gradient, and are recorded where an op takes them."""
    return not isinstance(x, Traced) and x.dtype.kind in "iub"


def released(x: Array) -> Array:
    """For the caller: reshape and broadcast_to give read-only views, a public result is an array of its own."""
    return x if isinstance(x, Traced) or x.flags.writeable else x.copy()
