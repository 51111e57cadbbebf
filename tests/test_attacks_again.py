"""The second attack on the prover (the first is test_attacks.py): each of these is false and was PROVED."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_attacks import exp, identity
from test_kernel_comparison import prove_with
from test_soundness import NOT_PROVED, changed, op

from gradproof_spec import any_shape, flat
from gradproof_spec.law import Law, forward_of, prove
from gradproof_spec.link import shape_lemmas
from gradproof_spec.link import shapes as shape_kind
from gradproof_spec.obligations import Verdict
from gradproof_spec.op import OPS, SpecificationError
from gradproof_spec.terms import TRUE, Sum, Tensor, apply, equal, function, indicator, to_scalar, where


# ---------------------------------------------------------------- 1. a part of a sum over the whole of it
def test_a_part_of_a_sum_over_the_whole_sum_is_not_1():
    """Σ_{m<M} exp(w[m]) / Σ_{n<N} exp(w[n]) is not 1 for M < N: _cancel_sums forgets the guard that match adds."""
    def factor(w: Any, size: Any) -> Any:
        return Sum(exp(w[m]) for m in size.M) / Sum(exp(w[n]) for n in size.N)

    made = identity("part", "w:real[N]", factor, attributes="M", domain=lambda size: [size.M >= 1, size.M <= size.N])
    assert any_shape.check("bounds", made).verdict == Verdict.PROVED
    assert any_shape.check("adjoint", made).verdict in NOT_PROVED
    assert any_shape.check("derivative", made).verdict in NOT_PROVED


# ---------------------------------------------------------------- 2. kinks and ties that are always met together
def test_one_selection_at_two_arguments_that_share_elements():
    """2 max(x0, x1) - max(x1, x0): the slope at a tie is (2, -1), not between (1, 0) and (0, 1)."""
    made = op("twice", "x[N] z:real[A] -> y[]",
              lambda x, best: 2 * x[best(0)[0]] - x[1 - best(1)[0]],
              lambda dx, best: 2 * dx[best(0)[0]] - dx[1 - best(1)[0]],
              {"x": lambda g, best, n: (2 * indicator(equal(n, best(0)[0])) - indicator(equal(n, 1 - best(1)[0])))
               * g[()]}, domain=lambda size: [equal(size.N, 2), equal(size.A, 2)])
    made.first_argmax("best", "n", exists=lambda a, size: ([0],))(lambda x, a, n: (TRUE, x[n + a - 2 * n * a]))
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_one_selection_in_a_sum_over_its_arguments():
    """The same as a sum over a."""
    def element(best: Any, a: Any) -> Any:
        n = best(a)[0]
        return n + a - 2 * n * a

    made = op("summed", "x[N] z:real[A] -> y[]",
              lambda x, best, size: Sum((2 - 3 * a) * x[element(best, a)] for a in size.A),
              lambda dx, best, size: Sum((2 - 3 * a) * dx[element(best, a)] for a in size.A),
              {"x": lambda g, best, n, size: Sum((2 - 3 * a) * indicator(equal(n, element(best, a))) * g[()]
                                                 for a in size.A)},
              domain=lambda size: [equal(size.N, 2), equal(size.A, 2)])
    made.first_argmax("best", "n", exists=lambda a, size: ([0],))(lambda x, a, n: (TRUE, x[n + a - 2 * n * a]))
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_a_kink_that_is_a_tie_of_a_selection():
    """max(x0, x1) - relu(x0 - x1) is x1, whose slope is (0, 1); at x0 = x1 the rule gives (1, 0)."""
    def forward(x: Tensor, best: Any) -> Any:
        return x[best()] - where(x[0] > x[1], x[0] - x[1], 0)

    def slope(x: Tensor, best: Any, n: Any) -> Any:
        return indicator(equal(n, best()[0])) - where(x[0] > x[1], indicator(equal(n, 0)) - indicator(equal(n, 1)), 0)

    made = op("max_minus_relu", "x[N] -> y[]", forward,
              lambda x, dx, best: dx[best()] - where(x[0] > x[1], dx[0] - dx[1], 0),
              {"x": lambda x, g, best, n: slope(x, best, n) * g[()]}, domain=lambda size: [equal(size.N, 2)],
              kinks={"x[0] = x[1]": 0})
    made.first_argmax("best", "n", exists=lambda size: ([0],))(lambda x, n: (TRUE, x[n]))
    made.kinks = {k.name: 0 for k in any_shape.kinks(made.cases[0])}
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def coincide(name: str, other: Any, **fields: Any) -> Any:
    """relu(x) - relu(x - other), which is 0 because other is 0; its slope at 0 is 0, and the rule gives -1."""
    def steps(x: Any, z: Any, a: Any, b: Any) -> Any:
        return where(x > 0, a, 0) - where(x >= other(z), b, 0)

    made = op(name, "x[I] z:real[I] -> y[I]", lambda x, z, i: steps(x[i], z[i], x[i], x[i] - other(z[i])),
              lambda x, z, dx, i: steps(x[i], z[i], dx[i], dx[i]),
              {"x": lambda x, z, g, i: steps(x[i], z[i], g[i], g[i])}, **fields)
    made.kinks = {k.name: int(k.name != "x[i] = 0") for k in any_shape.kinks(made.cases[0])}
    return made


def test_guards_that_coincide_by_the_domain_of_an_element():
    """z = 0 by its condition: nothing moves z off the other boundary."""
    made = coincide("pinned", lambda z: z, elements={"z": lambda v: equal(v, to_scalar(0))})
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_guards_that_coincide_because_an_element_cancels():
    """z - sqrt(z z) is 0 for z > 0, though z alone occurs in it."""
    made = coincide("cancels", lambda z: z - function("sqrt", z * z), elements={"z": lambda v: v > 0})
    assert any_shape.check("bounds", made).verdict == Verdict.PROVED
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_guards_on_boundaries_that_differ_are_still_proved():
    assert any_shape.check("kink", coincide("apart", lambda z: z)).verdict == Verdict.PROVED


# ---------------------------------------------------------------- 3. laws
def test_a_law_about_no_form_at_all():
    law = Law("exp", "typo", "exp(x) = x", lambda case, i: (case.forward(i), Tensor("x")[i]), lambda size: (),
              ("no such form",))
    assert prove(law).verdict in NOT_PROVED


def test_a_law_where_no_element_exists():
    """lo < x < hi, where hi <= lo: sqrt(x) is defined wherever there is an x, which is nowhere."""
    made = op("between", "x[I] -> y[I]", lambda x, i: x[i], lambda dx, i: dx[i], {}, reals="lo hi",
              elements={"x": lambda v, size: (v > size.lo) & (v < size.hi)})
    law = Law("exp", "empty", "sqrt(x)^2 = x", lambda case, i: (function("sqrt", Tensor("x")[i]) ** 2, Tensor("x")[i]),
              lambda size: [size.hi <= size.lo])
    assert prove(law, made).verdict in NOT_PROVED


def test_a_law_puts_another_tensor_where_a_selection_reads_its_own():
    """max(z) = z[argmax x]: `best` stays that of x."""
    made = op("row_max", "x[I,N] -> y[I]", lambda x, best, i: x[i, best(i)[0]], lambda dx, best, i: dx[i, best(i)[0]],
              {"x": lambda g, best, i, n: indicator(equal(n, best(i)[0])) * g[i]}, domain=lambda size: [size.N >= 1])
    made.first_argmax("best", "n", exists=lambda i, size: ([0],))(lambda x, i, n: (TRUE, x[i, n]))
    OPS["row_max"] = made
    try:
        def sides(case: Any, i: Any) -> Any:
            best = apply("best.n", *i)
            return forward_of("row_max", case, Tensor("z"), lambda k: (apply("best.n", k),), *i), Tensor("z")[*i, best]

        with pytest.raises(SpecificationError):
            prove(Law("row_max", "other", "max(z) = z[argmax x]", sides, lambda size: ()))
    finally:
        del OPS["row_max"]


# ---------------------------------------------------------------- 4. flat
def test_flat_checks_also_where_a_root_of_another_branch_is_not_defined():
    """where(x > 0, sqrt(x), 5x): the encoding of sqrt(x) says x > 0, so a slope of 7 for x < 0 was never seen."""
    def rule(x: Any, d: Any) -> Any:
        return where(x > 0, d / (2 * function("sqrt", x)), 7 * d)

    made = op("root_or_line", "x[I] -> y[I]", lambda x, i: where(x[i] > 0, function("sqrt", x[i]), 5 * x[i]),
              lambda x, dx, i: rule(x[i], dx[i]), {"x": lambda x, g, i: rule(x[i], g[i])})
    assert any_shape.check("derivative", made).verdict in NOT_PROVED
    assert flat.check_flat(made).verdict in NOT_PROVED


# ---------------------------------------------------------------- 5. kernels, shapes
def test_a_kernel_that_draws_other_numbers_for_some_real_attributes():
    """The proof holds for every keep_prob, it said; for small ones the stream is another."""
    from gradproof.ops import random

    def rule(inputs: Any, keep_prob: Any, shape: Any, seed: int, stream: int, dtype: Any) -> Any:
        u = random.uniform(shape, seed, stream + 1 if keep_prob < 0.25 else stream, dtype)
        return (u < np.asarray(keep_prob)).astype(u.dtype), None

    assert prove_with("bernoulli_mask", "forward", rule, "2x3-float64", "forward").verdict in NOT_PROVED


def test_concat_of_more_inputs_than_the_loop_was_looked_at(monkeypatch):
    from gradproof.op import OPS as RUNTIME
    rules = RUNTIME["concat"].rules
    shipped = rules["shape"]
    monkeypatch.setitem(rules, "shape", lambda *xs, axis: shipped(*xs[:3], axis=axis))
    prove_lemma, claim, _ = shape_lemmas.LEMMAS["concat-size"]
    assert shape_lemmas.prove("concat-size", prove_lemma, claim).verdict in NOT_PROVED


def test_an_extent_that_is_no_integer(monkeypatch):
    from gradproof.op import OPS as RUNTIME
    rules = RUNTIME["reduce_sum"].rules
    shipped = rules["shape"]
    monkeypatch.setitem(rules, "shape", lambda *xs, **a: tuple(1.5 if n == 1 else n for n in shipped(*xs, **a)))
    assert shape_kind.check(OPS["reduce_sum"]).verdict in NOT_PROVED


# ---------------------------------------------------------------- 6. bounds
def test_an_index_function_is_asked_inside_the_range_of_its_arguments():
    """source of the position after the last one: where it is means nothing, whatever the rule makes of it."""
    def one(source: Any, index: Any) -> Any:
        position = source(index[0] + 1)[0]
        return indicator(equal(position, 0)) + indicator(~equal(position, 0))

    made = changed("reshape", signatures={"rank 1 to 1": OPS["reshape"].signatures["rank 1 to 1"]},
                   jvp_rule=lambda dx, source, index: one(source, index) * dx[source(*index)])
    assert any_shape.check("bounds", made).verdict in NOT_PROVED
