"""Terms at a point, with 60 digits. Used to find counterexamples; a verdict PROVED never rests on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath

from ..terms import Condition, Index, Scalar, Term
from .reference import LOCALLY_CONSTANT, postorder

DIGITS, MANY_DIGITS = 60, 1000  # the second to confirm: exp(-750) beside 1 needs 330
CLOSE = 0.75  # of the digits
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
            for t in order_of(tuple(terms)):
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
            if t.op == "function" and t.args[0] in LOCALLY_CONSTANT:
                return self._rounded(t, a[1])
            if t.op == "function":
                value = getattr(mpmath.mp, {"log": "ln"}.get(t.args[0], t.args[0]))(a[1])
                return value if isinstance(value, mpmath.mpf) else mpmath.nan  # log and sqrt of a negative number
        except (ZeroDivisionError, OverflowError, ValueError):
            return mpmath.nan
        raise ValueError(f"{t.op} has no value")

    def _rounded(self, t: Scalar, x: Any) -> Any:
        """floor(x), nint(x). Where it jumps that is a tie of its own, (t, t): side 1 is above the jump."""
        level = x if t.args[0] == "floor" else x + mpmath.mpf(1) / 2
        nearest = mpmath.nint(level)
        if not mpmath.isfinite(x) or not self._is_tied(level, nearest):
            return mpmath.floor(level)
        self.tied[t, t] = None
        self.near = self.near or level != nearest
        side = self.sides.get((t, t), 0)
        if side == 0:
            return nearest if t.args[0] == "floor" else mpmath.nint(nearest - mpmath.mpf(1) / 2)
        return nearest if side > 0 else nearest - 1

    def _is_tied(self, a: Any, b: Any) -> bool:
        return bool(abs(a - b) <= mpmath.mpf(10) ** -int(CLOSE * self.digits) * (1 + abs(a)))

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
        if self._is_tied(*a):
            pair = pair_of(t)
            self.tied[pair] = None
            self.near = self.near or difference != 0
            side = self.sides.get(pair, 0) * (1 if pair == t.args else -1)
        else:
            side = -1 if difference < 0 else 1
        return {"value<": side < 0, "value<=": side <= 0, "value==": side == 0}[t.op]


@lru_cache(maxsize=64)
def order_of(terms: tuple[Term, ...]) -> list[Term]:
    return postorder(terms)


class Floats:
    """Terms in floats, many times: a first look. What is undefined is nan."""

    def __init__(self, terms: Sequence[Term]) -> None:
        order = postorder(terms)
        place = {t: k for k, t in enumerate(order)}
        self.steps = [(t, [place[x] if isinstance(x, Term) else None for x in t.args]) for t in order]
        self.results = [place[t] for t in terms]

    def at(self, given: Mapping[Scalar, float]) -> list[float]:
        known: list[Any] = []
        for t, places in self.steps:
            known.append(self._value(t, [None if k is None else known[k] for k in places], given))
        return [known[k] for k in self.results]

    def _value(self, t: Term, a: list[Any], given: Mapping[Scalar, float]) -> Any:
        op = t.op
        try:
            if op == "access":
                return given[t]  # type: ignore[index]
            if op == "add":
                return a[0] + a[1]
            if op == "mul":
                return a[0] * a[1]
            if op == "where":
                return a[1] if a[0] else a[2]
            if op == "reciprocal":
                return 1 / a[0]
            if op == "function" and t.args[0] == "nint":
                return float(round(a[1]))
            if op == "function":
                return getattr(math, t.args[0])(a[1])
            if op in ("number", "constant"):
                return float(t.args[0]) if op == "number" else math.pi
            if op == "integer":
                return float(a[0])
            if op == "indicator":
                return 1.0 if a[0] else 0.0
        except (ZeroDivisionError, OverflowError, ValueError):
            return math.nan
        if isinstance(t, Index):
            return t.args[0] if op == "constant" else None
        if op in ("true", "false"):
            return op == "true"
        if op == "not":
            return not a[0]
        if op in ("and", "or"):
            return (a[0] and a[1]) if op == "and" else (a[0] or a[1])
        return a[0] < a[1] if op == "value<" else a[0] <= a[1] if op in ("value<=", "index<=") else a[0] == a[1]


def fraction(x: Fraction) -> Any:
    return mpmath.mpf(x.numerator) / x.denominator


def elements(arrays: Mapping[str, Any], terms: Mapping[str, Any]) -> dict[Scalar, Any]:
    """Floats as the exact numbers that they are, by element. terms: the elements by name, as arrays are."""
    return {
        t: mpmath.mpf(float(x)) for n in terms for t, x in zip(terms[n].ravel(), arrays[n].ravel(), strict=True)
    }
