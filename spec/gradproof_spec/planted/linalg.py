"""Planted wrong rules: linalg."""

from __future__ import annotations

from math import prod
from typing import Any

from ..ops.linalg import einsum_gx, einsum_y, over_letters, terms_of
from ..terms import ZERO, Sum, indicator
from .fault import plant

plant(
    "linear",
    "bias-forgotten-in-jvp",
    "derivative",
    jvp=lambda x, weight, dx, dweight, dbias, batch, o, size: Sum(
        dx[batch, i] * weight[o, i] + x[batch, i] * dweight[o, i] for i in size.I
    ),
)
plant("linear", "gbias-doubled", "adjoint", bias=lambda g, o, size: 2 * Sum(g[batch, o] for batch in size.batch))
plant(
    "linear",
    "gweight-transposed",
    "bounds",
    weight=lambda x, g, o, i, size: Sum(g[batch, i] * x[batch, o] for batch in size.batch),
)
plant(
    "matmul",
    "not-transposed",
    "bounds",
    a=lambda b, g, batch, n, k, size: Sum(g[batch, n, m] * b[batch, m, k] for m in size.M),
)
plant(
    "matmul",
    "wrong-extent",
    "bounds",
    a=lambda b, g, batch, n, k, size: Sum(g[batch, n, m] * b[batch, k, m] for m in size.N),
)
plant(
    "matmul", "sign", "adjoint", b=lambda a, g, batch, k, m, size: -Sum(a[batch, n, k] * g[batch, n, m] for n in size.N)
)
plant(
    "matmul",
    "skips-last-row",
    "adjoint",
    b=lambda a, g, batch, k, m, size: Sum(indicator(n + 1 < size.N) * a[batch, n, k] * g[batch, n, m] for n in size.N),
)
plant(
    "matmul",
    "jvp-one-term",
    "derivative",
    jvp=lambda da, b, db, batch, n, m, size: Sum(da[batch, n, k] * b[batch, k, m] for k in size.K),
)


# ---------------------------------------------------------------- einsum
def on_every_place(xs: Any, g: Any, which: Any, case: Any, index: Any, size: Any) -> Any:
    """Repeated letters do not have to agree."""
    inputs, output = terms_of(case.label)
    others = [(g, output), *((x, t) for k, (x, t) in enumerate(zip(xs, inputs, strict=True)) if k != which)]
    known = dict(zip(reversed(inputs[which]), reversed(index), strict=True))
    return over_letters(
        "".join(t for _, t in others),
        size,
        known,
        lambda at: prod(x[tuple(at[letter] for letter in t)] for x, t in others),
    )


plant("einsum", "cotangent-off-the-diagonal", "adjoint", xs=on_every_place)
plant(
    "einsum",
    "of-the-first-only",
    "adjoint",
    xs=lambda xs, g, which, case, index, size: einsum_gx(xs, g, which, case, index, size) if which == 0 else ZERO,
)
plant(
    "einsum",
    "first-operand-fixed",
    "derivative",
    jvp=lambda xs, dxs, case, index, size: sum(
        (einsum_y([*xs[:k], dxs[k], *xs[k + 1 :]], case, index, size) for k in range(1, len(xs))), start=ZERO
    ),
    xs=lambda xs, g, which, case, index, size: einsum_gx(xs, g, which, case, index, size) if which else ZERO,
)
