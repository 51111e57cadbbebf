"""TRUSTED. Equality of two terms at a concrete shape, for all reals under given conditions.

    1  the same term
    2  the normal form of the difference is 0 once denominators are cleared
    3  z3 on the whole difference, where it is linear between its guards
    4  the same for each unit tangent or cotangent (both sides are linear in it, by syntax)
    5  split on a condition that contains no other, and begin again on both sides
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..derivative import is_linear
from ..normal_form import (
    Normalizer,
    Polynomial,
    TooLarge,
    ZeroDivisor,
    add,
    clear_denominators,
    merge_monomials,
    multiply,
    normal_form,
    power,
)
from ..solver import Solver
from ..terms import (
    FALSE,
    ONE,
    TRUE,
    Condition,
    Scalar,
    Term,
    equal,
    function,
    product_factors,
    replace,
    subterms,
    to_scalar,
)

MOST_SPLITS = 400
MOST_ROUNDS = 8  # of rewriting with identities


class Different(Exception):
    """Two elements are not proved equal."""


@dataclass
class Comparison:
    """Equality of two terms for all reals under the conditions of a path."""

    solver: Solver
    hypotheses: tuple[Condition, ...]
    linear_in: frozenset[str]
    tiers: dict[str, int] = field(default_factory=dict)
    sample: Callable[[], str | None] = lambda: (
        None
    )  # asked once, before the expensive steps: floats that already differ
    splits: int = 0
    most_splits: int = MOST_SPLITS

    def count(self, tier: str) -> None:
        self.tiers[tier] = self.tiers.get(tier, 0) + 1

    def require_equal(self, a: Scalar, b: Scalar) -> None:
        self.splits = 0
        if a == b:
            return self.count("same term")
        if is_zero(a - b):
            return self.count("normal form")
        differing = self.sample()
        if differing:
            raise Different(differing)
        units = self._units(a, b)
        pairs = [(only(a, unit, self.linear_in), only(b, unit, self.linear_in)) for unit in units] or [(a, b)]
        for x, y in pairs:
            self._require(x, y, self.hypotheses)
        return self.count("units" if units else "guards")

    def _units(self, a: Scalar, b: Scalar) -> list[Scalar]:
        """The elements of tangents or of the cotangent that occur, if both sides are linear in them."""
        if not self.linear_in or not (is_linear(a, self.linear_in) and is_linear(b, self.linear_in)):
            return []
        found = {x for t in (a, b) for x in subterms(t) if x.op == "access" and x.args[0] in self.linear_in}
        return sorted(found, key=lambda x: x.digest)  # type: ignore[arg-type]

    def _require(self, a: Scalar, b: Scalar, known: tuple[Condition, ...]) -> None:
        while not (a == b or is_zero(a - b)):
            if is_piecewise_linear(a) and is_piecewise_linear(b):
                answer = self.solver.valid(known, equal(a, b))
                if answer is True:
                    return
                if answer is False:
                    raise Different(f"{a}  is not  {b}")
            condition = innermost_condition(a, b)
            if condition is None:
                if self.solver.valid(known, equal(a, b)) is not True:
                    raise Different(f"{a}  is not  {b}    where  {', '.join(map(str, known)) or 'always'}")
                return
            sides = [c for c in (condition, ~condition) if self.solver.satisfiable([*known, c]) is not False]
            if not sides:
                return
            if len(sides) == 2:  # where one side cannot hold, there is no other case
                self.splits += 1
                if self.splits > self.most_splits:
                    raise Different("too many cases")
                self._require(decided(a, condition, True), decided(b, condition, True), (*known, condition))
            last = sides[-1] == condition
            a, b, known = decided(a, condition, last), decided(b, condition, last), (*known, sides[-1])


def is_zero(t: Scalar) -> bool:
    try:
        p = clear_denominators(Normalizer(opaque_choices=True)(t))
        return not p or not with_identities(p)
    except (TooLarge, ZeroDivisor):
        return False


def with_identities(p: Polynomial) -> Polynomial:
    """p with sin(u)^2 = 1 - cos(u)^2 and exp(log(z) / q)^q = z, which holds where log z is defined."""
    for _ in range(MOST_ROUNDS):
        result: Polynomial = {}
        for f, c in p.items():
            rest, factors = f.monomial, []
            for atom, e in f.monomial:
                q, value = power_known(atom)
                if q and e >= q:
                    rest = merge_monomials(rest, ((atom, -q * (e // q)),))
                    factors.append(power(value, e // q))
            term: Polynomial = {f._replace(monomial=rest): c}
            for factor in factors:
                term = multiply(term, factor)
            result = add(result, term)
        if result == p:
            return p
        p = result
    return p


def power_known(atom: Scalar) -> tuple[int, Polynomial]:
    """(q, atom^q) if a power of the atom is known, else (0, {})."""
    if atom.op != "function" or atom.args[0] not in ("sin", "exp"):
        return 0, {}
    if atom.args[0] == "sin":
        return 2, normal_form(ONE - function("cos", atom.args[1]) * function("cos", atom.args[1]))
    factors = product_factors(atom.args[1])
    numbers = [x.args[0] for x in factors if x.op == "number"]
    logs = [x for x in factors if x.op == "function" and x.args[0] == "log"]
    if len(factors) == 2 and numbers and logs and numbers[0].numerator == 1 and numbers[0].denominator > 1:
        return numbers[0].denominator, normal_form(logs[0].args[1])
    return 0, {}


def only(t: Scalar, unit: Scalar, names: frozenset[str]) -> Scalar:
    """t where that element is 1 and all others of the named tensors are 0."""

    def step(x: Term) -> Term | None:
        if x.op == "access" and x.args[0] in names:
            return to_scalar(int(x == unit))
        return None

    return replace(t, step)


def is_piecewise_linear(t: Scalar) -> bool:
    return all(
        x.op in ("number", "access", "add", "where", "indicator")
        or not isinstance(x, Scalar)
        or (x.op == "mul" and any(y.op in ("number", "indicator") for y in x.args))
        for x in subterms(t)
    )


def innermost_condition(*terms: Scalar) -> Condition | None:
    """A comparison of values that contains no choice, the same one every time."""
    found = [
        c
        for t in terms
        for c in subterms(t)
        if isinstance(c, Condition)
        and c.op.startswith("value")
        and not any(x.op in ("where", "indicator") for x in subterms(c))
    ]
    return min(found, key=lambda c: c.digest) if found else None


def decided(t: Scalar, condition: Condition, holds: bool) -> Scalar:
    a, b = condition.args
    truth = {condition: holds}
    if condition.op == "value<":
        truth |= {b <= a: not holds, **({a <= b: True, equal(a, b): False, b < a: False} if holds else {})}
    elif condition.op == "value<=":
        truth |= {b < a: not holds, **({} if holds else {equal(a, b): False, b <= a: True, a < b: False})}
    elif holds:
        truth |= {a <= b: True, b <= a: True, a < b: False, b < a: False}
    return replace(t, lambda x: (TRUE if truth[x] else FALSE) if isinstance(x, Condition) and x in truth else None)
