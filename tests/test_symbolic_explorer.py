"""The path explorer and the ledger of side conditions."""

from __future__ import annotations

import numpy as np
import pytest

from gradproof_spec.solver import satisfiable, valid
from gradproof_spec.symbolic import (
    SymbolicInteger,
    Unsupported,
    as_terms,
    explore,
    symbols,
    undischarged,
)
from gradproof_spec.terms import Condition, Scalar, access, equal, function, variable

X = access("x", 0)


def x() -> np.ndarray:
    return symbols("x", (4,))


def left(kernel, hypotheses=(), positive=()):
    """What no path of the kernel discharges."""
    return [
        s
        for p in explore(kernel, hypotheses).paths
        for s in undischarged(p.side_conditions, [p.result, p.conditions], hypotheses, valid, positive)
    ]


# ---------------------------------------------------------------- paths
def test_every_feasible_path_once():
    def kernel():
        a = x()
        if a[0] > 0:
            return "positive" if a[0] > 1 else "small"
        if a[0] > 1:
            return "impossible"
        return "negative"

    found = explore(kernel)
    assert found.complete
    assert sorted(p.result for p in found.paths) == ["negative", "positive", "small"]
    assert [p.conditions for p in found.paths if p.result == "small"] == [(X > 0, ~(X > 1))]


def test_a_decided_comparison_is_not_asked_again():
    asked = []

    def feasible(conditions):
        asked.append(conditions[-1])
        return satisfiable(conditions)

    def kernel():
        a = x()
        first, second = a[0] <= a[1], a[1] < a[0]
        return [bool(c) for c in (first, ~first, second, first & (a[2] > 0), first, a[2] > 0, (a[2] > 0) | second)]

    assert len(explore(kernel, feasible=feasible).paths) == 4
    assert len(asked) == 2 * 3  # first; a[2] > 0 after each answer to first


def test_hypotheses_and_forced_sides():
    found = explore(lambda: 1 if x()[0] > 0 else 2, hypotheses=[X > 3])
    assert [p.result for p in found.paths] == [1]


def test_an_unknown_side_is_kept():
    found = explore(lambda: 1 if x()[0] > 0 else 2, feasible=lambda conditions: None)
    assert [p.result for p in found.paths] == [1, 2]


def test_too_many_paths_is_not_complete():
    found = explore(lambda: [bool(a > 0) for a in x()], max_paths=5)
    assert not found.complete
    assert len(found.paths) == 5
    assert "5 paths" in found.reason


def test_caught_exceptions_are_paths():
    def kernel():
        if x()[0] > 0:
            raise ValueError("positive")
        return 0

    paths = explore(kernel, catch=(ValueError,)).paths
    assert [(type(p.exception), p.result) for p in paths] == [(ValueError, None), (type(None), 0)]
    with pytest.raises(ValueError, match="positive"):
        explore(kernel)


def test_hooks_are_restored_and_nesting_is_an_error():
    numpy_functions = np.asarray, np.zeros, np.finfo
    with pytest.raises(RuntimeError, match="inside explore"):
        explore(lambda: explore(lambda: 0))
    with pytest.raises(Unsupported):
        explore(lambda: float(x()[0]))
    assert Condition.decide is None
    assert Scalar.on_divisor is None
    assert numpy_functions == (np.asarray, np.zeros, np.finfo)
    assert explore(lambda: 1).paths[0].result == 1


def test_a_function_that_changes_between_runs_is_an_error():
    runs = []

    def kernel():
        runs.append(0)
        return bool(x()[len(runs) % 2] > 0)

    with pytest.raises(RuntimeError, match="not deterministic"):
        explore(kernel)


def test_boolean_indexing_and_sorting_branch():
    masked = explore(lambda: x()[:3][x()[:3] > 0].sum())
    assert len(masked.paths) == 8
    ordered = explore(lambda: np.sort(x()[:3]))
    for p in ordered.paths:
        low, middle, high = as_terms(p.result)
        assert valid(p.conditions, (low <= middle) & (middle <= high)) is True


def test_shape_rules_on_symbolic_integers():
    n, k = variable("n"), variable("k")

    def windows():
        size, kernel = SymbolicInteger(n), SymbolicInteger(k)
        if size + 2 < kernel or kernel == 0:
            raise ValueError("the window does not fit")
        return (size + 2 - kernel) // 2 + 1

    found = explore(windows, hypotheses=[n >= 0, k >= 0], catch=(ValueError,))
    assert found.complete
    results = [p for p in found.paths if p.exception is None]
    assert len(results) == 1
    assert len(found.paths) == 3
    assert valid([n >= 0, k >= 0, *results[0].conditions], 2 * (results[0].result.term - 1) <= n + 2 - k) is True
    with pytest.raises(ZeroDivisionError):
        explore(lambda: SymbolicInteger(n) // SymbolicInteger(k), hypotheses=[k >= 0])
    with pytest.raises(Unsupported):
        explore(lambda: list(range(SymbolicInteger(n))))


# ---------------------------------------------------------------- side conditions
def test_each_partial_operation_is_recorded():
    path = explore(lambda: 1 / x()[0] + np.log(x()[1]) + np.sqrt(x()[2]) + x()[3] ** -2 + np.log1p(x()[1])).paths[0]
    assert [(s.kind, s.goal) for s in path.side_conditions] == [
        ("divisor", ~equal(X, 0)),
        ("log", access("x", 1) > 0),
        ("sqrt", access("x", 2) >= 0),
        ("divisor", ~equal(access("x", 3) * access("x", 3), 0)),
        ("log", access("x", 1) + 1 > 0),
    ]


def test_discharged_by_sign_by_hypothesis_and_by_guard():
    def softmax():
        e = np.exp(x() - x().max())
        return np.log(e / e.sum())

    def normalize():
        c = x() - x().mean()
        return c / np.sqrt((c * c).mean() + symbols("eps", ()))

    assert left(softmax) == []
    assert left(normalize, positive=("eps",)) == []
    assert left(normalize) != []
    assert left(lambda: 1 / x(), hypotheses=[access("x", i) > 1 for i in range(4)]) == []
    assert left(lambda: np.where(x() > 0, 1 / x(), 0)) == []
    assert left(lambda: np.where(x() != 0, 1 / np.where(x() != 0, x(), 1), 0)) == []
    assert left(lambda: np.divide(1, x(), out=np.zeros_like(x()), where=x() != 0)) == []
    assert left(lambda: 1 / x()[0] if x()[0] > 0 else x()[0]) == []


LOST = {
    "unguarded": lambda a: 1 / a,
    "wrong guard": lambda a: np.where(a >= 0, 1 / a, 0),
    "guard on one of two uses": lambda a: np.where(a > 0, 1 / a, 0) + 2 / a,
    "multiplied by 0": lambda a: 0 * (1 / a),
    "multiplied by 0 beside a guarded use": lambda a: np.where(a > 0, 1 / a, 0) + 0 * (1 / a),
    "multiplied by 0 in a matmul": lambda a: np.where(a > 0, 1 / a, 0) + np.dot(1 / a, [0, 0, 0, 0]),
    "multiplied by 0 in an einsum": lambda a: np.where(a > 0, 1 / a, 0) + np.einsum("i,i->", 1 / a, np.zeros(4)),
    "multiplied by a mask": lambda a: (a > 0) * (1 / a),
    "compared with itself": lambda a: np.where(1 / a == 1 / a, np.where(a > 0, 1 / a, 0), 0),
    "0 divided": lambda a: np.where(a > 0, 1 / a, 0) + 0 / a,
    "in the guard itself": lambda a: np.where(1 / a > 0, 1 / a, 0),
    "beside its guard in one condition": lambda a: np.where((a > 0) & (1 / a > 1), 1, 0),
    "sum of a positive and any": lambda a: np.log(np.exp(a) + a),
    "result not used": lambda a: (1 / a, a)[1] + 0,
    "escaped the array layer": lambda a: a.view(np.ndarray) / a.view(np.ndarray)[::-1],
    "log": lambda a: np.log(a * a),
    "sqrt": lambda a: np.sqrt(a),
    "power": lambda a: a**-1,
    "real power": lambda a: a**a,
    "constant 0": lambda a: a / 0,
    "log of constant": lambda a: a + np.log(np.zeros_like(a)),
}


@pytest.mark.parametrize("name", LOST)
def test_a_partial_operation_is_not_excused(name):
    assert left(lambda: LOST[name](x())) != []


def test_a_side_condition_belongs_to_its_path():
    """Keyed without the path, only the first path's obligation would be kept, and it holds there."""

    def kernel():
        a = x()[0]
        return 1 / a if a > 0 else 2 * (1 / a)

    assert [s.conditions for s in left(kernel)] == [(~(X > 0),)]


def test_a_branch_on_a_quotient_is_a_use():
    def kernel():
        a = x()
        q = 1 / a[0]
        return np.where(a[0] > 0, q, 0) if q > a[1] else a[1]

    assert left(kernel) != []


def test_bounds_of_symbolic_indices():
    def shifted(by):
        a = x()
        return lambda: a[a.argmax() + by]

    assert left(shifted(0)) == []
    for by in (1, -1):  # a negative index would wrap silently
        found = left(shifted(by))
        assert [s.kind for s in found] == ["index"]
    assert left(lambda: x()[np.minimum(x().argmax() + 1, 3)]) == []
    with pytest.raises(IndexError):
        explore(lambda: x()[x().argmax() + 4])
    scattered = left(lambda: np.add.at(np.zeros_like(x()), x().argmax() - 2, 1))
    assert {s.kind for s in scattered} == {"index"}


def test_the_solver_s_own_divisions_are_not_recorded():
    def feasible(conditions):
        assert 1 / X != X  # a solver that builds terms of its own
        return None

    found = explore(lambda: bool(x()[0] > 0), feasible=feasible)
    assert [p.side_conditions for p in found.paths] == [[], []]


def test_a_run_from_another_ledger_does_not_leak():
    explore(lambda: 1 / x())
    assert explore(lambda: x() + 1).paths[0].side_conditions == []
    assert function("exp", X) * 0 == function("exp", X) * 0 == access("y") * 0
