"""Matrix products."""
from ..op import Op
from ..terms import Sum

linear = Op("linear", "x[...,I] weight[O,I] bias[O] -> y[...,O]")


@linear.forward
def linear_y(x, weight, bias, batch, o, size):
    return Sum(x[batch, i] * weight[o, i] for i in size.I) + bias[o]


@linear.jvp
def linear_dy(x, weight, dx, dweight, dbias, batch, o, size):
    return Sum(dx[batch, i] * weight[o, i] + x[batch, i] * dweight[o, i] for i in size.I) + dbias[o]


@linear.vjp("x")
def linear_gx(weight, g, batch, i, size):
    return Sum(g[batch, o] * weight[o, i] for o in size.O)


@linear.vjp("weight")
def linear_gweight(x, g, o, i, size):
    return Sum(g[batch, o] * x[batch, i] for batch in size.batch)


@linear.vjp("bias")
def linear_gbias(g, o, size):
    return Sum(g[batch, o] for batch in size.batch)


matmul = Op("matmul", "a[...,N,K] b[...,K,M] -> c[...,N,M]")


@matmul.forward
def matmul_c(a, b, batch, n, m, size):
    return Sum(a[batch, n, k] * b[batch, k, m] for k in size.K)


@matmul.jvp
def matmul_dc(a, b, da, db, batch, n, m, size):
    return matmul_c(da, b, batch, n, m, size) + matmul_c(a, db, batch, n, m, size)


@matmul.vjp("a")
def matmul_ga(b, g, batch, n, k, size):
    return Sum(g[batch, n, m] * b[batch, k, m] for m in size.M)


@matmul.vjp("b")
def matmul_gb(a, g, batch, k, m, size):
    return Sum(a[batch, n, k] * g[batch, n, m] for n in size.N)


for op in (linear, matmul):
    op.register()
