"""Identities between ops, for all shapes and all reals. Each is one function from a case to both sides."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from .any_shape import Proof
from .evaluate import DivisionByZero, Environment, Intervals, OutOfBounds, Undecided
from .normal_form import to_term
from .obligations import Obligation, Outcome, Verdict
from .op import OPS, Case, Op
from .refute import attribute_values, cells, differ, drawn, element, extents, in_domain, number, shapes, spread
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


# ---------------------------------------------------------------- proving and refuting
SHAPES, POINTS = 12, 2


class LawEnvironment(Environment):
    """Also reads tensors that the law brings along: they have an element wherever it asks for one."""

    def _access(self, name: str, indices: list[int]) -> Any:
        own = {t.name for t in self.case.inputs} | {"d" + t.name for t in self.case.inputs} | {"g", *self.case.op.reals}
        return super()._access(name, indices) if name in own else self.tensors[name](*indices)


class Drawn(dict[str, Any]):
    """Any tensor by name: an element is drawn when it is first read."""

    def __init__(self, case: Case, sizes: dict[str, int], rng: random.Random) -> None:
        super().__init__()
        self.case, self.sizes, self.rng = case, sizes, rng
        self.attributes = attribute_values(case, sizes, rng)
        self.elements: dict[tuple[Any, ...], Fraction] = {}
        self.integers: dict[tuple[Any, ...], int] = {}

    def __missing__(self, name: str) -> Any:
        def read(*i: int) -> Fraction:
            if name in self.case.op.reals:
                return self.attributes[name][()]
            if (name, i) not in self.elements:
                self.elements[name, i] = drawn(self.case, name, self.sizes, self.rng, self.attributes)
            return self.elements[name, i]

        return read

    def integer(self, name: str, *i: int) -> int:
        return self.integers.setdefault((name, i), self.rng.randint(-1, 3))


def counterexample(law: Law, case: Case) -> str | None:
    """Small integers at which the two sides differ, in words."""
    rng = random.Random(f"{law.op} {law.name}")
    index = case.indices("g")
    left, right = law.sides(case, index)
    conditions = tuple(law.where(case.size()))
    found = [s for s in shapes(case) if in_domain(case, s, conditions)]
    for sizes in spread(found, SHAPES):
        for _ in range(POINTS):
            values = Drawn(case, sizes, rng)
            integers = {t.name: partial(values.integer, t.name) for t in case.inputs if t.integer}
            for o in cells(extents(case, "g", sizes)):
                here = dict(sizes) | dict(zip(case.index_names("g"), o, strict=True))
                try:
                    a, b = (LawEnvironment(case, dict(here), values, integers, Intervals()).scalar(t)
                            for t in (left, right))
                except (DivisionByZero, Undecided):
                    continue
                except OutOfBounds as e:
                    return f"at {here} a side reads outside its tensor: {e}"
                if differ(a, b):
                    given = [f"{element(n, i)} = {v}" for (n, i), v in (values.elements | values.integers).items() if v]
                    given += [f"{n} = {v[()]}" for n, v in values.attributes.items()]
                    sides = f"the left side is {number(a)}, the right side {number(b)}"
                    return f"at {here} {sides}, with {', '.join(given)}; the rest is 0"
    return None


def prove(law: Law, op: Op | None = None) -> Outcome:
    """Both sides have the same normal form for every case of the op (or of a wrong one in its place)."""
    label = f"law[{law.op}-{law.name}]"
    cases = []
    for case in (op or OPS[law.op]).cases:
        proof = Proof(case)
        index = case.indices("g")
        hypotheses = proof.at_output() + tuple(law.where(case.size()))
        left, right = law.sides(case, index)
        if proof.solver.satisfiable(hypotheses) is not True:
            return Outcome(Verdict.VACUOUS, f"VACUOUS  {label}\n\n  the hypotheses are not known to be satisfiable")
        if not proof.rewriter.equal_terms(left, right, hypotheses):
            residual = str(to_term(proof.rewriter.residual))
            if found := counterexample(law, case):
                return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {law.claim}\n  {found}")
            text = f"UNKNOWN  {label}\n\n  {law.claim}\n  left     {residual}"
            return Outcome(Verdict.UNKNOWN, text, {"residual": residual})
        cases.append(case.id or "only")
    return Outcome(Verdict.PROVED, data={"cases": cases})


def obligations() -> Iterator[Obligation]:
    for item in LAWS:
        yield Obligation(
            "law", item.op, item.name, item.claim, f"{OPS[item.op].over()}; all reals", partial(prove, item)
        )
