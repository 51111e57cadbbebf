"""TRUSTED. The normal form of scalar terms: sums of  coefficient * Sum_binders [guards] * product of atoms^exponent.

One algebra for both users: the any-shape prover (terms with binders and guards) and the comparison of NumPy runs with
the specification (terms at a concrete shape, no binders). Every step is an identity of real arithmetic that holds
wherever the term is defined (no divisor 0, sqrt and log on their domain); nothing here asks a solver.

    Polynomial = {Flat: coefficient},  Flat = (binders, guards, monomial)
    binders  ((name, extent), ...)     outer first, extents may mention earlier binders
    guards   conditions, sorted, each once
    monomial ((atom, exponent), ...)   sorted by atom

Atoms are accesses, integer factors, functions, reciprocals of sums, and (where they cannot be resolved) choices; their
arguments are themselves normalised, so equal atoms are equal terms.
"""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, reduce
from hashlib import blake2b
from typing import NamedTuple

from .index_algebra import canonical, index_polynomial
from .terms import (
    ONE,
    ZERO,
    Condition,
    Index,
    Scalar,
    Term,
    conjuncts,
    equal,
    free_variables,
    fresh_name,
    function,
    indicator,
    reciprocal,
    replace,
    scalar_sum,
    substitute,
    to_scalar,
    variable,
)

Monomial = tuple[tuple[Scalar, int], ...]


class Flat(NamedTuple):
    binders: tuple[tuple[str, Index], ...]
    guards: tuple[Condition, ...]
    monomial: Monomial


Polynomial = dict[Flat, Fraction]
UNIT = Flat((), (), ())
SIZE_LIMIT = 100_000


class TooLarge(Exception):
    """The normal form would have more than SIZE_LIMIT terms. The caller reports UNKNOWN."""


class ZeroDivisor(Exception):
    """A divisor is identically 0."""


def constant(c: Fraction | int) -> Polynomial:
    return {UNIT: Fraction(c)} if c else {}


def of_atom(atom: Scalar, exponent: int = 1) -> Polynomial:
    return {Flat((), (), ((atom, exponent),)): Fraction(1)}


def add(p: Polynomial, q: Polynomial, scale: Fraction | int = 1) -> Polynomial:
    r = dict(p)
    for flat, c in q.items():
        total = r.get(flat, 0) + c * scale
        if total:
            r[flat] = Fraction(total)
        else:
            r.pop(flat, None)
    return r


def merge_monomials(a: Monomial, b: Monomial) -> Monomial:
    if not a or not b:
        return a or b
    exponents = dict(a)
    for atom, e in b:
        exponents[atom] = exponents.get(atom, 0) + e
    return tuple(sorted(((x, e) for x, e in exponents.items() if e), key=lambda p: p[0].digest))


def sort_guards(guards: tuple[Condition, ...] | list[Condition]) -> tuple[Condition, ...]:
    return tuple(sorted(set(guards), key=lambda g: g.digest))


def multiply(p: Polynomial, q: Polynomial) -> Polynomial:
    if len(p) * len(q) > SIZE_LIMIT:
        raise TooLarge(f"{len(p)} times {len(q)} terms")
    r: Polynomial = {}
    for a, c in p.items():
        for b, d in q.items():
            if a.binders and b.binders:  # bound names stay unique in a product
                b = rename(b)
            flat = Flat(a.binders + b.binders, sort_guards(a.guards + b.guards) if b.guards else a.guards,
                        merge_monomials(a.monomial, b.monomial))
            r[flat] = r.get(flat, Fraction(0)) + c * d
    return _reduce_roots({f: c for f, c in r.items() if c})


def power(p: Polynomial, n: int) -> Polynomial:
    return reduce(multiply, [p] * n, constant(1))


def _reduce_roots(p: Polynomial) -> Polynomial:
    """sqrt(v)^2 = v, so exponents of roots end in {..., -1, 0, 1}; a root under 1/ is left for `clear_denominators`."""
    if not any(e >= 2 and _is_root(a) for f in p for a, e in f.monomial):
        return p
    r: Polynomial = {}
    for f, c in p.items():
        squares = [(a, e // 2) for a, e in f.monomial if _is_root(a) and e >= 2]
        rest = merge_monomials(f.monomial, tuple((a, -2 * n) for a, n in squares))
        value: Polynomial = {f._replace(monomial=rest): c}
        for a, n in squares:
            value = multiply(value, power(normal_form(a.args[1]), n))
        r = add(r, value)
    return r


def _is_root(atom: Scalar) -> bool:
    return atom.op == "function" and atom.args[0] == "sqrt"


def rename(flat: Flat, name_for: Callable[[str], str] = fresh_name) -> Flat:
    """The same sum with other bound names."""
    new = {name: variable(name_for(name)) for name, _ in flat.binders}
    return Flat(tuple((new[n].args[0], substitute(e, new)) for n, e in flat.binders),
                sort_guards([substitute(g, new) for g in flat.guards]), substitute_monomial(flat.monomial, new))


def substitute_monomial(m: Monomial, values: dict[str, Index]) -> Monomial:
    """Substitute index variables in the atoms and put them in canonical form again."""
    r: Monomial = ()
    for atom, e in m:
        new = canonical_atom(substitute(atom, values))
        r = merge_monomials(r, ((new, e),) if new != ONE else ())
    return r


@lru_cache(maxsize=1 << 16)
def canonical_atom(atom: Scalar) -> Scalar:
    """The atom with canonical indices inside."""
    def step(t: Term) -> Term | None:
        return canonical(t) if isinstance(t, Index) else None

    return replace(atom, step)


# ---------------------------------------------------------------- from terms
class Normalizer:
    """normal_form with memory. `opaque_choices` keeps where(c, a, b) as an atom instead of [c]a + [not c]b."""

    def __init__(self, opaque_choices: bool = False) -> None:
        self.opaque_choices = opaque_choices
        self._done: dict[Scalar, Polynomial] = {}

    def __call__(self, t: Scalar) -> Polynomial:
        p = self._done.get(t)
        if p is None:
            p = self._done[t] = self._compute(t)
        return p

    def _compute(self, t: Scalar) -> Polynomial:
        a = t.args
        if t.op == "number":
            return constant(a[0])
        if t.op == "integer":
            return {Flat((), (), reduce(merge_monomials, [((Scalar("integer", i), 1),) for i in m], ())): Fraction(c)
                    for m, c in index_polynomial(a[0]).items()}
        if t.op == "access":
            return of_atom(Scalar("access", a[0], *map(canonical, a[1:])))
        if t.op == "constant":
            return of_atom(t)
        if t.op == "add":
            return add(self(a[0]), self(a[1]))
        if t.op == "mul":
            return multiply(self(a[0]), self(a[1]))
        if t.op == "reciprocal":
            return self._inverse(a[0])
        if t.op == "function":
            return self._function(a[0], self(a[1]))
        if t.op == "sum":
            name = fresh_name(a[0])
            body = self(substitute(a[2], {a[0]: variable(name)}))
            return {Flat(((name, a[1]), *f.binders), f.guards, f.monomial): c for f, c in body.items()}
        if t.op == "indicator":
            return self._indicator(a[0])
        if t.op == "where":
            if self.opaque_choices:
                return of_atom(t)
            return add(multiply(self._indicator(a[0]), self(a[1])), multiply(self._indicator(~a[0]), self(a[2])))
        raise ValueError(f"no normal form for {t.op}")

    def _indicator(self, c: Condition) -> Polynomial:
        """[a and b] = [a][b]; any other condition is one guard."""
        if c.op in ("true", "false"):
            return constant(c.op == "true")
        return {Flat((), sort_guards(conjuncts(c)), ()): Fraction(1)}

    def _inverse(self, x: Scalar) -> Polynomial:
        """1/x. A product is inverted factor by factor: 1/(ab) = (1/a)(1/b) keeps the atoms of both sides the same."""
        if x.op == "mul":
            return multiply(self._inverse(x.args[0]), self._inverse(x.args[1]))
        if x.op == "reciprocal":
            return self(x.args[0])
        return invert(self(x))

    def _function(self, name: str, p: Polynomial) -> Polynomial:
        for guards in sorted({f.guards for f in p if f.guards and not f.binders}, key=repr):
            # f([c]x + y) = [c] f(x + y) + (1 - [c]) f(y)
            on = {(f._replace(guards=()) if f.guards == guards and not f.binders else f): c for f, c in p.items()}
            if len(on) != len(p):
                continue
            off = {f: c for f, c in p.items() if f.guards != guards or f.binders}
            guard = {Flat((), guards, ()): Fraction(1)}
            yes, no = self._function(name, on), self._function(name, off)
            return add(add(multiply(guard, yes), no), multiply(guard, no), -1)
        if name == "exp":
            return self._exp(p)
        if name == "log":
            return self._log(p)
        if name == "sqrt" and len(p) == 1:
            (flat, c), = p.items()
            if flat == UNIT and c in (0, 1):
                return constant(c)
        if name == "sqrt":
            return self._sqrt(p)
        return of_atom(function(name, to_term(p)))

    def _sqrt(self, p: Polynomial) -> Polynomial:
        """sqrt(exp(a)^2 z) = exp(a) sqrt(z): exponentials are positive whatever their argument is."""
        outside = tuple((a, e // 2) for a, e in common_exponentials(p) if e // 2)
        inverse = tuple((a, -2 * e) for a, e in outside)
        rest = {f._replace(monomial=merge_monomials(f.monomial, inverse)): c for f, c in p.items()}
        return multiply({Flat((), (), outside): Fraction(1)}, of_atom(function("sqrt", to_term(rest))))

    def _exp(self, p: Polynomial) -> Polynomial:
        """exp(a + b) = exp(a) exp(b), exp(n a) = exp(a)^n, exp(n log z) = z^n (where log z is defined)."""
        result = constant(1)
        for flat, c in p.items():
            n, unit = (c.numerator, Fraction(1, c.denominator))
            z = _log_argument(flat)
            if z is not None and c.denominator == 1:
                factor = power(self(z) if n > 0 else invert(self(z)), abs(n))
            else:
                factor = of_atom(function("exp", to_term({flat: unit})), n)
            result = multiply(result, factor)
        return result

    def _log(self, p: Polynomial) -> Polynomial:
        """log(exp(a) z) = a + log z. Only exponentials are taken out: they are positive whatever their argument is."""
        exps = common_exponentials(p)
        inverse = tuple((a, -e) for a, e in exps)
        rest = {f._replace(monomial=merge_monomials(f.monomial, inverse)): c for f, c in p.items()}
        result: Polynomial = {} if rest == constant(1) else of_atom(function("log", to_term(rest)))
        for a, e in exps:
            result = add(result, self(a.args[1]), e)
        return result


def normal_form(t: Scalar) -> Polynomial:
    return Normalizer()(t)


def _log_argument(flat: Flat) -> Scalar | None:
    """z if the flat term is exactly log z."""
    if not flat.binders and not flat.guards and len(flat.monomial) == 1:
        (atom, e), = flat.monomial
        if e == 1 and atom.op == "function" and atom.args[0] == "log":
            return atom.args[1]  # type: ignore[no-any-return]
    return None


def common_monomial(p: Polynomial) -> Monomial:
    """The largest monomial (exponents may be negative) that divides every term of p."""
    common: dict[Scalar, int] | None = None
    for f in p:
        exponents = dict(f.monomial)
        if common is None:
            common = exponents
        else:
            common = {a: m for a in common.keys() | exponents.keys()
                      if (m := min(common.get(a, 0), exponents.get(a, 0)))}
    return tuple(sorted((common or {}).items(), key=lambda q: q[0].digest))


def common_exponentials(p: Polynomial) -> Monomial:
    """The exponentials that divide every term of p, and that no sum of p binds."""
    bound = {name for f in p for name, _ in f.binders}
    return tuple((a, e) for a, e in common_monomial(p)
                 if a.op == "function" and a.args[0] == "exp" and not free_variables(a) & bound)


def invert(p: Polynomial) -> Polynomial:
    """1/p: a monomial is inverted; else p = coefficient * monomial * rest and 1/rest becomes an atom."""
    if not p:
        raise ZeroDivisor
    bound = {name for f in p for name, _ in f.binders}
    content = tuple((a, e) for a, e in common_monomial(p) if not free_variables(a) & bound)
    inverse = tuple((a, -e) for a, e in content)
    rest = {f._replace(monomial=merge_monomials(f.monomial, inverse)): c for f, c in p.items()}
    lead = rest[min(rest, key=lambda f: (_nameless_key(f), _flat_key(f)))]  # so 1/(a - b) or -1/(b - a), but always one
    outside: Polynomial = {Flat((), (), inverse): 1 / lead}
    rest = {f: c / lead for f, c in rest.items()}
    return outside if rest == constant(1) else multiply(outside, of_atom(reciprocal(to_term(rest))))


def _flat_key(f: Flat) -> tuple[object, ...]:
    return (len(f.binders), len(f.guards), len(f.monomial), [a.digest for a, _ in f.monomial],
            [e for _, e in f.monomial], [g.digest for g in f.guards])


def _nameless_key(f: Flat) -> tuple[object, ...]:
    """The same for sums that differ in their bound names only: any order will do, but theirs must be the same."""
    return (len(f.binders), len(f.guards), len(f.monomial), sorted((_nameless(a), e) for a, e in f.monomial),
            sorted(map(_nameless, f.guards)))


@lru_cache(maxsize=1 << 16)
def _nameless(t: Term) -> bytes:
    """A digest that says neither how bound variables are numbered nor in which order sums and products stand."""
    if t.op == "variable":
        parts = [t.args[0].partition("#")[0].encode()]
    elif t.op in ("add", "mul", "+", "*", "and", "or", "index==", "value=="):
        parts = sorted(map(_nameless, _operands(t, t.op)))
    else:
        parts = [_nameless(a) if isinstance(a, Term) else str(a).encode() for a in t.args[t.op == "sum" :]]
    return blake2b(b"\0".join([f"{t.sort} {t.op}".encode(), *parts]), digest_size=16).digest()


def _operands(t: Term, op: str) -> list[Term]:
    return [x for a in t.args for x in (_operands(a, op) if a.op == op else [a])]


def to_term(p: Polynomial) -> Scalar:
    """The polynomial as a term, in a fixed order."""
    total = ZERO
    for f in sorted(p, key=_flat_key):
        total = total + flat_term(f, p[f])
    return total


def flat_term(f: Flat, c: Fraction = Fraction(1)) -> Scalar:
    body = indicator(*f.guards) * monomial_term(f.monomial)
    for name, extent in reversed(f.binders):
        body = scalar_sum(name, extent, body)
    return to_scalar(c) * body


def monomial_term(m: Monomial) -> Scalar:
    term = ONE
    for atom, e in m:
        for _ in range(abs(e)):
            term = term * (atom if e > 0 else reciprocal(atom))
    return term


# ---------------------------------------------------------------- deciding p = 0 without binders
def clear_denominators(p: Polynomial) -> Polynomial:
    """p times a nonzero product of its denominators, which is 0 exactly where p is (where p is defined).

    Denominators are reciprocal atoms 1/d (multiply by d) and atoms with negative exponents (multiply by the atom).
    """
    while True:
        lowest: dict[Scalar, int] = {}
        for f in p:
            for a, e in f.monomial:
                if e < 0 or a.op == "reciprocal":
                    d = -e if a.op == "reciprocal" else e
                    lowest[a] = min(lowest.get(a, 0), d)
        lowest = {a: e for a, e in lowest.items() if e < 0}
        if not lowest:
            return p
        atom = min(lowest, key=lambda a: (-_height(a), a.digest))  # outer first: clearing one may uncover inner ones
        result: Polynomial = {}
        for f, c in p.items():
            e = next((k for a, k in f.monomial if a == atom), 0)
            times = -lowest[atom] - e if atom.op == "reciprocal" else e - lowest[atom]
            rest = f._replace(monomial=tuple((a, k) for a, k in f.monomial if a != atom))
            factor = normal_form(atom.args[0]) if atom.op == "reciprocal" else of_atom(atom)
            result = add(result, multiply({rest: c}, power(factor, times)))
            if len(result) > SIZE_LIMIT:
                raise TooLarge(f"{len(result)} terms")
        p = result


@lru_cache(maxsize=1 << 16)
def _height(t: Term) -> int:
    return 1 + max((_height(a) for a in t.args if isinstance(a, Term)), default=0)


def conjunct_guards(guards: tuple[Condition, ...]) -> list[Condition]:
    """The guards as canonical conjuncts, without those that are true by their form."""
    out: dict[Condition, None] = {}
    for g in guards:
        for h in conjuncts(g):
            if h.op == "index==":
                h = equal(*sorted(map(canonical, h.args), key=lambda i: (i.op == "constant", i.digest)))
            elif h.op == "index<=":
                h = canonical(h.args[0]) <= canonical(h.args[1])
            for k in conjuncts(h):
                out[k] = None
    return list(out)
