"""The normal form and the simplifier against plain evaluation at random points, and clear_denominators."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from gradproof_spec import ops  # noqa: F401  registers every op
from gradproof_spec.any_shape import Proof
from gradproof_spec.derivative import derivative
from gradproof_spec.evaluate import DivisionByZero, Environment, Interval, Intervals, Undecided
from gradproof_spec.flat import chosen_shapes
from gradproof_spec.normal_form import (
    Flat,
    Normalizer,
    Polynomial,
    ZeroDivisor,
    add,
    clear_denominators,
    multiply,
    normal_form,
    rename,
    to_term,
)
from gradproof_spec.op import OPS, Case, Op
from gradproof_spec.refute import allowed, in_real_domain, shapes, telling_shapes
from gradproof_spec.rewriting import Rewriter
from gradproof_spec.solver import Solver
from gradproof_spec.terms import (
    ONE,
    Condition,
    Index,
    Scalar,
    Tensor,
    access,
    equal,
    free_variables,
    function,
    indicator,
    reciprocal,
    scalar_sum,
    to_index,
    to_scalar,
    variable,
    where,
)

POINTS_OF_KERNELS, POINTS_OF_RANDOM_TERMS = 2000, 1000  # together at least 3000
POINTS_PER_KERNEL, RANDOM_TERMS, POINTS_PER_RANDOM_TERM = 11, 140, 8
WIDTH = Fraction(1, 10**20)


# ---------------------------------------------------------------- points and comparing
TRIES = 1000  # draws of a number until one is inside the domain
Reader = Callable[[str, tuple[int, ...]], Fraction]


def reader_in_domain(case: Case, sizes: dict[str, int], draw: Callable[[], Fraction]) -> Reader:
    """A value per element that the domain allows, drawn when it is first read; the real attributes are drawn now."""
    attributes = next(
        values
        for _ in range(TRIES)
        if in_real_domain(case, sizes, values := {n: {(): draw()} for n in case.op.reals})
    )
    drawn = {(n, ()): values[()] for n, values in attributes.items()}

    def read(name: str, i: tuple[int, ...]) -> Fraction:
        if (name, i) not in drawn:
            drawn[name, i] = next(q for _ in range(TRIES) if allowed(case, name, q := draw(), sizes, attributes))
        return drawn[name, i]

    return read


def tensor_names(case: Case) -> list[str]:
    """What a rule may read as real numbers."""
    return [n for t in case.inputs for n in (t.name, "d" + t.name)] + ["g", *case.op.reals]


def small_shape(case: Case) -> dict[str, int]:
    """A shape without empty tensors, of few elements; the forms with many axes have only larger ones."""
    return (chosen_shapes(case) or telling_shapes(case))[0]


class Total(Intervals):
    """1/x, log x, sqrt x have some value everywhere: a normal form of [c] f is [c] times f, also where f has none."""

    NOWHERE = Fraction(7)

    def reciprocal(self, x: Any) -> Any:
        return self.NOWHERE if isinstance(x, Fraction) and x == 0 else super().reciprocal(x)

    def function(self, name: str, x: Any) -> Any:
        undefined = {"log": Interval.of(x).hi <= 0, "sqrt": Interval.of(x).hi < 0}
        return self.NOWHERE if undefined.get(name) else super().function(name, x)


def random_environment(case: Case, sizes: dict[str, int], rng: random.Random) -> Environment:
    """Small rational primals inside the domain, ties likely."""
    read = reader_in_domain(case, sizes, lambda: Fraction(rng.randint(-3, 3), rng.choice((1, 2))))
    integers: dict[object, int] = {}
    low_high = {"int": (-1, 3), "bool": (0, 1)}
    index_tensors = {
        t.name: (lambda *i, t=t: integers.setdefault((t.name, i), rng.randint(*low_high[t.kind])))
        for t in case.inputs
        if t.integer
    }
    tensors = {n: (lambda *i, n=n: read(n, i)) for n in tensor_names(case)}
    return Environment(case, dict(sizes), tensors, index_tensors, Intervals())


def ordered(p: Polynomial) -> Polynomial:
    """Binders so that each extent comes after what it mentions: the simplifier does not keep their order."""

    def order(binders):
        left, done = list(binders), []
        while left:
            names = {n for n, _ in left}
            first = next(b for b in left if free_variables(b[1]).isdisjoint(names))
            left.remove(first)
            done.append(first)
        return tuple(done)

    return {Flat(order(f.binders), f.guards, f.monomial): c for f, c in p.items()}


def simplified(rewriter: Rewriter, p: Polynomial, hypotheses: tuple[Condition, ...]) -> Polynomial:
    result: Polynomial = {}
    for flat, c in p.items():
        result = add(result, rewriter.simplify(flat, c, hypotheses))
    return ordered(result)


def same(a: Interval | Fraction, b: Interval | Fraction) -> bool:
    """Equal rationals, or intervals that overlap and are narrow."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    a, b = Interval.of(a), Interval.of(b)
    scale = 1 + max(abs(a.lo), abs(b.lo))
    narrow = all(x.hi - x.lo <= WIDTH * scale for x in (a, b))
    return narrow and a.lo <= b.hi and b.lo <= a.hi


def mismatches(t: Scalar, at: Environment, forms: list[Scalar], there: Environment) -> list[str]:
    """The forms that have there another value than t has here."""
    wanted = at.scalar(t)
    values = [(form, there.scalar(form)) for form in forms]
    return [f"{form}  is {v}, {t}  is {wanted}" for form, v in values if not same(wanted, v)]


# ---------------------------------------------------------------- the kernels of every op
def kernels(case: Case, proof: Proof) -> Iterator[tuple[str, tuple[Index, ...], Scalar, tuple[Condition, ...]]]:
    """K_D, K_J and K_V of each input, at free output and input indices."""
    for x, i, hypotheses in proof.inputs():
        yield x, i, derivative(case.forward(proof.o), x, i), hypotheses
        yield x, i, derivative(case.jvp(proof.o), "d" + x, i), hypotheses
        yield x, i, derivative(case.vjp(x, i), "g", proof.o), hypotheses


def inhabited_shapes(case: Case) -> list[dict[str, int]]:
    """Small shapes at which every tensor has an element, the most varied first."""
    found = []
    for sizes in shapes(case)[:300]:
        at = Environment(case, dict(sizes), {})
        names = [t.name for t in case.inputs] + ["g"]
        if all(at.index(n) >= 1 for name in names for n in case.shape(name)):
            found.append(sizes)
    return sorted(found, key=lambda s: (-len(set(s.values())), sum(s.values())))[:12] or telling_shapes(case)


def test_normal_forms_of_every_op_agree_with_evaluation():
    """term = normal form = simplified normal form, for K_D, K_J, K_V of each case of each op."""
    points, wrong = 0, []
    for case in (c for op in OPS.values() for c in op.cases):
        proof, among, rng = Proof(case), inhabited_shapes(case), random.Random(f"{case.op.name} {case.id}")
        found = list(kernels(case, proof))
        points_per_kernel = 2 if len(case.op.cases) >= 10 else POINTS_PER_KERNEL if len(found) < 10 else 4
        for x, i, kernel, hypotheses in found:
            p = proof.rewriter.normal_form(kernel)
            forms = [to_term(p), to_term(simplified(proof.rewriter, p, hypotheses))]
            for _ in range(points_per_kernel):
                at = random_environment(case, rng.choice(among), rng)
                for free, tensor in ((proof.o, "g"), (i, x)):
                    extents = [at.index(n) for n in case.shape(tensor)]
                    at.sizes |= {v.args[0]: rng.randrange(n) for v, n in zip(free, extents, strict=True)}
                total = replace(at, domain=Total(), _memo={}, _selected={})
                wrong += [f"{case.op.name} {case.id} {x}: {m}" for m in mismatches(kernel, at, forms, total)]
                points += 1
    assert not wrong, f"{len(wrong)} mismatches on {points} points, the first: {wrong[0]}"
    assert points >= POINTS_OF_KERNELS, f"{points} points, 0 mismatches"


# ---------------------------------------------------------------- random terms
I, J = variable("I"), variable("J")
X, Y = Tensor("x"), Tensor("y")


@cache
def playground() -> Case:
    op = Op("playground", "x[I,J] y[J] -> z[I]")
    op.forward(lambda x, y, i, size: x[i, 0])
    return op.cases[0]


class Terms:
    """Random scalar terms over x[i, j], y[j]; every function and reciprocal is defined everywhere."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.names = rng, 0

    def index(self, scope: list[Index]) -> Index:
        return self.rng.choice(scope)

    def condition(self, scope: list[Index], depth: int) -> Condition:
        a, b = self.index(scope), self.index(scope)
        kinds = [lambda: a <= b, lambda: equal(a, b), lambda: equal(a, b + 1), lambda: a + 1 <= J, lambda: ~equal(a, 0)]
        if depth > 0:
            kinds += [lambda: self.leaf(scope) > self.leaf(scope), lambda: equal(self.leaf(scope), 0)]
            kinds += [lambda: self.condition(scope, 0) & self.condition(scope, 0)]
            kinds += [lambda: self.condition(scope, 0) | self.condition(scope, 0)]
        return self.rng.choice(kinds)()

    def leaf(self, scope: list[Index]) -> Scalar:
        a, b = self.index(scope), self.index(scope)
        return self.rng.choice(
            [X[a, b], Y[a], to_scalar(a), to_scalar(self.rng.randint(-2, 2)), to_scalar(Fraction(1, 2))]
        )

    def positive(self, scope: list[Index], depth: int) -> Scalar:
        t = self.scalar(scope, depth - 1)
        return self.rng.choice(
            [function("exp", t), ONE + t * t, function("sqrt", ONE + t * t), ONE + function("exp", t) * t * t]
        )

    def sum(self, scope: list[Index], depth: int) -> Scalar:
        self.names += 1
        name = f"k#{10_000 + self.names}"
        extent = self.rng.choice([I, J, self.index(scope) + 1])
        return scalar_sum(name, extent, self.scalar([*scope, variable(name)], depth - 1))

    def scalar(self, scope: list[Index], depth: int) -> Scalar:
        if depth <= 0:
            return self.leaf(scope)
        kind = self.rng.randrange(10)
        if kind <= 1:
            return self.scalar(scope, depth - 1) + self.scalar(scope, depth - 1)
        if kind <= 3:
            return self.scalar(scope, depth - 1) * self.scalar(scope, depth - 1)
        if kind == 4:
            return indicator(self.condition(scope, depth)) * self.scalar(scope, depth - 1)
        if kind == 5:
            return where(self.condition(scope, depth), self.scalar(scope, depth - 1), self.scalar(scope, depth - 1))
        if kind == 6:
            return reciprocal(self.positive(scope, depth))
        if kind == 7:
            name = self.rng.choice(["exp", "log", "sqrt"])
            return function(name, self.scalar(scope, depth - 1) if name == "exp" else self.positive(scope, depth))
        if kind == 8:  # one sum used twice, once inside a function: its bound name occurs inside and outside
            shared = self.sum(scope, depth - 1)
            return shared * function("exp", shared)
        return self.sum(scope, depth)

    def top(self, scope: list[Index]) -> Scalar:
        """Every other time a sum over k of S(k) f(S(k)), S itself a sum: bound names inside and outside clash."""
        self.names += 1
        if self.names % 2:
            return self.sum(scope, 3)
        k, m = (variable(f"{letter}#{10_000 + self.names}") for letter in "km")
        inner = scalar_sum(m.args[0], J, X[m, k] * self.leaf([*scope, k, m]))
        f = self.rng.choice([function("exp", inner), reciprocal(1 + inner * inner), indicator(k <= self.index(scope))])
        return scalar_sum(k.args[0], I, inner * f + self.leaf([*scope, k]))


def unbounded(at: Environment) -> Environment:
    """Every integer is an index: what is compared is the algebra, not the bounds."""
    at._access = lambda name, indices: at.tensors[name](*indices)  # type: ignore[method-assign]
    return at


def test_random_terms_agree_with_evaluation():
    """Also after a product with another sum, which renames bound variables."""
    rng, case = random.Random(20), playground()
    rewriter, hypotheses = Rewriter(Solver()), (I >= 0, J >= 0)
    scope, terms = [variable("i"), variable("j")], Terms(rng)
    points, wrong, undefined = 0, [], 0
    for _ in range(RANDOM_TERMS):
        t = terms.top(scope)
        p, factor = normal_form(t), scalar_sum("f#1", J, Y[variable("f#1")] + 1)
        renamed = {rename(f): c for f, c in p.items()}
        for forms in (
            [t, to_term(p), to_term(renamed), to_term(simplified(rewriter, p, hypotheses))],
            [t * factor, to_term(multiply(p, normal_form(factor)))],
        ):
            for _ in range(POINTS_PER_RANDOM_TERM // 2):
                sizes = {"I": rng.randint(0, 3), "J": rng.randint(0, 3), "i": rng.randint(0, 2), "j": rng.randint(0, 2)}
                at = unbounded(random_environment(case, sizes, rng))
                try:
                    wrong += mismatches(forms[0], at, forms[1:], at)
                    points += 1
                except (Undecided, DivisionByZero):  # a form that is defined less often: sqrt([c] x + y) is split
                    undefined += 1
    assert not wrong, f"{len(wrong)} mismatches on {points} points, the first: {wrong[0]}"
    assert points >= POINTS_OF_RANDOM_TERMS, f"{points} points, 0 mismatches, {undefined} not comparable"


# ---------------------------------------------------------------- single identities
A, B, C = access("a"), access("b"), access("c")
EXP, LOG, SQRT = (lambda t, n=n: function(n, t) for n in ("exp", "log", "sqrt"))
IDENTITIES = {
    "distributive": ((A + B) * C, A * C + B * C),
    "1/(ab)": (reciprocal(A * B), reciprocal(A) * reciprocal(B)),
    "1/(1/a)": (reciprocal(reciprocal(A)), A),
    "a/a": (A / A, ONE),
    "content of a denominator": (reciprocal(2 * A * B + 4 * A * C), reciprocal(B + 2 * C) / A / 2),
    "exp of a sum": (EXP(A + B), EXP(A) * EXP(B)),
    "exp of a negative": (EXP(-A), reciprocal(EXP(A))),
    "exp log": (EXP(LOG(A) * 2 + B), A * A * EXP(B)),
    "exp -log": (EXP(-LOG(A)), reciprocal(A)),
    "log exp": (LOG(EXP(A) * B + EXP(A) * C), A + LOG(B + C)),
    "sqrt squared": (SQRT(A + B) ** 3, (A + B) * SQRT(A + B)),
    "guard twice": (indicator(A > 0) * indicator(A > 0), indicator(A > 0)),
    "function of a guarded sum": (
        EXP(indicator(A > 0) * B + C),
        indicator(A > 0) * EXP(B + C) + (1 - indicator(A > 0)) * EXP(C),
    ),
}
NOT_IDENTITIES = {
    "sqrt of a square": (SQRT(A * A), A),
    "sqrt of a sum": (SQRT(A + B), SQRT(A) + SQRT(B)),
    "log of a product": (LOG(A * B), LOG(A) + LOG(B)),
    "log a^2": (LOG(A * A), 2 * LOG(A)),
    "1/(a+b)": (reciprocal(A + B), reciprocal(A) + reciprocal(B)),
    "exp of a product": (EXP(A * B), EXP(A) * EXP(B)),
    "half an exponent": (EXP(A / 2), EXP(A) / 2),
    "a guard and its boundary": (indicator(A > 0), indicator(A >= 0)),
    "a * 1/0 side": (A / B * B, ONE),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_have_the_same_normal_form(name):
    left, right = IDENTITIES[name]
    assert normal_form(left) == normal_form(right)


@pytest.mark.parametrize("name", NOT_IDENTITIES)
def test_different_functions_have_different_normal_forms(name):
    left, right = NOT_IDENTITIES[name]
    assert normal_form(left) != normal_form(right)
    assert clear_denominators(normal_form(left - right)) != {}


# ---------------------------------------------------------------- clear_denominators
def test_clearing_keeps_zeros_and_nonzeros():
    """p cleared is 0 at exactly the points where p is: 600 random points on small rationals."""
    rng, case, points = random.Random(4), playground(), 0
    elements = [X[to_index(n), to_index(0)] for n in range(3)]
    for _ in range(60):
        a, b, c = (rng.choice([*elements, rng.choice(elements) + rng.randint(-1, 1)]) for _ in range(3))
        t = rng.choice(
            [a / b - c / b, 1 / (a / b + 1) - c, a / (b * b + 1) - c / (1 + 1 / a), a * b / (c + 1 / (b + a)) - b]
        )
        cleared = to_term(clear_denominators(normal_form(t)))
        for _ in range(20):
            at = unbounded(random_environment(case, {"I": 3, "J": 1}, rng))
            try:
                value = at.scalar(t)
            except DivisionByZero:
                continue
            assert (value == 0) == (at.scalar(cleared) == 0), f"{t}  cleared to  {cleared}"
            points += 1
    assert points >= 600, f"{points} points"


def test_clearing_leaves_no_denominator_and_uncovers_inner_ones():
    nested = reciprocal(A + reciprocal(B + reciprocal(C + ONE))) - C / SQRT(B)
    cleared = clear_denominators(normal_form(nested))
    assert all(e > 0 and atom.op != "reciprocal" for f in cleared for atom, e in f.monomial)
    assert clear_denominators(normal_form(reciprocal(A + B) + reciprocal(A - B) - 2 * A / (A * A - B * B))) == {}


def test_a_divisor_that_is_always_0_is_an_error():
    with pytest.raises(ZeroDivisor):
        normal_form(reciprocal((A + B) ** 2 - A * A - 2 * A * B - B * B))


def test_choices_can_stay_opaque():
    t = where(A > 0, reciprocal(A), B)
    (flat,) = Normalizer(opaque_choices=True)(t)
    assert flat.monomial == ((t, 1),)
