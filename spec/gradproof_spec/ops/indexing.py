"""Runtime indices: one outside the axis reads 0, or adds nothing, and gets no gradient; repeats accumulate."""
from ..op import Op
from ..terms import Sum, equal, in_range, indicator

gather_rows = Op("gather_rows", "x[R,C] indices:int[K] -> y[K,C]")


@gather_rows.forward
def gather_rows_y(x, indices, k, c, size):
    return indicator(in_range(indices[k], size.R)) * x[indices[k], c]


@gather_rows.jvp
def gather_rows_dy(dx, indices, k, c, size):
    return gather_rows_y(dx, indices, k, c, size)


@gather_rows.vjp("x")
def gather_rows_gx(indices, g, r, c, size):
    return Sum(indicator(equal(indices[k], r)) * g[k, c] for k in size.K)


# The axes after the first count as one, C.
scatter_add = Op("scatter_add", "x[R,C] v[K,C] indices:int[K] -> y[R,C]")


@scatter_add.forward
def scatter_add_y(x, v, indices, r, c, size):
    return x[r, c] + Sum(indicator(equal(indices[k], r)) * v[k, c] for k in size.K)


@scatter_add.jvp
def scatter_add_dy(dx, dv, indices, r, c, size):
    return scatter_add_y(dx, dv, indices, r, c, size)


@scatter_add.vjp("x")
def scatter_add_gx(g, r, c):
    return g[r, c]


@scatter_add.vjp("v")
def scatter_add_gv(indices, g, k, c, size):
    return indicator(in_range(indices[k], size.R)) * g[indices[k], c]


for op in (gather_rows, scatter_add):
    op.register()
