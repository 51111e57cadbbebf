"""Pointwise ops. I counts the positions of an array of any rank: the rule is the same at each."""
from fractions import Fraction

from ..op import Op
from ..terms import equal, function, indicator, where

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


for op in (add, sub, mul, neg, exp, maximum, relu):
    op.register()
