"""Reductions over any axes: I counts the positions that are kept, N those that are reduced."""
from ..op import Op
from ..terms import Sum

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


for op in (reduce_sum, reduce_mean):
    op.register()
