"""What nan, inf, -inf and -0.0 give, op by op: a declaration, checked on the shipped functions in float32 and float64.

A row is a call and what it gives. Floats are written with a point; a list of integers is an index array. In a `signed`
row the signs of zeros are part of the declaration; elsewhere 0.0 stands for either zero.
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
    return x if x.dtype.kind == "i" else x.astype(dtype)


BITS = [nan, inf, -inf, -0.0]  # what an op that moves elements keeps
SOFTMAX_ROWS = [[inf, 0.0], [nan, 0.0], [-inf, 0.0], [-inf, -inf], [3e38, -3e38], [0.0, 0.0]]

TABLE: dict[str, list[Row]] = {
    "add": [
        forward(
            [nan, inf, inf, -0.0, -0.0], [1.0, 1.0, -inf, -0.0, 0.0], gives=[nan, inf, nan, -0.0, 0.0], signed=True
        ),
        jvp(
            [1.0, nan, inf],
            [1.0, 1.0, 1.0],
            d=([inf, 1.0, -0.0], [-inf, 1.0, -0.0]),
            gives=[nan, 2.0, -0.0],
            signed=True,
        ),
        vjp([nan, inf, 1.0, 1.0], [1.0, 1.0, nan, inf], g=BITS, gives=(BITS, BITS), signed=True),
    ],
    "sub": [
        forward([nan, inf, inf, 0.0, -0.0], [1.0, 1.0, inf, 0.0, 0.0], gives=[nan, inf, nan, 0.0, -0.0], signed=True),
        jvp([1.0, nan], [1.0, 1.0], d=([inf, 1.0], [inf, 1.0]), gives=[nan, 0.0]),
        vjp([nan, inf, 1.0, 1.0], [1.0, 1.0, nan, inf], g=BITS, gives=(BITS, [nan, -inf, inf, 0.0]), signed=True),
    ],
    "mul": [
        forward([0.0, -0.0, inf, nan, inf], [inf, 1.0, -1.0, 0.0, 0.5], gives=[nan, -0.0, -inf, nan, inf], signed=True),
        jvp([0.0, inf, nan], [inf, 2.0, 1.0], d=([1.0, 0.0, 1.0], [1.0, 1.0, 0.0]), gives=[inf, inf, nan]),
        vjp([0.0, inf, 1.0], [inf, 0.0, nan], g=[1.0, 1.0, 0.0], gives=([inf, 0.0, nan], [0.0, inf, 0.0])),
    ],
    "neg": [
        forward([0.0, -0.0, inf, -inf, nan], gives=[-0.0, 0.0, -inf, inf, nan], signed=True),
        jvp([1.0, nan, 1.0], d=([0.0, 1.0, inf],), gives=[-0.0, -1.0, -inf], signed=True),
        vjp([1.0, nan, 1.0], g=[0.0, 1.0, inf], gives=([-0.0, -1.0, -inf],), signed=True),
    ],
    "exp": [  # the slope is exp(x): 0 at -inf, where a tangent or cotangent inf gives 0 * inf = nan
        forward([nan, inf, -inf, -0.0, 800.0, -800.0], gives=[nan, inf, 0.0, 1.0, inf, 0.0]),
        jvp([-inf, -inf, inf, nan], d=([1.0, inf, 1.0, 1.0],), gives=[0.0, nan, inf, nan]),
        vjp([-inf, -inf, inf, nan], g=[1.0, inf, 1.0, 1.0], gives=([0.0, nan, inf, nan],)),
    ],
    "maximum": [  # the smaller input gets 0 whatever arrives; beside a nan neither gets anything
        forward([nan, 1.0, inf, -inf, -inf], [1.0, nan, nan, -1.0, -inf], gives=[nan, nan, nan, -1.0, -inf]),
        jvp(
            [nan, inf, inf, -inf, 1.0],
            [1.0, inf, -inf, -inf, 2.0],
            d=([1.0, 1.0, 1.0, 1.0, nan], [1.0, 3.0, inf, 1.0, 1.0]),
            gives=[0.0, 2.0, 1.0, 1.0, 1.0],
        ),
        vjp(
            [nan, inf, inf, -inf, 1.0, 0.0],
            [1.0, inf, -inf, -inf, 2.0, -0.0],
            g=[1.0, 1.0, 1.0, 1.0, inf, 1.0],
            gives=([0.0, 0.5, 1.0, 0.5, 0.0, 0.5], [0.0, 0.5, 0.0, 0.5, inf, 0.5]),
        ),
    ],
    "relu": [  # slope 0 at nan; at x <= 0 the result is 0 and never nan, whatever arrives
        forward([nan, inf, -inf, -0.0], gives=[nan, inf, 0.0, 0.0]),
        jvp(
            [nan, -inf, -1.0, 0.0, -0.0, inf, 1.0],
            d=([1.0, 1.0, inf, nan, inf, 1.0, nan],),
            gives=[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, nan],
        ),
        vjp(
            [nan, -inf, -1.0, 0.0, -0.0, inf, 1.0],
            g=[1.0, 1.0, inf, nan, inf, 1.0, nan],
            gives=([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, nan],),
        ),
    ],
    "reduce_sum": [
        forward([[nan, 1.0], [inf, 1.0], [inf, -inf], [1.0, 2.0]], axis=1, gives=[nan, inf, nan, 3.0]),
        jvp([[nan, 1.0]], d=([[inf, 1.0]],), axis=1, gives=[inf]),
        vjp(
            [[nan, inf], [1.0, 2.0], [3.0, 4.0]],
            g=[inf, nan, -0.0],
            axis=1,
            gives=([[inf, inf], [nan, nan], [-0.0, -0.0]],),
            signed=True,
        ),
    ],
    "reduce_mean": [
        forward([[nan, 1.0], [inf, 1.0], [inf, -inf], [1.0, 2.0]], axis=1, gives=[nan, inf, nan, 1.5]),
        jvp([[nan, 1.0]], d=([[-inf, 1.0]],), axis=1, gives=[-inf]),
        vjp(
            [[nan, inf], [1.0, 2.0], [3.0, 4.0]],
            g=[inf, nan, -0.0],
            axis=1,
            gives=([[inf, inf], [nan, nan], [-0.0, -0.0]],),
            signed=True,
        ),
    ],
    "matmul": [  # 0 * inf = nan; what a row of a holds stays in its row
        forward(
            [[nan, 1.0], [0.0, 1.0], [1.0, 2.0]], [[1.0, inf], [1.0, 1.0]], gives=[[nan, nan], [1.0, nan], [3.0, inf]]
        ),
        jvp([[inf, 1.0]], [[1.0], [2.0]], d=([[1.0, nan]], [[0.0], [0.0]]), gives=[[nan]]),
        vjp(
            [[inf, 1.0], [2.0, 3.0]], [[1.0], [0.0]], g=[[1.0], [nan]], gives=([[1.0, 0.0], [nan, nan]], [[nan], [nan]])
        ),
    ],
    "linear": [
        forward(
            [[1.0, 2.0], [nan, 0.0]],
            [[1.0, 1.0], [inf, 0.0], [1.0, 0.0]],
            [0.0, 0.0, -inf],
            gives=[[3.0, inf, -inf], [nan, nan, nan]],
        ),
        jvp([[inf, 1.0]], [[1.0, 2.0]], [nan], d=([[1.0, 1.0]], [[1.0, 0.0]], [0.0]), gives=[[inf]]),
        vjp(
            [[1.0, 2.0]],
            [[1.0, 1.0], [0.0, 1.0]],
            [0.0, 0.0],
            g=[[nan, 1.0]],
            gives=([[nan, nan]], [[nan, nan], [1.0, 2.0]], [nan, 1.0]),
        ),
    ],
    "concat": [
        forward([nan, inf], [-inf, -0.0], gives=BITS, signed=True),
        jvp([1.0, 2.0], [3.0, nan], d=([nan, inf], [-inf, -0.0]), gives=BITS, signed=True),
        vjp([1.0, 2.0], [3.0, nan], g=BITS, gives=([nan, inf], [-inf, -0.0]), signed=True),
    ],
    "reshape": [
        forward(BITS, shape=(2, 2), gives=[BITS[:2], BITS[2:]], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), shape=(2, 2), gives=[BITS[:2], BITS[2:]], signed=True),
        vjp([1.0, 2.0, 3.0, nan], g=[BITS[:2], BITS[2:]], shape=(2, 2), gives=(BITS,), signed=True),
    ],
    "broadcast_to": [
        forward(BITS, shape=(2, 4), gives=[BITS, BITS], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), shape=(2, 4), gives=[BITS, BITS], signed=True),
        vjp([nan, 1.0, 2.0], g=[[1.0, inf, inf], [2.0, -inf, 1.0]], shape=(2, 3), gives=([3.0, nan, inf],)),
    ],
    "gather_rows": [  # an index outside reads 0 and adds nothing, whatever stands in the rows that are not meant
        forward([[nan, inf], [1.0, -0.0]], [-1, 1, 2], gives=[[0.0, 0.0], [1.0, -0.0], [0.0, 0.0]], signed=True),
        jvp(
            [[nan, inf], [1.0, 2.0]],
            [-1, 1, 2],
            d=([[nan, inf], [1.0, -0.0]], None),
            gives=[[0.0, 0.0], [1.0, -0.0], [0.0, 0.0]],
            signed=True,
        ),
        vjp(
            [[1.0, 2.0], [nan, inf]],
            [-1, 1, 7],
            g=[[nan, inf], [1.0, 2.0], [inf, nan]],
            gives=([[0.0, 0.0], [1.0, 2.0]],),
        ),
        vjp([[1.0], [2.0]], [0, 0, 1], g=[[inf], [-inf], [inf]], gives=([[nan], [inf]],)),
    ],
    "softmax": [  # -inf has probability 0 and no gradient; a slice with inf or nan, or all -inf, is nan, no other
        forward(SOFTMAX_ROWS, gives=[[nan, nan], [nan, nan], [0.0, 1.0], [nan, nan], [1.0, 0.0], [0.5, 0.5]]),
        forward([[-inf, 0.0], [0.0, nan]], axis=0, gives=[[0.0, nan], [1.0, nan]]),
        jvp(
            [[-inf, 0.0, 0.0], [nan, 0.0, 0.0]],
            d=([[5.0, 1.0, -1.0], [0.0, 0.0, 0.0]],),
            gives=[[0.0, 0.5, -0.5], [nan, nan, nan]],
        ),
        vjp(
            [[-inf, 0.0, 0.0], [nan, 0.0, 0.0]],
            g=[[5.0, 1.0, -1.0], [0.0, 0.0, 0.0]],
            gives=([[0.0, 0.5, -0.5], [nan, nan, nan]],),
        ),
        vjp([[-inf, 0.0], [1000.0, 0.0]], g=[[inf, 1.0], [1.0, 2.0]], gives=([[nan, nan], [0.0, 0.0]],)),
    ],
    "log_softmax": [
        forward(SOFTMAX_ROWS[:4], gives=[[nan, nan], [nan, nan], [-inf, 0.0], [nan, nan]]),
        forward([[0.0, -1000.0], [nan, 0.0]], gives=[[0.0, -1000.0], [nan, nan]]),
        jvp([[-inf, 0.0], [nan, 0.0]], d=([[3.0, 1.0], [0.0, 0.0]],), gives=[[2.0, 0.0], [nan, nan]]),
        vjp([[-inf, 0.0], [nan, 0.0]], g=[[1.0, 2.0], [0.0, 0.0]], gives=([[1.0, -1.0], [nan, nan]],)),
    ],
    "conv": [  # a padded cell is a 0 that is multiplied: beside an infinite weight it gives nan
        forward([[[nan, 1.0, 2.0]]], [[[[1.0, 1.0]]]], gives=[[[nan, 3.0]]]),
        forward([[[1.0]]], [[[[1.0, inf]]]], [0.0], padding=(0, 1), gives=[[[inf, nan]]]),
        forward([[[1.0]]], [[[[1.0]]], [[[1.0]]]], [nan, -inf], gives=[[[nan]], [[-inf]]]),
        jvp([[[1.0, 2.0]]], [[[[inf]]]], d=([[[0.0, 1.0]]], [[[[1.0]]]]), gives=[[[nan, inf]]]),
        vjp([[[1.0, 2.0, 3.0]]], [[[[1.0, 1.0]]]], g=[[[nan, 1.0]]], gives=([[[nan, nan, 1.0]]], [[[[nan, nan]]]])),
        vjp(
            [[[nan, 2.0, 3.0]]],
            [[[[1.0]]]],
            [0.0],
            g=[[[1.0, inf]]],
            stride=2,
            gives=([[[1.0, 0.0, inf]]], [[[[nan]]]], [inf]),
        ),
    ],
    "max_pool": [  # nan wins; the first winner takes all, also of -inf and of 0. and -0.; the others get 0
        forward([[1.0, nan, 3.0, inf, -inf, -inf]], kernel=(1, 2), gives=[[nan, inf, -inf]]),
        forward([[-inf]], kernel=(1, 2), stride=1, padding=(0, 1), gives=[[-inf, -inf]]),
        jvp([[nan, 1.0, 1.0, 2.0]], d=([[5.0, inf, nan, 1.0]],), kernel=(1, 2), gives=[[5.0, 1.0]]),
        vjp(
            [[nan, nan, 1.0, nan, -inf, -inf]],
            g=[[1.0, 2.0, 3.0]],
            kernel=(1, 2),
            gives=([[1.0, 0.0, 0.0, 2.0, 3.0, 0.0]],),
        ),
        vjp(
            [[inf, inf, -0.0, 0.0, 1.0, 2.0]],
            g=[[inf, 2.0, nan]],
            kernel=(1, 2),
            gives=([[inf, 0.0, 2.0, 0.0, 0.0, nan]],),
        ),
        vjp([[-inf]], g=[[1.0, 2.0]], kernel=(1, 2), stride=1, padding=(0, 1), gives=([[3.0]],)),
    ],
    "layer_norm": [  # a nan or inf spoils its row and ggamma, nothing else
        forward(
            [[nan, 1.0], [inf, 1.0], [1.0, 1.0]], [1.0, 1.0], [0.5, -inf], gives=[[nan, nan], [nan, nan], [0.5, -inf]]
        ),
        forward([[1.0, 1.0]], [inf, 1.0], [0.0, 0.0], gives=[[nan, 0.0]]),
        jvp(
            [[nan, 1.0], [1.0, 1.0]],
            [1.0, 1.0],
            [0.0, 0.0],
            d=([[0.0, 0.0], [0.0, 0.0]], [0.0, 1.0], [inf, 1.0]),
            gives=[[nan, nan], [inf, 1.0]],
        ),
        vjp(
            [[nan, 1.0], [1.0, 1.0]],
            [1.0, 1.0],
            [0.0, 0.0],
            g=[[1.0, 1.0], [1.0, 1.0]],
            gives=([[nan, nan], [0.0, 0.0]], [nan, nan], [2.0, 2.0]),
        ),
    ],
    "mse_loss": [
        forward([nan, 1.0], [0.0, 1.0], gives=nan),
        forward([inf, 1.0], [0.0, 1.0], gives=inf),
        forward([inf], [inf], gives=nan),
        jvp([inf, 1.0], [0.0, 1.0], d=([1.0, 1.0], [0.0, 1.0]), gives=nan),
        vjp([inf, 1.0], [0.0, 1.0], g=1.0, gives=([inf, 0.0], [-inf, 0.0])),
    ],
}
