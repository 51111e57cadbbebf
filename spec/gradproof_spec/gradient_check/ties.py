"""TRUSTED. The ties of a program: where it is differentiable although it takes one branch or another.

A tie is a pair (a, b) that a condition of the program compares. Where a = b the program is differentiable if both
branches have the same value and the same derivatives there, for all reals with a = b: then the gradient must be right
there too. Otherwise the tie is a kink, and the claim is made off it, that is, where a differs from b.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from ..solver import Solver
from ..symbolic.comparison import Comparison, Different, is_zero
from ..symbolic.ledger import selected_under, sign
from ..terms import (
    FALSE,
    TRUE,
    ZERO,
    Condition,
    Scalar,
    Term,
    access,
    atom_conditions,
    equal,
    function,
    replace,
    subterms,
    to_scalar,
    where,
)
from .evaluation import Pair, pair_of
from .reference import gradient, weighted

LONG = 80  # characters of a condition that are still readable


class Kind(Enum):
    SMOOTH = "differentiable at the tie"
    KINK = "not differentiable at the tie"
    UNDECIDED = "not decided whether it is differentiable at the tie"
    OPEN = "the derivative of the terms at the tie may not be that of the forward"


@dataclass(frozen=True)
class Tie:
    """where: on which part of the tie. thin: that is known to be in no open set."""

    pair: Pair
    kind: Kind
    where: Condition = TRUE
    thin: bool = False

    @property
    def off(self) -> Condition:
        return ~(equal(*self.pair) & self.where)

    def __str__(self) -> str:
        text = str(self.where)
        part = "" if self.where == TRUE else f" with {text}" if len(text) < LONG else " with other slopes on its sides"
        return f"{self.pair[0]} = {self.pair[1]}{part}"


def pairs_of(terms: Sequence[Scalar]) -> list[Pair]:
    """The pairs that the terms compare, in a fixed order."""
    found = {pair_of(c): None for t in terms for c in atom_conditions(t)}
    return sorted(found, key=lambda pair: (pair[0].digest, pair[1].digest))


def unified(outputs: Sequence[Scalar], variables: Sequence[Scalar]) -> list[Scalar]:
    """The outputs with the comparisons along one surface written with one pair: relu(-x) with x < 0 for 0 < -x."""
    pairs = [p for p in pairs_of(outputs) if not is_locally_constant(p, variables)]
    truth: dict[Term, Term] = {}
    for k, (a, b) in enumerate(pairs):
        read = elements_of(a, b)
        for other in pairs[:k]:
            sign = 0 if elements_of(*other) != read or equal(*other) in truth else sign_of_ratio((a, b), other)
            if sign:
                p, q = other if sign > 0 else other[::-1]
                truth |= {a < b: p < q, a <= b: p <= q, b < a: q < p, b <= a: q <= p, equal(a, b): equal(p, q)}
                break
    return [replace(t, truth.get) for t in outputs] if truth else list(outputs)


def elements_of(*terms: Scalar) -> set[Term]:
    return {x for t in terms for x in subterms(t) if x.op == "access"}


def sign_of_ratio(pair: Pair, other: Pair) -> int:
    """1 or -1 where the differences are the same up to a positive or negative factor that is known, else 0."""
    first, second = pair[0] - pair[1], other[0] - other[1]
    if is_zero(first - second):
        return 1
    return -1 if is_zero(first + second) else 0


def with_side(t: Scalar, pair: Pair, side: int) -> Scalar:
    """t with its comparisons of the pair decided: as where a < b (side -1), where a = b (0) or where b < a (1)."""
    a, b = pair
    truth: dict[Term, bool] = {a < b: side < 0, a <= b: side <= 0, b < a: side > 0, b <= a: side >= 0}
    truth[equal(a, b)] = side == 0
    return replace(t, lambda x: (TRUE if truth[x] else FALSE) if x in truth else None)


def at_tie(pair: Pair) -> dict[Term, Scalar]:
    """An element of an input and its value where a = b, if the difference is linear in it."""
    difference = pair[0] - pair[1]
    for x in sorted((x for x in subterms(difference) if x.op == "access"), key=lambda x: x.digest):
        assert isinstance(x, Scalar)
        slope = gradient(difference, [x])[x]
        if slope.op == "number" and slope != ZERO:
            rest = replace(difference, lambda t, x=x: ZERO if t == x else None)  # type: ignore[misc]
            return {x: rest * (-1 / slope.args[0])}
    return {}


def equal_at(
    pair: Pair, terms: Iterable[tuple[Scalar, Scalar]], hypotheses: Sequence[Condition], solver: Solver
) -> bool:
    """Whether the two terms of each pair are shown to be equal wherever the pair is tied."""
    at = at_tie(pair)
    moved = ((replace(t, at.get) if at else t for t in (x, y)) for x, y in terms)
    return are_equal(moved, [*hypotheses, equal(*pair)], solver)


def are_equal(terms: Iterable[Iterable[Scalar]], hypotheses: Sequence[Condition], solver: Solver) -> bool:
    """Whether the two terms of each pair are shown to be equal."""
    comparison = Comparison(solver, tuple(hypotheses), frozenset())
    try:
        for x, y in terms:
            comparison.require_equal(x, y)
    except Different:
        return False
    return True


def jump_of(t: Scalar) -> Pair:
    """The two sides that are equal where floor(x) or nint(x) jumps: x or x + 1/2, and its floor."""
    level = t.args[1] if t.args[0] == "floor" else t.args[1] + to_scalar(Fraction(1, 2))
    return pair_of(equal(level, function("floor", level)))


def settled(
    outputs: Sequence[Scalar], variables: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver
) -> tuple[list[Scalar], list[Pair]]:
    """The outputs with no value of its own at a tie, where it is that of a side: where(x = 0, 1, sin(x) / x) is
    sin(x) / x at x = 0 too if that is shown to be 1. The derivative of a term at a tie is then that of a side.

    Also the pairs at which that is not shown: the outputs jump there, or the side whose value they have may be empty
    around a tie (x * x <= 0), or it is not decided. They are left out.
    """
    found, jumps = list(outputs), []
    for pair in pairs_of(outputs):
        if is_locally_constant(pair, variables):
            continue
        below, own, above = ([with_side(t, pair, side) for t in found] for side in (-1, 0, 1))
        a, b = pair

        def is_own(side: list[Scalar], pair: Pair = pair, own: list[Scalar] = own) -> bool:
            if own == side:
                return True
            return all(is_defined_at(pair, x, hypotheses, solver) for x in side) and equal_at(
                pair, zip(own, side, strict=True), hypotheses, solver
            )

        if (a == ZERO and sign(b)) or (b == ZERO and sign(a)):  # the other side is empty
            side = below if a == ZERO else above
            if is_own(side):
                found = side
            else:
                jumps.append(pair)
            continue
        if is_own(below):
            settled = [where(b < a, y, x) for x, y in zip(below, above, strict=True)]
        elif is_own(above):
            settled = [where(a < b, x, y) for x, y in zip(below, above, strict=True)]
        else:
            jumps.append(pair)
            continue
        if below != above and not (
            is_crossed(pair, variables, hypotheses, solver) or is_smooth(pair, settled, variables, hypotheses, solver)
        ):
            jumps.append(pair)
        elif own not in (below, above):
            found = settled
    return found, jumps


def is_locally_constant(pair: Pair, variables: Sequence[Scalar]) -> bool:
    """Whether the comparison of a and b changes only where the ties or jumps inside of them are."""
    return all(s == ZERO for s in gradient(pair[0] - pair[1], variables).values())


def is_crossed(pair: Pair, variables: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver) -> bool:
    """Whether both sides are shown to have points around every tie: some derivative of a - b is not 0 there."""
    slopes = list(gradient(pair[0] - pair[1], variables).values())
    if any(s.op == "number" and s != ZERO for s in slopes):
        return True
    return solver.satisfiable([*hypotheses, equal(*pair), *(equal(s, ZERO) for s in slopes)]) is False


def is_defined_at(pair: Pair, t: Scalar, hypotheses: Sequence[Condition], solver: Solver) -> bool:
    """Whether no divisor in t is 0, and no argument of log or sqrt out of its domain, wherever the pair is tied."""
    for x, guard in selected_under([t]).items():
        goal = TRUE
        if x.op == "reciprocal":
            goal = ~equal(x.args[0], ZERO)
        elif x.op == "function" and x.args[0] in ("log", "sqrt"):
            goal = x.args[1] > 0 if x.args[0] == "log" else x.args[1] >= 0
        if goal != TRUE and solver.valid([*hypotheses, equal(*pair), guard], goal) is not True:
            return False
    return True


def is_smooth(
    pair: Pair, outputs: Sequence[Scalar], variables: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver
) -> bool:
    """Whether both sides are shown to have the same values and derivatives wherever the pair is tied."""
    weights = [access(f"weight {k}") for k in range(len(outputs))]
    below, above = ([with_side(t, pair, side) for t in outputs] for side in (-1, 1))
    slopes = [gradient(weighted(side, weights), variables) for side in (below, above)]
    values = zip(below, above, strict=True)
    return equal_at(pair, [*values, *((slopes[0][x], slopes[1][x]) for x in variables)], hypotheses, solver)


def sides_differ(pair: Pair, outputs: Sequence[Scalar], variables: Sequence[Scalar]) -> Condition:
    """Where the two sides of some output have other values or derivatives."""
    found = FALSE
    for output in outputs:
        below, above = (with_side(output, pair, side) for side in (-1, 1))
        if below == above:
            continue
        found = found | ~equal(below, above)
        slopes = gradient(below, variables), gradient(above, variables)
        for x in variables:
            found = found | ~equal(slopes[0][x], slopes[1][x])
    return found


def compound_conditions(terms: Sequence[Scalar]) -> list[Condition]:
    """The conditions of choices that compare more than one pair, and their negations."""
    found: dict[Condition, None] = {}
    for t in terms:
        for x in subterms(t):
            if x.op in ("where", "indicator") and len({pair_of(c) for c in atom_conditions(x.args[0])}) > 1:
                found |= {x.args[0]: None, ~x.args[0]: None}
    return list(found)


def replaced(c: Condition, k: int, side: Scalar) -> Condition:
    a, b = (side if j == k else x for j, x in enumerate(c.args))
    return (a < b) if c.op == "value<" else (a <= b)


def interior(c: Condition, holds: bool = True) -> Condition:
    """What must hold for c (or its negation) to hold all around a point as well: comparisons made strict."""
    if c.op == "not":
        return interior(c.args[0], not holds)
    if c.op in ("and", "or"):
        first, second = interior(c.args[0], holds), interior(c.args[1], holds)
        return first & second if (c.op == "and") == holds else first | second
    if c.op in ("value<", "value<="):
        a, b = c.args
        for k, choice in enumerate(c.args):
            if choice.op == "where":
                test, x, y = choice.args
                yes, no = (replaced(c, k, side) for side in (x, y))
                return (interior(test) & interior(yes, holds)) | (interior(test, False) & interior(no, holds))
        strict: Condition = a < b if holds else b < a
        return strict
    if c.op == "value==":
        return FALSE if holds else ~c
    return c if holds else ~c
