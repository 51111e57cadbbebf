"""Broadcasting and reshaping that a public function does for the user, recorded as the ops that they are."""

from __future__ import annotations

from ..op import OPS, Array, Shape
from ..tape import Traced, apply


def reshaped(x: Array, shape: Shape) -> Array:
    return x if x.shape == shape else apply(OPS["reshape"], x, shape=shape)


def broadcasted(x: Array, shape: Shape) -> Array:
    return x if x.shape == shape else apply(OPS["broadcast_to"], x, shape=shape)


def released(x: Array) -> Array:
    """For the caller: reshape and broadcast_to give read-only views, a public result is an array of its own."""
    return x if isinstance(x, Traced) or x.flags.writeable else x.copy()
