"""TRUSTED. The proof: every entry of the gradient equals the derivative for all reals in the domain, off the ties at
which the forward is not differentiable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np

from ..obligations import Verdict
from ..solver import Solver
from ..symbolic.comparison import Comparison, Different, is_zero
from ..terms import ONE, ZERO, Condition, Scalar, Term, access, equal, replace, subterms
from .evaluation import Pair, Point, elements
from .on_symbols import Checked, plain, terms_of
from .points import Arrays, tied_values
from .programs import expanded
from .question import told
from .reference import gradient, postorder, weighted
from .result import Result
from .ties import Kind, Tie, compound_conditions, interior, is_smooth, pairs_of

MOST_SPLITS = 120  # per entry


def proved(checked: Checked) -> Result:
    """Every entry equal for all reals in the domain, off the ties at which the forward is not differentiable."""
    question = checked.question
    linear = frozenset(n for n in checked.symbols if n not in question.floats and n not in question.universal())
    open_entries = [
        (name, i, array[i], want[i])
        for (name, array), want in zip(checked.got, checked.want, strict=True)
        for i in np.ndindex(*array.shape)
    ]
    if checked.jumping and question.way == "jvp":
        text = f"at {checked.jumping[0]} the forward has a value of its own, and a tangent there is not judged"
        return told(question, Verdict.UNKNOWN, text, checked)
    pinched = [c for c in compound_conditions(checked.outputs) if is_pinched(checked, c)]
    if pinched:
        text = f"the forward takes a branch only where {pinched[0]}, which is not shown to be more than single points"
        return told(question, Verdict.UNKNOWN, text, checked)
    failures = compared(checked, open_entries, [], linear)
    missing = needed(checked, [])
    ties: list[Tie] = []
    if failures or missing:
        ties = ties_of(checked)
        failures = compared(checked, [entry for entry, _ in failures], ties, linear)
    kinks = [tie for tie in ties if tie.kind is Kind.KINK]
    undecided = [tie for tie in ties if tie.kind is Kind.UNDECIDED]
    if not failures and undecided and compared(checked, open_entries, kinks, linear):
        text = f"it is proved off {', '.join(map(str, undecided))} only, and not decided at that tie"
        return told(question, Verdict.UNKNOWN, text, checked)
    if failures:
        (name, i, *_), reason = failures[0]
        text = f"{name}{list(i) if i else ''} is not shown to be the derivative: {reason}"
        return told(question, Verdict.UNKNOWN, text, checked)
    fat = [tie for tie in (*checked.jumping, *kinks) if not is_thin(checked, tie.pair)]
    if fat:
        text = f"{fat[0]} may hold in a whole region, where nothing is shown"
        return told(question, Verdict.UNKNOWN, text, checked)
    left = [*checked.hypotheses, *checked.jumps, *(tie.off for tie in kinks)]
    if len(left) > len(checked.hypotheses) and checked.solver.satisfiable(left) is False:
        return told(question, Verdict.UNKNOWN, "nothing is left of the domain off the ties", checked)
    missing = needed(checked, kinks)
    if missing:
        text = f"the backward needs what is not shown ({missing[0][0]}): {missing[0][1]}"
        return told(question, Verdict.UNKNOWN, text, checked)
    checked.assumptions += [f"off the tie {tie}, where the forward is not differentiable" for tie in kinks]
    return told(question, Verdict.PROVED, "", checked)


def is_pinched(checked: Checked, condition: Condition) -> bool:
    """Whether a condition may hold at points that have no neighbours at which it holds: x >= 1 and x <= 1. Then the
    derivative there is not that of the branch."""
    if checked.solver.satisfiable([*checked.hypotheses, condition]) is False:
        return False
    return checked.solver.satisfiable([*checked.hypotheses, interior(condition)]) is not True


def needed(checked: Checked, kinks: Sequence[Tie]) -> list[tuple[str, Condition]]:
    """What the backward needs, and is not shown to hold off the kinks."""
    left = [*checked.hypotheses, *checked.jumps, *(tie.off for tie in kinks)]
    return [(kind, c) for kind, c in checked.backward_needs if not holds(checked.solver, left, c)]


def is_thin(checked: Checked, pair: Pair) -> bool:
    """Whether a pair is tied in no open set: the difference has a derivative that is not 0 wherever it is 0, or it is
    analytic on all reals and not 0 at some point."""
    difference = pair[0] - pair[1]
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    flat = [equal(s, ZERO) for s in gradient(difference, variables).values()]
    if checked.solver.satisfiable([*checked.hypotheses, equal(*pair), *flat]) is False:
        return True
    entire = all(
        t.op in ("number", "constant", "access", "integer", "add", "mul", "indicator")
        or (t.op == "function" and t.args[0] in ("exp", "tanh", "erf", "sin", "cos", "atan"))
        for t in postorder([difference])
        if isinstance(t, Scalar)
    ) and not any(isinstance(t, Condition) for t in subterms(difference))
    if not entire or any(t.args[0] in checked.question.universal() for t in subterms(difference) if t.op == "access"):
        return False
    values = {t: mpmath.mpf(7 * k % 11 - 5) / 8 + mpmath.mpf(1) / (k + 3) for k, t in enumerate(variables)}
    return bool(abs(Point(values).evaluate([difference])[0]) > mpmath.mpf(10) ** -30)


def holds(solver: Solver, hypotheses: Sequence[Condition], condition: Condition) -> bool:
    """Also where exp(u) is not 1 because u is not 0."""
    if solver.valid(hypotheses, condition) is True:
        return True
    return solver.valid(hypotheses, replace(condition, logarithms)) is True


def logarithms(t: Term) -> Condition | None:
    """exp(u) = 1 as u = 0."""
    if t.op != "value==":
        return None
    difference = t.args[0] - t.args[1]
    for x in subterms(difference):
        if x.op == "function" and x.args[0] == "exp":
            assert isinstance(x, Scalar)
            if is_zero(difference - x + ONE) or is_zero(difference + x - ONE):
                return equal(x.args[1], ZERO)
    return None


Entry = tuple[str, tuple[int, ...], Scalar, Scalar]


def compared(checked: Checked, entries: Sequence[Entry], ties: Sequence[Tie], linear: frozenset[str]) -> list[Any]:
    off = tuple(tie.off for tie in ties if tie.kind is not Kind.SMOOTH)
    hypotheses = (*checked.hypotheses, *checked.jumps, *off)
    comparison = Comparison(checked.solver, hypotheses, linear, most_splits=MOST_SPLITS)
    failures = []
    for entry in entries:
        try:
            comparison.require_equal(entry[2], entry[3])
        except Different as found:
            if not equal_when_expanded(checked, comparison, entry[2], entry[3]):
                failures.append((entry, str(found)))
    return failures


def equal_when_expanded(checked: Checked, comparison: Comparison, got: Scalar, want: Scalar) -> bool:
    def positive(t: Scalar) -> bool:
        return checked.solver.valid(comparison.hypotheses, t > 0) is True

    a, b = expanded(got, positive), expanded(want, positive)
    if (a, b) == (got, want):
        return False
    try:
        comparison.require_equal(a, b)
    except Different:
        return False
    return True


def ties_of(checked: Checked) -> list[Tie]:
    """The ties of the forward. A kink has a witness: a point at which the derivative does not exist."""
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    weights = [access(f"weight {k}") for k in range(len(checked.outputs))]
    slopes = list(gradient(weighted(checked.outputs, weights), variables).values())
    found = []
    for pair in pairs_of(checked.outputs):
        if is_smooth(pair, checked.outputs, variables, [*checked.hypotheses, *checked.jumps], checked.solver):
            found.append(Tie(pair, Kind.SMOOTH))
        else:
            kink = has_kink(checked, pair, slopes, weights)
            found.append(Tie(pair, Kind.KINK if kink else Kind.UNDECIDED))
    return found


def has_kink(checked: Checked, pair: Pair, slopes: list[Scalar], weights: list[Scalar]) -> bool:
    """Whether a point is found on the tie at which the two sides have other values or derivatives."""
    question = checked.question
    terms = {n: x for n, x in terms_of(checked).items() if n in question.floats or n in question.universal()}
    shapes = {n: x.shape for n, x in terms.items()}
    judged_terms = [*checked.outputs, *slopes]

    def inside(arrays: Arrays) -> bool:
        return all(Point(elements(arrays, terms)).evaluate(checked.hypotheses)) if checked.hypotheses else True

    for values in tied_values(shapes, pair, terms, inside):
        values |= {w: mpmath.mpf(2 * k + 1) for k, w in enumerate(weights)}
        first = Point(values)
        first.evaluate(judged_terms)
        if pair not in first.tied or not all(Point(values).evaluate(checked.hypotheses)):
            continue
        below, above = (Point(values, {pair: side}).evaluate(judged_terms) for side in (-1, 1))
        for a, b in zip(below, above, strict=True):
            if mpmath.isfinite(a) and mpmath.isfinite(b) and abs(a - b) > mpmath.mpf(10) ** -20 * (1 + abs(a)):
                return True
    return False
