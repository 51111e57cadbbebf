"""Identities between ops, for all shapes and all reals. Each is one function from a case to both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .any_shape import Proof
from .obligations import Obligation, Outcome, Verdict
from .op import OPS, Case
from .terms import Condition, Index, Scalar, Sum, Tensor, equal, function, to_scalar

Sides = tuple[Scalar, Scalar]


@dataclass(frozen=True)
class Law:
    """op: whose case gives extents, indices and domain. `where`: further hypotheses on its extents and attributes."""

    op: str
    name: str
    claim: str
    sides: Callable[[Case, tuple[Index, ...]], Sides]
    where: Callable[[Any], Sequence[Condition]]


LAWS: list[Law] = []


def law(
    op: str, name: str, claim: str, where: Callable[[Any], Sequence[Condition]] = lambda size: ()
) -> Callable[[Any], Any]:
    def register(sides: Callable[[Case, tuple[Index, ...]], Sides]) -> Callable[[Case, tuple[Index, ...]], Sides]:
        LAWS.append(Law(op, name, claim, sides, where))
        return sides

    return register


class Computed(Tensor):
    """A tensor given by a formula: `Computed(lambda i: x[i] + 1)[j]`."""

    def __init__(self, element: Callable[..., Scalar]) -> None:
        self.element = element

    def __getitem__(self, indices: Any) -> Scalar:
        return to_scalar(self.element(*indices) if isinstance(indices, tuple) else self.element(indices))


def forward_of(op: str, case: Case, *arguments: Any) -> Scalar:
    """Another op's forward rule, called with positional arguments as it is written."""
    rule = OPS[op].forward_rule
    assert rule is not None
    return to_scalar(rule(*arguments))


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
    return case.forward(index), Sum(forward_of("mul", case, d, d, i) for i in case.size().I) / case.size().I


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


@law(
    "max_pool",
    "kernel-1-is-identity",
    "max_pool(x, kernel=1, stride=1, padding=0) = x",
    where=lambda size: (
        [equal(getattr(size, n), 1) for n in ("U", "V", "stride_h", "stride_w")]
        + [equal(size.padding_h, 0), equal(size.padding_w, 0)]
    ),
)
def max_pool_identity(case: Case, index: tuple[Index, ...]) -> Sides:
    return case.forward(index), Tensor("x")[index]


@law(
    "conv",
    "kernel-1-is-matmul",
    "conv with a 1 x 1 kernel, stride 1 and no padding is a matmul over channels",
    where=lambda size: (
        [equal(getattr(size, n), 1) for n in ("U", "V", "stride_h", "stride_w")]
        + [equal(size.padding_h, 0), equal(size.padding_w, 0)]
    ),
)
def conv_one_by_one(case: Case, index: tuple[Index, ...]) -> Sides:
    x, weight, *batch, f, p, q = Tensor("x"), Tensor("weight"), *index
    return case.forward(index), Sum(weight[f, c, 0, 0] * x[(*batch, c, p, q)] for c in case.size().C) + Tensor("bias")[
        f
    ]


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


def prove(law: Law) -> Outcome:
    """Both sides have the same normal form for every case of the op."""
    label = f"law[{law.op}-{law.name}]"
    cases = []
    for case in OPS[law.op].cases:
        proof = Proof(case)
        index = case.indices("g")
        hypotheses = proof.at_output() + tuple(law.where(case.size()))
        left, right = law.sides(case, index)
        if proof.solver.satisfiable(hypotheses) is not True:
            return Outcome(Verdict.VACUOUS, f"VACUOUS  {label}\n\n  the hypotheses are not known to be satisfiable")
        if not proof.rewriter.equal_terms(left, right, hypotheses):
            return Outcome(
                Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  {law.claim}\n  left over: {proof.rewriter.residual}"
            )
        cases.append(case.id or "only")
    return Outcome(Verdict.PROVED, data={"cases": cases})


def obligations() -> Iterator[Obligation]:
    for item in LAWS:
        yield Obligation(
            "law", item.op, item.name, item.claim, f"{OPS[item.op].over()}; all reals", partial(prove, item)
        )
