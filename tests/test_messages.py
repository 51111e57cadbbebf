"""The failing message as users see it, whole; and the script that repeats the counterexample with NumPy alone."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gradproof_spec import (
    any_shape,
    ops,  # noqa: F401  registers every op
)
from gradproof_spec.obligations import Outcome, Verdict
from gradproof_spec.op import OPS
from gradproof_spec.ops.convolution import TAPS, WINDOWS, hits, over, parameters
from gradproof_spec.terms import Sum, equal, indicator


# ---------------------------------------------------------------- three faults
def conv_gx_padding_sign(weight, g, index, size):
    n, j, c, *h = index

    def hit(p, u):
        at = (s * i + d * k + pad for i, k, (_, s, pad, d) in zip(p, u, parameters(size), strict=True))
        return indicator(*map(equal, h, at))

    return Sum(
        hit(p, u) * g[n, j, f, p] * weight[j, f, c, u]
        for f in size.F
        for p in over(size, WINDOWS)
        for u in over(size, TAPS)
    )


def relu_dy_slope_1_at_0(x, dx, i):
    return indicator(x[i] >= 0) * dx[i]


def relu_gx_slope_1_at_0(x, g, i):
    return indicator(x[i] >= 0) * g[i]


def gather_rows_y_without_guard(x, indices, k, c):
    return x[indices[k], c]


def outcome_of(kind: str, op: str, **rules: Callable[..., Any]) -> Outcome:
    wrong = copy.copy(OPS[op])
    wrong.vjps = {**wrong.vjps, **{n: r for n, r in rules.items() if n not in ("forward", "jvp")}}
    wrong.forward_rule, wrong.jvp_rule = rules.get("forward", wrong.forward_rule), rules.get("jvp", wrong.jvp_rule)
    return any_shape.check(kind, wrong)


def place(rule: Callable[..., Any]) -> str:
    """file:line  name, read off the text of this file."""
    lines = Path(__file__).read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.startswith(f"def {rule.__name__}("))
    return f"{__file__}:{number}  {rule.__name__}"


CONV = f"""REFUTED  adjoint[conv]

  gx[0,0,0,0] is 0 but must be 1.

  claim    <jvp(dx, dweight, dbias), g> = <dx, vjp_x(g)> + <dweight, vjp_weight(g)> + <dbias, vjp_bias(g)>    \
for all shapes and all reals
  rule     {place(conv_gx_padding_sign)}
             gx[n,j,c,w] = Σ_{{f<F, q<Q, v<V}} [w = stride_w·q + dilation_w·v + padding_w]·g[n,j,f,q]·weight[j,f,c,v]
  at       N=1 J=1 C=1 W=1 F=1 V=1 stride_w=1 padding_w=1 dilation_w=1 -> Q=3

  counterexample (smallest found; entries not shown are 0)
    dx[0,0,0,0] = 1      weight[0,0,0,0] = 1      g[0,0,0,1] = 1
    left side  = 1
    right side = 0

  replayed on the runtime in float64: gradproof.conv gives gx[0,0,0,0] = 1.0. The spec rule is the odd one out.

  again    pytest "proofs/test_adjoint.py::test_adjoint[conv]"
  alone    python proofs/report/adjoint/conv.py       (NumPy only, no solver)"""

RELU = f"""REFUTED  kink[relu]

  dy[0] is 1 but must be 0.

  claim    at a kink, met alone, the JVP is the declared mixture of the one-sided derivatives, a Clarke subgradient    \
for all shapes and all reals
  rule     {place(relu_dy_slope_1_at_0)}
             dy[i] = [0 ≤ x[i]]·dx[i]
  at       I=1

  counterexample (smallest found; entries not shown are 0)
    dx[0] = 1
    left side  = 0
    right side = 1

  replayed on the runtime in float64: gradproof.relu gives dy[0] = 0.0. The spec rule is the odd one out.

  again    pytest "proofs/test_kink.py::test_kink[relu]"
  alone    python proofs/report/kink/relu.py       (NumPy only, no solver)"""

GATHER = f"""REFUTED  bounds[gather_rows]

  The forward reads outside its tensor: x[1, 0] of shape [0, 1].

  claim    accesses inside their tensors; extents >= 0; divisors, log and sqrt in their domain; rules linear; \
hypotheses satisfiable    for all shapes and all reals
  rule     {place(gather_rows_y_without_guard)}
             y[k,c] = x[indices[k],c]
  at       R=0 C=1 K=1

  counterexample (smallest found; entries not shown are 0)
    indices[0] = 1

  again    pytest "proofs/test_bounds.py::test_bounds[gather_rows]\""""

FAULTS: dict[str, tuple[str, Callable[[], Outcome]]] = {
    "conv": (CONV, lambda: outcome_of("adjoint", "conv", x=conv_gx_padding_sign)),
    "relu": (RELU, lambda: outcome_of("kink", "relu", x=relu_gx_slope_1_at_0, jvp=relu_dy_slope_1_at_0)),
    "gather_rows": (GATHER, lambda: outcome_of("bounds", "gather_rows", forward=gather_rows_y_without_guard)),
}


@cache
def fault(name: str) -> Outcome:
    return FAULTS[name][1]()


@pytest.mark.parametrize("name", FAULTS)
def test_the_whole_message(name):
    expected, _ = FAULTS[name]
    outcome = fault(name)
    assert outcome.verdict == Verdict.REFUTED
    assert outcome.message == expected


@pytest.mark.parametrize("name", FAULTS)
def test_the_message_is_made_for_reading(name):
    """What is wrong comes first; nothing of our prover shows; no trailing space."""
    message = fault(name).message
    assert message.splitlines()[2].startswith("  ")
    for internal in ("Traceback", "#", "Fraction(", "Interval", "Flat(", "normal form"):
        assert internal not in message
    assert [line for line in message.splitlines() if line != line.rstrip()] == []


# ---------------------------------------------------------------- the script
def run_alone(script: str, directory: Path) -> dict[str, float]:
    """What the script prints, in a Python that cannot import anything of ours, z3 or sympy."""
    path = directory / "counterexample.py"
    path.write_text(script)
    blocker = directory / "sitecustomize.py"
    blocker.write_text(
        "import sys\nfor n in ('gradproof', 'gradproof_spec', 'z3', 'sympy', 'mpmath'):\n    sys.modules[n] = None\n"
    )
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": str(directory)},
    )
    return {name: float(value) for name, value in (line.split(": ") for line in done.stdout.splitlines())}


def test_the_script_shows_the_difference(tmp_path):
    """The adjoint counterexample: both sides from the formulas, and they differ as the message says."""
    script = fault("conv").replay
    assert [line for line in script.splitlines() if line.startswith(("import", "from"))] == ["import numpy as np"]
    printed = run_alone(script, tmp_path)
    assert (printed["jvp"], printed["vjp"]) == (1.0, 0.0)


def test_the_script_of_a_selection(tmp_path):
    """max_pool with the VJP of every tied cell: the winner is computed in the script."""

    def every_tied_cell(g, index, size):
        n, *h = index
        return Sum(hits(h, p, u, size) * g[n, p] for p in over(size, WINDOWS) for u in over(size, TAPS))

    outcome = outcome_of("adjoint", "max_pool", x=every_tied_cell)
    printed = run_alone(outcome.replay, tmp_path)
    assert outcome.verdict == Verdict.REFUTED
    assert printed["jvp"] != printed["vjp"]


def test_the_script_of_a_function(tmp_path):
    """Irrational values: softmax without the sum; floats show what intervals proved."""

    def without_the_sum(x, g, b, n, a, size):
        return OPS["softmax"].forward_rule(x, b, n, a, size) * g[b, n, a]

    outcome = outcome_of("adjoint", "softmax", x=without_the_sum)
    printed = run_alone(outcome.replay, tmp_path)
    assert abs(printed["jvp"] - printed["vjp"]) > 1e-3


def test_a_fault_of_evaluation_has_no_script():
    """An access outside its tensor has no two sides to compare."""
    outcome = fault("gather_rows")
    assert outcome.replay == ""
    assert "alone" not in outcome.message
