"""TRUSTED. One evaluator of terms at a concrete shape, for any domain of scalars.

    Exact      Fractions; functions of irrational value raise Inexact
    Intervals  mpmath intervals that contain the true value
    Symbols    scalar terms again: the instance of a rule at a shape, as the link and the `flat` route need it
    Sympy      sympy expressions, guards as Piecewise

A product with a false index guard is 0 without its other factors being read, so a guarded access never leaves its
tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import isqrt
from typing import Any

import mpmath

from . import terms as T
from .op import Case, Selection
from .terms import Condition, Index, Scalar, Term, free_names, to_scalar


class Inexact(Exception):
    """The value is irrational: use Intervals."""


class Undecided(Exception):
    """Two intervals overlap, so a comparison has no answer."""


class OutOfBounds(Exception):
    """A tensor was read outside its shape."""


class DivisionByZero(Exception):
    """A divisor is 0 at this point."""


class Exact:
    number: Callable[[Any], Any] = staticmethod(lambda q: q)

    def constant(self, name: str) -> Any:
        raise Inexact(name)

    def function(self, name: str, x: Any) -> Any:
        if name == "sqrt" and x >= 0:
            root = Fraction(isqrt(x.numerator), isqrt(x.denominator))
            if root * root == x:
                return root
        elif (name, to_scalar(x)) in T.SPECIAL_VALUES:
            return T.SPECIAL_VALUES[name, to_scalar(x)].args[0]
        raise Inexact(name)

    def reciprocal(self, x: Any) -> Any:
        if x == 0:
            raise DivisionByZero
        return 1 / x

    def compare(self, op: str, a: Any, b: Any) -> Any:
        return a < b if op == "value<" else a <= b if op == "value<=" else a == b

    def choose(self, c: Any, a: Callable[[], Any], b: Callable[[], Any]) -> Any:
        return a() if c else b()


class Interval:
    """lo <= value <= hi with rational ends: arithmetic on intervals is exact, only functions widen them."""

    __slots__ = ("hi", "lo")

    def __init__(self, lo: Fraction, hi: Fraction) -> None:
        self.lo, self.hi = lo, hi

    @staticmethod
    def of(x: Interval | Fraction) -> Interval:
        return x if isinstance(x, Interval) else Interval(x, x)

    def __add__(self, other: Interval | Fraction) -> Interval:
        b = Interval.of(other)
        return Interval(self.lo + b.lo, self.hi + b.hi)

    __radd__ = __add__

    def __mul__(self, other: Interval | Fraction) -> Interval | Fraction:
        if other == 0:
            return Fraction(0)
        b = Interval.of(other)
        ends = [x * y for x in (self.lo, self.hi) for y in (b.lo, b.hi)]
        return Interval(min(ends), max(ends))

    __rmul__ = __mul__

    def __sub__(self, other: Interval | Fraction) -> Interval:
        b = Interval.of(other)
        return Interval(self.lo - b.hi, self.hi - b.lo)

    def __rsub__(self, other: Fraction) -> Interval:
        return Interval.of(other) - self


INTERVAL_BITS = 200


class Intervals(Exact):
    """Values that are rational stay Fractions; others are enclosed, functions by mpmath.iv at 200 bits."""

    def function(self, name: str, x: Any) -> Any:
        if isinstance(x, Fraction):
            try:
                return super().function(name, x)
            except Inexact:
                pass
        x = Interval.of(x)
        if name in ("log", "sqrt") and x.lo <= 0:
            raise Undecided
        with precision(mpmath.iv, INTERVAL_BITS):
            lo, hi = (mpmath.iv.mpf(e.numerator) / e.denominator for e in (x.lo, x.hi))
            return _interval(enclosed(mpmath.iv, name, mpmath.iv.mpf([lo.a, hi.b])))

    def constant(self, name: str) -> Any:
        with precision(mpmath.iv, INTERVAL_BITS):
            return _interval(+getattr(mpmath.iv, name))

    def reciprocal(self, x: Any) -> Any:
        if isinstance(x, Fraction):
            return super().reciprocal(x)
        if x.lo <= 0 <= x.hi:
            raise Undecided
        return Interval(1 / x.hi, 1 / x.lo)

    def compare(self, op: str, a: Any, b: Any) -> Any:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return super().compare(op, a, b)
        d = Interval.of(a) - b
        if d.hi < 0:
            return op != "value=="
        if d.lo > 0:
            return False
        raise Undecided


@contextmanager
def precision(iv: Any, bits: int) -> Iterator[None]:
    """Meanwhile the interval context iv works with so many bits."""
    old, iv.prec = iv.prec, bits
    try:
        yield
    finally:
        iv.prec = old


def enclosed(iv: Any, name: str, x: Any) -> Any:
    """An interval that contains f(x) for every x in the interval x, in the interval context iv."""
    if name == "tanh":  # mpmath has no interval tanh: 1 - 2 / (exp(2x) + 1), increasing
        return 1 - 2 / (iv.exp(2 * x) + 1)
    if name in ("erf", "atan"):  # nor these: mpmath's at higher precision, increasing
        ends = []
        with mpmath.workprec(iv.prec + 30):
            for end, outward in ((x.a, -1), (x.b, 1)):
                value = getattr(mpmath, name)(mpmath.mp.make_mpf(end._mpi_[0]))
                ends.append(value + outward * abs(value) * mpmath.mpf(2) ** (-iv.prec - 10))
            return iv.mpf(ends)
    return getattr(iv, name)(x)


def _interval(value: Any) -> Interval:
    return Interval(_fraction(value.a), _fraction(value.b))


def _fraction(end: Any) -> Fraction:
    """The exact value of an end of an mpmath interval."""
    sign, mantissa, exponent, _ = end._mpi_[0]
    return Fraction((-1) ** sign * int(mantissa)) * Fraction(2) ** int(exponent)


class Symbols(Exact):
    number = staticmethod(to_scalar)

    def constant(self, name: str) -> Scalar:
        return Scalar("constant", name)

    def function(self, name: str, x: Scalar) -> Scalar:
        return T.function(name, x)

    def reciprocal(self, x: Scalar) -> Scalar:
        if x == T.ZERO:
            raise DivisionByZero
        return T.reciprocal(x)

    def compare(self, op: str, a: Scalar, b: Scalar) -> Condition:
        return a < b if op == "value<" else a <= b if op == "value<=" else T.equal(a, b)

    def choose(self, c: Any, a: Callable[[], Any], b: Callable[[], Any]) -> Any:
        if isinstance(c, Condition) and c not in (T.TRUE, T.FALSE):
            return T.where(c, a(), b())
        return a() if c in (True, T.TRUE) else b()


def _conjunction(cs: Sequence[Any]) -> Any:
    result: Any = True
    for c in cs:
        if c is False or c == T.FALSE:
            return False
        result = c if result is True or result == T.TRUE else result if c is True or c == T.TRUE else result & c
    return result


def _negation(c: Any) -> Any:
    return not c if isinstance(c, bool) else ~c


class NeedsSelection(Exception):
    def __init__(self, selection: Selection, arguments: tuple[int, ...]) -> None:
        self.selection, self.arguments = selection, arguments


@dataclass
class Environment:
    """Where names get their values.

    sizes             extents, attributes and index variables
    tensors           name -> function of integer indices
    index_functions   name -> function of integer indices (index tensors, declared index functions)
    """

    case: Case
    sizes: dict[str, int]
    tensors: Mapping[str, Callable[..., Any]]
    index_functions: Mapping[str, Callable[..., int]] = field(default_factory=dict)
    domain: Any = field(default_factory=Exact)
    shared: dict[Any, Any] | None = None  # memory for what mentions no tangent and no cotangent, across environments
    _memo: dict[Any, Any] = field(default_factory=dict)
    _selected: dict[Any, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        declared = self.case.op.index_functions
        if declared:
            self.index_functions = {**declared.meaning(self.case, self.sizes), **self.index_functions}

    # ------------------------------------------------------------ indices
    def index(self, t: Index) -> int:
        a = t.args
        if t.op == "constant":
            return int(a[0])
        if t.op == "variable":
            return self.sizes[a[0]]
        if t.op == "apply":
            return self._apply(a[0], tuple(map(self.index, a[1:])))
        x, y = self.index(a[0]), self.index(a[1])
        if t.op == "+":
            return x + y
        if t.op == "*":
            return x * y
        if y == 0:
            raise DivisionByZero
        return x // y if t.op == "//" else x % y

    def _apply(self, name: str, arguments: tuple[int, ...]) -> int:
        if name in self.index_functions:
            return int(self.index_functions[name](*arguments))
        base, _, part = name.rpartition(".")
        selection = self.case.op.selections[base]
        key = (base, arguments)
        if key not in self._selected:
            raise NeedsSelection(selection, arguments)
        return self._selected[key][selection.candidates.index(part)]

    def _over_selections(self, compute: Callable[[], Any]) -> Any:
        """compute() for each possible outcome of the selections it needs, put together by choices."""
        try:
            return compute()
        except NeedsSelection as need:
            alternatives = self._alternatives(need.selection, need.arguments)
            key = (need.selection.name, need.arguments)

            def value(cell: tuple[int, ...]) -> Any:
                self._selected[key] = cell
                try:
                    return self._over_selections(compute)
                finally:
                    del self._selected[key]

            result: Any = None
            for condition, cell in reversed(alternatives):
                if result is None:
                    result = value(cell)
                else:
                    later = result
                    chosen = value(cell)
                    if isinstance(chosen, (bool, Condition)):
                        result = _choose_condition(condition, chosen, later)
                    else:
                        result = self.domain.choose(condition, lambda c=chosen: c, lambda r=later: r)
            return result

    def _alternatives(self, selection: Selection, arguments: tuple[int, ...]) -> list[tuple[Any, tuple[int, ...]]]:
        """(condition, cell): under it the cell is the first best. Only cells that may win are listed."""
        key = ("alternatives", selection.name, arguments)
        if key not in self._memo:
            extents = map(self.index, self.case.cell_extents(selection))
            cells = []
            names, real, value = _candidate(self.case, selection.name)
            for cell in product(*map(range, extents)):
                self.sizes.update(zip(names, (*arguments, *cell), strict=True))
                is_real = self.condition(real)
                if not isinstance(is_real, bool):
                    raise Undecided(f"whether a candidate of {selection.name} is real depends on symbolic values")
                if is_real:
                    cells.append((cell, self.scalar(value)))
            if not cells:
                raise OutOfBounds(f"{selection.name}{list(arguments)} has no candidate")
            found = []
            for j, (cell, best) in enumerate(cells):
                wins = [
                    self.domain.compare("value<" if i < j else "value<=", v, best)
                    for i, (_, v) in enumerate(cells)
                    if i != j
                ]
                condition = _conjunction(wins)
                if condition is True:
                    found = [(True, cell)]
                    break
                if condition is not False:
                    found.append((condition, cell))
            self._memo[key] = found
        return self._memo[key]  # type: ignore[no-any-return]

    # ------------------------------------------------------------ conditions
    def condition(self, c: Condition) -> Any:
        """A bool, or a condition of the domain where it depends on symbolic values."""
        if not self.case.op.selections:
            return self._condition(c)
        return self._over_selections(lambda: self._condition(c))

    def _condition(self, c: Condition) -> Any:
        a = c.args
        if c.op in ("true", "false"):
            return c.op == "true"
        if c.op == "and":
            left = self._condition(a[0])
            return False if left is False else _conjunction([left, self._condition(a[1])])
        if c.op == "or":
            left = self._condition(a[0])
            if left is True:
                return True
            right = self._condition(a[1])
            return _negation(_conjunction([_negation(left), _negation(right)]))
        if c.op == "not":
            return _negation(self._condition(a[0]))
        if c.op.startswith("index"):
            x, y = self.index(a[0]), self.index(a[1])
            return x == y if c.op == "index==" else x <= y
        verdict = self.domain.compare(c.op, self.scalar(a[0]), self.scalar(a[1]))
        return bool(verdict) if verdict in (T.TRUE, T.FALSE) and isinstance(verdict, Condition) else verdict

    # ------------------------------------------------------------ scalars
    def scalar(self, t: Scalar) -> Any:
        if t.op in ("access", "number", "integer", "indicator"):
            if not self.case.op.selections:
                return self._scalar(t)
            return self._over_selections(lambda: self._scalar(t))
        sizes = self.sizes
        key = (t, tuple([sizes[v] for v in free_names(t) if v in sizes]), *self._selected.items())
        memo = self._memo if self.shared is None or self._is_linear(t) else self.shared
        if key not in memo:
            memo[key] = self._scalar(t)
        return memo[key]

    def _is_linear(self, t: Term) -> bool:
        """Does a tangent or a cotangent occur in t?"""
        assert self.shared is not None
        key = ("linear", t)
        if key not in self.shared:
            names = {"g", *("d" + x.name for x in self.case.inputs)}
            self.shared[key] = (t.op == "access" and t.args[0] in names) or any(
                [self._is_linear(a) for a in t.args if isinstance(a, (Scalar, Condition))])
        return bool(self.shared[key])

    def _scalar(self, t: Scalar) -> Any:
        a, d = t.args, self.domain
        if t.op == "number":
            return d.number(a[0])
        if t.op == "integer":
            return d.number(Fraction(self.index(a[0])))
        if t.op == "constant":
            return d.constant(a[0])
        if t.op == "access":
            return self._access(a[0], [self.index(i) for i in a[1:]])
        if t.op == "add":
            return self.scalar(a[0]) + self.scalar(a[1])
        if t.op == "mul":
            return self._product(t)
        if t.op == "reciprocal":
            return d.reciprocal(self.scalar(a[0]))
        if t.op == "function":
            return d.function(a[0], self.scalar(a[1]))
        if t.op == "indicator":
            return d.choose(self._condition(a[0]), lambda: d.number(Fraction(1)), lambda: d.number(Fraction(0)))
        if t.op == "where":
            return d.choose(self.condition(a[0]), lambda: self.scalar(a[1]), lambda: self.scalar(a[2]))
        outer = self.sizes.get(a[0])
        total = d.number(Fraction(0))
        for i in range(self.index(a[1])):
            self.sizes[a[0]] = i
            total = total + self.scalar(a[2])
        self.sizes.pop(a[0], None)
        if outer is not None:  # a sum inside another that binds the same name
            self.sizes[a[0]] = outer
        return total

    def _access(self, name: str, indices: list[int]) -> Any:
        key = ("extents", name)
        if key not in self._memo:
            self._memo[key] = [self.index(n) for n in (() if name in self.case.op.reals else self.case.shape(name))]
        extents = self._memo[key]
        if any([not 0 <= i < n for i, n in zip(indices, extents, strict=True)]):
            raise OutOfBounds(f"{name}{indices} of shape {extents}")
        return self.tensors[name](*indices)

    def _product(self, t: Scalar) -> Any:
        factors, guards = _factors(t)
        for part in guards:
            try:
                if self._condition(part) is False:
                    return self.domain.number(Fraction(0))
            except NeedsSelection:  # selections count as values
                continue
        result: Any = None
        for f in factors:
            value = self.scalar(f)
            result = value if result is None else result * value
        return result


@lru_cache(maxsize=1 << 14)
def _factors(t: Scalar) -> tuple[list[Scalar], list[Condition]]:
    """The factors of a product, and the conjuncts of its guards that mention no value, up to a factor 0."""
    factors = T.product_factors(t)
    guards: list[Condition] = []
    for f in factors:
        if f == T.ZERO:
            return factors, [*guards, T.FALSE]
        if f.op == "indicator":
            guards += [c for c in T.conjuncts(f.args[0]) if not T.atom_conditions(c)]
    return factors, guards


@lru_cache(maxsize=1 << 10)
def _candidate(case: Case, name: str) -> tuple[list[str], Condition, Scalar]:
    """What a selection compares, as terms in variables of their own for its arguments and its cell."""
    selection = case.op.selections[name]
    arguments = [f"{name}.{n}" for n in case.selection_arguments(selection)]
    cell = [f"{name}.{n}" for n in selection.candidates]
    real, value = case.candidate(selection, list(map(T.variable, arguments)), list(map(T.variable, cell)))
    return [*arguments, *cell], real, value


def _choose_condition(c: Any, a: Any, b: Any) -> Any:
    if c is True:
        return a
    return _negation(_conjunction([_negation(_conjunction([c, a])), _negation(_conjunction([_negation(c), b]))]))


def evaluate(t: Term, environment: Environment) -> Any:
    if isinstance(t, Index):
        return environment.index(t)
    if isinstance(t, Condition):
        return environment.condition(t)
    assert isinstance(t, Scalar)
    return environment.scalar(t)
