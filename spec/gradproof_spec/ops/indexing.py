"""Reading by runtime indices: an index outside the axis reads 0 and gets no gradient; repeats accumulate."""
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


gather_rows.register()
