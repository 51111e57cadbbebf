"""Planted wrong rules: pointwise."""

from ..ops.pointwise import HALF, REAL, bend, logistic, power, power_slope, silu_slope
from ..terms import ONE, equal, function, indicator, where
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


def plant_slope(op, name, kind, slope, **more):
    """A wrong slope in JVP and VJP alike: `slope` takes x[i] and real attributes."""
    plant(
        op,
        name,
        kind,
        jvp=lambda x, dx, i, size: slope(x[i], size) * dx[i],
        x=lambda x, g, i, size: slope(x[i], size) * g[i],
        **more,
    )


plant("div", "gb-without-the-sign", "adjoint", b=lambda a, b, g, i: a[i] / b[i] ** 2 * g[i])
plant("div", "both-forget-b", "derivative", jvp=lambda b, da, i: da[i] / b[i], b=lambda g, i: 0 * g[i])
plant("div", "gb-b-not-squared", "adjoint", b=lambda a, b, g, i: -a[i] / b[i] * g[i])
plant("div", "b-may-be-0", "bounds", fields={"elements": {}})
plant("square", "vjp-without-the-2", "adjoint", x=lambda x, g, i: x[i] * g[i])
plant_slope("square", "both-without-the-2", "derivative", lambda t, size: t)
plant("square", "reads-the-next", "bounds", x=lambda x, g, i: 2 * x[i + 1] * g[i])
plant("scale", "vjp-unscaled", "adjoint", x=lambda g, i: g[i])
plant_slope("scale", "both-unscaled", "derivative", lambda t, size: ONE)
plant_slope("scale", "both-scaled-twice", "derivative", lambda t, size: size.c * size.c)
plant("reciprocal", "vjp-without-the-sign", "adjoint", x=lambda x, g, i: g[i] / x[i] ** 2)
plant_slope("reciprocal", "both-not-squared", "derivative", lambda t, size: -1 / t)
plant("reciprocal", "x-may-be-0", "bounds", fields={"elements": {}})
plant(
    "minimum",
    "tie-to-one-side-in-vjp",
    "adjoint",  # 7
    a=lambda a, b, g, i: indicator(a[i] <= b[i]) * g[i],
    b=lambda a, b, g, i: indicator(b[i] < a[i]) * g[i],
)
plant("minimum", "is-maximum", "derivative", forward=lambda a, b, i: where(a[i] > b[i], a[i], b[i]))
plant("minimum", "kink-undeclared", "kink", fields={"kinks": {}})
plant_slope("abs", "slope-1-at-0-in-both", "kink", lambda t, size: indicator(t >= 0) - indicator(t < 0))
plant("abs", "slope-1-at-0-in-vjp", "adjoint", x=lambda x, g, i: (indicator(x[i] >= 0) - indicator(x[i] < 0)) * g[i])
plant_slope("abs", "both-slope-1", "derivative", lambda t, size: ONE)
plant("sqrt", "vjp-without-the-half", "adjoint", x=lambda x, g, i: g[i] / function("sqrt", x[i]))
plant_slope("sqrt", "both-without-the-root", "derivative", lambda t, size: 1 / (2 * t))
plant("sqrt", "x-may-be-negative", "bounds", fields={"elements": {}})
plant("log", "vjp-of-exp", "adjoint", x=lambda x, g, i: g[i] * function("exp", x[i]))
plant_slope("log", "both-squared", "derivative", lambda t, size: 1 / (t * t))
plant("log", "x-may-be-0", "bounds", fields={"elements": {"x": lambda value: value >= 0}})
plant("sigmoid", "vjp-without-one-minus-s", "adjoint", x=lambda x, g, i: logistic(x[i]) * g[i])
plant_slope("sigmoid", "both-squared", "derivative", lambda t, size: logistic(t) ** 2)
plant("sigmoid", "jvp-sign", "derivative", jvp=lambda x, dx, i: logistic(x[i]) * (logistic(x[i]) - 1) * dx[i])
plant("tanh", "vjp-not-squared", "adjoint", x=lambda x, g, i: (1 - function("tanh", x[i])) * g[i])
plant_slope("tanh", "both-plus", "derivative", lambda t, size: 1 + function("tanh", t) ** 2)
plant("tanh", "shifted", "bounds", x=lambda x, g, i: (1 - function("tanh", x[i - 1]) ** 2) * g[i])
plant("softplus", "vjp-of-sigmoid", "adjoint", x=lambda x, g, i: logistic(x[i]) * (1 - logistic(x[i])) * g[i])
plant_slope("softplus", "both-of-the-negative", "derivative", lambda t, size: logistic(-t))
plant("softplus", "forward-of-relu", "derivative", forward=lambda x, i: where(x[i] > 0, x[i], 0))
plant(
    "safe_log",
    "log-of-a-sum",
    "derivative",
    forward=lambda x, eps, i: where(x[i] > 0, function("log", x[i] + eps), function("log", eps)),
)
plant_slope("safe_log", "slope-at-eps-in-both", "kink", lambda t, size: where(t >= size.eps, 1 / t, 0))
plant_slope("safe_log", "both-slope-below-eps", "derivative", lambda t, size: where(t > size.eps, 1 / t, 1 / size.eps))
plant("safe_log", "guard-forgotten", "bounds", x=lambda x, g, i: g[i] / x[i])
plant(
    "clamp",
    "vjp-ignores-the-upper-bound",
    "adjoint",  # 16
    x=lambda x, g, i, size: indicator(x[i] >= size.min) * g[i],
)
plant_slope("clamp", "both-ignore-the-upper-bound", "derivative", lambda t, size: indicator(t >= size.min))
plant_slope("clamp", "slope-0-at-the-bounds", "kink", lambda t, size: indicator(t > size.min, t < size.max))
plant("clamp", "one-kink-undeclared", "kink", fields={"kinks": {"x[i] = min": 0}})
plant("clamp_min", "vjp-slope-0-at-min", "adjoint", x=lambda x, g, i, size: indicator(x[i] > size.min) * g[i])
plant_slope("clamp_min", "both-slope-0-at-min", "kink", lambda t, size: indicator(t > size.min))
plant_slope("clamp_min", "both-of-clamp-max", "derivative", lambda t, size: indicator(t <= size.min))
plant("clamp_max", "vjp-slope-0-at-max", "adjoint", x=lambda x, g, i, size: indicator(x[i] < size.max) * g[i])
plant_slope("clamp_max", "both-slope-0-at-max", "kink", lambda t, size: indicator(t < size.max))
plant_slope("clamp_max", "both-of-clamp-min", "derivative", lambda t, size: indicator(t >= size.max))
plant("detach", "reads-the-next", "bounds", forward=lambda x, i: x[i + 1])
plant("detach", "reads-the-previous", "bounds", forward=lambda x, i: x[i - 1])
plant("gelu", "vjp-without-the-tail", "adjoint", x=lambda x, g, i, size: HALF * (1 + bend(x[i], size)) * g[i])
plant_slope("gelu", "both-without-the-tail", "derivative", lambda t, size: HALF * (1 + bend(t, size)))
plant_slope("gelu", "both-of-silu", "derivative", lambda t, size: silu_slope(t))
plant("gelu", "reads-the-next", "bounds", forward=lambda x, i, size: HALF * x[i] * (1 + bend(x[i + 1], size)))
plant("silu", "vjp-without-the-product", "adjoint", x=lambda x, g, i: logistic(x[i]) * g[i])
plant_slope("silu", "both-of-sigmoid", "derivative", lambda t, size: logistic(t) * (1 - logistic(t)))
plant("silu", "reads-the-next", "bounds", jvp=lambda x, dx, i: silu_slope(x[i]) * dx[i + 1])
plant("leaky_relu", "vjp-of-relu", "adjoint", x=lambda x, g, i: indicator(x[i] > 0) * g[i])
plant_slope("leaky_relu", "both-of-relu", "derivative", lambda t, size: indicator(t > 0))
plant_slope("leaky_relu", "slope-1-at-0-in-both", "kink", lambda t, size: where(t >= 0, 1, size.negative_slope))
plant("elu", "vjp-without-alpha", "adjoint", x=lambda x, g, i: where(x[i] > 0, g[i], function("exp", x[i]) * g[i]))
plant_slope("elu", "both-without-alpha", "derivative", lambda t, size: where(t > 0, 1, function("exp", t)))
plant_slope("elu", "slope-1-at-0-in-both", "kink", lambda t, size: where(t >= 0, 1, size.alpha * function("exp", t)))
plant("hardtanh", "vjp-slope-1-at-the-bounds", "adjoint",
      x=lambda x, g, i, size: indicator(x[i] >= size.min_val, x[i] <= size.max_val) * g[i])
plant_slope("hardtanh", "both-slope-1-at-the-bounds", "kink",
            lambda t, size: indicator(t >= size.min_val, t <= size.max_val))
plant_slope("hardtanh", "both-ignore-the-lower-bound", "derivative", lambda t, size: indicator(t < size.max_val))
plant("sin", "vjp-sign", "adjoint", x=lambda x, g, i: -function("cos", x[i]) * g[i])
plant_slope("sin", "both-sign", "derivative", lambda t, size: -function("cos", t))
plant_slope("sin", "both-of-cos", "derivative", lambda t, size: -function("sin", t))
plant("cos", "vjp-sign", "adjoint", x=lambda x, g, i: function("sin", x[i]) * g[i])
plant_slope("cos", "both-sign", "derivative", lambda t, size: function("sin", t))
plant_slope("cos", "both-of-sin", "derivative", lambda t, size: function("cos", t))
plant("pow", "vjp-without-the-factor", "adjoint", x=lambda x, g, i, size: power(x[i], size) / x[i] * g[i])
plant_slope("pow", "both-without-the-factor", "derivative", lambda t, size: power(t, size) / t)
plant("pow", "x-may-be-0", "bounds", fields={"elements": {"x": lambda x, size: (x > 0) | (size.case.label != REAL)}})
plant("pow", "reads-the-next", "bounds", x=lambda x, g, i, size: power_slope(x[i], size) * g[i + 1])
plant("where", "gb-of-the-condition", "adjoint", b=lambda condition, g, i: where(condition[i], g[i], 0))
plant(
    "where",
    "both-exchanged",
    "derivative",
    jvp=lambda condition, da, db, i: where(condition[i], db[i], da[i]),
    a=lambda condition, g, i: where(condition[i], 0, g[i]),
    b=lambda condition, g, i: where(condition[i], g[i], 0),
)
plant("where", "ga-to-all", "adjoint", a=lambda g, i: g[i])
plant("where", "next-condition", "bounds", a=lambda condition, g, i: where(condition[i + 1], g[i], 0))
