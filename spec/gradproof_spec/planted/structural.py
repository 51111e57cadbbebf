"""Planted wrong rules: structural."""

from fractions import Fraction

from ..ops.structural import in_order, inside, read_by, same_or_one, spatial, start, unpadded, upsample_nearest_gx
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
    "broadcast_to",
    "left-aligned",
    "law",  # 5
    law="is-right-aligned",
    forward=lambda x, case, index, size: Sum(
        indicator(*map(same_or_one, i, index, case.shape("x"))) * x[i] for i in size.axes("x")
    ),
)
plant(
    "broadcast_to", "vjp-sums-everything", "adjoint", x=lambda g, case, index, size: Sum(g[o] for o in size.axes("y"))
)

plant(
    "slice_range",
    "vjp-without-guard",
    "bounds",
    x=lambda g, b, n, a, size: g[b, n - size.start, a],
)
plant(
    "slice_range",
    "vjp-ignores-start",
    "adjoint",
    x=lambda g, b, n, a, size: indicator(in_range(n, size.L)) * g[b, n, a],
)
plant(
    "slice_range",
    "both-ignore-start",
    "derivative",
    jvp=lambda dx, b, l, a, size: dx[b, l, a],
    x=lambda g, b, n, a, size: indicator(in_range(n, size.L)) * g[b, n, a],
)
plant(
    "slice_range",
    "domain-too-wide",
    "bounds",
    fields={"domain": lambda size: [size.start >= 0, size.start <= size.N, size.L <= size.N]},
)

plant(
    "transpose",
    "vjp-halved",
    "adjoint",
    x=lambda g, case, index: HALF * g[in_order(case.output.axes, case.inputs[0].axes, index)],
)
plant(
    "transpose",
    "vjp-same-axes",
    "bounds",
    x=lambda g, case, index: g[index],
)
plant(
    "transpose",
    "both-negated",
    "derivative",
    jvp=lambda dx, case, index: -dx[in_order(case.inputs[0].axes, case.output.axes, index)],
    x=lambda g, case, index: -g[in_order(case.output.axes, case.inputs[0].axes, index)],
)

plant(
    "pad",
    "vjp-ignores-before",
    "adjoint",
    x=lambda g, index: g[index],
)
plant(
    "pad",
    "jvp-pads-with-the-tangent-of-the-border",
    "derivative",
    jvp=lambda dx, index, case, size: (
        indicator(*(in_range(j, n) for j, n in zip(index, case.shape("x"), strict=True))) * dx[index]
    ),
)
plant("pad", "jvp-without-guard", "bounds", jvp=lambda dx, index, size: dx[unpadded(index, size)])
plant(
    "pad",
    "both-halved",
    "derivative",
    jvp=lambda dx, index, case, size: (
        HALF * indicator(inside(unpadded(index, size), case.shape("x"))) * dx[unpadded(index, size)]
    ),
    x=lambda g, index, size: HALF * g[tuple(i + getattr(size, f"before{k}") for k, i in enumerate(index))],
)

plant("flip", "vjp-not-turned", "adjoint", x=lambda g, index: g[index])
plant("flip", "both-not-turned", "derivative", jvp=lambda dx, index: dx[index], x=lambda g, index: g[index])
plant(
    "flip",
    "off-by-one",
    "bounds",
    forward=lambda x, index, case: x[(index[0], case.size().N - index[1], *index[2:])],
)

plant(
    "roll",
    "vjp-same-way",
    "adjoint",
    x=lambda g, b, n, a, size: g[b, (n - size.shift) % size.N, a],
)
plant(
    "roll",
    "both-not-rolled",
    "derivative",
    jvp=lambda dx, b, n, a: dx[b, n, a],
    x=lambda g, b, n, a: g[b, n, a],
)
plant("roll", "not-wrapped", "bounds", forward=lambda x, b, n, a, size: x[b, n - size.shift, a])

plant(
    "upsample_nearest",
    "vjp-first-entry-only",
    "adjoint",
    x=lambda g, case, index, size: Sum(
        indicator(
            *(
                equal(i * m, o * n)
                for i, o, n, m in zip(index[1:], o, case.shape("x")[1:], case.shape("g")[1:], strict=True)
            )
        )
        * g[(index[0], *o)]
        for o in spatial(size)
    ),
)
plant(
    "upsample_nearest",
    "vjp-not-summed-but-averaged",
    "adjoint",
    x=lambda g, case, index, size: HALF * upsample_nearest_gx(g, case, index, size),
)
plant(
    "upsample_nearest",
    "both-read-the-first",
    "derivative",
    jvp=lambda dx, index: dx[(index[0], *(0 for _ in index[1:]))],
    x=lambda g, index, size: Sum(
        indicator(*(equal(i, 0) for i in index[1:])) * g[(index[0], *o)] for o in spatial(size)
    ),
)
plant(
    "upsample_nearest",
    "rounds-up",
    "bounds",
    forward=lambda x, case, index: x[
        (
            index[0],
            *(-(-i * n // m) for i, n, m in zip(index[1:], case.shape("x")[1:], case.shape("g")[1:], strict=True)),
        )
    ],
)
