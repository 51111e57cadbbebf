"""All entries of a rule at once in floats, against exact evaluation; where two rules differ, and only there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest
from test_normal_form import playground, reader_in_domain

from gradproof_spec import ops  # noqa: F401  registers every op
from gradproof_spec.array_evaluation import ArrayEvaluation, Entry
from gradproof_spec.derivative import derivative
from gradproof_spec.evaluate import Interval, Intervals
from gradproof_spec.op import OPS, Case
from gradproof_spec.planted import PLANTED
from gradproof_spec.refute import (
    POINTS_PER_SHAPE,
    QUICK_SHAPES,
    Evaluation,
    Point,
    cells,
    compare,
    entries_that_differ_in_floats,
    environment,
    extents,
    rule_term,
    telling_shapes,
)
from gradproof_spec.terms import (
    ONE,
    ZERO,
    Scalar,
    Tensor,
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

CLOSE = 1e-9
SLOPES_PER_INPUT = 60
Integers = dict[str, dict[tuple[int, ...], int]]


# ---------------------------------------------------------------- points
def point_in_domain(case: Case, sizes: dict[str, int], rng: random.Random, denominator: int) -> tuple[Point, Integers]:
    """Every tensor and real attribute, tangents and cotangent too; integers also lie outside."""
    read = reader_in_domain(case, sizes, lambda: Fraction(rng.randint(-2 * denominator, 2 * denominator), denominator))
    point: Point = {name: {(): read(name, ())} for name in case.op.reals}
    integers: Integers = {}
    for t in case.inputs:
        elements = list(cells(extents(case, t.name, sizes)))
        if t.integer:
            low, high = (0, 1) if t.kind == "bool" else (-1, 3)
            integers[t.name] = {c: rng.randint(low, high) for c in elements}
        else:
            for name in (t.name, "d" + t.name):
                point[name] = {c: read(name, c) for c in elements}
    point["g"] = {c: read("g", c) for c in cells(extents(case, "g", sizes))}
    return point, integers


def as_arrays(case: Case, sizes: dict[str, int], values: Any, dtype: type) -> dict[str, Any]:
    arrays = {}
    for name, elements in values.items():
        arrays[name] = np.zeros(() if name in case.op.reals else extents(case, name, sizes), dtype)
        for c, v in elements.items():
            arrays[name][c] = v
    return arrays


def ranges(case: Case, tensor: str, sizes: dict[str, int], prefix: str = "") -> dict[str, int]:
    """The index names of a tensor with their extents."""
    extent = extents(case, tensor, sizes)
    names = [f"i_{k}" for k in range(len(extent))] if prefix else case.index_names(tensor)
    return dict(zip(names, extent, strict=True))


def written(case: Case, what: str) -> Scalar:
    """The rule as it is written: `rule_term` is the same with few bound names, so that equal sums are equal terms."""
    kind, _, x = what.partition(" ")
    if kind == "slope":
        return derivative(case.forward(case.indices("g")), x, [variable(f"i_{n}") for n in range(len(case.shape(x)))])
    if kind in ("forward", "jvp"):
        return (case.forward if kind == "forward" else case.jvp)(case.indices("g"))
    return case.vjp(what, case.indices(what))


def far(value: float, exact: Interval | Fraction) -> bool:
    exact = Interval.of(exact)
    middle = float((exact.lo + exact.hi) / 2)
    return not abs(value - middle) <= CLOSE * (1 + abs(middle))


# ---------------------------------------------------------------- every rule of every op
@pytest.mark.parametrize("name", OPS)
def test_every_entry_of_every_rule_is_the_exact_one(name):
    """Forward, JVP and VJPs at every index; of each slope, at some entries. Points on a grid where ties are likely."""
    rng, case = random.Random(name), OPS[name].cases[0]
    for sizes, denominator in zip(telling_shapes(case)[:2], (1, 2), strict=False):
        point, integers = point_in_domain(case, sizes, rng, denominator)
        at = ArrayEvaluation(case, sizes, as_arrays(case, sizes, point, float), as_arrays(case, sizes, integers, int))
        exact = environment(case, sizes, point, integers, Intervals())
        rules = [("forward", "g", ""), ("jvp", "g", ""), *((x, x, "") for x in case.differentiable)]
        rules += [("slope " + x, "g", x) for x in case.differentiable]
        for what, tensor, x in rules:
            order = ranges(case, tensor, sizes) | (ranges(case, x, sizes, "i_") if x else {})
            with np.errstate(all="ignore"):  # the side of a choice that is not taken
                got = at.array(rule_term(case, what), order)
            assert got.shape == tuple(order.values())
            places, rule = list(cells(got.shape)), written(case, what)
            for place in rng.sample(places, min(SLOPES_PER_INPUT, len(places))) if x else places:
                exact.sizes |= dict(zip(order, place, strict=True))
                want = exact.scalar(rule)
                assert not far(got[place], want), f"{name} {what}{list(place)} at {sizes}: {got[place]}, exactly {want}"


# ---------------------------------------------------------------- single terms
X, Y, I, J = Tensor("x"), Tensor("y"), variable("I"), variable("J")
i, j, k, m = variable("i"), variable("j"), variable("k#1"), variable("m#2")
VALUES = np.array([[1.0, -2.0, 3.0], [0.0, 5.0, 7.0]])


def array(t: Scalar, **order: int) -> Any:
    """The playground's x[I,J] = VALUES and y[J] = 0."""
    at = ArrayEvaluation(playground(), {"I": 2, "J": 3}, {"x": VALUES, "y": np.zeros(3)}, {})
    with np.errstate(all="ignore"):
        return at.array(t, order)


def test_an_element_outside_its_tensor_is_nan_unless_a_false_guard_makes_it_0():
    beside = X[i, j + 1]
    assert np.array_equal(np.isnan(array(beside, i=2, j=3)), [[False, False, True]] * 2)
    guarded = array(indicator(in_range(j + 1, J)) * beside, i=2, j=3)
    assert np.array_equal(guarded, [[-2, 3, 0], [5, 7, 0]])
    assert np.array_equal(array(indicator(X[i, j] > 0) * reciprocal(X[i, j]), i=2, j=3), np.where(
        VALUES > 0, 1 / np.where(VALUES == 0, 1, VALUES), 0))
    assert np.isnan(array(X[-1, 0])) and np.isnan(array(X[2, 0]))


def test_a_choice_takes_the_side_that_is_defined():
    root = where(X[i, j] > 0, function("sqrt", X[i, j]), 4)
    assert np.array_equal(array(root, i=2, j=3), np.where(VALUES > 0, np.sqrt(np.abs(VALUES)), 4))


@pytest.mark.parametrize("extent, sums", {
    "all": (J, VALUES.sum(1)),
    "up to the row": (i + 1, [1, 0 + 5]),
    "none": (to_index(0), [0, 0]),
    "fewer than none": (to_index(-2), [0, 0]),
    "none in one row": (i, [0, 0]),
}.values(), ids=lambda v: None)
def test_sums_over_extents(extent, sums):
    assert np.array_equal(array(scalar_sum("k#1", extent, X[i, k]), i=2), sums)


def test_a_sum_of_what_does_not_mention_its_index_counts():
    assert np.array_equal(array(scalar_sum("k#1", J, X[i, 0]), i=2), 3 * VALUES[:, 0])
    assert np.array_equal(array(scalar_sum("k#1", i + 1, ONE), i=4), [1, 2, 3, 4])
    assert np.array_equal(array(scalar_sum("k#1", i - 2, ONE), i=4), [0, 0, 0, 1])
    assert array(scalar_sum("k#1", to_index(-2), ONE)) == 0


def test_one_bound_name_inside_and_outside():
    inner = scalar_sum("k#1", J, X[0, k])
    assert array(scalar_sum("k#1", I, inner * X[k, 0])) == VALUES[0].sum() * VALUES[:, 0].sum()
    nested = scalar_sum("k#1", I, scalar_sum("m#2", k + 1, X[k, m]))
    assert array(nested) == VALUES[0, 0] + VALUES[1, :2].sum()


def test_axes_come_in_the_order_that_is_asked_for():
    """Also those that the term does not mention."""
    assert np.array_equal(array(X[i, j], j=3, i=2), VALUES.T)
    assert np.array_equal(array(X[i, 0], j=3, i=2), np.tile(VALUES[:, 0], (3, 1)))
    assert np.array_equal(array(to_scalar(3), i=2), [3, 3]) and array(ZERO) == 0


def test_integers_are_those_of_python():
    a = list(range(-7, 8))
    for divisor in (1, 2, 3):
        shifted = i - 7
        assert np.array_equal(array(to_scalar(shifted // divisor), i=15), [n // divisor for n in a])
        assert np.array_equal(array(to_scalar(shifted % divisor), i=15), [n % divisor for n in a])
    odd = (equal(i % 2, 1) | (i <= 0)) & ~equal(i, 3)
    assert np.array_equal(array(indicator(odd), i=5), [1, 1, 0, 0, 0])


def test_a_new_direction_forgets_what_depended_on_the_old_one():
    case = playground()
    at = ArrayEvaluation(case, {"I": 2, "J": 3}, {"x": VALUES, "y": np.zeros(3)}, {})
    t = scalar_sum("k#1", J, X[i, k] * Tensor("dy")[k])
    for direction in (np.ones(3), np.array([0.0, 1.0, -1.0])):
        at.set_direction("dy", direction)
        assert np.array_equal(at.array(t, {"i": 2}), VALUES @ direction)


# ---------------------------------------------------------------- where two rules differ
def differing(
    kind: str, case: Case, denominator: int, shapes: int, points: int = 1
) -> Iterator[tuple[Evaluation, Entry]]:
    """The entries that differ, at points of the most telling shapes, at most three at each."""
    rng = random.Random(f"{kind} {case.op.name}")
    for sizes in telling_shapes(case)[:shapes]:
        for _ in range(points):
            point, integers = point_in_domain(case, sizes, rng, denominator)
            primals = {n: v for n, v in point.items() if n in case.op.reals or n in {t.name for t in case.inputs}}
            at = Evaluation(case, sizes, primals, integers)
            yield from ((at, e) for e in islice(entries_that_differ_in_floats(kind, at, case.differentiable), 3))


@pytest.mark.parametrize("kind", ["derivative", "adjoint"])
@pytest.mark.parametrize("name", OPS)
def test_right_rules_differ_nowhere(name, kind):
    """At points without ties: on a kink a JVP is a convention and no slope."""
    found = differing(kind, OPS[name].cases[0], denominator=1009, shapes=2)
    assert [(at.sizes, entry) for at, entry in found] == []


WRONG_ENTRIES = [f for f in PLANTED if f.kind in ("derivative", "adjoint") and not f.fields]


@pytest.mark.parametrize("fault", WRONG_ENTRIES, ids=lambda f: f"{f.op}-{f.name}")
def test_a_planted_wrong_rule_is_found_where_it_is_wrong(fault):
    """Some entry that differs in floats at a telling shape differs exactly."""
    for case in fault.wrong_op().cases:
        for at, entry in differing(fault.kind, case, denominator=1, shapes=QUICK_SHAPES, points=POINTS_PER_SHAPE):
            confirmed = compare(fault.kind, at, *entry)
            if confirmed is not None and not confirmed.fault:
                return
    pytest.fail(f"{fault.op}: {fault.name} differs nowhere")
