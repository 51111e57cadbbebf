"""TRUSTED. What NumPy's elementwise operations mean on one element that is not a machine number.

`Meanings` holds what every kind of element shares, built from a few primitives; `SymbolicMeanings` is exact real
arithmetic on terms. Truth values are bools or Conditions. Whatever has no meaning here is `Unsupported`, never guessed.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, cast

import mpmath
import numpy as np

from .. import terms
from ..terms import FALSE, ONE, PI, TRUE, ZERO, Condition, Index, Scalar, equal, indicator, replace, subterms
from .ledger import Ledger


class Unsupported(Exception):
    """A NumPy feature that the symbolic run does not model. The message says which, and what to write instead."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        if Ledger.active is not None:
            Ledger.active.refused.append(self)


# NumPy's ufunc -> the method of Meanings. Comparisons and logic give truth values, the rest gives elements.
ARITHMETIC: dict[np.ufunc, str] = {
    np.add: "add", np.subtract: "subtract", np.multiply: "multiply", np.divide: "divide", np.power: "power",
    np.negative: "negative", np.positive: "lift", np.conjugate: "lift", np.square: "square",
    np.reciprocal: "reciprocal", np.absolute: "absolute", np.fabs: "absolute", np.sign: "sign",
    np.maximum: "maximum", np.minimum: "minimum",
    np.fmax: "maximum", np.fmin: "minimum", np.heaviside: "heaviside", np.logaddexp: "logaddexp",
    np.floor_divide: "floor_divide", np.remainder: "remainder",
    **{u: u.__name__ for u in (np.exp, np.log, np.sqrt, np.log1p, np.expm1, np.tanh, np.sin, np.cos)},
}
COMPARISON: dict[np.ufunc, str] = {
    np.less: "less", np.less_equal: "less_equal", np.greater: "greater", np.greater_equal: "greater_equal",
    np.equal: "equal", np.not_equal: "not_equal"}
LOGIC: dict[np.ufunc, str] = {
    np.logical_and: "both", np.logical_or: "either", np.logical_xor: "exclusive", np.logical_not: "opposite",
    np.bitwise_and: "both", np.bitwise_or: "either", np.bitwise_xor: "exclusive", np.invert: "opposite",
    np.isnan: "never", np.isinf: "never", np.isfinite: "always"}


class Meanings:
    """Primitives for a subclass to give: lift, is_element, add, multiply, divide, function, less, less_equal, equal."""

    def lift(self, value: Any) -> Any:
        """An element or a constant as an element."""
        raise NotImplementedError

    def is_element(self, value: Any) -> bool:
        raise NotImplementedError

    def add(self, a: Any, b: Any) -> Any:
        raise NotImplementedError

    def multiply(self, a: Any, b: Any) -> Any:
        raise NotImplementedError

    def divide(self, a: Any, b: Any) -> Any:
        raise NotImplementedError

    def function(self, name: str, x: Any) -> Any:
        """exp, log, sqrt, log1p, expm1, tanh, sin, cos, erf."""
        raise NotImplementedError

    def less(self, a: Any, b: Any) -> Any:
        raise NotImplementedError

    def less_equal(self, a: Any, b: Any) -> Any:
        raise NotImplementedError

    def equal(self, a: Any, b: Any) -> Any:
        raise NotImplementedError

    # ---- truth values
    def truth(self, value: Any) -> Any:
        """A value used as a truth value: NumPy's rule is `!= 0`."""
        return bool(value) if isinstance(value, (bool, np.bool_)) else self.not_equal(value, 0)

    def is_truth(self, value: Any) -> bool:
        return isinstance(value, (bool, np.bool_, Condition))

    def both(self, a: Any, b: Any) -> Any:
        return self.truth(self.truth(a) & self.truth(b))

    def either(self, a: Any, b: Any) -> Any:
        return self.truth(self.truth(a) | self.truth(b))

    def opposite(self, a: Any) -> Any:
        c = self.truth(a)
        return not c if isinstance(c, bool) else ~c

    def exclusive(self, a: Any, b: Any) -> Any:
        return self.either(self.both(a, self.opposite(b)), self.both(self.opposite(a), b))

    def never(self, x: Any) -> bool:
        """isnan, isinf: an element is a finite real."""
        if self.is_element(x) or self.is_truth(x) or math.isfinite(x):
            return False
        raise Unsupported(f"isnan, isinf or isfinite where the array holds the constant {x}")

    def always(self, x: Any) -> bool:
        return not self.never(x)

    def choose(self, c: Any, a: Any, b: Any) -> Any:
        """np.where on one element. Both branches may be truth values."""
        return a if self.truth(c) else b

    # ---- everything below follows from the primitives
    def greater(self, a: Any, b: Any) -> Any:
        return self.less(b, a)

    def greater_equal(self, a: Any, b: Any) -> Any:
        return self.less_equal(b, a)

    def not_equal(self, a: Any, b: Any) -> Any:
        return self.opposite(self.equal(a, b))

    def negative(self, x: Any) -> Any:
        return self.multiply(-1, x)

    def subtract(self, a: Any, b: Any) -> Any:
        return self.add(a, self.negative(b))

    def square(self, x: Any) -> Any:
        return self.multiply(x, x)

    def reciprocal(self, x: Any) -> Any:
        return self.divide(1, x)

    def absolute(self, x: Any) -> Any:
        return self.choose(self.less_equal(0, x), self.lift(x), self.negative(x))

    def sign(self, x: Any) -> Any:
        return self.choose(self.less(0, x), self.lift(1), self.choose(self.less(x, 0), self.lift(-1), self.lift(0)))

    def heaviside(self, x: Any, at_zero: Any) -> Any:
        not_negative = self.choose(self.equal(x, 0), self.lift(at_zero), self.lift(1))
        return self.choose(self.less(x, 0), self.lift(0), not_negative)

    def maximum(self, a: Any, b: Any) -> Any:
        return self.choose(self.less_equal(b, a), a, b)

    def minimum(self, a: Any, b: Any) -> Any:
        return self.choose(self.less_equal(a, b), a, b)

    def logaddexp(self, a: Any, b: Any) -> Any:
        return self.log(self.add(self.exp(a), self.exp(b)))

    def floor_divide(self, a: Any, b: Any) -> Any:
        raise Unsupported("// of reals: only integers (argmax and arithmetic on it) have it")

    def remainder(self, a: Any, b: Any) -> Any:
        raise Unsupported("% of reals: only integers (argmax and arithmetic on it) have it")

    def power(self, x: Any, exponent: Any) -> Any:
        """Integer powers by multiplication, half-integer ones through sqrt, else exp(exponent * log x)."""
        e = self.constant(exponent)
        if e is None or e.denominator > 2:
            return self.exp(self.multiply(exponent, self.log(x)))
        if abs(e.numerator) > 64:
            raise Unsupported(f"the power {e}: at most 64")
        base = self.lift(x) if e.denominator == 1 else self.sqrt(x)
        result = self.lift(1)
        for _ in range(abs(e.numerator)):
            result = self.multiply(result, base)
        return result if e >= 0 else self.divide(1, result)

    def constant(self, value: Any) -> Fraction | None:
        """The value of a constant, None for an element that is not constant."""
        return None if self.is_element(value) else Fraction(value)

    def first_winners(self, values: Sequence[Any], less: Callable[[Any, Any], Any],
                      less_equal: Callable[[Any, Any], Any]) -> list[Any]:
        """For each j the condition that j is the first of the best: better than all earlier, as good as all later."""
        winners = []
        for j, x in enumerate(values):
            c: Any = True
            for i, y in enumerate(values):
                if i != j and c is not False:
                    c = self.both(c, less(y, x) if i < j else less_equal(y, x))
            winners.append(c)
        return winners

    def largest(self, values: Sequence[Any]) -> Any:
        return self._pick(self.first_winners(values, self.less, self.less_equal), values)

    def smallest(self, values: Sequence[Any]) -> Any:
        return self._pick(self.first_winners(values, self.greater, self.greater_equal), values)

    def argmax(self, values: Sequence[Any]) -> Any:
        return self._pick(self.first_winners(values, self.less, self.less_equal), range(len(values)))

    def argmin(self, values: Sequence[Any]) -> Any:
        return self._pick(self.first_winners(values, self.greater, self.greater_equal), range(len(values)))

    def _pick(self, winners: Sequence[Any], values: Sequence[Any]) -> Any:
        """The value whose condition holds: exactly one does."""
        possible = [(c, v) for c, v in zip(winners, values, strict=True) if c is not False]
        result = possible[-1][1]
        for c, v in reversed(possible[:-1]):
            result = self.choose(c, v, result)
        return result

    def __getattr__(self, name: str) -> Any:
        if name in ("exp", "log", "sqrt", "log1p", "expm1", "tanh", "sin", "cos", "erf"):
            return lambda x: self.function(name, x)
        raise AttributeError(name)

    @cache  # noqa: B019  one instance per kind of element
    def ufunc(self, name: str) -> np.ufunc:
        """A method as a NumPy ufunc on object arrays: broadcasting and reducing are NumPy's own."""
        identity = {"add": 0, "multiply": 1, "both": True, "either": False}.get(name)
        method = getattr(self, name)
        return cast(np.ufunc, np.frompyfunc(method, self.operands().get(name, 1), 1, identity=identity))

    def operands(self) -> dict[str, int]:
        """How many operands the methods have that stand for ufuncs."""
        return {n: u.nin for u, n in {**ARITHMETIC, **COMPARISON, **LOGIC}.items()} | {"choose": 3}


ROOT_HALF, ROOT_PI = terms.function("sqrt", Fraction(1, 2)), terms.function("sqrt", PI)
# Irrational constants that kernels write as floats, as terms and as functions of an mpmath context.
NAMED_CONSTANTS: tuple[tuple[Scalar, Callable[[Any], Any]], ...] = (
    (PI, lambda m: +m.pi),
    (ROOT_HALF, lambda m: 1 / m.sqrt(2)),
    (2 * ROOT_HALF, lambda m: m.sqrt(2)),
    (ONE / ROOT_PI, lambda m: 1 / m.sqrt(m.pi)),
    (2 / ROOT_PI, lambda m: 2 / m.sqrt(m.pi)),
    (ROOT_HALF / ROOT_PI, lambda m: 1 / m.sqrt(2 * m.pi)),
    (2 * ROOT_HALF / ROOT_PI, lambda m: m.sqrt(2 / m.pi)),
)
ULPS_OF_A_NAMED_CONSTANT = 2


def named_constant(value: Any) -> int | None:
    """Which of NAMED_CONSTANTS a float stands for: the one within 2 ulp of float64."""
    if not isinstance(value, (float, np.floating)) or not math.isfinite(value):
        return None
    x = float(value)
    return next((k for k, c in enumerate(_named_floats())
                 if abs(c - x) <= ULPS_OF_A_NAMED_CONSTANT * math.ulp(x)), None)


@cache
def _named_floats() -> list[float]:
    return [float(f(mpmath.mp)) for _, f in NAMED_CONSTANTS]


def read_constant(value: Any) -> tuple[Fraction, bool]:
    """A float as the real number that its author wrote, and whether that is exact.

    Exact: integers and floats with a short binary form (0.5, 2.0**-40). Any other is read by its shortest decimal.
    """
    text = str(value)
    if not math.isfinite(value):
        raise Unsupported(f"the constant {text} reached arithmetic on symbols: use finite constants and np.where")
    binary, decimal = Fraction(float(value)), Fraction(text)
    if binary.denominator == 1 or binary == decimal or binary.numerator.bit_length() <= 10:
        return binary, True
    return decimal, False


def _plain(c: Condition) -> Any:
    return c.op == "true" if c.op in ("true", "false") else c


def _infinite(value: Any) -> float:
    """The sign of an infinite constant, else 0."""
    return math.copysign(1, value) if isinstance(value, (float, np.floating)) and math.isinf(value) else 0


class SymbolicMeanings(Meanings):
    """Exact reals as terms: nothing is rounded and nothing is nan or infinite. Every partial operation is recorded."""

    def lift(self, value: Any) -> Scalar:
        if isinstance(value, Scalar):
            return value
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return self.lift(value.view(np.ndarray)[()])
        if isinstance(value, (Condition, bool, np.bool_)):
            return indicator(value if isinstance(value, Condition) else bool(value))
        if isinstance(value, (int, np.integer, Fraction)):
            return Scalar("number", Fraction(int(value) if isinstance(value, np.integer) else value))
        if isinstance(value, (float, np.floating)):
            if (named := named_constant(value)) is not None:
                constant = _ledger(f"the constant {value}").decimal_constants[str(value)] = NAMED_CONSTANTS[named][0]
                return constant
            number, exact = read_constant(value)
            if not exact:
                _ledger(f"the decimal constant {value}").decimal_constants[str(value)] = number
            return Scalar("number", number)
        raise Unsupported(f"a {type(value).__name__} in arithmetic on symbols"
                          + (" (np.empty: fill it first)" if value is None else ""))

    def term(self, value: Any) -> Scalar:
        """An element of a result as a term."""
        return self.lift(value)

    def is_element(self, value: Any) -> bool:
        return isinstance(value, (Scalar, Condition, Index))

    def constant(self, value: Any) -> Fraction | None:
        x = self.lift(value)
        return x.args[0] if x.op == "number" else None

    def add(self, a: Any, b: Any) -> Scalar:
        return self.lift(a) + self.lift(b)

    def multiply(self, a: Any, b: Any) -> Scalar:
        return self.lift(a) * self.lift(b)

    def divide(self, a: Any, b: Any) -> Scalar:
        divisor = self.lift(b)
        if divisor.op != "number" or divisor == ZERO:
            _ledger("a division").divisor(divisor)
        return self.lift(a) / divisor

    def function(self, name: str, x: Any) -> Scalar:
        x = self.lift(x)
        if name == "expm1":
            return terms.function("exp", x) - ONE
        if name == "log1p":
            name, x = "log", x + ONE
        value = terms.function(name, x)
        if name in ("log", "sqrt"):
            goal = x > 0 if name == "log" else x >= 0
            _ledger(name).record(name, goal, Scalar("function", name, x))
        return value

    # ---- comparisons: -inf < every real < inf; a comparison of t with itself folds only where t is total
    def less(self, a: Any, b: Any) -> Any:
        return self._compare("value<", a, b, lambda p, q: p < q)

    def less_equal(self, a: Any, b: Any) -> Any:
        return self._compare("value<=", a, b, lambda p, q: p <= q)

    def equal(self, a: Any, b: Any) -> Any:
        if self.is_truth(a) and self.is_truth(b):
            return self.opposite(self.exclusive(a, b))
        return self._compare("value==", a, b, equal)

    def _compare(self, op: str, a: Any, b: Any, relation: Callable[[Any, Any], Any]) -> Any:
        if _infinite(a) or _infinite(b):
            p, q = Fraction(int(_infinite(a))), Fraction(int(_infinite(b)))
            return p == q if op == "value==" else bool(relation(p, q))
        a, b = self.lift(a), self.lift(b)
        if a == b and a.op != "number" and _partial(a):  # inf - inf or 0/0 would be nan, and nan != nan
            return Condition(op, a, b)
        return _plain(relation(a, b))

    def truth(self, value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.view(np.ndarray)[()]
        return _plain(value) if isinstance(value, Condition) else super().truth(value)

    def choose(self, c: Any, a: Any, b: Any) -> Any:
        c = self.truth(c)
        if isinstance(c, bool):
            return a if c else b
        if self.is_truth(a) and self.is_truth(b):
            return self.either(self.both(c, a), self.both(self.opposite(c), b))
        return terms.where(c, self.lift(a), self.lift(b))

    def _pick(self, winners: Sequence[Any], values: Sequence[Any]) -> Any:
        possible = tuple(c for c in winners if c is not False)
        if Ledger.active is not None:
            Ledger.active.partitions.update({c: possible for c in possible if isinstance(c, Condition)})
        return super()._pick(winners, values)

    # ---- integers that depend on symbols: choices between constants
    def floor_divide(self, a: Any, b: Any) -> Scalar:
        return self._integer_operation(a, b, lambda p, q: p // q)

    def remainder(self, a: Any, b: Any) -> Scalar:
        return self._integer_operation(a, b, lambda p, q: p % q)

    def _integer_operation(self, a: Any, b: Any, operation: Callable[[int, int], int]) -> Scalar:
        return self.lift(self.select([(c, operation(p, q)) for c, (p, q) in self.cases((a, b))]))

    def select(self, cases: Sequence[tuple[Condition, Any]]) -> Any:
        """The value of the one case that holds."""
        result: Any = cases[-1][1]
        for c, value in reversed(cases[:-1]):
            result = self.choose(c, value, result)
        return result

    def cases(self, integers: tuple[Any, ...]) -> list[tuple[Condition, tuple[int, ...]]]:
        """All values that the integers can have together, each with its condition: exactly one of these holds."""
        found: list[tuple[Condition, tuple[int, ...]]] = []
        partitions = Ledger.active.partitions if Ledger.active is not None else {}

        def split(values: list[Scalar], guard: Condition) -> None:
            if len(found) > 2000:
                raise Unsupported("an index with more than 2000 possible values")
            c = next((x.args[0] for t in values for x in subterms(t) if x.op in ("where", "indicator")), None)
            if c is None:
                found.append((guard, tuple(map(_integer, values))))
                return
            parts = partitions.get(c, (c, ~c))
            for part in parts:
                known = {p: p == part for p in parts} if c in partitions else {c: part == c}
                split([_assume(t, known) for t in values], guard & part)

        split([self.lift(i) for i in integers], TRUE)
        return [(g, v) for g, v in found if g != FALSE]


def _assume(t: Scalar, known: dict[Condition, bool]) -> Scalar:
    def step(x: Any) -> Any:
        if x.op in ("where", "indicator") and x.args[0] in known:
            if x.op == "indicator":
                return ONE if known[x.args[0]] else ZERO
            return _assume(x.args[1] if known[x.args[0]] else x.args[2], known)
        return None

    return replace(t, step)


def _integer(t: Scalar) -> int:
    if t.op != "number" or t.args[0].denominator != 1:
        raise Unsupported(f"an index and an integer operation need choices between integer constants, not {t!r}")
    return int(t.args[0])


def _partial(t: Scalar) -> bool:
    return any(x.op == "reciprocal" or (x.op == "function" and x.args[0] in ("log", "sqrt")) for x in subterms(t))


def _ledger(what: str) -> Ledger:
    if Ledger.active is None:
        raise Unsupported(f"{what} outside a run has no place for its side condition: use symbolic.explore")
    return Ledger.active
