"""Terms: equality by structure, substitution that captures nothing, sums that bind."""

from __future__ import annotations

import pytest

from gradproof_spec.terms import Sum, Tensor, equal, free_variables, indicator, scalar_sum, substitute, variable, where

A = Tensor("a")
M, N = variable("m#1"), variable("n#2")


def test_terms_are_equal_exactly_when_they_are_built_the_same_way():
    assert A[M, N] == A[variable("m#1"), N] and hash(A[M, N]) == hash(A[M, N])
    assert A[M, N] != A[N, M] and A[M, N] + 1 != 1 + A[M, N]


def test_substitution_leaves_what_a_sum_binds():
    """A product of a sum over m and an access at a free m: only the free one is replaced."""
    inner = scalar_sum("m#1", variable("M"), A[M, N])
    new = substitute(inner * A[M, M], {"m#1": variable("p"), "n#2": variable("q")})
    assert str(new) == "(Σ_{m<M} a[m,q])·a[p,p]"


def test_substitution_renames_a_sum_rather_than_capture():
    inner = scalar_sum("m#1", variable("M"), A[M, N])
    new = substitute(inner, {"n#2": M + 1})
    assert free_variables(new) == {"M", "m#1"}
    assert new.args[0] != "m#1"


def test_constants_fold():
    assert indicator(True) * A[M, N] == A[M, N]
    assert where(equal(variable("i"), variable("i")), A[M, N], 0) == A[M, N]
    assert str(A[M, N] * 0) == "0"


def test_a_condition_has_no_truth_value_outside_a_run():
    with pytest.raises(TypeError, match="has no truth value here"):
        bool(M <= N)


def test_an_extent_is_iterated_only_inside_a_sum():
    from gradproof_spec.op import OPS, Case
    from gradproof_spec.ops import linalg  # noqa: F401

    case: Case = OPS["matmul"].cases[0]
    with pytest.raises(TypeError, match="only inside Sum"):
        next(iter(case.size().K))
    assert str(Sum(A[k, k] for k in case.size().K)) == "Σ_{k<K} a[k,k]"
