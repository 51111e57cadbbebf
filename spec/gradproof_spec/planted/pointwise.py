"""Planted wrong rules: pointwise."""

from ..terms import equal, function, indicator, where
from .fault import plant

plant("add", "gb-negated", "adjoint", b=lambda g, i: -g[i])
plant("add", "jvp-forgets-b", "derivative", jvp=lambda da, db, i: da[i])
plant(
    "add",
    "both-doubled",
    "derivative",
    jvp=lambda da, db, i: 2 * (da[i] + db[i]),
    a=lambda g, i: 2 * g[i],
    b=lambda g, i: 2 * g[i],
)
plant("add", "reads-next-element", "bounds", a=lambda g, i: g[i + 1])
plant("sub", "gb-not-negated", "adjoint", b=lambda g, i: g[i])
plant("sub", "jvp-is-that-of-add", "derivative", jvp=lambda da, db, i: da[i] + db[i])
plant("sub", "ga-zero", "adjoint", a=lambda g, i: 0 * g[i])
plant("mul", "ga-uses-a", "adjoint", a=lambda a, g, i: g[i] * a[i])
plant("mul", "jvp-one-term", "derivative", jvp=lambda a, b, da, db, i: da[i] * b[i])
plant("mul", "both-without-b", "derivative", jvp=lambda a, b, da, db, i: da[i] + a[i] * db[i], a=lambda g, i: g[i])
plant("neg", "sign-forgotten-in-vjp", "adjoint", x=lambda g, i: g[i])
plant("neg", "sign-forgotten-in-both", "derivative", x=lambda g, i: g[i], jvp=lambda dx, i: dx[i])
plant("neg", "shifted", "bounds", x=lambda g, i: -g[i - 1])
plant("exp", "vjp-without-factor", "adjoint", x=lambda g, i: g[i])
plant("exp", "both-use-x", "derivative", x=lambda x, g, i: x[i] * g[i], jvp=lambda x, dx, i: x[i] * dx[i])
plant("exp", "jvp-reciprocal", "derivative", jvp=lambda x, dx, i: dx[i] / function("exp", x[i]))
plant(
    "maximum",
    "tie-to-one-side-in-vjp",
    "adjoint",  # 7
    a=lambda a, b, g, i: indicator(a[i] >= b[i]) * g[i],
    b=lambda a, b, g, i: indicator(b[i] > a[i]) * g[i],
)
plant(
    "maximum",
    "tie-to-one-side-in-all",
    "kink",
    a=lambda a, b, g, i: indicator(a[i] >= b[i]) * g[i],
    b=lambda a, b, g, i: indicator(b[i] > a[i]) * g[i],
    jvp=lambda a, b, da, db, i: indicator(a[i] >= b[i]) * da[i] + indicator(b[i] > a[i]) * db[i],
)
plant("maximum", "tie-to-both", "adjoint", a=lambda a, b, g, i: indicator(a[i] >= b[i]) * g[i])
plant("maximum", "is-minimum", "derivative", forward=lambda a, b, i: where(a[i] > b[i], b[i], a[i]))
plant(
    "relu",
    "slope-1-at-0-in-both",
    "kink",
    x=lambda x, g, i: indicator(x[i] >= 0) * g[i],
    jvp=lambda x, dx, i: indicator(x[i] >= 0) * dx[i],
)
plant("relu", "slope-1-at-0-in-vjp", "adjoint", x=lambda x, g, i: indicator(x[i] >= 0) * g[i])
plant("relu", "guard-forgotten", "derivative", x=lambda g, i: g[i], jvp=lambda dx, i: dx[i])
plant("relu", "kink-undeclared", "kink", fields={"kinks": {}})
# a smooth join is no kink, so its tie is not excluded: the wrong slope exactly at the join is refuted
plant(
    "relu",
    "smooth-join-not-excluded",
    "derivative",
    fields={"kinks": {}},
    forward=lambda x, i: where(x[i] > 0, x[i] * x[i], 0),
    jvp=lambda x, dx, i: where(x[i] > 0, 2 * x[i] * dx[i], indicator(equal(x[i], 0)) * dx[i]),
)
