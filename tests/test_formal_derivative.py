"""The formal derivative against sympy.diff and central differences; linearity by syntax against evaluation."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import mpmath
import pytest
import sympy
from test_normal_form import Terms, playground, reader_in_domain, same, small_shape, tensor_names

from gradproof_spec import ops  # noqa: F401  registers every op
from gradproof_spec.derivative import DERIVATIVES, derivative, is_linear
from gradproof_spec.evaluate import Environment, Interval, Intervals, Symbols
from gradproof_spec.flat import integer_tensors, symbol, to_sympy
from gradproof_spec.op import OPS, Case, Op, positive
from gradproof_spec.refute import cells, extents
from gradproof_spec.terms import (
    ONE,
    Scalar,
    Tensor,
    access,
    apply,
    equal,
    function,
    indicator,
    reciprocal,
    scalar_sum,
    subterms,
    variable,
    where,
)

H = mpmath.mpf(10) ** -18  # step of the central difference, at 60 digits
RANDOM_TERMS, ENTRIES_PER_OP, POINTS = 60, 6, 2


def on_symbols(case: Case, sizes: dict[str, int]) -> Environment:
    index_tensors = {n: (lambda *i, v=v: v[i]) for n, v in integer_tensors(case, sizes).items()}
    symbols = {n: (lambda *i, n=n: access(n, *i)) for n in tensor_names(case)}
    return Environment(case, dict(sizes), symbols, index_tensors, Symbols())


def generic_point(t: Scalar, case: Case, sizes: dict[str, int], rng: random.Random) -> dict[Scalar, Fraction]:
    """A value per element inside the domain: none special, so that no guard is on its boundary."""
    read = reader_in_domain(case, sizes, lambda: Fraction(2 * rng.randint(-3000, 3000) + 1, 2003))
    elements = sorted((x for x in subterms(t) if x.op == "access"), key=lambda x: x.digest)
    return {x: read(x.args[0], tuple(i.args[0] for i in x.args[1:])) for x in elements}


def at_point(e: Any, point: dict[Scalar, Fraction], positive: frozenset[str]) -> Any:
    """A sympy expression as a number of 60 digits."""
    names = {symbol(x, positive): mpmath.mpf(v.numerator) / v.denominator for x, v in point.items()}
    return sympy.lambdify(list(names), e, "mpmath")(*names.values())


def check_entry(
    t: Scalar, slope: Scalar, element: Scalar, case: Case, sizes: dict[str, int], rng: random.Random
) -> int:
    """slope = sympy.diff(t, element) = the central difference of t, at generic points."""
    positive = case.positive
    f, ours, x = to_sympy(t, positive), to_sympy(slope, positive), symbol(element, positive)
    theirs = sympy.diff(f, x)
    for _ in range(POINTS):
        point = {element: Fraction(1, 3), **generic_point(t + slope, case, sizes, rng)}
        a, b = at_point(ours, point, positive), at_point(theirs, point, positive)
        assert mpmath.almosteq(a, b, 1e-30, 1e-30), f"d/d{element} of {t}: ours {a}, sympy {b}"
        names = {symbol(y, positive): mpmath.mpf(v.numerator) / v.denominator for y, v in point.items()}
        g = sympy.lambdify(list(names), f, "mpmath")
        high, low = (g(*(v + s * H if n == x else v for n, v in names.items())) for s in (1, -1))
        assert mpmath.almosteq((high - low) / (2 * H), a, 1e-15, 1e-15), f"d/d{element} of {t}: central difference"
    return POINTS


def test_random_terms_have_the_derivative_of_sympy():
    """Sums, guards, choices, functions, reciprocals, instantiated at small shapes."""
    rng, case, points = random.Random(7), playground(), 0
    terms = Terms(rng)
    with mpmath.workdps(60):
        for _ in range(RANDOM_TERMS):
            t = terms.top([variable("i"), variable("j")])
            at = on_symbols(case, {"I": 2, "J": 2, "i": rng.randint(0, 1), "j": rng.randint(0, 1), "i_0": 0, "i_1": 0})
            at._access = lambda name, indices: access(name, *indices)  # type: ignore[method-assign]
            i, j = rng.randint(0, 1), rng.randint(0, 1)
            at.sizes |= {"i_0": i, "i_1": j}
            slope = derivative(t, "x", (variable("i_0"), variable("i_1")))
            points += check_entry(at.scalar(t), at.scalar(slope), access("x", i, j), case, {}, rng)
    assert points == RANDOM_TERMS * POINTS


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_the_derivative_of_sympy(name):
    """The formal derivative of the forward, at some entries of the Jacobian."""
    rng, case = random.Random(name), OPS[name].cases[-1]
    sizes = small_shape(case)
    entries = [
        (x, i, o)
        for x in case.differentiable
        for i in cells(extents(case, x, sizes))
        for o in cells(extents(case, "g", sizes))
    ]
    at = on_symbols(case, sizes)
    with mpmath.workdps(60):
        for x, i, o in rng.sample(entries, min(ENTRIES_PER_OP, len(entries))):
            at.sizes |= {v.args[0]: n for v, n in zip(case.indices("g"), o, strict=True)}
            forward = case.forward(case.indices("g"))
            slope = derivative(forward, x, case.indices(x, prefix="i_"))
            at.sizes |= {v.args[0]: n for v, n in zip(case.indices(x, prefix="i_"), i, strict=True)}
            assert check_entry(at.scalar(forward), at.scalar(slope), access(x, *i), case, sizes, rng) == POINTS


@pytest.mark.parametrize("name", DERIVATIVES)
def test_the_table_of_derivatives(name):
    x, case = access("x"), Op("positive", "x[] -> y[]", elements={"x": positive}).cases[0]
    t = function(name, x)
    with mpmath.workdps(60):
        assert check_entry(t, derivative(t, "x", ()), x, case, {}, random.Random(0)) == POINTS


def test_an_unknown_function_has_no_derivative():
    """It is not taken for a constant."""
    with pytest.raises(KeyError):
        derivative(function("gamma", access("x")), "x", ())


# ---------------------------------------------------------------- linearity
X, D, K = access("x", 0), access("dx", 0), variable("k#9000")
LINEAR = {
    "element": D,
    "scaled": X * X * D,
    "sum of two": D - 3 * access("dx", 1),
    "guarded": indicator(X > 0) * D,
    "chosen": where(X > 0, D, X * D),
    "bounded sum": scalar_sum("k#9000", variable("I"), access("dx", K) / (1 + X * X)),
    "zero": 0 * D,
}
NOT_LINEAR = {
    "product": D * D,
    "constant beside": D + 1,
    "constant": ONE,
    "guard on the tangent": indicator(D > 0) * D,
    "choice by the tangent": where(D > 0, D, 2 * D),
    "choice with a constant": where(X > 0, D, ONE),
    "function": function("exp", D),
    "reciprocal": reciprocal(D),
    "sum over constants": scalar_sum("k#9000", variable("I"), D + X),
    "absolute value": where(D >= 0, D, -D),
    "tie of tangents": indicator(equal(D, access("dx", 1))) * D,
}


def combination(case: Case, t: Scalar, rng: random.Random) -> tuple[Any, Any]:
    """t at a u + b v, and a t(u) + b t(v): the tangents are u, v, the primals the same."""
    a, b = Fraction(rng.randint(-3, 3)) + Fraction(1, 2), Fraction(rng.randint(-3, 3)) + Fraction(1, 3)
    size, values = {"I": 3, "J": 3}, random.Random(rng.random())
    x = {n: Fraction(values.randint(-3, 3)) for n in range(4)}
    u, v = ({n: Fraction(values.randint(1, 9)) * (1 if n else s) for n in range(4)} for s in (1, -1))

    def value(tangent: dict[int, Fraction]) -> Any:
        at = Environment(case, dict(size), {"x": lambda i: x[i], "dx": lambda i: tangent[i]}, {}, Intervals())
        at._access = lambda name, indices: at.tensors[name](*indices)  # type: ignore[method-assign]
        return at.scalar(t)

    return value({n: a * u[n] + b * v[n] for n in u}), a * value(u) + b * value(v)


@pytest.mark.parametrize("name", LINEAR)
def test_what_is_called_linear_is(name):
    rng = random.Random(name)
    assert is_linear(LINEAR[name], frozenset({"dx"}))
    for _ in range(20):
        assert same(*combination(playground(), LINEAR[name], rng))


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_what_is_not_linear_is_not_called_so(name):
    """Some linear combination shows it."""
    rng = random.Random(name)
    assert not is_linear(NOT_LINEAR[name], frozenset({"dx"}))
    assert not all(same(*combination(playground(), NOT_LINEAR[name], rng)) for _ in range(20))


def test_a_tangent_inside_an_index_function_is_no_tensor():
    """A selection is an index: it cannot mention a tangent, so syntax sees all of them."""
    t = Tensor("x")[apply("winner.k", variable("i"))] * D
    assert is_linear(t, frozenset({"dx"}))
    assert not any(x.op == "access" and x.args[0] == "dx" for i in subterms(t) if i.op == "apply" for x in subterms(i))


@pytest.mark.parametrize("name", OPS)
def test_rules_of_every_op_at_linear_combinations(name):
    """jvp(x, a u + b v) = a jvp(x, u) + b jvp(x, v), and the same for each vjp in g."""
    rng, case = random.Random(name), OPS[name].cases[-1]
    sizes = small_shape(case)
    rules = [("g", case.jvp(case.indices("g")))] + [(x, case.vjp(x, case.indices(x))) for x in case.differentiable]
    integers = {n: (lambda *i, v=v: v[i]) for n, v in integer_tensors(case, sizes).items()}
    linear = {"g", *("d" + x for x in case.differentiable)}
    for tensor, rule in rules:
        read = reader_in_domain(case, sizes, lambda: Fraction(rng.randint(-5, 5)))
        a, b = Fraction(5, 3), Fraction(-7, 2)

        def value(weights: tuple[Any, ...], n: str, i: tuple[int, ...], read: Any = read) -> Fraction:
            if n not in linear:
                return read(n, i)
            return sum((w * read(n, (*i, k)) for k, w in enumerate(weights)), start=Fraction(0))

        def result(
            weights: tuple[Any, ...], rule: Scalar = rule, tensor: str = tensor, value: Any = value
        ) -> Interval | Fraction:
            at = Environment(
                case,
                dict(sizes),
                {n: (lambda *i, n=n: value(weights, n, i)) for n in tensor_names(case)},
                integers,
                Intervals(),
            )
            at.sizes |= dict.fromkeys(case.index_names(tensor), 0)
            return at.scalar(rule)

        assert same(result((a, b)), a * result((1, 0)) + b * result((0, 1))), f"{name} {tensor}"
