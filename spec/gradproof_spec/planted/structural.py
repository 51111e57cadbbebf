"""Planted wrong rules: structural."""

from fractions import Fraction

from ..ops.structural import read_by, start
from ..terms import Sum, equal, in_range, indicator
from .fault import plant

HALF = Fraction(1, 2)

plant(
    "concat",
    "offset-forgotten",
    "adjoint",
    xs=lambda g, which, index, size: indicator(in_range(index[1], size.N)) * g[index],
)
plant(
    "concat",
    "offset-off-by-one",
    "bounds",
    xs=lambda g, which, index, size: g[index[0], start(size, which) + index[1] + 1, index[2]],
)
plant(
    "concat",
    "jvp-only-first",
    "derivative",
    jvp=lambda dxs, b, n, a, size: indicator(in_range(n, size.N0)) * dxs[0][b, n, a] * HALF,
)
plant(
    "reshape",
    "vjp-reads-its-own-index",
    "bounds",
    x=lambda g, source, index, case: g[tuple(index[:1]) * len(case.output.axes)],
)
plant("reshape", "vjp-halved", "adjoint", x=lambda g, target, index: HALF * g[target(index)])
plant("reshape", "jvp-zero", "derivative", jvp=lambda dx, source, index: 0 * dx[source(index)])
plant(
    "broadcast_to",
    "vjp-not-summed-but-averaged",
    "adjoint",
    x=lambda g, case, index, size: Sum(read_by(case, index, o, size) * g[o] for o in size.axes("y")) * HALF,
)
plant(
    "broadcast_to",
    "jvp-drops-size-1-axes",
    "derivative",
    jvp=lambda dx, case, index, size: Sum(
        indicator(*(equal(a, index[len(index) - len(i) + k]) for k, a in enumerate(i))) * dx[i] for i in size.axes("x")
    ),
)
plant(
    "broadcast_to", "vjp-sums-everything", "adjoint", x=lambda g, case, index, size: Sum(g[o] for o in size.axes("y"))
)
