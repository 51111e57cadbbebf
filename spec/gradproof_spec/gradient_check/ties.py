"""TRUSTED. The ties of a program: where it is differentiable although it takes one branch or another.

A tie is a pair (a, b) that a condition of the program compares. Where a = b the program is differentiable if both
branches have the same value and the same derivatives there, for all reals with a = b: then the gradient must be right
there too. Otherwise the tie is a kink, and the claim is made off it, that is, where a differs from b.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from ..solver import Solver
from ..symbolic.comparison import Comparison, Different
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
    replace,
    subterms,
    where,
)
from .evaluation import Pair, pair_of
from .reference import gradient, weighted


class Kind(Enum):
    SMOOTH = "differentiable at the tie"
    KINK = "not differentiable at the tie"
    UNDECIDED = "not decided whether it is differentiable at the tie"


@dataclass(frozen=True)
class Tie:
    pair: Pair
    kind: Kind

    @property
    def off(self) -> Condition:
        return ~equal(*self.pair)

    def __str__(self) -> str:
        return f"{self.pair[0]} = {self.pair[1]}"


def pairs_of(terms: Sequence[Scalar]) -> list[Pair]:
    """The pairs that the terms compare, in a fixed order."""
    found = {pair_of(c): None for t in terms for c in atom_conditions(t)}
    return sorted(found, key=lambda pair: (pair[0].digest, pair[1].digest))


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
    comparison = Comparison(solver, (*hypotheses, equal(*pair)), frozenset())
    try:
        for x, y in terms:
            comparison.require_equal(*(replace(t, at.get) if at else t for t in (x, y)))
    except Different:
        return False
    return True


def settled(
    outputs: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver
) -> tuple[list[Scalar], list[Pair]]:
    """The outputs with no value of its own at a tie, where it is that of a side: where(x = 0, 1, sin(x) / x) is
    sin(x) / x at x = 0 too if that is shown to be 1. The derivative of a term at a tie is then that of a side.

    Also the pairs at which that is not shown: the outputs jump there, or it is not decided. They are left out.
    """
    found, jumps = list(outputs), []
    for pair in pairs_of(outputs):
        below, own, above = ([with_side(t, pair, side) for t in found] for side in (-1, 0, 1))
        if own in (below, above):
            continue
        a, b = pair
        if equal_at(pair, zip(own, below, strict=True), hypotheses, solver):
            found = [where(b < a, y, x) for x, y in zip(below, above, strict=True)]
        elif equal_at(pair, zip(own, above, strict=True), hypotheses, solver):
            found = [where(a < b, x, y) for x, y in zip(below, above, strict=True)]
        else:
            jumps.append(pair)
    return found, jumps


def is_smooth(
    pair: Pair, outputs: Sequence[Scalar], variables: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver
) -> bool:
    """Whether both sides are shown to have the same values and derivatives wherever the pair is tied."""
    weights = [access(f"weight {k}") for k in range(len(outputs))]
    below, above = ([with_side(t, pair, side) for t in outputs] for side in (-1, 1))
    slopes = [gradient(weighted(side, weights), variables) for side in (below, above)]
    values = zip(below, above, strict=True)
    return equal_at(pair, [*values, *((slopes[0][x], slopes[1][x]) for x in variables)], hypotheses, solver)


def compound_conditions(terms: Sequence[Scalar]) -> list[Condition]:
    """The conditions of choices that compare more than one pair, and their negations."""
    found: dict[Condition, None] = {}
    for t in terms:
        for x in subterms(t):
            if x.op in ("where", "indicator") and len({pair_of(c) for c in atom_conditions(x.args[0])}) > 1:
                found |= {x.args[0]: None, ~x.args[0]: None}
    return list(found)


def interior(c: Condition, holds: bool = True) -> Condition:
    """What must hold for c (or its negation) to hold all around a point as well: comparisons made strict."""
    if c.op == "not":
        return interior(c.args[0], not holds)
    if c.op in ("and", "or"):
        first, second = interior(c.args[0], holds), interior(c.args[1], holds)
        return first & second if (c.op == "and") == holds else first | second
    if c.op in ("value<", "value<="):
        a, b = c.args
        strict: Condition = a < b if holds else b < a
        return strict
    if c.op == "value==":
        return FALSE if holds else ~c
    return c if holds else ~c
