"""TRUSTED. Elements of arrays in users' code: reals, and reals that may be infinite under a condition.

`Extended` is -inf where `below` holds, inf where `above` holds, else the real `value`. What IEEE 754 makes nan
(inf - inf, 0 * inf, inf / inf, log of -inf) is a side condition of kind "nan", refused where it is certain. An infinite
result is one of kind "infinite". Finite reals never overflow: they are exact.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Any

import mpmath
import numpy as np

from .. import terms
from ..terms import FALSE, ONE, PI, TRUE, ZERO, Condition, Scalar, product_factors
from .meanings import (
    ARITHMETIC,
    LOGIC,
    ROOT_HALF,
    ROOT_PI,
    ULPS_OF_A_NAMED_CONSTANT,
    SymbolicMeanings,
    Unsupported,
    _ledger,
    _partial,
    _plain,
    named_constant,
    read_constant,
)

USERS_ARITHMETIC: dict[np.ufunc, str] = {
    **ARITHMETIC, np.float_power: "power", np.logaddexp2: "logaddexp2", np.hypot: "hypot", np.deg2rad: "radians",
    np.rad2deg: "degrees",
    **{u: u.__name__ for u in (np.sinh, np.cosh, np.tan, np.arctan, np.arcsin, np.arccos, np.arcsinh, np.arccosh,
                               np.arctanh, np.log2, np.log10, np.exp2, np.cbrt, np.radians, np.degrees, np.floor,
                               np.ceil, np.trunc, np.rint, np.fmod)},
}
USERS_LOGIC: dict[np.ufunc, str] = {**LOGIC, np.isinf: "infinite", np.isfinite: "finite"}


class Extended:
    """-inf where `below`, inf where `above` (never both), else `value`. Its operators are those of `UserMeanings`."""

    __slots__ = ("above", "below", "value")

    def __init__(self, below: Condition, above: Condition, value: Scalar) -> None:
        self.below, self.above, self.value = below, above, value

    def __repr__(self) -> str:
        return f"(-inf where {self.below!r}, inf where {self.above!r}, else {self.value!r})"

    def __bool__(self) -> bool:
        return bool(USERS.not_equal(self, 0))

    def __add__(self, other: Any) -> Any:
        return USERS.add(self, other)

    def __sub__(self, other: Any) -> Any:
        return USERS.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return USERS.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return USERS.multiply(self, other)

    __radd__, __rmul__ = __add__, __mul__

    @property
    def infinite(self) -> Condition:
        return self.below | self.above


def extended(below: Condition, above: Condition, value: Scalar) -> Any:
    """The element; a Scalar where it is certainly finite."""
    return value if below == FALSE and above == FALSE else Extended(below, above, value)


def _parts(x: Any) -> tuple[Condition, Condition, Scalar]:
    return (x.below, x.above, x.value) if isinstance(x, Extended) else (FALSE, FALSE, x)


def _never_nan(what: str, bad: Condition) -> None:
    if bad == TRUE:
        raise Unsupported(f"{what} is nan: replace infinite values first, with np.where(np.isfinite(m), m, 0) "
                          f"before the operation")
    if bad != FALSE:
        _ledger(what).record("nan", ~bad)


class UserMeanings(SymbolicMeanings):
    """Exact reals, and infinities where the result is determined."""

    def lift(self, value: Any) -> Any:
        if isinstance(value, Extended):
            return value
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return self.lift(value.view(np.ndarray)[()])
        if isinstance(value, (float, np.floating)):
            if math.isinf(value):
                return Extended(TRUE, FALSE, ZERO) if value < 0 else Extended(FALSE, TRUE, ZERO)
            if not math.isnan(value) and named_constant(value) is None:
                meant = meant_constant(value)
                if meant is not None:
                    _ledger(f"the constant {value}").decimal_constants[str(value)] = meant
                    return meant
        return super().lift(value)

    def term(self, value: Any) -> Scalar:
        x = self.lift(value)
        if isinstance(x, Extended):
            if x.infinite == TRUE:
                raise Unsupported("a result is infinite: it has no gradient there; return finite values")
            _ledger("an infinite result").record("infinite", ~x.infinite)
            x = x.value
        return x  # type: ignore[no-any-return]

    def is_element(self, value: Any) -> bool:
        return isinstance(value, Extended) or super().is_element(value)

    def constant(self, value: Any) -> Fraction | None:
        x = self.lift(value)
        return None if isinstance(x, Extended) or x.op != "number" else x.args[0]

    def operands(self) -> dict[str, int]:
        return {n: u.nin for u, n in USERS_ARITHMETIC.items()} | super().operands()

    # ---- primitives
    def add(self, a: Any, b: Any) -> Any:
        a, b = self.lift(a), self.lift(b)
        if not isinstance(a, Extended) and not isinstance(b, Extended):
            return a + b
        (a_below, a_above, p), (b_below, b_above, q) = _parts(a), _parts(b)
        _never_nan("inf - inf", (a_below & b_above) | (a_above & b_below))
        return extended(a_below | b_below, a_above | b_above, p + q)

    def multiply(self, a: Any, b: Any) -> Any:
        a, b = self.lift(a), self.lift(b)
        if not isinstance(a, Extended) and not isinstance(b, Extended):
            return a * b
        (a_below, a_above, p), (b_below, b_above, q) = _parts(a), _parts(b)
        a_infinite, b_infinite = a_below | a_above, b_below | b_above
        _never_nan("0 * inf", (a_infinite & ~b_infinite & terms.equal(q, ZERO))
                   | (b_infinite & ~a_infinite & terms.equal(p, ZERO)))
        a_up, a_down = a_above | (~a_infinite & (p > 0)), a_below | (~a_infinite & (p < 0))
        b_up, b_down = b_above | (~b_infinite & (q > 0)), b_below | (~b_infinite & (q < 0))
        infinite = a_infinite | b_infinite
        return extended(infinite & ((a_up & b_down) | (a_down & b_up)), infinite & ((a_up & b_up) | (a_down & b_down)),
                        p * q)

    def divide(self, a: Any, b: Any) -> Any:
        a, b = self.lift(a), self.lift(b)
        if isinstance(b, Extended):
            if isinstance(a, Extended):
                _never_nan("inf / inf", a.infinite & b.infinite)
            inverse = super().divide(ONE, terms.where(b.infinite, ONE, b.value))
            if not isinstance(a, Extended):
                return terms.where(b.infinite, ZERO, a * inverse)
            quotient = self.multiply(a, inverse)  # the sign of 1/b is that of b: only where b is finite, as shown
            return extended(*_parts(quotient)[:2], terms.where(b.infinite, ZERO, _parts(quotient)[2]))
        return self.multiply(a, super().divide(ONE, b)) if isinstance(a, Extended) else super().divide(a, b)

    def function(self, name: str, x: Any) -> Any:
        x = self.lift(x)
        if not isinstance(x, Extended):
            return super().function(name, x)
        if name == "expm1":
            return self.add(self.function("exp", x), -1)
        if name == "log1p":
            return self.function("log", self.add(x, 1))
        if name == "exp":
            return extended(FALSE, x.above, terms.where(x.below, ZERO, super().function("exp", x.value)))
        if name in ("log", "sqrt"):
            _never_nan(f"{name} of -inf", x.below)
            return extended(FALSE, x.above, super().function(name, terms.where(x.above, ONE, x.value)))
        limit: Scalar = {"tanh": ONE, "erf": ONE, "atan": PI * Fraction(1, 2)}.get(name, ZERO)
        if limit == ZERO:
            _never_nan(f"{name} of an infinity", x.infinite)
            return super().function(name, x.value)
        return terms.where(x.above, limit, terms.where(x.below, -limit, super().function(name, x.value)))

    def _compare(self, op: str, a: Any, b: Any, relation: Callable[[Any, Any], Any]) -> Any:
        a, b = self.lift(a), self.lift(b)
        if not isinstance(a, Extended) and not isinstance(b, Extended):
            return super()._compare(op, a, b, relation)
        (a_below, a_above, p), (b_below, b_above, q) = _parts(a), _parts(b)
        finite = ~(a_below | a_above) & ~(b_below | b_above)
        if finite != FALSE:
            p, q = (terms.where(i, ZERO, t) if _partial(t) else t
                    for i, t in ((a_below | a_above, p), (b_below | b_above, q)))  # owed only where used
            finite = finite & super()._compare(op, p, q, relation)
        if op == "value==":
            return _plain(finite | (a_below & b_below) | (a_above & b_above))
        strictly = (a_below & ~b_below) | (b_above & ~a_above)
        return _plain(finite | strictly if op == "value<" else finite | a_below | b_above)

    def choose(self, c: Any, a: Any, b: Any) -> Any:
        c = self.truth(c)
        if isinstance(c, bool):
            return a if c else b
        if self.is_truth(a) and self.is_truth(b):
            return super().choose(c, a, b)
        (a_below, a_above, p), (b_below, b_above, q) = _parts(self.lift(a)), _parts(self.lift(b))
        finite = p if (b_below | b_above) == TRUE else q if (a_below | a_above) == TRUE else terms.where(c, p, q)
        return extended((c & a_below) | (~c & b_below), (c & a_above) | (~c & b_above), finite)

    def cases(self, integers: tuple[Any, ...]) -> Any:
        if any(isinstance(self.lift(i), Extended) for i in integers):
            raise Unsupported("an integer that may be infinite")
        return super().cases(integers)

    def _integer_operation(self, a: Any, b: Any, operation: Callable[[int, int], int]) -> Any:
        found = []
        for guard, (p, q) in self.cases((a, b)):
            if q == 0:
                _ledger("an integer division by 0").record("divisor", ~guard)
            else:
                found.append((guard, operation(p, q)))
        if not found:
            raise ZeroDivisionError("an integer division by 0 whatever the inputs are")
        return self.lift(self.select(found))

    # ---- what a value is
    def never(self, x: Any) -> bool:
        """isnan: nothing is nan."""
        self.lift(x)
        return False

    def infinite(self, x: Any) -> Any:
        x = self.lift(x)
        return _plain(x.infinite) if isinstance(x, Extended) else False

    def finite(self, x: Any) -> Any:
        return self.opposite(self.infinite(x))

    def is_below(self, x: Any) -> Any:
        return _plain(_parts(self.lift(x))[0])

    def is_above(self, x: Any) -> Any:
        return _plain(_parts(self.lift(x))[1])

    # ---- functions that follow
    def arctan(self, x: Any) -> Any:
        return self.function("atan", x)

    def halved(self, x: Any) -> Any:
        return self.multiply(Fraction(1, 2), x)

    def sinh(self, x: Any) -> Any:
        return self.halved(self.subtract(self.exp(x), self.exp(self.negative(x))))

    def cosh(self, x: Any) -> Any:
        return self.halved(self.add(self.exp(x), self.exp(self.negative(x))))

    def tan(self, x: Any) -> Any:
        return self.divide(self.sin(x), self.cos(x))

    def arcsin(self, x: Any) -> Any:
        """arctan(x / sqrt(1 - x^2)), so for -1 < x < 1: at the ends there is no derivative."""
        return self.arctan(self.divide(x, self.sqrt(self.subtract(1, self.square(x)))))

    def arccos(self, x: Any) -> Any:
        return self.subtract(self.halved(PI), self.arcsin(x))

    def arcsinh(self, x: Any) -> Any:
        return self.log(self.add(x, self.sqrt(self.add(self.square(x), 1))))

    def arccosh(self, x: Any) -> Any:
        return self.log(self.add(x, self.sqrt(self.subtract(self.square(x), 1))))

    def arctanh(self, x: Any) -> Any:
        return self.halved(self.log(self.divide(self.add(1, x), self.subtract(1, x))))

    def power(self, x: Any, exponent: Any) -> Any:
        if self.constant(x) == 0 and self.constant(exponent) is None:  # 0 ** y has no logarithm
            return self.choose(self.less(0, exponent), self.lift(0),
                               self.choose(self.equal(exponent, 0), self.lift(1), self.lift(math.inf)))
        return super().power(x, exponent)

    def log2(self, x: Any) -> Any:
        return self.multiply(self.log(x), 1 / LOG_2)

    def log10(self, x: Any) -> Any:
        return self.multiply(self.log(x), 1 / LOG_10)

    def exp2(self, x: Any) -> Any:
        return self.exp(self.multiply(x, LOG_2))

    def logaddexp2(self, a: Any, b: Any) -> Any:
        return self.log2(self.add(self.exp2(a), self.exp2(b)))

    def hypot(self, a: Any, b: Any) -> Any:
        return self.sqrt(self.add(self.square(a), self.square(b)))

    def cbrt(self, x: Any) -> Any:
        """sign(x) exp(log|x| / 3), and 0 at 0; of a product the product of the factors' roots."""
        def root(y: Any) -> Any:
            return self.exp(self.multiply(Fraction(1, 3), self.log(y)))

        x = self.lift(x)
        factors = product_factors(x) if isinstance(x, Scalar) else []
        if len(factors) > 1:
            return prod(map(self.cbrt, factors), start=ONE)
        c = self.constant(x)
        if c is not None:  # the sign is known: log is taken of a positive constant only
            return self.lift(0) if c == 0 else root(c) if c > 0 else self.negative(root(-c))
        return self.choose(self.less(0, x), root(x),
                           self.choose(self.less(x, 0), self.negative(root(self.negative(x))), 0))

    def floor(self, x: Any) -> Any:
        return self._rounded("floor", x, math.floor)

    def rint(self, x: Any) -> Any:
        return self._rounded("nint", x, round)  # of a half the even neighbour, as NumPy

    def _rounded(self, name: str, x: Any, of_number: Callable[[Fraction], int]) -> Any:
        below, above, value = _parts(self.lift(x))
        c = value.args[0] if value.op == "number" else None
        rounded = terms.function(name, value) if c is None else Scalar("number", Fraction(of_number(c)))
        return extended(below, above, rounded)

    def ceil(self, x: Any) -> Any:
        return self.negative(self.floor(self.negative(x)))

    def trunc(self, x: Any) -> Any:
        return self.choose(self.less_equal(0, x), self.floor(x), self.ceil(x))

    def fmod(self, a: Any, b: Any) -> Any:
        return self._integer_operation(a, b, lambda p, q: int(math.fmod(p, q)))

    def radians(self, x: Any) -> Any:
        return self.multiply(x, PI * Fraction(1, 180))

    def degrees(self, x: Any) -> Any:
        return self.divide(self.multiply(x, 180), PI)

    def maximum(self, a: Any, b: Any) -> Any:
        return self.lift(super().maximum(a, b))

    def minimum(self, a: Any, b: Any) -> Any:
        return self.lift(super().minimum(a, b))

    def sorted(self, values: Sequence[Any]) -> list[int]:
        """The stable order of the values: every comparison is a branch."""
        order: list[int] = []
        for j, x in enumerate(values):
            place = len(order)
            while place and bool(self.less(x, values[order[place - 1]])):
                place -= 1
            order.insert(place, j)
        return order


# ---------------------------------------------------------------- floats that stand for other numbers
LOG_2, LOG_10 = terms.function("log", 2), terms.function("log", 10)
# Multiples p/q of these, p and q at most 100, are read as what they are.
BASES: tuple[tuple[Scalar, Callable[[Any], Any]], ...] = (
    (PI, lambda m: +m.pi),
    (ONE / PI, lambda m: 1 / m.pi),
    (PI * PI, lambda m: m.pi ** 2),
    (ROOT_PI, lambda m: m.sqrt(m.pi)),
    (ONE / ROOT_PI, lambda m: 1 / m.sqrt(m.pi)),
    (ROOT_HALF * ROOT_PI, lambda m: m.sqrt(m.pi / 2)),
    (ROOT_HALF / ROOT_PI, lambda m: 1 / m.sqrt(2 * m.pi)),
    (LOG_2, lambda m: m.log(2)),
    (ONE / LOG_2, lambda m: 1 / m.log(2)),
    (LOG_10, lambda m: m.log(10)),
    (ONE / LOG_10, lambda m: 1 / m.log(10)),
    (LOG_2 / LOG_10, lambda m: m.log(2) / m.log(10)),
    (LOG_10 / LOG_2, lambda m: m.log(10) / m.log(2)),
    (terms.function("log", PI), lambda m: m.log(m.pi)),
    (terms.function("log", 2 * PI), lambda m: m.log(2 * m.pi)),
    (terms.function("exp", 1), lambda m: m.e),
    (terms.function("exp", -1), lambda m: 1 / m.e),
)
LARGEST_DENOMINATOR, LARGEST_MULTIPLE, FEWEST_DIGITS, SHORT_DECIMAL = 1000, 100, 15, 6


@lru_cache(maxsize=4096)
def meant_constant(value: float) -> Scalar | None:
    """What a float of at least 15 digits stands for if it is within 2 ulp of it, else None.

    p/q with q <= 1000, sqrt(p/q), (p/q) c for the constants c above; and decimals d of at most 6 digits and d c, which
    Python makes of 3 * 0.044715 and np.sqrt(2 / np.pi) * 0.044715.
    """
    if not isinstance(value, (float, np.floating)) or not math.isfinite(value) or value == 0:
        return None
    x = float(value)
    if len(Decimal(str(value)).as_tuple().digits) < FEWEST_DIGITS or read_constant(value)[1]:
        return None

    def near(number: Any) -> bool:
        return abs(float(number) - x) <= ULPS_OF_A_NAMED_CONSTANT * math.ulp(x)

    q = Fraction(x).limit_denominator(LARGEST_DENOMINATOR)
    if abs(q.numerator) <= 10**6 and not _is_power_of_two(q.denominator) and near(q.numerator / q.denominator):
        return Scalar("number", q)
    if (d := _short_decimal(x)) is not None and near(d):
        return Scalar("number", d)
    with mpmath.workprec(120):
        q = (Fraction(x) ** 2).limit_denominator(LARGEST_DENOMINATOR)
        if 0 < q.numerator <= LARGEST_DENOMINATOR and not _is_square(q):
            root = mpmath.sqrt(mpmath.mpf(q.numerator) / q.denominator)
            if near(root if x > 0 else -root):
                return _root(q) if x > 0 else -_root(q)
        for term, number in BASES:
            base = number(mpmath.mp)
            q = Fraction(float(x / base)).limit_denominator(LARGEST_MULTIPLE)
            if 0 < abs(q.numerator) <= LARGEST_MULTIPLE and near(base * q.numerator / q.denominator):
                return term * q
            if (d := _short_decimal(float(x / base))) is not None and near(base * d.numerator / d.denominator):
                return term * d
    return None


def _short_decimal(x: float) -> Fraction | None:
    """The decimal of 6 digits next to x, unless it is a float itself."""
    d = Fraction(f"{x:.{SHORT_DECIMAL - 1}e}")
    return d if d and not _is_power_of_two(d.denominator) else None


def _is_power_of_two(n: int) -> bool:
    return n & (n - 1) == 0


def _is_square(q: Fraction) -> bool:
    return all(math.isqrt(n) ** 2 == n for n in (q.numerator, q.denominator))


def _root(q: Fraction) -> Scalar:
    """sqrt(a/b) as c times square roots of primes, so that equal numbers are equal terms; sqrt(2) is 2 sqrt(1/2)."""
    outside, inside, result = Fraction(1, q.denominator), q.numerator * q.denominator, ONE
    p = 2
    while inside > 1:
        if inside % (p * p) == 0:
            outside, inside = outside * p, inside // (p * p)
        elif inside % p == 0:
            result, inside = result * (2 * ROOT_HALF if p == 2 else terms.function("sqrt", p)), inside // p
        else:
            p += 1
    return result * outside


USERS = UserMeanings()
