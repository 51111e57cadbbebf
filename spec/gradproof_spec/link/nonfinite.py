"""What nan, inf, -inf and -0.0 give, op by op: a declaration, checked on the shipped functions in float32 and float64.

A row is a call and what it gives. Floats are written with a point; a list of integers or Booleans is such an array. In
a `signed` row the signs of zeros are part of the declaration; elsewhere 0.0 stands for either zero. The rows stand in
ops/<family>.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import inf, nan


@dataclass(frozen=True)
class Row:
    """directions: a tangent for each input (jvp), the cotangent (vjp); gives: the result, or the inputs' cotangents."""

    direction: str
    inputs: Sequence[Any]
    directions: Sequence[Any]
    gives: Sequence[Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    signed: bool = False


def forward(*inputs: Any, gives: Any, signed: bool = False, **attributes: Any) -> Row:
    return Row("forward", inputs, (), (gives,), attributes, signed)


def jvp(*inputs: Any, d: Sequence[Any], gives: Any, signed: bool = False, **attributes: Any) -> Row:
    return Row("jvp", inputs, d, (gives,), attributes, signed)


def vjp(*inputs: Any, g: Any, gives: Sequence[Any], signed: bool = False, **attributes: Any) -> Row:
    return Row("vjp", inputs, (g,), gives, attributes, signed)


def as_array(values: Any, dtype: Any) -> Any:
    if values is None:
        return None
    x = np.array(values)
    return x if x.dtype.kind in "ib" else x.astype(dtype)


BITS = [nan, inf, -inf, -0.0]  # what an op that moves elements keeps
TABLE: dict[str, list[Row]] = {}  # filled by ops/<family>.py
