"""Planted wrong rules: at least three per op, each with the kind of obligation that must refute it.

A check that cannot fail proves nothing, so every kind is shown faults that it must catch. Numbers in comments are those
of the table of known wrong rules in docs/known_wrong_rules.md.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

from . import any_shape
from .obligations import Obligation, Outcome, Verdict
from .op import OPS, Op
from .ops.convolution import correlation, padded
from .ops.normalization import mean, standardized
from .ops.pooling import position
from .ops.softmax import probability
from .ops.structural import read_by, start
from .terms import Condition, Sum, equal, function, in_range, indicator, where

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Planted:
    """A wrong rule. `rules` replaces forward, jvp or the VJP of an input; `fields` replaces fields of the op."""

    op: str
    name: str
    kind: str
    rules: dict[str, Callable[..., Any]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    def wrong_op(self) -> Op:
        wrong = copy.copy(OPS[self.op])
        wrong.vjps = dict(wrong.vjps)
        for name, rule in self.rules.items():
            if name == "forward":
                wrong.forward_rule = rule
            elif name == "jvp":
                wrong.jvp_rule = rule
            else:
                wrong.vjps[name] = rule
        for name, value in self.fields.items():
            setattr(wrong, name, value)
        return wrong


PLANTED: list[Planted] = []


def plant(op: str, name: str, kind: str, fields: dict[str, Any] | None = None, **rules: Callable[..., Any]) -> None:
    PLANTED.append(Planted(op, name, kind, rules, fields or {}))


# ---------------------------------------------------------------- pointwise
plant("add", "gb-negated", "adjoint", b=lambda g, i: -g[i])
plant("add", "jvp-forgets-b", "derivative", jvp=lambda da, db, i: da[i])
plant(
    "add",
    "both-doubled",
    "derivative",
    jvp=lambda da, db, i: 2 * (da[i] + db[i]),
    a=lambda g, i: 2 * g[i],
    b=lambda g, i: 2 * g[i],
)
plant("add", "reads-next-element", "bounds", a=lambda g, i: g[i + 1])
plant("sub", "gb-not-negated", "adjoint", b=lambda g, i: g[i])
plant("sub", "jvp-is-that-of-add", "derivative", jvp=lambda da, db, i: da[i] + db[i])
plant("sub", "ga-zero", "adjoint", a=lambda g, i: 0 * g[i])
plant("mul", "ga-uses-a", "adjoint", a=lambda a, g, i: g[i] * a[i])
plant("mul", "jvp-one-term", "derivative", jvp=lambda a, b, da, db, i: da[i] * b[i])
plant("mul", "both-without-b", "derivative", jvp=lambda a, b, da, db, i: da[i] + a[i] * db[i], a=lambda g, i: g[i])
plant("neg", "sign-forgotten-in-vjp", "adjoint", x=lambda g, i: g[i])
plant("neg", "sign-forgotten-in-both", "derivative", x=lambda g, i: g[i], jvp=lambda dx, i: dx[i])
plant("neg", "shifted", "bounds", x=lambda g, i: -g[i - 1])
plant("exp", "vjp-without-factor", "adjoint", x=lambda g, i: g[i])
plant("exp", "both-use-x", "derivative", x=lambda x, g, i: x[i] * g[i], jvp=lambda x, dx, i: x[i] * dx[i])
plant("exp", "jvp-reciprocal", "derivative", jvp=lambda x, dx, i: dx[i] / function("exp", x[i]))
plant(
    "relu",
    "slope-1-at-0-in-both",
    "kink",
    x=lambda x, g, i: indicator(x[i] >= 0) * g[i],
    jvp=lambda x, dx, i: indicator(x[i] >= 0) * dx[i],
)
plant("relu", "slope-1-at-0-in-vjp", "adjoint", x=lambda x, g, i: indicator(x[i] >= 0) * g[i])
plant("relu", "guard-forgotten", "derivative", x=lambda g, i: g[i], jvp=lambda dx, i: dx[i])
plant("relu", "kink-undeclared", "kink", fields={"kinks": {}})
plant(
    "maximum",
    "tie-to-one-side-in-vjp",
    "adjoint",  # 7
    a=lambda a, b, g, i: indicator(a[i] >= b[i]) * g[i],
    b=lambda a, b, g, i: indicator(b[i] > a[i]) * g[i],
)
plant(
    "maximum",
    "tie-to-one-side-in-all",
    "kink",
    a=lambda a, b, g, i: indicator(a[i] >= b[i]) * g[i],
    b=lambda a, b, g, i: indicator(b[i] > a[i]) * g[i],
    jvp=lambda a, b, da, db, i: indicator(a[i] >= b[i]) * da[i] + indicator(b[i] > a[i]) * db[i],
)
plant("maximum", "tie-to-both", "adjoint", a=lambda a, b, g, i: indicator(a[i] >= b[i]) * g[i])
plant("maximum", "is-minimum", "derivative", forward=lambda a, b, i: where(a[i] > b[i], b[i], a[i]))
# a smooth join is no kink, so its tie is not excluded: the wrong slope exactly at the join is refuted
plant(
    "relu",
    "smooth-join-not-excluded",
    "derivative",
    fields={"kinks": {}},
    forward=lambda x, i: where(x[i] > 0, x[i] * x[i], 0),
    jvp=lambda x, dx, i: where(x[i] > 0, 2 * x[i] * dx[i], indicator(equal(x[i], 0)) * dx[i]),
)

# ---------------------------------------------------------------- reductions, linear algebra
plant("reduce_sum", "vjp-divides", "adjoint", x=lambda g, i, size: g[i] / (size.N + 1))
plant(
    "reduce_sum",
    "jvp-skips-last",
    "derivative",
    jvp=lambda dx, i, size: Sum(indicator(n + 1 < size.N) * dx[i, n] for n in size.N),
)
plant("reduce_sum", "vjp-reads-n", "bounds", x=lambda g, n: g[n])
plant("reduce_mean", "vjp-without-division", "adjoint", x=lambda g, i: g[i])
plant("reduce_mean", "divides-by-the-kept", "adjoint", x=lambda g, i, size: g[i] / (size.I + 1))
plant("reduce_mean", "empty-axis-allowed", "bounds", fields={"domain": None})
plant(
    "matmul",
    "not-transposed",
    "bounds",
    a=lambda b, g, batch, n, k, size: Sum(g[batch, n, m] * b[batch, m, k] for m in size.M),
)
plant(
    "matmul",
    "wrong-extent",
    "bounds",
    a=lambda b, g, batch, n, k, size: Sum(g[batch, n, m] * b[batch, k, m] for m in size.N),
)
plant(
    "matmul", "sign", "adjoint", b=lambda a, g, batch, k, m, size: -Sum(a[batch, n, k] * g[batch, n, m] for n in size.N)
)
plant(
    "matmul",
    "skips-last-row",
    "adjoint",
    b=lambda a, g, batch, k, m, size: Sum(indicator(n + 1 < size.N) * a[batch, n, k] * g[batch, n, m] for n in size.N),
)
plant(
    "matmul",
    "jvp-one-term",
    "derivative",
    jvp=lambda da, b, db, batch, n, m, size: Sum(da[batch, n, k] * b[batch, k, m] for k in size.K),
)
plant(
    "linear",
    "bias-forgotten-in-jvp",
    "derivative",
    jvp=lambda x, weight, dx, dweight, dbias, batch, o, size: Sum(
        dx[batch, i] * weight[o, i] + x[batch, i] * dweight[o, i] for i in size.I
    ),
)
plant("linear", "gbias-doubled", "adjoint", bias=lambda g, o, size: 2 * Sum(g[batch, o] for batch in size.batch))
plant(
    "linear",
    "gweight-transposed",
    "bounds",
    weight=lambda x, g, o, i, size: Sum(g[batch, i] * x[batch, o] for batch in size.batch),
)

# ---------------------------------------------------------------- moving elements
plant(
    "reshape",
    "vjp-reads-its-own-index",
    "bounds",
    x=lambda g, source, index, case: g[tuple(index[:1]) * len(case.output.axes)],
)
plant("reshape", "vjp-halved", "adjoint", x=lambda g, target, index: HALF * g[target(index)])
plant("reshape", "jvp-zero", "derivative", jvp=lambda dx, source, index: 0 * dx[source(index)])
plant(
    "broadcast_to",
    "vjp-not-summed-but-averaged",
    "adjoint",
    x=lambda g, case, index, size: Sum(read_by(case, index, o, size) * g[o] for o in size.axes("y")) * HALF,
)
plant(
    "broadcast_to",
    "jvp-drops-size-1-axes",
    "derivative",
    jvp=lambda dx, case, index, size: Sum(
        indicator(*(equal(a, index[len(index) - len(i) + k]) for k, a in enumerate(i))) * dx[i] for i in size.axes("x")
    ),
)
plant(
    "broadcast_to", "vjp-sums-everything", "adjoint", x=lambda g, case, index, size: Sum(g[o] for o in size.axes("y"))
)
plant(
    "concat",
    "offset-forgotten",
    "adjoint",
    xs=lambda g, which, index, size: indicator(in_range(index[1], size.N)) * g[index],
)
plant(
    "concat",
    "offset-off-by-one",
    "bounds",
    xs=lambda g, which, index, size: g[index[0], start(size, which) + index[1] + 1, index[2]],
)
plant(
    "concat",
    "jvp-only-first",
    "derivative",
    jvp=lambda dxs, b, n, a, size: indicator(in_range(n, size.N0)) * dxs[0][b, n, a] * HALF,
)
plant("gather_rows", "jvp-zero", "derivative", jvp=lambda dx, indices, k, c, size: 0 * dx[0, c])  # 2
plant("gather_rows", "jvp-zero-adjoint", "adjoint", jvp=lambda dx, indices, k, c, size: 0 * dx[0, c])  # 2
plant(
    "gather_rows",
    "repeats-dropped",
    "adjoint",  # 13: only the first row that reads r keeps its cotangent
    x=lambda indices, g, r, c, size: Sum(
        indicator(equal(indices[k], r)) * g[k, c] / (1 + Sum(indicator(equal(indices[j], r), j < k) for j in size.K))
        for k in size.K
    ),
)
plant("gather_rows", "no-bounds-guard", "bounds", forward=lambda x, indices, k, c, size: x[indices[k], c])
plant(
    "gather_rows",
    "clipped-instead-of-zero",
    "derivative",
    forward=lambda x, indices, k, c, size: (
        indicator(in_range(indices[k], size.R)) * x[indices[k], c] + indicator(indices[k] < 0, size.R >= 1) * x[0, c]
    ),
)

# ---------------------------------------------------------------- softmax family
plant(
    "softmax",
    "vjp-without-the-sum",
    "adjoint",
    x=lambda x, g, b, n, a, size: probability(x, b, n, a, size) * g[b, n, a],
)  # 15
plant(
    "softmax",
    "sum-without-probability",
    "adjoint",
    x=lambda x, g, b, n, a, size: probability(x, b, n, a, size) * (g[b, n, a] - Sum(g[b, m, a] for m in size.N)),
)
plant(
    "softmax",
    "both-without-the-sum",
    "derivative",
    x=lambda x, g, b, n, a, size: probability(x, b, n, a, size) * g[b, n, a],
    jvp=lambda x, dx, b, n, a, size: probability(x, b, n, a, size) * dx[b, n, a],
)
plant(
    "softmax",
    "over-the-wrong-axis",
    "derivative",
    forward=lambda x, b, n, a, size: function("exp", x[b, n, a]) / Sum(function("exp", x[b, n, c]) for c in size.A),
)


def log_softmax_vjp_as_jvp(x: Any, dx: Any, b: Any, n: Any, a: Any, size: Any) -> Any:
    return dx[b, n, a] - probability(x, b, n, a, size) * Sum(dx[b, m, a] for m in size.N)


plant("log_softmax", "vjp-formula-as-jvp", "derivative", jvp=log_softmax_vjp_as_jvp)  # 1
plant("log_softmax", "vjp-formula-as-jvp-adjoint", "adjoint", jvp=log_softmax_vjp_as_jvp)  # 1
plant(
    "log_softmax",
    "softmax-vjp",
    "adjoint",
    x=lambda x, g, b, n, a, size: g[b, n, a] - Sum(probability(x, b, m, a, size) * g[b, m, a] for m in size.N),
)
plant("log_softmax", "without-the-sum", "adjoint", x=lambda x, g, b, n, a: g[b, n, a])

# ---------------------------------------------------------------- convolution and pooling
plant(
    "conv",
    "padding-sign-flipped",
    "adjoint",
    x=lambda weight, g, batch, c, h, w, size: Sum(  # 14
        indicator(equal(h, size.stride_h * p + u + size.padding_h), equal(w, size.stride_w * q + v - size.padding_w))
        * g[batch, f, p, q]
        * weight[f, c, u, v]
        for f in size.F
        for p in size.P
        for q in size.Q
        for u in size.U
        for v in size.V
    ),
)
plant(
    "conv",
    "kernel-flipped",
    "adjoint",
    x=lambda weight, g, batch, c, h, w, size: Sum(
        indicator(equal(h, size.stride_h * p + u - size.padding_h), equal(w, size.stride_w * q + v - size.padding_w))
        * g[batch, f, p, q]
        * weight[f, c, size.U - 1 - u, v]
        for f in size.F
        for p in size.P
        for q in size.Q
        for u in size.U
        for v in size.V
    ),
)
plant(
    "conv",
    "stride-forgotten-in-gweight",
    "adjoint",
    weight=lambda x, g, f, c, u, v, size: Sum(
        padded(x, batch, c, p + u - size.padding_h, q + v - size.padding_w, size) * g[batch, f, p, q]
        for batch in size.batch
        for p in size.P
        for q in size.Q
    ),
)
plant(
    "conv",
    "padding-read-instead-of-zero",
    "bounds",
    forward=lambda x, weight, bias, batch, f, p, q, size: (
        Sum(
            x[batch, c, size.stride_h * p + u - size.padding_h, size.stride_w * q + v - size.padding_w]
            * weight[f, c, u, v]
            for c in size.C
            for u in size.U
            for v in size.V
        )
        + bias[f]
    ),
)
plant(
    "conv",
    "jvp-forgets-weight",
    "derivative",
    jvp=lambda x, weight, dx, dweight, dbias, batch, f, p, q, size: (
        correlation(dx, weight, batch, f, p, q, size) + dbias[f]
    ),
)


def conv_domain_with_stride_zero(size: Any) -> list[Condition]:
    return [
        *(size.U >= 1, size.V >= 1, size.stride_h >= 0, size.stride_w >= 0, size.padding_h >= 0, size.padding_w >= 0),
        *(size.U <= size.H + 2 * size.padding_h, size.V <= size.W + 2 * size.padding_w),
    ]


plant("conv", "stride-0-allowed", "bounds", fields={"domain": conv_domain_with_stride_zero})  # 4
plant(
    "max_pool",
    "every-tied-cell",
    "adjoint",
    x=lambda x, g, batch, h, w, size: Sum(  # 8
        indicator(equal(size.stride_h * p + u - size.padding_h, h), equal(size.stride_w * q + v - size.padding_w, w))
        * g[batch, p, q]
        for p in size.P
        for q in size.Q
        for u in size.U
        for v in size.V
    ),
)
plant(
    "max_pool",
    "to-the-window-start",
    "adjoint",
    x=lambda g, batch, h, w, size: Sum(
        indicator(*(equal(s, t) for s, t in zip(position(p, q, 0, 0, size), (h, w), strict=True))) * g[batch, p, q]
        for p in size.P
        for q in size.Q
    ),
)
plant(
    "max_pool",
    "padding-as-wide-as-the-window",
    "bounds",
    fields={
        "domain": lambda size: [
            size.U >= 1,
            size.V >= 1,
            size.stride_h >= 1,
            size.stride_w >= 1,
            size.H >= 1,
            size.W >= 1,
            size.padding_h >= 0,
            size.padding_w >= 0,
            size.U <= size.H + 2 * size.padding_h,
            size.V <= size.W + 2 * size.padding_w,
        ]
    },
)
plant(
    "max_pool",
    "jvp-of-the-first-cell",
    "derivative",
    jvp=lambda dx, winner, batch, p, q, size: (
        indicator(*(in_range(i, n) for i, n in zip(position(p, q, 0, 0, size), (size.H, size.W), strict=True)))
        * dx[batch, position(p, q, 0, 0, size)]
    ),
)

# ---------------------------------------------------------------- normalization and losses
plant(
    "layer_norm",
    "without-mean-of-g-xhat",
    "adjoint",
    x=lambda x, gamma, g, eps, batch, d, size: (  # 10
        standardized(x, eps, batch, size)[1] * (g[batch, d] * gamma[d] - mean(lambda e: g[batch, e] * gamma[e], size))
    ),
)
plant(
    "layer_norm",
    "without-mean-of-g",
    "adjoint",
    x=lambda x, gamma, g, eps, batch, d, size: (
        standardized(x, eps, batch, size)[1]
        * (
            g[batch, d] * gamma[d]
            - standardized(x, eps, batch, size)[0](d)
            * mean(lambda e: standardized(x, eps, batch, size)[0](e) * g[batch, e] * gamma[e], size)
        )
    ),
)
plant(
    "layer_norm",
    "variance-as-constant",
    "derivative",
    jvp=lambda x, gamma, dx, dgamma, dbeta, eps, batch, d, size: (
        standardized(x, eps, batch, size)[1] * (dx[batch, d] - mean(lambda e: dx[batch, e], size)) * gamma[d]
        + standardized(x, eps, batch, size)[0](d) * dgamma[d]
        + dbeta[d]
    ),
)
plant(
    "layer_norm",
    "eps-forgotten",
    "bounds",
    forward=lambda x, batch, d, size: (
        x[batch, d] / function("sqrt", mean(lambda e: (x[batch, e] - mean(lambda c: x[batch, c], size)) ** 2, size))
    ),
)
plant(
    "layer_norm",
    "gbeta-scaled",
    "adjoint",
    beta=lambda gamma, g, d, size: Sum(g[batch, d] * gamma[d] for batch in size.batch),
)
plant(
    "mse_loss", "without-the-2", "adjoint", yhat=lambda yhat, target, g, i, size: (yhat[i] - target[i]) * g[()] / size.I
)
plant(
    "mse_loss",
    "target-sign",
    "adjoint",
    target=lambda yhat, target, g, i, size: 2 * (yhat[i] - target[i]) * g[()] / size.I,
)
plant(
    "mse_loss",
    "without-the-2-in-all",
    "derivative",
    jvp=lambda yhat, target, dyhat, dtarget, size: (
        Sum((yhat[i] - target[i]) * (dyhat[i] - dtarget[i]) for i in size.I) / size.I
    ),
    yhat=lambda yhat, target, g, i, size: (yhat[i] - target[i]) * g[()] / size.I,
    target=lambda yhat, target, g, i, size: (target[i] - yhat[i]) * g[()] / size.I,
)
plant("mse_loss", "empty-allowed", "bounds", fields={"domain": None})


def check_planted(planted: Planted) -> Outcome:
    """CAUGHT if the named kind refutes it (for a malformed kink or domain: rejects it for the stated reason)."""
    outcome = any_shape.check(planted.kind, planted.wrong_op())
    if outcome.verdict in (Verdict.REFUTED, Verdict.VACUOUS):
        return Outcome(
            Verdict.CAUGHT,
            outcome.message.splitlines()[2].strip(),
            {"by": planted.kind, "verdict": str(outcome.verdict)},
        )
    return Outcome(
        Verdict.MISSED,
        f"MISSED  refutes[{planted.op}-{planted.name}]\n\n  {planted.kind} says {outcome.verdict}\n\n{outcome.message}",
    )


def obligations() -> Iterator[Obligation]:
    for planted in PLANTED:
        yield Obligation(
            "refutes",
            planted.op,
            planted.name,
            f"this wrong rule is refuted by {planted.kind}",
            "a planted fault",
            partial(check_planted, planted),
        )
