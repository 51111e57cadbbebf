"""TRUSTED. The proof: every entry of the gradient equals the derivative for all reals in the domain, off the ties at
which the forward is not differentiable."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import numpy as np

from ..obligations import Verdict
from ..solver import Solver
from ..symbolic.comparison import Comparison, Different, is_zero
from ..terms import ONE, TRUE, ZERO, Condition, Scalar, Term, access, equal, function, replace, subterms
from .evaluation import DIGITS, Pair, Point, elements
from .on_symbols import Checked, plain, terms_of
from .points import Arrays, tied_values
from .programs import expanded
from .question import told
from .reference import gradient, postorder, weighted
from .result import Result
from .roots import is_root, open_comparisons, open_roots, root_ties
from .search import search
from .ties import (
    Kind,
    Tie,
    compound_conditions,
    interior,
    is_locally_constant,
    is_smooth,
    jump_of,
    pairs_of,
    sides_differ,
)

MOST_SPLITS = 120  # per entry


def proved(checked: Checked) -> Result:
    """The proof; where there is none, what a thorough search finds."""
    result = attempted(checked)
    if result.verdict is Verdict.PROVED:
        return result
    return search(checked, thorough=True) or result


def attempted(checked: Checked) -> Result:
    """Every entry equal for all reals in the domain, off the ties at which the forward is not differentiable."""
    question = checked.question
    linear = frozenset(n for n in checked.symbols if n not in question.floats and n not in question.universal())
    open_entries = [
        (name, i, array[i], want[i])
        for (name, array), want in zip(checked.got, checked.want, strict=True)
        for i in np.ndindex(*array.shape)
    ]
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
    touching, meeting = open_ties(checked, ties)
    unnamed = [t.pair for t in touching if t.where == TRUE]
    fat = [tie for tie in (*checked.jumping, *kinks, *meeting) if not tie.thin and not is_thin(checked, tie.pair)]
    if fat:
        text = f"{fat[0]} may hold in a whole region, where nothing is shown"
        return told(question, Verdict.UNKNOWN, text, checked)
    left = [*checked.hypotheses, *checked.jumps, *(tie.off for tie in (*kinks, *meeting))]
    if len(left) > len(checked.hypotheses) and checked.solver.satisfiable(left) is False:
        return told(question, Verdict.UNKNOWN, "nothing is left of the domain off the ties", checked)
    missing = needed(checked, kinks)
    if missing:
        text = f"the backward needs what is not shown ({missing[0][0]}): {missing[0][1]}"
        return told(question, Verdict.UNKNOWN, text, checked)
    checked.assumptions += [f"off the tie {tie}, where the forward is not differentiable"
                            for tie in kinks if tie.pair not in unnamed]  # fmt: skip
    checked.assumptions += [f"off the tie {tie}, where ties or roots meet or the forward ends: there it is not proved"
                            for tie in meeting]  # fmt: skip
    return told(question, Verdict.PROVED, "", checked)


def open_ties(checked: Checked, ties: Sequence[Tie]) -> tuple[list[Tie], list[Tie]]:
    """Where ties or roots of 0 meet, so that the derivative of the terms says nothing: those of comparisons, and all
    that are not left out already."""
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    hypotheses = [*checked.hypotheses, *checked.jumps]
    touching = open_comparisons(checked.outputs, variables, hypotheses, checked.solver)
    out = [t.pair for t in touching if t.where == TRUE]
    off = [tie.off for tie in ties if tie.kind is Kind.KINK and tie.pair not in out]
    meeting = [t for t in touching if checked.solver.satisfiable([*hypotheses, *off, ~t.off]) is not False]
    off += [tie.off for tie in meeting]
    return touching, meeting + open_roots(checked.outputs, variables, [*hypotheses, *off], checked.solver)


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
    first, second = (x.args[1] if is_root(x) else x for x in pair)  # roots are equal where their arguments are
    difference = first - second if all(x == ZERO or is_root(x) for x in pair) else pair[0] - pair[1]
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    flat = [equal(s, ZERO) for s in gradient(difference, variables).values()]
    if checked.solver.satisfiable([*checked.hypotheses, equal(*pair), *flat]) is False:
        return True
    a, b = pair
    if equal(a, b) == equal(*jump_of(function("floor", b if is_rounding(a) else a))):  # tied where it is an integer
        difference = b if is_rounding(a) else a
    entire = all(
        t.op in ("number", "constant", "access", "integer", "add", "mul", "indicator")
        or (t.op == "function" and t.args[0] in ("exp", "tanh", "erf", "sin", "cos", "atan"))
        or not any(x.op == "access" for x in subterms(t))
        for t in postorder([difference])
        if isinstance(t, Scalar)
    ) and not any(isinstance(t, Condition) for t in subterms(difference))
    if not entire or any(t.args[0] in checked.question.universal() for t in subterms(difference) if t.op == "access"):
        return False
    values = {t: mpmath.mpf(7 * k % 11 - 5) / 8 + mpmath.mpf(1) / (k + 3) for k, t in enumerate(variables)}
    value = Point(values).evaluate([difference])[0]
    level = mpmath.nint(value) if any(map(is_rounding, pair)) else 0  # an integer that it is not everywhere
    return bool(abs(value - level) > mpmath.mpf(10) ** -30)


def is_rounding(t: Scalar) -> bool:
    return t.op == "function" and t.args[0] == "floor"


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
    shown = checked.question.shown
    for entry in entries:
        claim = renumbered([entry[2], entry[3], *hypotheses])
        if claim in shown:
            continue
        try:
            comparison.require_equal(entry[2], entry[3])
        except Different as found:
            if not equal_when_expanded(checked, comparison, entry[2], entry[3]):
                failures.append((entry, str(found)))
                continue
        shown.add(claim)
    return failures


def renumbered(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The same claim of all reals about other elements: those of each array numbered as they occur."""
    found: dict[Term, Term] = {}
    for x in postorder(terms):
        if x.op == "access":
            found[x] = access(x.args[0], len(found))
    return tuple(replace(t, found.get) for t in terms)  # type: ignore[call-overload]


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
        if is_locally_constant(pair, variables):
            continue
        if is_smooth(pair, checked.outputs, variables, [*checked.hypotheses, *checked.jumps], checked.solver):
            found.append(Tie(pair, Kind.SMOOTH))
        else:
            witness = kink_of(checked, pair, slopes, weights)
            if not witness:
                found.append(Tie(pair, Kind.UNDECIDED))
                continue
            rough = sides_differ(pair, checked.outputs, variables) if witness == "sides" else TRUE
            if checked.solver.valid([*checked.hypotheses, *checked.jumps, equal(*pair)], rough) is True:
                rough = TRUE
            found.append(Tie(pair, Kind.KINK, rough))
    off = [tie.off for tie in found if tie.kind is Kind.KINK]
    return found + root_ties(checked.outputs, variables, [*checked.hypotheses, *checked.jumps, *off], checked.solver)


def kink_of(checked: Checked, pair: Pair, slopes: list[Scalar], weights: list[Scalar]) -> str:
    """Whether a point is found on the tie at which the two sides have other values or derivatives ("sides") or the
    slope has no bound ("steep"); else ""."""
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
                return "sides"
        if is_steep(checked, values, weights):
            return "steep"
    return ""


def has_kink(checked: Checked, pair: Pair, slopes: list[Scalar], weights: list[Scalar]) -> bool:
    return kink_of(checked, pair, slopes, weights) != ""


def is_steep(checked: Checked, values: Mapping[Scalar, Any], weights: Sequence[Scalar]) -> bool:
    """Whether the differences' quotients grow without bound along an axis: a jump, or an infinite slope."""
    loss = weighted(checked.outputs, weights)
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    with mpmath.mp.workdps(DIGITS):
        here = Point(values).evaluate([loss])[0]
        for x, sign in itertools.product(variables, (1, -1)):
            quotients = []
            for h in (mpmath.mpf(10) ** -12, mpmath.mpf(10) ** -24):
                moved = Point({**values, x: values[x] + sign * h})
                if all(moved.evaluate(checked.hypotheses)):
                    quotients.append(abs(moved.evaluate([loss])[0] - here) / h)
            if len(quotients) == 2 and mpmath.isfinite(quotients[1]) and quotients[1] > 1000 * (1 + quotients[0]):
                return True
    return False
