"""Formulas as text and LaTeX: whole lines, and every rule of every op."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import pytest

from gradproof_spec import ops  # noqa: F401  registers every op
from gradproof_spec.op import OPS, Case
from gradproof_spec.printing import to_latex, to_text
from gradproof_spec.report.describe import describe
from gradproof_spec.terms import (
    Scalar,
    Sum,
    Tensor,
    apply,
    equal,
    function,
    in_range,
    indicator,
    reciprocal,
    scalar_sum,
    to_scalar,
    variable,
    where,
)


def rules(case: Case) -> dict[str, Scalar]:
    case = replace(case, named_extents=True)
    o = case.indices("g")
    return {
        "forward": case.forward(o),
        "jvp": case.jvp(o),
        **{f"vjp {x}": case.vjp(x, case.indices(x)) for x in case.differentiable},
    }


TEXTS = {
    ("matmul", "forward"): "Σ_{k<K} a[n,k]·b[k,m]",
    ("matmul", "jvp"): "Σ_{k<K} da[n,k]·b[k,m] + Σ_{k<K} a[n,k]·db[k,m]",
    ("relu", "forward"): "(x[i] if 0 < x[i] else 0)",
    ("relu", "vjp x"): "[0 < x[i]]·g[i]",
    ("neg", "forward"): "-x[i]",
    ("sub", "forward"): "a[i] - b[i]",
    ("maximum", "vjp a"): "([b[i] < a[i]] + 1/2·[a[i] = b[i]])·g[i]",
    ("softmax", "forward"): "exp(x[b,n,a])/(Σ_{n'<N} exp(x[b,n',a]))",
    ("reduce_mean", "forward"): "(Σ_{n<N} x[i,n])/N",
    ("mse_loss", "vjp yhat"): "2·(yhat[i] - target[i])·g/I",
    ("gather_rows", "forward"): "[0 ≤ indices[k] < R]·x[indices[k],c]",
    ("gather_rows", "vjp x"): "Σ_{k<K} [indices[k] = r]·g[k,c]",
    ("max_pool", "forward"): "x[n,stride_h·p + dilation_h·winner.u[n,0,p,q] - padding_h,"
    "stride_w·q + dilation_w·winner.v[n,0,p,q] - padding_w]",
    ("reshape", "vjp x"): "g",
    ("conv", "vjp bias"): "Σ_{n<N, p<P, q<Q} g[n,j,f,p,q]",
    ("conv", "vjp x"): "Σ_{f<F, p<P, q<Q, u<U, v<V} [stride_h·p + dilation_h·u - padding_h = h and "
    "stride_w·q + dilation_w·v - padding_w = w]·g[n,j,f,p,q]·weight[j,f,c,u,v]",
}


def first_case(op: str) -> Case:
    """Of convolutions and pools that with two spatial axes."""
    return next((c for c in OPS[op].cases if c.label == "2 spatial axes"), OPS[op].cases[0])


@pytest.mark.parametrize(("op", "rule"), TEXTS, ids=["-".join(k).replace(" ", "-") for k in TEXTS])
def test_text_of_a_rule(op, rule):
    assert to_text(rules(first_case(op))[rule]) == TEXTS[op, rule]


LATEX = {
    ("matmul", "forward"): r"\sum_{k<K} a_{n,k}\,b_{k,m}",
    (
        "softmax",
        "forward",
    ): r"\frac{\exp\left(x_{b,n,a}\right)}{\left(\sum_{\mathit{n'}<N} \exp\left(x_{b,\mathit{n'},a}\right)\right)}",
    ("relu", "forward"): r"\begin{cases}x_{i} & 0 < x_{i}\\0 & \text{else}\end{cases}",
    ("linear", "vjp bias"): r"g_{o}",
}


@pytest.mark.parametrize(("op", "rule"), LATEX, ids=["-".join(k).replace(" ", "-") for k in LATEX])
def test_latex_of_a_rule(op, rule):
    assert to_latex(rules(OPS[op].cases[0])[rule]) == LATEX[op, rule]


def balanced(text: str, opening: str, closing: str) -> bool:
    depth = 0
    for c in text:
        depth += (c == opening) - (c == closing)
        if depth < 0:
            return False
    return depth == 0


@pytest.mark.parametrize("name", OPS)
def test_every_rule_prints(name):
    """No internal name shows, brackets close, every \\left has its \\right."""
    for case in OPS[name].cases:
        for what, rule in rules(case).items():
            text, latex = to_text(rule), to_latex(rule)
            for shown in (text, latex):
                assert "#" not in shown, f"{case.id} {what}"
                assert shown == shown.strip() != ""
            assert all(balanced(text, *pair) for pair in ("()", "[]", "{}")), text
            assert balanced(latex, "{", "}"), latex
            assert latex.count(r"\left") == latex.count(r"\right")
            assert latex.count(r"\begin{cases}") == latex.count(r"\end{cases}")


# ---------------------------------------------------------------- what `gradproof show` says of extents
def test_a_computed_extent_is_shown_by_its_name():
    """An axis that the form lacks has extent 1, and no 1 of a formula is its name."""
    conv, pool = describe(OPS["conv"]), describe(OPS["avg_pool"])
    assert conv["signature"] == "x[N,J,C,H,W] weight[J,F,C,U,V] bias[J,F] -> y[N,J,F,P,Q]"
    assert conv["where"] == [
        "P = (H + 2·padding_h - dilation_h·(U - 1) - 1) // stride_h + 1",
        "Q = (W + 2·padding_w - dilation_w·(V - 1) - 1) // stride_w + 1",
    ]
    assert "[0 ≤ stride_h·p + dilation_h·u - padding_h < H and " in conv["formulas"]["forward"]["text"]
    assert [line.split(" = ")[0] for line in pool["where"]] == ["U", "V", "P", "Q"]
    assert pool["formulas"]["vjp"]["x"]["text"].startswith("gx[n,h,w] = Σ_{u<U, v<V, p<P, q<Q} ")
    assert pool["formulas"]["vjp"]["x"]["text"].endswith("/(U·V)")


@pytest.mark.parametrize("name", [n for n, op in OPS.items() if op.extents])
def test_no_constant_is_shown_as_an_extent(name):
    facts = describe(OPS[name])
    computed = [line.split(" = ") for line in facts["where"] if line.split(" = ")[0] in OPS[name].extents]
    assert computed
    assert not any(value.isdecimal() for _, value in computed)
    shown = " ".join(f["text"] for f in (facts["formulas"]["forward"], *facts["formulas"]["vjp"].values()))
    shown += facts["formulas"]["jvp"]["text"]
    assert not {e for e in OPS[name].extents if re.search(rf"\b{e}\b", shown)} - {e for e, _ in computed}


# ---------------------------------------------------------------- what parentheses must keep apart
X, Y = Tensor("x"), Tensor("y")
i, j, k = variable("i"), variable("j"), variable("k#9000")
PRINTED = {
    "(x[i] + y[i])·x[j]": (X[i] + Y[i]) * X[j],
    "x[i] + y[i]·x[j]": X[i] + Y[i] * X[j],
    "x[i] - (y[i] + x[j])": X[i] - (Y[i] + X[j]),
    "x[i] - y[i] + x[j]": X[i] - Y[i] + X[j],
    "x[i]/(y[i] + 1)": X[i] / (Y[i] + 1),
    "x[i]/(y[i]·x[j])": X[i] / (Y[i] * X[j]),
    "1/x[i]": reciprocal(X[i]),
    "(Σ_{k<j} x[k])·y[i]": scalar_sum("k#9000", j, X[k]) * Y[i],
    "Σ_{k<j} (x[k] + y[i])": scalar_sum("k#9000", j, X[k] + Y[i]),
    "-(x[i] + y[i])": -(X[i] + Y[i]),
    "-x[i]": -X[i],
    "x[i]·(-2)": X[i] * -2,
    "x[i] - 1/2": X[i] - Fraction(1, 2),
    "sqrt(x[i])": function("sqrt", X[i]),
    "[i = j]": indicator(equal(i, j)),
    "[i ≠ j]": indicator(~equal(i, j)),
    "[0 ≤ i < j]": indicator(in_range(i, j)),
    "[x[i] ≤ y[i]]": indicator(~(X[i] > Y[i])),
    "[(i = j or i = 0) and i < j]": indicator((equal(i, j) | equal(i, 0)) & (i < j)),
    "x[(i + 1)·j]": X[(i + 1) * j],
    "x[(i + 1) // 2,i mod 2]": X[(i + 1) // 2, i % 2],
    "x[-i]": X[-i],
    "(x[i] if x[i] < y[i] else 0)": where(X[i] < Y[i], X[i], 0),
    "x[f[i,j]]": X[apply("f", i, j)],
    "i·j": to_scalar(i * j),
}


@pytest.mark.parametrize("text", PRINTED)
def test_parentheses(text):
    assert to_text(PRINTED[text]) == text


def test_nested_sums_over_the_same_letter_are_told_apart():
    """A bound name never shows the same letter as a free one or as one around it."""
    inner = scalar_sum("k#9001", j, X[variable("k#9001"), k])
    assert to_text(scalar_sum("k#9000", j, Y[k] * inner)) == "Σ_{k<j} y[k]·(Σ_{k'<j} x[k',k])"
    assert to_text(X[variable("k")] * scalar_sum("k#9000", j, Y[k])) == "x[k]·(Σ_{k'<j} y[k'])"
    assert (
        to_text(scalar_sum("k#9000", j, Y[k]) * scalar_sum("k#9001", j, X[variable("k#9001"), 0]))
        == "(Σ_{k<j} y[k])·(Σ_{k<j} x[k,0])"
    )


def test_an_extent_cannot_be_iterated_elsewhere():
    with pytest.raises(TypeError, match="inside Sum"):
        list(OPS["matmul"].cases[0].size().K)
    assert to_text(Sum(X[n] for n in OPS["matmul"].cases[0].size().N)) == "Σ_{n<N} x[n]"
