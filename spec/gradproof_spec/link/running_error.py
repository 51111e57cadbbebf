"""TRUSTED. Running error analysis: the shipped NumPy code on pairs (exact value, error bound).

A pair (v, e) in some place of a computation says: the float that NumPy computes there, in float32 or float64, differs
from the real number v by at most e. Inputs have e = 0. With u the unit roundoff and t the smallest subnormal:

    a + b        ea + eb, rounded                  rounded: e + u (|v| + e) for results that are floats or round to one,
    a b          |a| eb + |b| ea + ea eb, rounded           + t where the result can be subnormal and inexact
    a / b        (ea + |a/b| eb) / (|b| - eb), rounded; no claim if eb >= |b|
    f(a)         max |f(a ± ea) - f(a)|; sqrt rounded, the others + FUNCTION_ULPS
    sum of n     Σ e + γ(n-1) Σ (|t| + e), γ(k) = k u / (1 - k u): any order, pairwise and blocked ones included
    moving       nothing is added; nor by exact 0, by negation, by multiplication with exact 0, 1 and -1

A sum is what np.sum, @, dot, tensordot and einsum compute; with the products' own errors the bound holds with fused
multiply-add too, which rounds less often (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., ch. 3, 4).
It assumes IEEE arithmetic, round to nearest, no flush to zero, no Strassen product.

There is no claim where an intermediate can exceed the largest float; the pair is then OVERFLOW and so is all that
depends on it. A comparison closer than the errors of its sides raises Undecided: the run makes no claim at all.

All numbers are mpmath intervals, rounded outward, so v encloses the exact value and the upper end of e is a bound.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, ClassVar

import numpy as np
from mpmath.ctx_iv import MPIntervalContext

from ..evaluate import Undecided, enclosed, precision
from ..symbolic import Meanings, ObjectArray, Unsupported
from ..symbolic.meanings import NAMED_CONSTANTS, named_constant, read_constant

iv = MPIntervalContext()  # a context of our own: nobody else changes its precision
BITS = 200
iv.prec = BITS
EXTRA_BITS = 1200  # float64 reaches down to 2**-1074
ZERO, ONE_EITHER_WAY = iv.mpf(0), iv.mpf([-1, 1])
# These are assumed to be this close. NumPy states 2.52 ulp for exp and 3.83 for log in float32 (AVX: numpy pull request
# 13134), 1.49 for sin and cos (15247), at most 4 in either precision for all that SVML serves (19478), and elsewhere
# uses the C library, which is closer. erf is ours (gradproof.special), measured against mpmath.
FUNCTION_ULPS = dict.fromkeys(("exp", "log", "sqrt", "log1p", "expm1", "tanh", "sin", "cos", "erf"), 4)


def interval(number: Fraction | int | float) -> Any:
    """The number as an interval: a point where it has at most `BITS` bits, as every float has."""
    return _interval(number, iv.prec)


@lru_cache(maxsize=1 << 12, typed=True)
def _interval(number: Fraction | int | float, bits: int) -> Any:
    """The same at the current precision, which is `bits`."""
    if isinstance(number, float):
        return iv.mpf(number)
    q = Fraction(number)
    return iv.mpf(q.numerator) / q.denominator


def _value(name: str, x: Any) -> Any:
    """f over an interval. Near 0 expm1 and log1p need more digits than exp(x) - 1 leaves."""
    if name in ("expm1", "log1p"):
        with precision(iv, iv.prec + EXTRA_BITS):
            return iv.exp(x) - 1 if name == "expm1" else iv.log(1 + x)
    return enclosed(iv, name, x)


class Pair:
    """v the exact value, e the error bound, None if there is no claim.

    unit   0, 1 or -1 where the value is exactly that, without an error
    terms  for a sum what a longer one needs: the number of its terms, the sum of their magnitudes with errors, `mass`,
           and the sum of their errors, `error`
    """

    __slots__ = ("e", "error", "mass", "meanings", "terms", "unit", "v")

    def __init__(self, meanings: RunningError, v: Any, e: Any, unit: float | None = None) -> None:
        self.meanings, self.v, self.e, self.unit = meanings, v, e, unit
        self.terms, self.mass, self.error = 1, ZERO, ZERO

    @property
    def claimed(self) -> bool:
        return self.e is not None

    # NumPy's loops for dot, matmul, tensordot and einsum use these; elementwise operations go through the meanings.
    def __add__(self, other: Any) -> Pair:
        return self.meanings.add_in_any_order(self, other)

    def __mul__(self, other: Any) -> Pair:
        return self.meanings.multiply(self, other)

    __radd__, __rmul__ = __add__, __mul__


class RunningError(Meanings):
    """The rules above, for one dtype."""

    def __init__(self, dtype: type[np.floating[Any]]) -> None:
        info = np.finfo(dtype)
        self.dtype = dtype
        self.u = iv.mpf(2) ** -(info.nmant + 1)
        self.tiny = interval(float(info.smallest_subnormal))
        self.greatest_float = interval(float(info.max))
        self.zero = self.exact(0.0)
        self.OVERFLOW = Pair(self, None, None)
        self.BELOW = Pair(self, None, None)  # below half the least float, or -inf: exp gives 0
        self.any_order = np.frompyfunc(self.add_in_any_order, 2, 1, identity=0)

    def exact(self, value: float) -> Pair:
        """A float of this dtype."""
        return Pair(self, interval(value), ZERO, value if value in (0, 1, -1) else None)

    def pair(self, v: Any, e: Any) -> Pair:
        if (abs(v) + e <= self.greatest_float) is True:
            return Pair(self, v, e)
        return self.BELOW if (2 * (v + e) < -self.greatest_float) is True else self.OVERFLOW

    def rounded(self, v: Any, e: Any, underflow: Any = ZERO) -> Pair:
        return self.pair(v, e + self.u * (abs(v) + e) + underflow)

    @cache  # noqa: B019  two instances
    def gamma(self, k: int) -> Any:
        return k * self.u / (1 - k * self.u)

    # ---- the primitives of Meanings
    def lift(self, value: Any) -> Pair:
        if isinstance(value, Pair):
            return value
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return self.lift(value.view(np.ndarray)[()])
        if isinstance(value, (bool, np.bool_, int, np.integer)):
            number = Fraction(int(value))
        elif (named := named_constant(value)) is not None:  # its rounding is an error too
            v = NAMED_CONSTANTS[named][1](iv)
            return Pair(self, v, abs(interval(float(self.dtype(value))) - v))
        elif isinstance(value, (float, np.floating)):
            number, _ = read_constant(value)  # as its author wrote it; its rounding to the dtype is an error
        else:
            raise Unsupported(f"a {type(value).__name__} in arithmetic on pairs")
        stored = float(self.dtype(value))
        return (
            self.exact(stored)
            if stored == number
            else Pair(self, interval(number), interval(abs(Fraction(stored) - number)))
        )

    def is_element(self, value: Any) -> bool:
        return isinstance(value, Pair)

    def add(self, a: Any, b: Any) -> Pair:
        x, y = self.lift(a), self.lift(b)
        if x.claimed and y.claimed and x.unit != 0 and y.unit != 0:
            return self.rounded(x.v + y.v, x.e + y.e)
        return self._without_rounding(x, y)

    def _without_rounding(self, x: Pair, y: Pair) -> Pair:
        """The sum where a term is exactly 0 or may have overflowed."""
        if not (x.claimed and y.claimed):
            return self.OVERFLOW
        return y if x.unit == 0 else x

    def add_in_any_order(self, a: Any, b: Any) -> Pair:
        x, y = self.lift(a), self.lift(b)
        if not (x.claimed and y.claimed) or x.unit == 0 or y.unit == 0:
            return self._without_rounding(x, y)
        (mass_a, error_a), (mass_b, error_b) = (
            (t.mass, t.error) if t.terms > 1 else (abs(t.v) + t.e, t.e) for t in (x, y)
        )
        mass, error = mass_a + mass_b, error_a + error_b
        growth = self.gamma(x.terms + y.terms - 1) * mass
        if (mass + growth <= self.greatest_float) is not True:
            return self.OVERFLOW
        total = Pair(self, x.v + y.v, error + growth)
        total.terms, total.mass, total.error = x.terms + y.terms, mass, error
        return total

    def negative(self, x: Any) -> Pair:
        x = self.lift(x)
        return Pair(self, -x.v, x.e, None if x.unit is None else -x.unit) if x.claimed else self.OVERFLOW

    def multiply(self, a: Any, b: Any) -> Pair:
        a, b = self.lift(a), self.lift(b)
        if not (a.claimed and b.claimed):
            return self.OVERFLOW
        for x, y in ((a, b), (b, a)):
            if x.unit is not None:
                return self.zero if x.unit == 0 else y if x.unit == 1 else self.negative(y)
        return self.rounded(a.v * b.v, abs(a.v) * b.e + abs(b.v) * a.e + a.e * b.e, self.tiny)

    def divide(self, a: Any, b: Any) -> Pair:
        a, b = self.lift(a), self.lift(b)
        if not (a.claimed and b.claimed and (abs(b.v) - b.e > 0) is True):
            return self.OVERFLOW
        v = a.v / b.v
        return self.rounded(v, (a.e + abs(v) * b.e) / (abs(b.v) - b.e), self.tiny)

    def function(self, name: str, x: Any) -> Pair:
        if name not in FUNCTION_ULPS:
            raise Unsupported(f"{name} has no error bound yet: add it to link/running_error.py")
        at = self.lift(x)
        if at is self.BELOW and name == "exp":
            return Pair(self, iv.mpf([0, self.tiny.b]), self.tiny)
        if not at.claimed:
            return self.OVERFLOW
        around = at.v + ONE_EITHER_WAY * at.e
        if (name in ("log", "log1p") and (around > (0 if name == "log" else -1)) is not True) or (
            name == "sqrt" and (around >= 0) is not True
        ):
            return self.OVERFLOW
        v = _value(name, at.v)
        e = abs(_value(name, around) - v)
        if name == "sqrt":
            return self.rounded(v, e)
        return self.pair(v, e + FUNCTION_ULPS[name] * (2 * self.u * (abs(v) + e) + self.tiny))

    def less(self, a: Any, b: Any) -> bool:
        return self._sign(a, b) < 0

    def less_equal(self, a: Any, b: Any) -> bool:
        return self._sign(a, b) <= 0

    def equal(self, a: Any, b: Any) -> bool:
        return self._sign(a, b) == 0

    def _sign(self, a: Any, b: Any) -> int:
        """The sign of a - b, the same for the floats as for the exact values."""
        a, b = self.lift(a), self.lift(b)
        if not (a.claimed and b.claimed):
            raise Undecided("a comparison with a value that may have overflowed")
        if a is b:
            return 0
        distance, error = a.v - b.v, a.e + b.e
        if (distance > error) is True:
            return 1
        if (distance < -error) is True:
            return -1
        if a.e is ZERO and b.e is ZERO:
            return 0
        raise Undecided("a comparison lies within its error")


class PairArray(ObjectArray):
    """An array of pairs. Sums are those of any order."""

    meanings: ClassVar[RunningError]

    def _reduce(self, ufunc: np.ufunc, method: str, raw: Any, *more: Any, **options: Any) -> Any:
        if ufunc is np.add and method == "reduceat":
            return self.meanings.any_order.reduceat(self._lifted(raw), *more, **options)
        if ufunc is np.add and method == "reduce" and options.pop("initial", None) in (None, np._NoValue) and not more:
            result = self.meanings.any_order.reduce(self._lifted(raw), **options)
            return result if isinstance(result, np.ndarray) else self.meanings.lift(result)
        return super()._reduce(ufunc, method, raw, *more, **options)

    def _at(self, ufunc: np.ufunc, buffer: np.ndarray, key: Any, *values: Any) -> None:
        if ufunc is not np.add or buffer.dtype != object:
            return super()._at(ufunc, buffer, key, *values)
        self.meanings.any_order.at(buffer.view(np.ndarray), self._resolve(key)[0], self._lifted(self._raw(values[0])))

    @classmethod
    def of(cls, x: np.ndarray) -> PairArray:
        """Floats as pairs without error."""
        pairs = np.empty(x.shape, dtype=object)
        for i in np.ndindex(*x.shape):
            pairs[i] = cls.meanings.exact(float(x[i]))
        return pairs.view(cls)


class SinglePairs(PairArray):
    meanings = RunningError(np.float32)


class DoublePairs(PairArray):
    meanings = RunningError(np.float64)


PAIRS: dict[Any, type[PairArray]] = {np.dtype(np.float32): SinglePairs, np.dtype(np.float64): DoublePairs}
