"""The evaluator: exact values, enclosures against mpmath, guards, bounds, selections as NumPy makes them, instances."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import mpmath
import numpy as np
import pytest
from test_normal_form import playground, reader_in_domain, same, small_shape, tensor_names, unbounded

from gradproof_spec import ops  # noqa: F401  registers every op
from gradproof_spec.evaluate import (
    DivisionByZero,
    Environment,
    Exact,
    Inexact,
    Interval,
    Intervals,
    OutOfBounds,
    Symbols,
    Undecided,
    evaluate,
)
from gradproof_spec.flat import integer_tensors
from gradproof_spec.op import OPS, Case, Op
from gradproof_spec.refute import cells, extents
from gradproof_spec.terms import (
    FALSE,
    ONE,
    TRUE,
    ZERO,
    Scalar,
    Tensor,
    access,
    apply,
    equal,
    function,
    in_range,
    indicator,
    reciprocal,
    scalar_sum,
    to_index,
    to_scalar,
    variable,
    where,
)

X, Y, I, J = Tensor("x"), Tensor("y"), variable("I"), variable("J")
i, k = variable("i"), variable("k#9000")


def at(values: dict[tuple[int, ...], Fraction | int], domain: Any = None, **sizes: int) -> Environment:
    """The playground's x[I,J], y[J] with these elements of x; everything else is 0."""
    read = {"x": lambda *c: Fraction(values.get(c, 0)), "y": lambda *c: Fraction(0)}
    return Environment(playground(), {"I": 2, "J": 2, **sizes}, read, {}, domain or Exact())


# ---------------------------------------------------------------- enclosures
def random_real(rng: random.Random, depth: int) -> tuple[Scalar, Any]:
    """A constant term and how mpmath computes it, in whatever precision is set."""
    if depth == 0:
        q = Fraction(rng.randint(-40, 40), rng.randint(1, 9))
        return to_scalar(q), lambda: mpmath.mpf(q.numerator) / q.denominator
    (a, f), (b, g) = random_real(rng, depth - 1), random_real(rng, depth - 1)
    kind = rng.randrange(6)
    if kind == 0:
        return a + b, lambda: f() + g()
    if kind == 1:
        return a * b, lambda: f() * g()
    if kind == 2:
        return a / (ONE + b * b), lambda: f() / (1 + g() ** 2)
    if kind == 3:
        return function("exp", a / (ONE + a * a)), lambda: mpmath.exp(f() / (1 + f() ** 2))
    name = "log" if kind == 4 else "sqrt"
    return function(name, ONE + a * a), lambda: getattr(mpmath, name)(1 + f() ** 2)


def test_intervals_contain_the_value_at_80_digits():
    """And are narrower than 50 digits: 300 random terms."""
    rng, irrational = random.Random(3), 0
    with mpmath.workdps(80):
        for _ in range(300):
            t, f = random_real(rng, 3)
            value, got = f(), Interval.of(at({}, Intervals()).scalar(t))
            slack = mpmath.mpf(10) ** -76 * (1 + abs(value))
            low, high = (mpmath.mpf(e.numerator) / e.denominator for e in (got.lo, got.hi))
            assert low - slack <= value <= high + slack, f"{t} = {value} is outside [{low}, {high}]"
            assert high - low <= mpmath.mpf(10) ** -50 * (1 + abs(value)), f"{t}: width {high - low}"
            irrational += got.lo != got.hi
    assert irrational >= 200


def test_interval_arithmetic_contains_the_arithmetic_of_its_points():
    rng = random.Random(5)
    for _ in range(500):
        a, b = (Interval(*sorted(Fraction(rng.randint(-6, 6), 2) for _ in range(2))) for _ in range(2))
        p, q = (x.lo + (x.hi - x.lo) * Fraction(rng.randint(0, 4), 4) for x in (a, b))
        for got, value in (
            (a + b, p + q),
            (a - b, p - q),
            (a * b, p * q),
            (a * q, p * q),
            (p * b, p * q),
            (p + b, p + q),
            (p - b, p - q),
        ):
            got = Interval.of(got)
            assert got.lo <= value <= got.hi
        if not b.lo <= 0 <= b.hi:
            inverse = Intervals().reciprocal(b)
            assert inverse.lo <= 1 / q <= inverse.hi


def test_what_intervals_cannot_decide_has_no_answer():
    """Two equal irrational numbers are never called different, and never equal."""
    two = to_scalar(2)
    root, other = function("sqrt", two), function("sqrt", two + 0 * ONE) * 1
    for t in (
        where(root < function("exp", ONE) - function("exp", ONE) + other, 1, 0),
        reciprocal(root * root - two),
        function("log", root - other),
    ):
        with pytest.raises(Undecided):
            at({}, Intervals()).scalar(t)
    assert at({}, Intervals()).condition(root < two) is True
    assert at({}, Intervals()).condition(equal(root, two)) is False
    with pytest.raises(Inexact):
        at({}).scalar(root)


# ---------------------------------------------------------------- guards, bounds, divisors
def test_a_false_index_guard_reads_nothing():
    outside, undefined = X[5, 5], reciprocal(ZERO + X[0, 0] * 0)
    for guard in (FALSE, in_range(to_index(5), I), equal(i, 7), ~equal(i, 0)):
        t = indicator(guard) * outside if guard != FALSE else ZERO * outside
        assert at({}, i=0).scalar(t) == 0
        assert at({}, i=0).scalar(2 * (undefined * (3 * indicator(equal(i, 1)))) * outside) == 0


def test_a_value_guard_reads_its_other_factors():
    """[x > 0] f(x) is a product of reals: f must exist at x <= 0 too; a choice reads one side."""
    t, guard = reciprocal(X[0, 0]), X[0, 0] > 0
    with pytest.raises(DivisionByZero):
        at({}).scalar(indicator(guard) * t)
    assert at({}).scalar(where(guard, t, 4)) == 4
    assert at({(0, 0): 2}).scalar(where(guard, t, 4)) == Fraction(1, 2)


@pytest.mark.parametrize("index", [(2, 0), (0, 2), (-1, 0), (0, -1)])
def test_reading_outside_a_tensor_is_an_error(index):
    t = access("x", *index)
    with pytest.raises(OutOfBounds):
        at({}).scalar(t)
    with pytest.raises(OutOfBounds):
        at({}).scalar(0 * ONE + indicator(X[0, 0] >= 0) * t)


def test_integer_division_is_that_of_python():
    for a, b in product(range(-7, 8), (1, 2, 3)):
        t = variable("p") // variable("q"), variable("p") % variable("q")
        assert [evaluate(x, at({}, p=a, q=b)) for x in t] == [a // b, a % b]
    for x in (variable("p") // variable("q"), variable("p") % variable("q")):
        with pytest.raises(DivisionByZero):
            evaluate(x, at({}, p=1, q=0))


def test_sums_and_their_memory():
    """An empty or negative range is 0; the same subterm in another scope is computed again."""
    values = {(a, b): 10 * a + b for a in range(2) for b in range(2)}
    row = scalar_sum("k#9000", J, X[i, k])
    at_point = at(values, i=0)
    assert at_point.scalar(row) == 1
    at_point.sizes["i"] = 1
    assert at_point.scalar(row) == 21
    nested = scalar_sum("m#9001", I, scalar_sum("k#9000", variable("m#9001") + 1, X[variable("m#9001"), k]))
    assert at(values).scalar(nested) == 0 + 21
    for extent in (to_index(0), to_index(-3)):
        assert at(values).scalar(scalar_sum("k#9000", extent, X[k, k])) == 0


def test_one_bound_name_inside_and_outside():
    """The normal form shares sums, so a name may be bound again inside its own scope."""
    values = {(a, b): 1 + 10 * a + b for a in range(2) for b in range(2)}
    inner = scalar_sum("k#9000", J, X[0, k])
    t = scalar_sum("k#9000", I, inner * X[k, 0])
    assert at(values).scalar(t) == (1 + 2) * (1 + 11)
    assert at(values).scalar(scalar_sum("k#9000", I, X[k, 0] * inner)) == (1 + 2) * (1 + 11)


def test_conditions():
    yes, no = X[0, 0] >= 0, X[0, 0] > 0
    table = {
        yes & no: False,
        yes | no: True,
        ~no: True,
        ~(yes & no): True,
        ~(yes | no): False,
        TRUE: True,
        FALSE: False,
        equal(X[0, 0], 0): True,
        in_range(i, I): True,
        equal(i, 1): False,
        i <= 0: True,
    }
    for c, expected in table.items():
        assert at({}, i=0).condition(c) is expected, str(c)


# ---------------------------------------------------------------- selections
WINDOW = ("kernel", "stride", "padding", "dilation")


def first_winners(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> dict[tuple[int, ...], Any]:
    """NumPy: argmax of each window with -inf around; argmax keeps the first of equals."""
    around = np.pad(x, [(p, p) for p in padding], constant_values=-np.inf)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(around, reach)
    windows = windows[(*(slice(None, None, s) for s in stride), *(slice(None, None, d) for d in dilation))]
    return {p: np.unravel_index(windows[p].argmax(), kernel) for p in np.ndindex(*windows.shape[: x.ndim])}


@pytest.mark.parametrize("case", OPS["max_pool"].cases, ids=lambda case: case.id)
def test_a_selection_picks_the_first_winner_as_numpy_does(case):
    """Values from {0, 1, 2}: most windows have ties. An axis that the form lacks has one window, of one tap."""
    rng, axes = random.Random(1), len(case.inputs[0].axes) - 1
    lacking, seen = (0,) * (3 - axes), 0
    for _ in range(40):
        kernel, stride, dilation = ([rng.randint(1, most) for _ in range(axes)] for most in (3, 2, 2))
        padding = [rng.randint(0, d * (k - 1)) for k, d in zip(kernel, dilation, strict=True)]
        fewest = [max(d, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(kernel, padding, dilation, strict=True)]
        shape = [rng.randint(n, max(n, 4)) for n in fewest]
        x = np.array([float(rng.randint(0, 2)) for _ in range(2 * prod(shape))]).reshape(2, *shape)
        sizes = dict(zip(case.inputs[0].axes, x.shape, strict=True))
        for name, values in zip(WINDOW, (kernel, stride, padding, dilation), strict=True):
            sizes |= {f"{name}_{axis}": v for axis, v in zip("dhw"[-axes:], values, strict=True)}
        for domain in (Exact(), Intervals()):
            here = Environment(case, sizes, {"x": lambda *c, x=x: Fraction(x[c])}, {}, domain)
            windows = [(n, p, w) for n in range(2)
                       for p, w in first_winners(x[n], kernel, stride, padding, dilation).items()]
            for n, p, winner in rng.sample(windows, min(len(windows), 8)):
                for name, expected in zip("tuv", (*lacking, *winner), strict=True):
                    chosen = to_scalar(apply(f"winner.{name}", n, *lacking, *p))
                    assert here.scalar(chosen) == expected
                    seen += 1
    assert seen >= 600


def test_a_selection_without_a_candidate_is_an_error():
    """padding = kernel: the first window holds padding only."""
    case = OPS["max_pool"].cases[0]
    sizes = {"N": 1, "W": 1, "kernel_w": 1, "stride_w": 1, "padding_w": 1, "dilation_w": 1}
    with pytest.raises(OutOfBounds, match="no candidate"):
        Environment(case, sizes, {"x": lambda *_: Fraction(1)}).scalar(to_scalar(apply("winner.v", 0, 0, 0, 0)))


# ---------------------------------------------------------------- symbolic instances
def rules(case: Case) -> list[tuple[str, Scalar]]:
    o = case.indices("g")
    return [
        ("g", case.forward(o)),
        ("g", case.jvp(o)),
        *((x, case.vjp(x, case.indices(x))) for x in case.differentiable),
    ]


@pytest.mark.parametrize("name", OPS)
def test_a_symbolic_instance_has_the_value_of_direct_evaluation(name):
    """Rule -> scalar term at a shape -> value  =  rule -> value; ties included."""
    rng, case = random.Random(name), OPS[name].cases[-1]
    sizes, names = small_shape(case), tensor_names(case)
    integers = {n: (lambda *c, v=v: v[c]) for n, v in integer_tensors(case, sizes).items()}
    symbolic = Environment(case, dict(sizes), {n: (lambda *c, n=n: access(n, *c)) for n in names}, integers, Symbols())
    for _ in range(3):
        value = reader_in_domain(case, sizes, lambda: Fraction(rng.randint(-1, 1)))
        read = {n: (lambda *c, n=n, value=value: value(n, c)) for n in names}
        direct = Environment(case, dict(sizes), read, integers, Intervals())
        instance = unbounded(Environment(case, dict(sizes), read, integers, Intervals()))
        for tensor, rule in rules(case):
            for c in cells(extents(case, tensor, sizes)):
                index = dict(zip(case.index_names(tensor), c, strict=True))
                direct.sizes |= index
                symbolic.sizes |= index
                term = to_scalar(symbolic.scalar(rule))
                assert same(direct.scalar(rule), instance.scalar(term)), f"{name}: {rule} at {index}"


def test_a_declared_index_function_means_row_major():
    """source and target of reshape against NumPy, and both their axioms, at every element."""
    for case in OPS["reshape"].cases:
        for shape in ((2, 3), (3, 2), (6,), (2, 1, 3), (1, 6, 1, 1)):
            for target in ((6,), (3, 2), (2, 3, 1), (6, 1, 1, 1)):
                if (len(shape), len(target)) != (len(case.inputs[0].axes), len(case.output.axes)):
                    continue
                sizes = dict(zip((*case.inputs[0].axes, *case.output.axes), (*shape, *target), strict=True))
                here = Environment(case, sizes, {})
                positions = np.arange(6).reshape(shape)
                for n, o in enumerate(np.ndindex(*target)):
                    source = tuple(here.index(apply(f"source.{a}", *o)) for a in range(len(shape)))
                    assert positions[source] == n
                for function_name, axiom in case.selection_axioms().items():
                    domain = target if function_name.startswith("source") else shape
                    assert all(here.condition(c) is True for e in np.ndindex(*domain) for c in axiom(*map(to_index, e)))


def test_a_candidate_that_is_real_for_some_values_only_is_not_dropped():
    """On symbols the second candidate is neither real nor unreal: leaving it out would give x[0] always."""
    op = Op("among_positive", "x[K] -> y[]")

    @op.first_argmax("best", "k", exists=lambda size: ([0],))
    def cell(x: Tensor, k: Any) -> Any:
        return equal(k, 0) | (x[k] >= 0), x[k]

    here = Environment(op.cases[0], {"K": 2}, {"x": lambda n: access("x", n)}, {}, Symbols())
    with pytest.raises(Undecided):
        here.scalar(Tensor("x")[apply("best.k")])
