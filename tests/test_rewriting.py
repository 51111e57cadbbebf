"""Each rule of the simplifier where it applies, and the false identity next to it that it must not prove."""

from __future__ import annotations

from fractions import Fraction

import pytest

from gradproof_spec import rewriting
from gradproof_spec.normal_form import Flat, Polynomial, add, conjunct_guards, sort_guards
from gradproof_spec.rewriting import Rewriter
from gradproof_spec.solver import Solver
from gradproof_spec.terms import (
    ONE,
    ZERO,
    Condition,
    Index,
    Scalar,
    Tensor,
    equal,
    free_variables,
    function,
    indicator,
    reciprocal,
    scalar_sum,
    to_index,
    to_scalar,
    variable,
)

N, M, E, I = (variable(n) for n in ("N", "M", "e", "i"))
K, L = variable("k#9000"), variable("l#9001")
X, Y, Z = Tensor("x"), Tensor("y"), Tensor("z")
EXTENTS = (N >= 0, M >= 0)


def sum_k(body: Scalar, extent: Index = N) -> Scalar:
    return scalar_sum("k#9000", extent, body)


def sum_l(body: Scalar, extent: Index = M) -> Scalar:
    return scalar_sum("l#9001", extent, body)


def proved(a: Scalar, b: Scalar, *hypotheses: Condition) -> bool:
    return Rewriter(Solver()).equal_terms(a, b, (*EXTENTS, *hypotheses))


def simplify(t: Scalar, *hypotheses: Condition) -> Polynomial:
    rewriter, result = Rewriter(Solver()), {}
    for flat, c in rewriter.normal_form(t).items():
        result = add(result, rewriter.simplify(flat, c, (*EXTENTS, *hypotheses)))
    return result


INSIDE = (E >= 0, E < N)
Z_SUM = sum_k(function("exp", Z[K]))
TRUE_IDENTITIES = {
    "delta": (sum_k(indicator(equal(K, E)) * X[K]), X[E], INSIDE),
    "delta outside gives 0": (sum_k(indicator(equal(K, N + 1)) * X[K]), ZERO, ()),
    "delta with range guard": (sum_k(indicator(equal(K, E)) * X[K]), indicator(E >= 0, E < N) * X[E], ()),
    "delta through a factor": (sum_k(indicator(equal(2 * K, 6)) * X[K]), X[3], (N >= 4,)),
    "delta through a quotient": (
        sum_k(indicator(equal(K // M, I), equal(K % M, E)) * X[K]),
        X[I * M + E],
        (M >= 1, E >= 0, E < M, I >= 0, I * M + E < N),
    ),
    "two deltas, one index": (sum_k(indicator(equal(K, E), equal(K, I)) * X[K]), indicator(equal(E, I)) * X[E], INSIDE),
    "guard implied": (indicator(E < N) * X[E], X[E], INSIDE),
    "guard implied by the range": (sum_k(indicator(K >= 0) * X[K]), sum_k(X[K]), ()),
    "contradiction": (indicator(E < I, I < E) * X[E], ZERO, ()),
    "range from above": (sum_k(indicator(K <= E) * X[K]), sum_k(X[K], E + 1), INSIDE),
    "range from below": (sum_k(indicator(K >= E) * X[K]), sum_k(X[K + E], N - E), INSIDE),
    "congruence": (indicator(equal(E, I)) * X[E], indicator(equal(E, I)) * X[I], ()),
    "constant sum": (sum_k(X[E]), X[E] * N, ()),
    "constant of two sums": (sum_k(sum_l(X[K])), sum_k(X[K]) * M, ()),
    "cancel": (sum_k(function("exp", Z[K])) * reciprocal(Z_SUM), ONE, (N >= 1,)),
    "cancel with a factor": (sum_k(3 * Y[I] * function("exp", Z[K]) / Z_SUM), 3 * Y[I], (N >= 1,)),
    "clear": ((X[I] + Z_SUM) / (X[I] + Z_SUM), ONE, ()),
    "clear a root": (X[I] / function("sqrt", Y[I]) * function("sqrt", Y[I]), X[I], ()),
    "clear twice": (X[I] / (ONE + Z_SUM) - X[I] / (ONE + Z_SUM) ** 2, X[I] * Z_SUM / (ONE + Z_SUM) ** 2, ()),
    "order of sums": (sum_k(sum_l(X[K, L])), sum_l(sum_k(X[K, L])), ()),
}
FALSE_IDENTITIES = {
    "delta without its range": (sum_k(indicator(equal(K, E)) * X[K]), X[E], ()),
    "delta of the wrong element": (sum_k(indicator(equal(K, E)) * X[K]), X[E + 1], INSIDE),
    "delta with two witnesses": (sum_k(indicator(equal(K * K, E * E)) * X[K]), X[E], (E < 0, -E < N)),
    "delta that fixes a quotient only": (
        sum_k(indicator(equal(K // M, I)) * X[K]),
        X[I * M],
        (M >= 2, I >= 0, I * M + M <= N),
    ),
    "delta of a multiple": (sum_k(indicator(equal(2 * K, E)) * X[K]), X[E // 2], INSIDE),
    "guard not implied": (indicator(E < M) * X[E], X[E], INSIDE),
    "guard implied by another of its sum": (sum_k(indicator(K < M) * X[K]), sum_k(X[K]), ()),
    "range from above, too far": (sum_k(indicator(K <= E) * X[K]), sum_k(X[K], E + 1), ()),
    "range from above, off by one": (sum_k(indicator(K <= E) * X[K]), sum_k(X[K], E), INSIDE),
    "range from above, negative": (sum_k(indicator(K <= E) * X[I]), X[I] * (E + 1), (E < N,)),
    "range from below, not shifted": (sum_k(indicator(K >= E) * X[K]), sum_k(X[K], N - E), INSIDE),
    "range from below, beyond": (sum_k(indicator(K >= E) * X[I]), X[I] * (N - E), (E >= 0,)),
    "congruence without the guard": (X[E], X[I], ()),
    "congruence the other way": (indicator(equal(E, I)) * X[E], X[I], ()),
    "constant sum of N - 1": (sum_k(X[E], N - 1), X[E] * (N - 1), ()),
    "constant sum is not constant": (sum_k(X[K]), X[0] * N, ()),
    "cancel with another sum": (sum_k(function("exp", Z[K])) / sum_k(function("exp", Y[K])), ONE, (N >= 1,)),
    "cancel over another extent": (sum_l(function("exp", Z[L])) / Z_SUM, ONE, (N >= 1, M >= 1)),
    "cancel part of a sum": (sum_k(indicator(K >= 1) * function("exp", Z[K])) / Z_SUM, ONE, (N >= 2,)),
    "clear the wrong power": (X[I] / (ONE + Z_SUM), X[I] / (ONE + Z_SUM) ** 2, ()),
    "coefficient": (sum_k(X[K]) * Fraction(1, 2), sum_k(X[K]), ()),
    "transposed": (sum_k(sum_l(X[K, L])), sum_k(sum_l(X[L, K])), ()),
    "double sum is no product": (sum_k(X[K] * Y[K]), sum_k(X[K]) * sum_k(Y[K]), ()),
    "shape-dependent range": (sum_k(sum_l(indicator(K <= L))), to_scalar(M * (M + 1)), (M <= N,)),
    "guards that overlap": (indicator(E <= I) + indicator(E >= I), ONE, ()),
}


@pytest.mark.parametrize("name", TRUE_IDENTITIES)
def test_true_identities_are_proved(name):
    left, right, hypotheses = TRUE_IDENTITIES[name]
    assert proved(left, right, *hypotheses)


@pytest.mark.parametrize("name", FALSE_IDENTITIES)
def test_false_identities_are_not_proved(name):
    left, right, hypotheses = FALSE_IDENTITIES[name]
    assert not proved(left, right, *hypotheses)


def test_a_constant_sum_needs_an_extent_that_is_not_negative():
    t = scalar_sum("k#9000", N - 3, X[E])
    assert [len(f.binders) for f in simplify(t)] == [1]
    assert [len(f.binders) for f in simplify(t, N >= 3)] == [0, 0]


def test_no_bound_variable_is_left_free():
    """Σ_{k<N} Σ_{l<M} [k <= l] is Σ_{l<M} (l + 1), not M (l + 1)."""
    result = simplify(sum_k(sum_l(indicator(K <= L))), M <= N)
    for flat in result:
        inside = {n for a, _ in flat.monomial for n in free_variables(a)}
        assert inside <= {"N", "M", *(n for n, _ in flat.binders)}


def test_what_is_left_is_kept():
    rewriter = Rewriter(Solver())
    assert not rewriter.equal_terms(X[E] + Y[E], Y[E] + 2 * X[I], ())
    assert {c for c in rewriter.residual.values()} == {1, -2}


# ---------------------------------------------------------------- nothing is taken on a heuristic's word
WRONG_WITNESSES = {"0": to_index(0), "another variable": I, "off by one": E + 1, "the variable itself": K, "N": N}


@pytest.mark.parametrize("name", WRONG_WITNESSES)
def test_a_wrong_witness_is_not_used(monkeypatch, name):
    """Witnesses come from anywhere: the solver must license each."""
    monkeypatch.setattr(rewriting, "witnesses", lambda g, v, guards: iter([WRONG_WITNESSES[name]]))
    t = sum_k(indicator(equal(K, E)) * X[K])
    assert not proved(t, X[WRONG_WITNESSES[name]], *INSIDE, I >= 0, I < N)
    for flat in simplify(t, *INSIDE):
        assert len(flat.binders) == 1


def test_a_right_witness_from_elsewhere_is_used(monkeypatch):
    wrong_then_right = [to_index(7), E + 1, E]
    monkeypatch.setattr(rewriting, "witnesses", lambda g, v, guards: iter(wrong_then_right))
    assert proved(sum_k(indicator(equal(K, E)) * X[K]), X[E], *INSIDE)


class Undecided(Solver):
    """A solver that gives up on everything."""

    def valid(self, hypotheses, goal):
        return None


RULES_THAT_ASK = (
    "delta",
    "guard implied",
    "contradiction",
    "range from above",
    "range from below",
    "congruence",
    "constant sum",
)


@pytest.mark.parametrize("name", RULES_THAT_ASK)
def test_without_a_licence_no_rule_applies(name):
    """If z3 gives up on every query, the term keeps its sums and guards."""
    left, _, hypotheses = TRUE_IDENTITIES[name]
    rewriter = Rewriter(Undecided())
    for flat, c in rewriter.normal_form(left).items():
        same = flat._replace(guards=sort_guards(conjunct_guards(flat.guards)))
        assert rewriter.simplify(flat, c, (*EXTENTS, *hypotheses)) == {same: c}


def test_sums_of_different_extents_do_not_match():
    rewriter = Rewriter(Solver())
    one = Flat((("a#1", N),), (), ((X[variable("a#1")], 1),))
    other = Flat((("b#2", M),), (), ((X[variable("b#2")], 1),))
    assert rewriter.match(one, other, EXTENTS) is None
    assert rewriter.match(one, other, (*EXTENTS, equal(N, M))) == []
