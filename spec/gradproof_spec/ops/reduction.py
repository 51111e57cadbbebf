"""Reductions over any axes: I counts the positions that are kept, N those that are reduced."""
from ..op import Op
from ..terms import TRUE, Sum, equal, indicator

reduce_sum = Op("reduce_sum", "x[I,N] -> y[I]")


@reduce_sum.forward
def reduce_sum_y(x, i, size):
    return Sum(x[i, n] for n in size.N)


@reduce_sum.jvp
def reduce_sum_dy(dx, i, size):
    return reduce_sum_y(dx, i, size)


@reduce_sum.vjp("x")
def reduce_sum_gx(g, i):
    return g[i]


reduce_mean = Op("reduce_mean", "x[I,N] -> y[I]", domain=lambda size: [size.N >= 1])


@reduce_mean.forward
def reduce_mean_y(x, i, size):
    return Sum(x[i, n] for n in size.N) / size.N


@reduce_mean.jvp
def reduce_mean_dy(dx, i, size):
    return reduce_mean_y(dx, i, size)


@reduce_mean.vjp("x")
def reduce_mean_gx(g, i, size):
    return g[i] / size.N


var = Op("var", "x[I,N] -> y[I]", attributes="correction",
         domain=lambda size: [size.N >= 1, size.N - size.correction >= 1])


def deviation(x, i, n, size):
    return x[i, n] - reduce_mean_y(x, i, size)


@var.forward
def var_y(x, i, size):
    return Sum(deviation(x, i, n, size) ** 2 for n in size.N) / (size.N - size.correction)


@var.jvp
def var_dy(x, dx, i, size):
    return 2 * Sum(deviation(x, i, n, size) * dx[i, n] for n in size.N) / (size.N - size.correction)


@var.vjp("x")
def var_gx(x, g, i, n, size):
    return 2 * deviation(x, i, n, size) * g[i] / (size.N - size.correction)


max_axis = Op("max_axis", "x[I,N] -> y[I]", domain=lambda size: [size.N >= 1], ties="shared")


@max_axis.first_argmax("winner", "n", exists=lambda i: [[0]])
def largest(x, i, n):
    return TRUE, x[i, n]


def best(x, winner, i, n):
    """1 where x[i, n] is as good as the winner."""
    return indicator(equal(x[i, n], x[i, winner(i)]))


def number_of_best(x, winner, i, size):
    return Sum(best(x, winner, i, n) for n in size.N)


@max_axis.forward
def max_axis_y(x, winner, i):
    return x[i, winner(i)]


@max_axis.jvp
def max_axis_dy(x, winner, dx, i, size):
    return Sum(best(x, winner, i, n) * dx[i, n] for n in size.N) / number_of_best(x, winner, i, size)


@max_axis.vjp("x")
def max_axis_gx(x, winner, g, i, n, size):
    return best(x, winner, i, n) * g[i] / number_of_best(x, winner, i, size)


min_axis = Op("min_axis", "x[I,N] -> y[I]", domain=lambda size: [size.N >= 1], ties="shared")


@min_axis.first_argmax("winner", "n", exists=lambda i: [[0]])
def smallest(x, i, n):
    return TRUE, -x[i, n]


@min_axis.forward
def min_axis_y(x, winner, i):
    return x[i, winner(i)]


@min_axis.jvp
def min_axis_dy(x, winner, dx, i, size):
    return max_axis_dy(x, winner, dx, i, size)


@min_axis.vjp("x")
def min_axis_gx(x, winner, g, i, n, size):
    return max_axis_gx(x, winner, g, i, n, size)


cumsum = Op("cumsum", "x[B,N,A] -> y[B,N,A]")  # B positions before the axis, A after it


@cumsum.forward
def cumsum_y(x, b, n, a, size):
    return Sum(indicator(m <= n) * x[b, m, a] for m in size.N)


@cumsum.jvp
def cumsum_dy(dx, b, n, a, size):
    return cumsum_y(dx, b, n, a, size)


@cumsum.vjp("x")
def cumsum_gx(g, b, n, a, size):
    return Sum(indicator(m >= n) * g[b, m, a] for m in size.N)


for op in (reduce_sum, reduce_mean, var, max_axis, min_axis, cumsum):
    op.register()
