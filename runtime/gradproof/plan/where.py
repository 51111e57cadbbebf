"""np.where of floats without a branch per element: on masks that are hard to predict it is many times as fast."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..special import INTEGERS


def where_into(out: Any, mask: Any, a: Any, b: Any) -> Any:
    """out[...] = np.where(mask, a, b): as integers, the bits of a times 1 or 0, and those of b times 0 or 1. a and b
    may be numbers, and out may be either.

    >>> where_into(np.empty(2), np.array([True, False]), np.array([-0.0, np.nan]), 0.0)
    array([-0.,  0.])
    """
    bits = INTEGERS.get(out.dtype)
    if bits is None or mask.dtype != np.bool_ or type(out) is not np.ndarray:
        out[...] = np.where(mask, a, b)
        return out
    kept, other = as_bits(a, out.dtype, bits), as_bits(b, out.dtype, bits)
    if is_zero(other):
        np.multiply(kept, mask, out=out.view(bits))
    elif is_zero(kept):
        np.multiply(other, ~mask, out=out.view(bits))
    else:
        rest = np.multiply(other, ~mask)
        np.multiply(kept, mask, out=out.view(bits))
        np.bitwise_or(out.view(bits), rest, out=out.view(bits))
    return out


def as_bits(x: Any, dtype: Any, bits: Any) -> Any:
    return np.asarray(x, dtype).view(bits)


def is_zero(bits: Any) -> bool:
    return bool(bits.ndim == 0 and bits == 0)
