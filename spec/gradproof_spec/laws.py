"""Identities between ops, for all shapes and all reals. Each is one function from a case to both sides."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

from .law import Computed, Sides, forward_of, law
from .op import OPS, Case
from .ops.convolution import TAPS, extents, parameters
from .ops.loss import reduced
from .terms import (
    Condition,
    Extent,
    Index,
    IndexTensor,
    Sum,
    Tensor,
    equal,
    function,
    indicator,
    to_index,
    to_scalar,
)


@law("sub", "is-add-of-neg", "sub(a, b) = add(a, neg(b))")
def sub_is_add_of_neg(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    minus_b = Computed(lambda j: forward_of("neg", case, Tensor("b"), j))
    return case.forward(index), forward_of("add", case, Tensor("a"), minus_b, i)


@law("relu", "is-maximum-with-0", "relu(x) = maximum(x, 0)")
def relu_is_maximum(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    return case.forward(index), forward_of("maximum", case, Tensor("x"), Computed(lambda j: to_scalar(0)), i)


@law("maximum", "is-relu-of-difference", "maximum(a, b) = b + relu(a - b)")
def maximum_is_relu(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    a, b = Tensor("a"), Tensor("b")
    return case.forward(index), b[i] + forward_of("relu", case, Computed(lambda j: a[j] - b[j]), i)


@law("reduce_mean", "is-sum-over-size", "reduce_mean(x) = reduce_sum(x) / N")
def mean_is_sum_over_size(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    return case.forward(index), forward_of("reduce_sum", case, Tensor("x"), i, case.size()) / case.size().N


@law("mse_loss", "is-mean-of-squares", "mse_loss(yhat, target) = reduce_mean(mul(d, d)), d = sub(yhat, target)")
def mse_is_mean_of_squares(case: Case, index: tuple[Index, ...]) -> Sides:
    d = Computed(lambda i: forward_of("sub", case, Tensor("yhat"), Tensor("target"), i))
    return case.forward(index), reduced(lambda i: forward_of("mul", case, d, d, i), index, case.size())


@law("linear", "is-matmul-plus-bias", "linear(x, weight, bias) = matmul(x, weight transposed) + bias")
def linear_is_matmul(case: Case, index: tuple[Index, ...]) -> Sides:
    x, weight, o = Tensor("x"), Tensor("weight"), index[-1]
    product = Sum(x[(*index[:-1], k)] * Computed(lambda i, j: weight[j, i])[k, o] for k in case.size().I)
    return case.forward(index), product + Tensor("bias")[o]


@law("softmax", "is-exp-of-log-softmax", "softmax(x) = exp(log_softmax(x))")
def softmax_is_exp_of_log_softmax(case: Case, index: tuple[Index, ...]) -> Sides:
    return case.forward(index), function("exp", forward_of("log_softmax", case, Tensor("x"), *index, case.size()))


@law("softmax", "sums-to-1", "the sum of softmax(x) over the axis is 1")
def softmax_sums_to_one(case: Case, index: tuple[Index, ...]) -> Sides:
    b, _, a = index
    return Sum(case.forward((b, m, a)) for m in case.size().N), to_scalar(1)


@law("softmax", "shift", "softmax(x + t) = softmax(x), t constant along the axis")
def softmax_shift(case: Case, index: tuple[Index, ...]) -> Sides:
    x, t = Tensor("x"), Tensor("t")
    shifted = Computed(lambda b, n, a: x[b, n, a] + t[b, a])
    return case.forward(index), forward_of("softmax", case, shifted, *index, case.size())


@law("layer_norm", "shift", "layer_norm(x + t) = layer_norm(x), t constant along the axis")
def layer_norm_shift(case: Case, index: tuple[Index, ...]) -> Sides:
    x, t, batch, d = Tensor("x"), Tensor("t"), index[:-1], index[-1]
    shifted = Computed(lambda *i: x[i[0], i[1]] + t[i[0]] if isinstance(i[0], tuple) else x[i] + t[i[:-1]])
    eps = Tensor("eps")[()]
    return case.forward(index), forward_of(
        "layer_norm", case, shifted, Tensor("gamma"), Tensor("beta"), eps, batch, d, case.size()
    )


def kernel_of_one(size: Any) -> list[Condition]:
    """One tap per axis, stride 1, no padding."""
    return [
        condition
        for kernel, stride, padding, _ in parameters(size)
        for condition in (equal(kernel, 1), equal(stride, 1), equal(padding, 0))
    ]


@law("max_pool", "kernel-1-is-identity", "max_pool(x, kernel=1, stride=1, padding=0) = x", where=kernel_of_one)
def max_pool_identity(case: Case, index: tuple[Index, ...]) -> Sides:
    return case.forward(index), Tensor("x")[index]


@law("conv", "kernel-1-is-matmul", "conv with one tap, stride 1, no padding is a matmul of channels", kernel_of_one)
def conv_one_tap(case: Case, index: tuple[Index, ...]) -> Sides:
    x, weight, (n, j, f, *p) = Tensor("x"), Tensor("weight"), index
    tap = (0,) * len(p)
    product = Sum(weight[j, f, c, tap] * x[n, j, c, tuple(p)] for c in case.size().C)
    return case.forward(index), product + Tensor("bias")[j, f]


@law("reshape", "back-is-identity", "reshape(reshape(x, shape), shape of x) = x")
def reshape_back(case: Case, index: tuple[Index, ...]) -> Sides:
    there = Computed(lambda *i: case.vjp("x", i))  # g[target(i)]: reading the other way round
    y = case.forward(index)  # x[source(o)]
    return there[tuple(y.args[1:])], Tensor("g")[index]


@law(
    "gather_rows",
    "of-arange-is-identity",
    "gather_rows(x, [0, 1, ..., R-1]) = x",
    where=lambda size: [equal(size.K, size.R)],
)
def gather_identity(case: Case, index: tuple[Index, ...]) -> Sides:
    k, c = index

    class Arange(Tensor):
        def __getitem__(self, i: Any) -> Any:
            return i

    return forward_of("gather_rows", case, Tensor("x"), Arange("arange"), k, c, case.size()), Tensor("x")[k, c]


# ---------------------------------------------------------------- pointwise
@law("minimum", "is-neg-maximum-of-neg", "minimum(a, b) = -maximum(-a, -b)")
def minimum_is_neg_maximum(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    a, b = (Computed(lambda j, t=t: -Tensor(t)[j]) for t in "ab")
    return case.forward(index), -forward_of("maximum", case, a, b, i)


@law("abs", "is-maximum-of-both-signs", "abs(x) = maximum(x, -x)")
def abs_is_maximum(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    return case.forward(index), forward_of("maximum", case, Tensor("x"), Computed(lambda j: -Tensor("x")[j]), i)


@law("square", "is-mul", "square(x) = mul(x, x)")
def square_is_mul(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    return case.forward(index), forward_of("mul", case, Tensor("x"), Tensor("x"), i)


@law("div", "is-mul-by-reciprocal", "div(a, b) = mul(a, reciprocal(b))")
def div_is_mul_by_reciprocal(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    inverse = Computed(lambda j: forward_of("reciprocal", case, Tensor("b"), j))
    return case.forward(index), forward_of("mul", case, Tensor("a"), inverse, i)


@law("sqrt", "squared-is-identity", "square(sqrt(x)) = x for x > 0")
def sqrt_squared(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    return case.forward(index) * case.forward(index), Tensor("x")[i]


@law("log", "inverts-exp", "log(exp(x)) = x")
def log_inverts_exp(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    exp_x = Computed(lambda j: forward_of("exp", case, Tensor("x"), j))
    return forward_of("log", case, exp_x, i), Tensor("x")[i]


@law("softplus", "is-log-of-1-plus-exp", "softplus(x) - softplus(-x) = x")
def softplus_odd_part(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    mirrored = Computed(lambda j: -Tensor("x")[j])
    return case.forward(index) - forward_of("softplus", case, mirrored, i), Tensor("x")[i]


@law("sigmoid", "mirrored", "sigmoid(-x) = 1 - sigmoid(x)")
def sigmoid_mirrored(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    return forward_of("sigmoid", case, Computed(lambda j: -Tensor("x")[j]), i), 1 - case.forward(index)


@law("silu", "is-x-times-sigmoid", "silu(x) = mul(x, sigmoid(x))")
def silu_is_x_times_sigmoid(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,) = index
    return case.forward(index), Tensor("x")[i] * forward_of("sigmoid", case, Tensor("x"), i)


# ---------------------------------------------------------------- reductions and the softmax family
@law("var", "is-mean-of-squares-minus-square-of-mean", "var(x) (n - correction) = sum(x²) - n mean(x)²")
def var_by_moments(case: Case, index: tuple[Index, ...]) -> Sides:
    (i,), size, x = index, case.size(), Tensor("x")
    mean = Sum(x[i, n] for n in size.N) / size.N
    return (
        case.forward(index),
        (Sum(x[i, n] * x[i, n] for n in size.N) - size.N * mean * mean) / (size.N - size.correction),
    )


@law("cumsum", "last-is-sum", "the last of cumsum(x) along the axis is the sum", where=lambda size: [size.N >= 1])
def cumsum_last(case: Case, index: tuple[Index, ...]) -> Sides:
    (b, _, a), size = index, case.size()
    return case.forward((b, size.N - 1, a)), Sum(Tensor("x")[b, n, a] for n in size.N)


@law("log_softmax", "is-x-minus-logsumexp", "log_softmax(x) = x - logsumexp(x)")
def log_softmax_is_x_minus_logsumexp(case: Case, index: tuple[Index, ...]) -> Sides:
    b, n, a = index
    along = Computed(lambda i, m: Tensor("x")[b, m, a])
    return case.forward(index), Tensor("x")[b, n, a] - forward_of("logsumexp", case, along, b, case.size())


# ---------------------------------------------------------------- moving elements, indexing
@law("transpose", "back-is-identity", "transpose by some axes, then by the inverse permutation, is the identity")
def transpose_back(case: Case, index: tuple[Index, ...]) -> Sides:
    moved = case.forward(index).args[1:]  # y[index] is x[moved], and the VJP reads the other way round
    return case.vjp("x", moved), Tensor("g")[index]


@law(
    "broadcast_to",
    "is-right-aligned",
    "broadcast_to(x, shape)[..., i] = x[i] where the last extents of shape are those of x",
    where=lambda size: [
        equal(getattr(size, a), getattr(size, a.replace("I", "O"))) for a in size.case.inputs[0].axes
    ],
)
def broadcast_right(case: Case, index: tuple[Index, ...]) -> Sides:
    return case.forward(index), Tensor("x")[index[len(index) - len(case.inputs[0].axes) :]]


@law("flip", "twice-is-identity", "flip(flip(x)) = x")
def flip_twice(case: Case, index: tuple[Index, ...]) -> Sides:
    turned = case.forward(index).args[1:]
    return case.forward(turned), Tensor("x")[index]


@law("gather_rows", "and-scatter-add-are-adjoint", "the VJP of gather_rows is scatter_add(0, g, indices)", at="x")
def gather_vjp_is_scatter(case: Case, index: tuple[Index, ...]) -> Sides:
    r, c = index
    zeros = Computed(lambda *i: to_scalar(0))
    scattered = forward_of("scatter_add", case, zeros, Tensor("g"), IndexTensor("indices"), r, c, case.size())
    return case.vjp("x", (r, c)), scattered


@law("scatter_add", "and-gather-are-adjoint", "the VJP of scatter_add for v is gather_rows(g, indices)", at="v")
def scatter_vjp_is_gather(case: Case, index: tuple[Index, ...]) -> Sides:
    k, c = index
    return case.vjp("v", (k, c)), forward_of(
        "gather_rows", case, Tensor("g"), IndexTensor("indices"), k, c, case.size()
    )


@law("gather_rows", "is-matmul-with-permutation-matrix", "gather_rows(x, i) = matmul(P, x), P[k, r] = [i[k] = r]")
def gather_is_matmul(case: Case, index: tuple[Index, ...]) -> Sides:
    (k, c), size = index, case.size()
    indices, x = IndexTensor("indices"), Tensor("x")
    return case.forward(index), Sum(indicator(equal(indices[k], r)) * x[r, c] for r in size.R)


# ---------------------------------------------------------------- convolutions and pools
class Renamed:
    """The extents of a case under the names that another op has for them; a number is an extent of its own."""

    def __init__(self, case: Case, **names: str | int) -> None:
        self.case, self.names = case, names

    def __getattr__(self, name: str) -> Any:
        other = self.names.get(name, name)
        return Extent(name, to_index(other)) if isinstance(other, int) else getattr(self.case.size(), other)


@law("conv_transpose", "is-the-adjoint-of-conv", "conv_transpose without bias is the VJP of conv for its input")
def conv_transpose_is_adjoint(case: Case, index: tuple[Index, ...]) -> Sides:
    without_bias = case.forward(index) - Tensor("bias")[index[1:3]]
    conv_gx = OPS["conv"].vjps["x"](Tensor("weight"), Tensor("x"), index, Renamed(case, F="C"))
    return without_bias, to_scalar(conv_gx)


@law(
    "avg_pool",
    "is-a-conv",
    "avg_pool (count_include_pad=True) is a conv of each channel with weights 1 / size of the window",
    forms=("1 spatial axis", "2 spatial axes", "3 spatial axes"),
)
def avg_pool_is_conv(case: Case, index: tuple[Index, ...]) -> Sides:
    n, *p = index
    x = Computed(lambda n, j, c, h: Tensor("x")[n, h])
    weight = Computed(lambda *i: to_scalar(1) / prod(extents(case.size(), TAPS)))
    bias = Computed(lambda *i: to_scalar(0))
    return case.forward(index), forward_of("conv", case, x, weight, bias, (n, 0, 0, *p), Renamed(case, C=1))


@law("layer_norm", "scaled", "layer_norm(c x + t, eps=c² eps) = layer_norm(x, eps=eps), c > 0, t constant on the axis")
def layer_norm_scaled(case: Case, index: tuple[Index, ...]) -> Sides:
    x, t, batch, d = Tensor("x"), Tensor("t"), index[:-1], index[-1]
    c = function("exp", Tensor("log_c")[()])  # every c > 0 is one
    scaled = Computed(lambda *i: c * x[i] + t[i[0] if isinstance(i[0], tuple) else i[:-1]])
    eps = Tensor("eps")[()]
    gamma, beta, size = Tensor("gamma"), Tensor("beta"), case.size()
    return case.forward(index), forward_of("layer_norm", case, scaled, gamma, beta, c * c * eps, batch, d, size)


@law("batch_norm", "is-batch-norm-eval-at-its-statistics", "batch_norm(x) = batch_norm_eval(x, mean and variance of x)")
def batch_norm_is_eval(case: Case, index: tuple[Index, ...]) -> Sides:
    x, size = Tensor("x"), case.size()
    mean = Computed(lambda c: Sum(x[c, d] for d in size.D) / size.D)
    var = Computed(lambda c: Sum((x[c, d] - mean[c]) ** 2 for d in size.D) / size.D)
    rest = Tensor("gamma"), Tensor("beta"), mean, var, Tensor("eps")[()]
    return case.forward(index), forward_of("batch_norm_eval", case, x, *rest, *index)


@law("cross_entropy", "is-nll-of-log-softmax", "cross_entropy(logits, labels) = nll_loss(log_softmax(logits), labels)")
def cross_entropy_is_nll(case: Case, index: tuple[Index, ...]) -> Sides:
    rows = Computed(lambda b, n, a: Tensor("logits")[b, n])
    log_p = Computed(lambda i, c: forward_of("log_softmax", case, rows, i, c, 0, Renamed(case, N="C")))
    return case.forward(index), forward_of("nll_loss", case, log_p, IndexTensor("labels"), index, case.size())


# ---------------------------------------------------------------- attention
@law(
    "scaled_dot_product_attention",
    "is-its-composition",
    "attention(q, k, v) = matmul(softmax(scale q kᵀ), v)",
    forms=("without mask",),
)
def attention_is_composition(case: Case, index: tuple[Index, ...]) -> Sides:
    (b, n, f), size = index, case.size()
    q, k, v = map(Tensor, "qkv")
    scores = Computed(lambda b, m, n: size.scale * Sum(q[b, n, e] * k[b, m, e] for e in size.E))
    weights = Computed(lambda m: forward_of("softmax", case, scores, b, m, n, Renamed(case, N="M")))
    return case.forward(index), Sum(weights[m] * v[b, m, f] for m in size.M)


@law(
    "multi_head_attention",
    "is-its-composition",
    "multi_head_attention(x, wq, wk, wv, wo) = Σ_h attention(x wq[:, h], x wk[:, h], x wv[:, h]) wo[h]",
)
def heads_are_composition(case: Case, index: tuple[Index, ...]) -> Sides:
    (b, n, d), size = index, case.size()

    def projected(w: Tensor, h: Index, b: Index, n: Index, e: Index) -> Any:
        return Sum(Tensor("x")[b, n, j] * w[j, h, e] for j in size.D)

    def head(h: Index, e: Index) -> Any:
        q, k, v = (Computed(partial(projected, Tensor(w), h)) for w in ("wq", "wk", "wv"))
        keys = Renamed(case, M="N", F="E")
        return forward_of("scaled_dot_product_attention", case, case, q, k, v, b, n, e, size.scale, keys)

    return case.forward(index), Sum(head(h, e) * Tensor("wo")[h, e, d] for h in size.H for e in size.E)
