"""Terms at a point, with 60 digits. Used to find counterexamples; a verdict PROVED never rests on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import mpmath

from ..terms import Condition, Index, Scalar, Term
from .reference import postorder

DIGITS, MANY_DIGITS = 60, 1000  # the second to confirm: exp(-750) beside 1 needs 330
CLOSE = mpmath.mpf(10) ** -45
Pair = tuple[Scalar, Scalar]


def pair_of(condition: Condition) -> Pair:
    """The two sides of a comparison, in one order for all comparisons of the two."""
    a, b = condition.args
    return (a, b) if a.digest <= b.digest else (b, a)


class Point:
    """The values of terms where the elements of the inputs have the given values.

    sides: for a pair (a, b) that is tied here, which of them counts as less: -1, 0 or 1. What is undefined is nan.
    `tied`: the pairs that were met tied.
    """

    def __init__(
        self, values: Mapping[Scalar, Any], sides: Mapping[Pair, int] | None = None, digits: int = DIGITS
    ) -> None:
        self.given = values
        self.sides = sides or {}
        self.digits = digits
        self.tied: dict[Pair, None] = {}
        self.known: dict[Term, Any] = {}
        self.near = False  # a pair is close, but not equal

    def evaluate(self, terms: Sequence[Term]) -> list[Any]:
        with mpmath.mp.workdps(self.digits):
            for t in postorder(terms):
                if t not in self.known:
                    self.known[t] = self._value(t)
        return [self.known[t] for t in terms]

    def _value(self, t: Term) -> Any:
        a = [self.known[x] if isinstance(x, Term) else x for x in t.args]
        if isinstance(t, Index):
            return t.args[0] if t.op == "constant" else None
        if isinstance(t, Condition):
            return self._truth(t, a)
        assert isinstance(t, Scalar)
        return self._number(t, a)

    def _number(self, t: Scalar, a: list[Any]) -> Any:
        if t.op == "number":
            return fraction(t.args[0])
        if t.op == "access":
            return self.given[t]
        if t.op == "constant":
            return +mpmath.mp.pi
        if t.op == "integer":
            return mpmath.mpf(a[0])
        if t.op == "indicator":
            return mpmath.mpf(1 if a[0] else 0)
        if t.op == "where":
            return a[1] if a[0] else a[2]
        try:
            if t.op == "add":
                return a[0] + a[1]
            if t.op == "mul":
                return a[0] * a[1]
            if t.op == "reciprocal":
                return 1 / a[0]
            if t.op == "function":
                value = getattr(mpmath.mp, {"log": "ln"}.get(t.args[0], t.args[0]))(a[1])
                return value if isinstance(value, mpmath.mpf) else mpmath.nan  # log and sqrt of a negative number
        except (ZeroDivisionError, OverflowError, ValueError):
            return mpmath.nan
        raise ValueError(f"{t.op} has no value")

    def _truth(self, t: Condition, a: list[Any]) -> bool:
        if t.op in ("true", "false"):
            return t.op == "true"
        if t.op == "not":
            return not bool(a[0])
        if t.op == "and":
            return bool(a[0] and a[1])
        if t.op == "or":
            return bool(a[0] or a[1])
        if t.op == "index<=":
            return bool(a[0] <= a[1])
        if t.op == "index==":
            return bool(a[0] == a[1])
        difference = a[0] - a[1]
        if abs(difference) <= CLOSE * (1 + abs(a[0])):
            pair = pair_of(t)
            self.tied[pair] = None
            self.near = self.near or difference != 0
            side = self.sides.get(pair, 0) * (1 if pair == t.args else -1)
        else:
            side = -1 if difference < 0 else 1
        return {"value<": side < 0, "value<=": side <= 0, "value==": side == 0}[t.op]


def fraction(x: Fraction) -> Any:
    return mpmath.mpf(x.numerator) / x.denominator


def elements(arrays: Mapping[str, Any], terms: Mapping[str, Any]) -> dict[Scalar, Any]:
    """Floats as the exact numbers that they are, by element. terms: the elements by name, as arrays are."""
    return {
        t: mpmath.mpf(float(x)) for n in terms for t, x in zip(terms[n].ravel(), arrays[n].ravel(), strict=True)
    }
