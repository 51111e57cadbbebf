"""Pointwise ops. I counts the positions of an array of any rank: the rule is the same at each."""
from fractions import Fraction

from ..op import Op, nonzero, positive
from ..terms import ONE, PI, TRUE, ZERO, equal, function, indicator, where

HALF = Fraction(1, 2)

add = Op("add", "a[I] b[I] -> c[I]")


@add.forward
def add_c(a, b, i):
    return a[i] + b[i]


@add.jvp
def add_dc(da, db, i):
    return da[i] + db[i]


@add.vjp("a")
def add_ga(g, i):
    return g[i]


@add.vjp("b")
def add_gb(g, i):
    return g[i]


sub = Op("sub", "a[I] b[I] -> c[I]")


@sub.forward
def sub_c(a, b, i):
    return a[i] - b[i]


@sub.jvp
def sub_dc(da, db, i):
    return da[i] - db[i]


@sub.vjp("a")
def sub_ga(g, i):
    return g[i]


@sub.vjp("b")
def sub_gb(g, i):
    return -g[i]


mul = Op("mul", "a[I] b[I] -> c[I]")


@mul.forward
def mul_c(a, b, i):
    return a[i] * b[i]


@mul.jvp
def mul_dc(a, b, da, db, i):
    return da[i] * b[i] + a[i] * db[i]


@mul.vjp("a")
def mul_ga(b, g, i):
    return g[i] * b[i]


@mul.vjp("b")
def mul_gb(a, g, i):
    return g[i] * a[i]


neg = Op("neg", "x[I] -> y[I]")


@neg.forward
def neg_y(x, i):
    return -x[i]


@neg.jvp
def neg_dy(dx, i):
    return -dx[i]


@neg.vjp("x")
def neg_gx(g, i):
    return -g[i]


exp = Op("exp", "x[I] -> y[I]")


@exp.forward
def exp_y(x, i):
    return function("exp", x[i])


@exp.jvp
def exp_dy(x, dx, i):
    return function("exp", x[i]) * dx[i]


@exp.vjp("x")
def exp_gx(x, g, i):
    return g[i] * function("exp", x[i])


maximum = Op("maximum", "a[I] b[I] -> c[I]", kinks={"a[i] = b[i]": HALF})  # at a tie half to each


@maximum.forward
def maximum_c(a, b, i):
    return where(a[i] > b[i], a[i], b[i])


@maximum.jvp
def maximum_dc(a, b, da, db, i):
    return (indicator(a[i] > b[i]) + HALF * indicator(equal(a[i], b[i]))) * da[i] + (
        indicator(b[i] > a[i]) + HALF * indicator(equal(a[i], b[i]))) * db[i]


@maximum.vjp("a")
def maximum_ga(a, b, g, i):
    return (indicator(a[i] > b[i]) + HALF * indicator(equal(a[i], b[i]))) * g[i]


@maximum.vjp("b")
def maximum_gb(a, b, g, i):
    return (indicator(b[i] > a[i]) + HALF * indicator(equal(a[i], b[i]))) * g[i]


relu = Op("relu", "x[I] -> y[I]", kinks={"x[i] = 0": 0})  # slope 0 at 0


@relu.forward
def relu_y(x, i):
    return where(x[i] > 0, x[i], 0)


@relu.jvp
def relu_dy(x, dx, i):
    return indicator(x[i] > 0) * dx[i]


@relu.vjp("x")
def relu_gx(x, g, i):
    return indicator(x[i] > 0) * g[i]


div = Op("div", "a[I] b[I] -> c[I]", elements={"b": nonzero})


@div.forward
def div_c(a, b, i):
    return a[i] / b[i]


@div.jvp
def div_dc(a, b, da, db, i):
    return da[i] / b[i] - a[i] / b[i] ** 2 * db[i]


@div.vjp("a")
def div_ga(b, g, i):
    return g[i] / b[i]


@div.vjp("b")
def div_gb(a, b, g, i):
    return -a[i] / b[i] ** 2 * g[i]


square = Op("square", "x[I] -> y[I]")


@square.forward
def square_y(x, i):
    return x[i] ** 2


@square.jvp
def square_dy(x, dx, i):
    return 2 * x[i] * dx[i]


@square.vjp("x")
def square_gx(x, g, i):
    return 2 * x[i] * g[i]


scale = Op("scale", "x[I] -> y[I]", reals="c")


@scale.forward
def scale_y(x, c, i):
    return c * x[i]


@scale.jvp
def scale_dy(dx, c, i):
    return c * dx[i]


@scale.vjp("x")
def scale_gx(g, c, i):
    return c * g[i]


reciprocal = Op("reciprocal", "x[I] -> y[I]", elements={"x": nonzero})


@reciprocal.forward
def reciprocal_y(x, i):
    return ONE / x[i]


@reciprocal.jvp
def reciprocal_dy(x, dx, i):
    return -dx[i] / x[i] ** 2


@reciprocal.vjp("x")
def reciprocal_gx(x, g, i):
    return -g[i] / x[i] ** 2


minimum = Op("minimum", "a[I] b[I] -> c[I]", kinks={"a[i] = b[i]": HALF})  # at a tie half to each


@minimum.forward
def minimum_c(a, b, i):
    return where(a[i] < b[i], a[i], b[i])


@minimum.jvp
def minimum_dc(a, b, da, db, i):
    return (indicator(a[i] < b[i]) + HALF * indicator(equal(a[i], b[i]))) * da[i] + (
        indicator(b[i] < a[i]) + HALF * indicator(equal(a[i], b[i]))) * db[i]


@minimum.vjp("a")
def minimum_ga(a, b, g, i):
    return (indicator(a[i] < b[i]) + HALF * indicator(equal(a[i], b[i]))) * g[i]


@minimum.vjp("b")
def minimum_gb(a, b, g, i):
    return (indicator(b[i] < a[i]) + HALF * indicator(equal(a[i], b[i]))) * g[i]


abs_ = Op("abs", "x[I] -> y[I]", kinks={"x[i] = 0": HALF})  # slope 0 at 0


@abs_.forward
def abs_y(x, i):
    return where(x[i] > 0, x[i], -x[i])


@abs_.jvp
def abs_dy(x, dx, i):
    return (indicator(x[i] > 0) - indicator(x[i] < 0)) * dx[i]


@abs_.vjp("x")
def abs_gx(x, g, i):
    return (indicator(x[i] > 0) - indicator(x[i] < 0)) * g[i]


sqrt = Op("sqrt", "x[I] -> y[I]", elements={"x": positive})


@sqrt.forward
def sqrt_y(x, i):
    return function("sqrt", x[i])


@sqrt.jvp
def sqrt_dy(x, dx, i):
    return dx[i] / (2 * function("sqrt", x[i]))


@sqrt.vjp("x")
def sqrt_gx(x, g, i):
    return g[i] / (2 * function("sqrt", x[i]))


log = Op("log", "x[I] -> y[I]", elements={"x": positive})


@log.forward
def log_y(x, i):
    return function("log", x[i])


@log.jvp
def log_dy(x, dx, i):
    return dx[i] / x[i]


@log.vjp("x")
def log_gx(x, g, i):
    return g[i] / x[i]


sigmoid = Op("sigmoid", "x[I] -> y[I]")


def logistic(t):
    return ONE / (1 + function("exp", -t))


@sigmoid.forward
def sigmoid_y(x, i):
    return logistic(x[i])


@sigmoid.jvp
def sigmoid_dy(x, dx, i):
    return logistic(x[i]) * (1 - logistic(x[i])) * dx[i]


@sigmoid.vjp("x")
def sigmoid_gx(x, g, i):
    return logistic(x[i]) * (1 - logistic(x[i])) * g[i]


tanh = Op("tanh", "x[I] -> y[I]")


@tanh.forward
def tanh_y(x, i):
    return function("tanh", x[i])


@tanh.jvp
def tanh_dy(x, dx, i):
    return (1 - function("tanh", x[i]) ** 2) * dx[i]


@tanh.vjp("x")
def tanh_gx(x, g, i):
    return (1 - function("tanh", x[i]) ** 2) * g[i]


softplus = Op("softplus", "x[I] -> y[I]")


@softplus.forward
def softplus_y(x, i):
    return function("log", 1 + function("exp", x[i]))


@softplus.jvp
def softplus_dy(x, dx, i):
    return logistic(x[i]) * dx[i]


@softplus.vjp("x")
def softplus_gx(x, g, i):
    return logistic(x[i]) * g[i]


# log(max(x, eps)); slope 0 at eps
safe_log = Op("safe_log", "x[I] -> y[I]", reals="eps", elements={"eps": positive}, kinks={"x[i] = eps": 0})


@safe_log.forward
def safe_log_y(x, eps, i):
    return where(x[i] > eps, function("log", x[i]), function("log", eps))


@safe_log.jvp
def safe_log_dy(x, dx, eps, i):
    return where(x[i] > eps, dx[i] / x[i], 0)


@safe_log.vjp("x")
def safe_log_gx(x, g, eps, i):
    return where(x[i] > eps, g[i] / x[i], 0)


# slope 1 at both bounds; where they are equal that is a convention, and no claim is made there
clamp = Op("clamp", "x[I] -> y[I]", reals="min max", domain=lambda size: [size.min <= size.max],
           kinks={"x[i] = min": 0, "x[i] = max": 0}, kink_domain=lambda size: [size.min < size.max])


@clamp.forward
def clamp_y(x, i, size):
    return where(x[i] < size.min, size.min, where(x[i] > size.max, size.max, x[i]))


@clamp.jvp
def clamp_dy(x, dx, i, size):
    return indicator(x[i] >= size.min, x[i] <= size.max) * dx[i]


@clamp.vjp("x")
def clamp_gx(x, g, i, size):
    return indicator(x[i] >= size.min, x[i] <= size.max) * g[i]


clamp_min = Op("clamp_min", "x[I] -> y[I]", reals="min", kinks={"x[i] = min": 0})


@clamp_min.forward
def clamp_min_y(x, i, size):
    return where(x[i] < size.min, size.min, x[i])


@clamp_min.jvp
def clamp_min_dy(x, dx, i, size):
    return indicator(x[i] >= size.min) * dx[i]


@clamp_min.vjp("x")
def clamp_min_gx(x, g, i, size):
    return indicator(x[i] >= size.min) * g[i]


clamp_max = Op("clamp_max", "x[I] -> y[I]", reals="max", kinks={"x[i] = max": 0})


@clamp_max.forward
def clamp_max_y(x, i, size):
    return where(x[i] > size.max, size.max, x[i])


@clamp_max.jvp
def clamp_max_dy(x, dx, i, size):
    return indicator(x[i] <= size.max) * dx[i]


@clamp_max.vjp("x")
def clamp_max_gx(x, g, i, size):
    return indicator(x[i] <= size.max) * g[i]


detach = Op("detach", "x:real[I] -> y[I]")


@detach.forward
def detach_y(x, i):
    return x[i]


@detach.jvp
def detach_dy():
    return ZERO


gelu = Op("gelu", {"none": "x[I] -> y[I]", "tanh": "x[I] -> y[I]"},
          source="Hendrycks and Gimpel (2016), arXiv:1606.08415")
ROOT_HALF, ROOT_PI = function("sqrt", HALF), function("sqrt", PI)
CUBIC = Fraction(44715, 10**6)


def bend(t, size):
    """In [-1, 1]: the gelu of t is t (1 + bend) / 2."""
    if size.case.label == "none":
        return function("erf", t * ROOT_HALF)
    return function("tanh", 2 * ROOT_HALF / ROOT_PI * (t + CUBIC * t ** 3))


def gelu_slope(t, size):
    inner = (2 * ROOT_HALF / ROOT_PI * function("exp", -HALF * t ** 2) if size.case.label == "none" else
             2 * ROOT_HALF / ROOT_PI * (1 + 3 * CUBIC * t ** 2) * (1 - bend(t, size) ** 2))
    return HALF * (1 + bend(t, size)) + HALF * t * inner


@gelu.forward
def gelu_y(x, i, size):
    return HALF * x[i] * (1 + bend(x[i], size))


@gelu.jvp
def gelu_dy(x, dx, i, size):
    return gelu_slope(x[i], size) * dx[i]


@gelu.vjp("x")
def gelu_gx(x, g, i, size):
    return gelu_slope(x[i], size) * g[i]


silu = Op("silu", "x[I] -> y[I]", source="Elfwing, Uchibe and Doya (2017), arXiv:1702.03118")


def silu_slope(t):
    return logistic(t) + t * logistic(t) * (1 - logistic(t))


@silu.forward
def silu_y(x, i):
    return x[i] * logistic(x[i])


@silu.jvp
def silu_dy(x, dx, i):
    return silu_slope(x[i]) * dx[i]


@silu.vjp("x")
def silu_gx(x, g, i):
    return silu_slope(x[i]) * g[i]


leaky_relu = Op("leaky_relu", "x[I] -> y[I]", reals="negative_slope", kinks={"x[i] = 0": 0})  # negative_slope at 0


@leaky_relu.forward
def leaky_relu_y(x, negative_slope, i):
    return where(x[i] > 0, x[i], negative_slope * x[i])


@leaky_relu.jvp
def leaky_relu_dy(x, dx, negative_slope, i):
    return where(x[i] > 0, dx[i], negative_slope * dx[i])


@leaky_relu.vjp("x")
def leaky_relu_gx(x, g, negative_slope, i):
    return where(x[i] > 0, g[i], negative_slope * g[i])


elu = Op("elu", "x[I] -> y[I]", reals="alpha", kinks={"x[i] = 0": 0},  # slope alpha at 0
         source="Clevert, Unterthiner and Hochreiter (2015), arXiv:1511.07289")


@elu.forward
def elu_y(x, alpha, i):
    return where(x[i] > 0, x[i], alpha * (function("exp", x[i]) - 1))


@elu.jvp
def elu_dy(x, dx, alpha, i):
    return where(x[i] > 0, dx[i], alpha * function("exp", x[i]) * dx[i])


@elu.vjp("x")
def elu_gx(x, g, alpha, i):
    return where(x[i] > 0, g[i], alpha * function("exp", x[i]) * g[i])


# slope 0 at both bounds
hardtanh = Op("hardtanh", "x[I] -> y[I]", reals="min_val max_val", domain=lambda size: [size.min_val <= size.max_val],
              kinks={"x[i] = min_val": 1, "x[i] = max_val": 1}, kink_domain=lambda size: [size.min_val < size.max_val])


@hardtanh.forward
def hardtanh_y(x, min_val, max_val, i):
    return where(x[i] < min_val, min_val, where(x[i] > max_val, max_val, x[i]))


@hardtanh.jvp
def hardtanh_dy(x, dx, min_val, max_val, i):
    return indicator(x[i] > min_val, x[i] < max_val) * dx[i]


@hardtanh.vjp("x")
def hardtanh_gx(x, g, min_val, max_val, i):
    return indicator(x[i] > min_val, x[i] < max_val) * g[i]


sin = Op("sin", "x[I] -> y[I]")


@sin.forward
def sin_y(x, i):
    return function("sin", x[i])


@sin.jvp
def sin_dy(x, dx, i):
    return function("cos", x[i]) * dx[i]


@sin.vjp("x")
def sin_gx(x, g, i):
    return function("cos", x[i]) * g[i]


cos = Op("cos", "x[I] -> y[I]")


@cos.forward
def cos_y(x, i):
    return function("cos", x[i])


@cos.jvp
def cos_dy(x, dx, i):
    return -function("sin", x[i]) * dx[i]


@cos.vjp("x")
def cos_gx(x, g, i):
    return -function("sin", x[i]) * g[i]


REAL = "real exponent"
EXPONENTS = {f"exponent {n}": n for n in range(-3, 6)}


def has_power(value, size):
    """x > 0 for a real exponent, x != 0 for a negative integer."""
    n = EXPONENTS.get(size.case.label)
    return positive(value) if n is None else nonzero(value) if n < 0 else TRUE


pow_ = Op("pow", dict.fromkeys((REAL, *EXPONENTS), "x[I] -> y[I]"), reals="exponent", elements={"x": has_power})


def power(t, size):
    n = EXPONENTS.get(size.case.label)
    return function("exp", size.exponent * function("log", t)) if n is None else t ** n


def power_slope(t, size):
    n = EXPONENTS.get(size.case.label)
    return size.exponent * power(t, size) / t if n is None else n * t ** (n - 1) if n else ZERO


@pow_.forward
def pow_y(x, i, size):
    return power(x[i], size)


@pow_.jvp
def pow_dy(x, dx, i, size):
    return power_slope(x[i], size) * dx[i]


@pow_.vjp("x")
def pow_gx(x, g, i, size):
    return power_slope(x[i], size) * g[i]


where_ = Op("where", "condition:bool[I] a[I] b[I] -> y[I]")


@where_.forward
def where_y(condition, a, b, i):
    return where(condition[i], a[i], b[i])


@where_.jvp
def where_dy(condition, da, db, i):
    return where(condition[i], da[i], db[i])


@where_.vjp("a")
def where_ga(condition, g, i):
    return where(condition[i], g[i], 0)


@where_.vjp("b")
def where_gb(condition, g, i):
    return where(condition[i], 0, g[i])


for op in (add, sub, mul, neg, exp, maximum, relu, div, square, scale, reciprocal, minimum, abs_, sqrt, log, sigmoid,
           tanh, softplus, safe_log, clamp, clamp_min, clamp_max, detach, gelu, silu, leaky_relu, elu, hardtanh, sin,
           cos, pow_, where_):
    op.register()
