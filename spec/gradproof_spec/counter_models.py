"""TRUSTED. Small integers at which hypotheses hold and a goal does not: what a solver need not be asked.

`Samples` guesses (untrusted): columns of small integers for the variables, one row for each attempt, on which
conditions are evaluated as arrays. A row that fits is a counter-model only once `holds` has evaluated every condition
at it exactly. An index function takes the value that `function_value` gives for its name and arguments, so equal
arguments have equal values. A condition on reals is not looked at: there is no model then. Nothing is found valid here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np

from .index_algebra import from_polynomial, index_polynomial
from .terms import Condition, Index, Scalar, Term, conjuncts, subterms

ROWS, SPREAD, MOST_REMEMBERED = 512, 3, 20_000


class NoValue(Exception):
    """A divisor is not positive, or a variable has no value."""


@dataclass(frozen=True)
class Model:
    """Integers for index variables; `row` chooses the index functions."""

    variables: Mapping[str, int]
    row: int


def holds(c: Condition, model: Model) -> bool:
    """Is c, a condition on integers alone, true in the model? By exact evaluation."""
    if c.op in ("true", "false"):
        return c.op == "true"
    if c.op == "not":
        return not holds(c.args[0], model)
    if c.op in ("and", "or"):
        left, right = holds(c.args[0], model), holds(c.args[1], model)
        return (left and right) if c.op == "and" else (left or right)
    if c.op not in ("index<=", "index=="):
        raise NoValue(c.op)
    a, b = integer(c.args[0], model), integer(c.args[1], model)
    return a <= b if c.op == "index<=" else a == b


def integer(i: Index, model: Model) -> int:
    if i.op == "constant":
        return int(i.args[0])
    if i.op == "variable":
        if i.args[0] not in model.variables:
            raise NoValue(i.args[0])
        return model.variables[i.args[0]]
    if i.op == "apply":
        return int(function_value(i.args[0], [integer(a, model) for a in i.args[1:]], model.row))
    a, b = integer(i.args[0], model), integer(i.args[1], model)
    if i.op in ("+", "*"):
        return a + b if i.op == "+" else a * b
    if b <= 0:
        raise NoValue("a divisor")
    return a // b if i.op == "//" else a % b


def function_value(name: str, arguments: Sequence[Any], row: Any) -> Any:
    """One of 0, 1, 2 that depends on the name, the arguments and the row alone; of integers, or of arrays of them."""
    mixed = row * 419 + crc32(name.encode()) % 65521
    for a in arguments:
        mixed = (mixed * 31 + a % 1009 * 17 + 5) % 65521
    return mixed // 7 % (row % 3 + 1)


@lru_cache(maxsize=1 << 16)
def of_integers(c: Condition) -> bool:
    return not any(isinstance(x, Scalar) for x in subterms(c))


@lru_cache(maxsize=1 << 16)
def variables(t: Term) -> tuple[str, ...]:
    return tuple(dict.fromkeys(x.args[0] for x in subterms(t) if x.op == "variable"))


@lru_cache(maxsize=1 << 16)
def applications(t: Term) -> tuple[Index, ...]:
    return tuple(x for x in subterms(t) if isinstance(x, Index) and x.op == "apply")


# ---------------------------------------------------------------- guessing: untrusted
Array = Any


@dataclass
class Samples:
    columns: dict[str, Array] = field(default_factory=dict)
    _memo: dict[Term, Array] = field(default_factory=dict)
    _bad: dict[Term, Array | None] = field(default_factory=dict)  # rows in which something is divided by 0 or less

    def model(self, conditions: Sequence[Condition]) -> Model | None:
        """A model of all the conditions, or None."""
        if not all(map(of_integers, conditions)):
            return None
        if any(n not in self.columns for c in conditions for n in variables(c)):
            self._extend(conditions)
        fits: Array = np.ones(ROWS, bool)
        for c in reversed(conditions):  # the negated goal is the last
            fits = fits & self._array(c)
            if (bad := self._bad[c]) is not None:
                fits = fits & ~bad
            if not fits.any():
                return None
        row = int(fits.argmax())
        names = dict.fromkeys(n for c in conditions for n in variables(c))
        found = Model({n: int(self.columns[n][row]) for n in names}, row)
        try:
            return found if all(holds(c, found) for c in conditions) else None
        except NoValue:
            return None

    def _array(self, t: Term) -> Array:
        known = self._memo.get(t)
        if known is None:
            if len(self._memo) > MOST_REMEMBERED:
                self._memo.clear()
            known = self._memo[t] = self._evaluated(t)
        return known

    def _evaluated(self, t: Term) -> Array:
        inner = [a for a in t.args if isinstance(a, Term)]
        a = [self._array(x) for x in inner]
        bad = [b for x in inner if (b := self._bad[x]) is not None]
        if t.op in ("//", "%"):
            bad.append(a[1] <= 0)
            a[1] = np.maximum(a[1], 1)
        self._bad[t] = np.logical_or.reduce(bad) if bad else None
        if t.op in ("true", "false"):
            return t.op == "true"
        if t.op == "constant":
            return np.int64(t.args[0])
        if t.op == "variable":
            return self.columns[t.args[0]]
        if t.op == "apply":
            return function_value(t.args[0], a, np.arange(ROWS))
        return _OPERATIONS[t.op](*a)

    def _extend(self, conditions: Sequence[Condition]) -> None:
        """Columns for the variables that have none, each within the bounds that the conditions set by then."""
        order = dict.fromkeys(n for c in conditions for n in variables(c))
        new = [n for n in order if n not in self.columns]
        uses: dict[str, list[tuple[bool, int, Index, set[str]]]] = {n: [] for n in new}
        parts = dict.fromkeys(p for c in conditions for p in conjuncts(c))
        for c in parts:
            if c.op in ("index<=", "index=="):
                for n, use in _linear_uses(c):
                    if n in uses:
                        uses[n].append(use)
        while new:
            left = set(new)

            def rank(n: str, left: set[str] = left) -> tuple[bool, int]:
                """First what is equal to something known, then what has the fewest upper bounds that are not."""
                equated = any(is_equal and abs(k) == 1 and not others & left for is_equal, k, _, others in uses[n])
                return not equated, sum(bool(others & left) for is_equal, k, _, others in uses[n]
                                        if not is_equal and k < 0)

            n = min(new, key=rank)
            new.remove(n)
            self.columns[n] = self._column(n, [u for u in uses[n] if not u[3] & {*new, n}])

    def _column(self, name: str, uses: Iterable[tuple[bool, int, Index, set[str]]]) -> Array:
        rows = np.arange(ROWS)
        rng = np.random.default_rng(crc32(name.encode()))
        low: Array = None
        high: Array = None
        for is_equal, k, rest, _ in uses:
            value = np.broadcast_to(self._array(rest), ROWS)
            if is_equal and abs(k) == 1:
                return -k * value
            if k > 0:
                low = -(value // k) if low is None else np.maximum(low, -(value // k))
            else:
                high = value // -k if high is None else np.minimum(high, value // -k)
        low = np.zeros(ROWS, np.int64) if low is None else low
        if high is None:  # an extent: rarely 0
            low = np.where(rows % 8 == 0, low, np.maximum(low, 1))
            high = low + SPREAD - 1
        return low + rng.integers(0, 1 << 30, ROWS) % np.maximum(high - low + 1, 1)


@lru_cache(maxsize=1 << 14)
def _linear_uses(c: Condition) -> list[tuple[str, tuple[bool, int, Index, set[str]]]]:
    """For variables v of c, which says k v + rest >= 0 or = 0: whether it is an equality, k, rest and its variables."""
    p, found = index_polynomial(c.args[1] - c.args[0]), []
    for m, k in p.items():
        if len(m) == 1 and m[0].op == "variable":
            rest = from_polynomial({n: e for n, e in p.items() if n != m})
            found.append((str(m[0].args[0]), (c.op == "index==", k, rest, set(variables(rest)))))
    return found


_OPERATIONS: dict[str, Any] = {
    "+": np.add, "*": np.multiply, "//": np.floor_divide, "%": np.remainder, "index<=": np.less_equal,
    "index==": np.equal, "and": np.logical_and, "or": np.logical_or, "not": np.logical_not}
