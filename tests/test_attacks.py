"""Found by attacking the prover: each of these is false and was PROVED (or crashed, hung, or was wrongly REFUTED)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from test_kernel_comparison import prove_with
from test_soundness import KINDS, NOT_PROVED, op, verdicts

from gradproof_spec import any_shape, flat
from gradproof_spec.law import Law, prove
from gradproof_spec.link import shapes as shape_kind
from gradproof_spec.obligations import Verdict
from gradproof_spec.op import OPS, Op, SpecificationError, nonzero
from gradproof_spec.solver import Solver
from gradproof_spec.terms import (
    TRUE,
    Scalar,
    Sum,
    Tensor,
    access,
    apply,
    equal,
    function,
    in_range,
    indicator,
    to_scalar,
    variable,
    where,
)


def exp(t: Any) -> Scalar:
    return function("exp", t)


def identity(name: str, inputs: str, factor: Any, **fields: Any) -> Op:
    """y = x, with a JVP of factor * dx and a VJP of g: right only if the factor is 1 whatever the other inputs are."""
    return op(name, f"x[I] {inputs} -> y[I]", lambda x, i: x[i],
              lambda case, dx, i: case.call(factor, None, ()) * dx[i], {"x": lambda g, i: g[i]}, **fields)


def not_all_proved(made: Op) -> bool:
    found = verdicts(made)
    return any(v in NOT_PROVED for v in found.values())


@contextmanager
def seconds(n: int) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError("hangs")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(n)
    try:
        yield
    finally:
        signal.alarm(0)


# ---------------------------------------------------------------- 1. sums over nothing
def test_a_normalised_sum_over_nothing_is_0_not_1():
    """Σ_n exp(w[n]) / Σ_m exp(w[m]) is 0 for N = 0; the divisor is read only where n < N says N >= 1."""
    made = identity("cancel", "w:real[N]", lambda w, size: Sum(exp(w[n]) / Sum(exp(w[m]) for m in size.N)
                                                              for n in size.N))
    assert any_shape.check("adjoint", made).verdict == Verdict.REFUTED
    assert any_shape.check("derivative", made).verdict == Verdict.REFUTED


def test_the_mean_of_a_constant_over_nothing_is_0_not_1():
    made = identity("mean_of_1", "w:real[N]", lambda size: Sum(to_scalar(1) / to_scalar(size.N) + 0 * n
                                                              for n in size.N))
    assert any_shape.check("adjoint", made).verdict == Verdict.REFUTED


def test_a_law_about_a_sum_over_nothing():
    made = op("total", "x[I] -> y[]", lambda x, size: Sum(exp(x[n]) / Sum(exp(x[m]) for m in size.I) for n in size.I),
              lambda dx: dx[()], {})
    law = Law("exp", "total", "softmax sums to 1", lambda case, i: (case.forward(i), to_scalar(1)), lambda size: ())
    assert prove(law, made).verdict in NOT_PROVED


def total(w: Tensor, v: Tensor, extent: Any) -> Scalar:
    return Sum(exp(w[n]) + exp(v[n]) for n in extent)


def test_a_divisor_under_a_constant_sum_is_read_only_if_there_is_a_term():
    """Σ_{n<N} 1/d became N/d, which looks as if d were read, and so not 0, where N = 0."""
    def factor(w: Tensor, v: Tensor, a: Tensor, size: Any) -> Scalar:
        d, two = total(w, v, size.N), exp(a[0]) + exp(a[1])
        return (indicator(size.N >= 1) * (d / d) + Sum(1 / d + 0 * n for n in size.N)
                - Sum((exp(a[0]) + exp(a[1])) / (d * two) + 0 * n for n in size.N))

    made = identity("constant_sum", "w:real[N] v:real[N] a:real[M]", factor, domain=lambda size: [size.M >= 2])
    assert any_shape.check("adjoint", made).verdict == Verdict.REFUTED


def test_a_divisor_is_not_read_because_another_range_has_the_same_bound_name():
    """h: Σ_{k<M} [k + L >= M] u/d reads d; f: Σ_{k<N} [k + L >= M] u counts at k >= M too, where d may be 0."""
    def factor(w: Tensor, v: Tensor, a: Tensor, u: Tensor, size: Any) -> Scalar:
        d, two = total(w, v, size.L), exp(a[0]) + exp(a[1])
        return 1 + Sum(indicator(k + size.L >= size.M) * (
            u[k] * (indicator(size.L >= 1) * (d / d) - 1)
            + indicator(k < size.M) * (u[k] / d - u[k] * (exp(a[0]) + exp(a[1])) / (d * two))) for k in size.N)

    made = identity("shared_name", "w:real[L] v:real[L] a:real[A] u:real[N]", factor, attributes="M",
                    domain=lambda size: [size.A >= 2, size.M >= 1, size.M <= size.N])
    assert any_shape.check("adjoint", made).verdict == Verdict.REFUTED


# ---------------------------------------------------------------- 2. facts about elements that do not exist
def test_an_element_that_does_not_exist_says_nothing():
    """0 < w <= N for every element: of w[0], which [N >= 1] guards, it must not say N >= 1."""
    made = identity("absent", "w:real[N]", lambda w, size: indicator(size.N >= 1) * indicator(w[0] > 0),
                    elements={"w": lambda v, size: (v > 0) & (v <= size.N)})
    assert any_shape.check("bounds", made).verdict == Verdict.PROVED
    assert any_shape.check("derivative", made).verdict == Verdict.REFUTED
    assert any_shape.check("adjoint", made).verdict == Verdict.REFUTED


# ---------------------------------------------------------------- 3. selections
def pick(name: str, inputs: str, read: Any, **fields: Any) -> Op:
    """read[best] for a selection `best` over N."""
    other = {n for n in inputs.split() for n in [n.partition("[")[0]]} - {read}
    vjps: dict[str, Any] = {n: lambda g, n: 0 * g[()] for n in other}
    vjps[read] = lambda g, best, n: indicator(equal(n, best()[0])) * g[()]
    return op(name, f"{inputs} -> y[]", lambda case, best: Tensor(read)[best()],
              lambda case, best: Tensor("d" + read)[best()], vjps, **fields)


def test_an_attribute_named_like_a_bound_index_of_the_prover():
    """The prover called two candidates n_1 and n_2; an attribute of that name (n_1 = n_2) hid every tie."""
    made = pick("names", "x[N] z[N]", "z", attributes="n_1 n_2",
                domain=lambda size: [size.N >= 1, equal(size.n_1, size.n_2)])
    made.first_argmax("best", "n", exists=lambda size: ([0],))(lambda x, n: (TRUE, x[n]))
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_which_candidates_are_real_must_not_depend_on_values():
    """max of x[0] and the x[n] with z[n] > 0 jumps where z[n] crosses 0."""
    made = pick("real_by_value", "x[N] z[N]", "x", domain=lambda size: [size.N >= 1])
    made.first_argmax("best", "n", exists=lambda size: ([0],))(lambda x, z, n: (equal(n, 0) | (z[n] > 0), x[n]))
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_a_selection_among_what_another_selection_leaves():
    """max of x without the element at the largest z jumps at ties of z; the forward does not name that selection."""
    made = pick("nested", "x[N] z[N]", "x", domain=lambda size: [size.N >= 2])
    made.first_argmax("first", "n", exists=lambda size: ([0],))(lambda z, n: (TRUE, z[n]))
    made.first_argmax("best", "n", exists=lambda size: ([0, 1],))(
        lambda x, n: (~equal(n, apply("first.n")), x[n]))
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_two_selections_of_the_same_elements_tie_together():
    """2 max + min: at x0 = x1 both pick x0, slope (3, 0), which is not between (2, 1) and (1, 2)."""
    made = op("max_and_min", "x[N] -> y[]", lambda x, hi, lo: 2 * x[hi()] + x[lo()],
              lambda dx, hi, lo: 2 * dx[hi()] + dx[lo()],
              {"x": lambda g, hi, lo, n: (2 * indicator(equal(n, hi()[0])) + indicator(equal(n, lo()[0]))) * g[()]},
              domain=lambda size: [size.N >= 1])
    made.first_argmax("hi", "n", exists=lambda size: ([0],))(lambda x, n: (TRUE, x[n]))
    made.first_argmax("lo", "n", exists=lambda size: ([0],))(lambda x, n: (TRUE, -x[n]))
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def rows(name: str, jvp: Any) -> Op:
    made = op(name, "x[I,N] -> y[I]", lambda x, i: x[i, 0], jvp,
              {"x": lambda g, i, n: indicator(equal(n, 0)) * g[i]}, domain=lambda size: [size.N >= 1])
    made.first_argmax("best", "n", exists=lambda i, size: ([0],))(lambda x, i, n: (TRUE, x[i, n]))
    return made


def test_a_selection_is_asked_inside_the_range_of_its_arguments():
    made = rows("outside", lambda dx, best, i: (
        indicator(equal(best(i + 1)[0], 0)) + indicator(~equal(best(i + 1)[0], 0))) * dx[i, 0])
    assert any_shape.check("bounds", made).verdict == Verdict.REFUTED


def test_a_selection_does_not_compare_tangents():
    """dx[argmax dx] is not linear in dx."""
    made = op("tangent", "x[I,N] -> y[I]", lambda x, best, i: x[i, best(i)[0]],
              lambda dx, best, i: dx[i, best(i)[0]],
              {"x": lambda g, best, i, n: indicator(equal(n, best(i)[0])) * g[i]}, domain=lambda size: [size.N >= 1])
    made.first_argmax("best", "n", exists=lambda i, size: ([0],))(lambda i, n: (TRUE, Tensor("dx")[i, n]))
    assert any_shape.check("bounds", made).verdict in NOT_PROVED


def test_ties_is_one_of_two_words():
    with pytest.raises(SpecificationError, match="ties"):
        Op("typo", "x[I] -> y[I]", ties="share")


# ---------------------------------------------------------------- 4. kinks that are never met alone
def test_guards_that_coincide_by_an_attribute():
    """p = q: this is relu(x - z[p]), but slope 7 at the tie, of a branch that is never active, was PROVED."""
    def choose(x: Tensor, z: Tensor, size: Any, i: Any, one: Any, seven: Any) -> Scalar:
        return where(x[i] > z[size.p], one, where(x[i] >= z[size.q], seven, 0))

    made = op("coincide", "x[I] z:real[N] -> y[I]",
              lambda x, z, size, i: choose(x, z, size, i, x[i] - z[size.p], 7 * (x[i] - z[size.p])),
              lambda x, z, dx, size, i: choose(x, z, size, i, 1, 7) * dx[i],
              {"x": lambda x, z, g, size, i: choose(x, z, size, i, 1, 7) * g[i]}, attributes="p q",
              domain=lambda size: [equal(size.p, size.q), size.p >= 0, size.p < size.N],
              kinks={"x[i] = z[p]": 0, "x[i] = z[q]": 1})
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_guards_that_coincide_on_the_diagonal():
    """relu(x[i]) - relu(x[j]) with different conventions: 0 for i = j, but the JVP there is -dx at x = 0."""
    made = op("diagonal", "x[N] -> y[I,J]",
              lambda x, i, j: where(x[i] > 0, x[i], 0) - where(x[j] >= 0, x[j], 0),
              lambda x, dx, i, j: where(x[i] > 0, dx[i], 0) - where(x[j] >= 0, dx[j], 0),
              {"x": lambda x, g, n, size: (
                  Sum(indicator(in_range(n, size.I)) * (where(x[n] > 0, 1, 0) * g[n, j]) for j in size.J)
                  - Sum(indicator(in_range(n, size.J)) * (where(x[n] >= 0, 1, 0) * g[i, n]) for i in size.I))},
              domain=lambda size: [size.I <= size.N, size.J <= size.N], kinks={"x[i] = 0": 0, "x[j] = 0": 1})
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_clamp_between_equal_bounds_is_constant():
    """lo = hi is in the domain: there clamp is constant, its slope at x = lo = hi is 0, and the JVP gives 1."""
    def slope(x: Tensor, lo: Scalar, hi: Scalar, i: Any) -> Scalar:
        return indicator(x[i] >= lo) * indicator(x[i] <= hi)

    made = op("clamp", "x[I] -> y[I]", lambda x, lo, hi, i: where(x[i] < lo, lo, where(x[i] > hi, hi, x[i])),
              lambda x, dx, lo, hi, i: slope(x, lo, hi, i) * dx[i],
              {"x": lambda x, g, lo, hi, i: slope(x, lo, hi, i) * g[i]}, reals="lo hi",
              domain=lambda size: [size.lo <= size.hi], kinks={"x[i] = lo": 0, "x[i] = hi": 0})
    assert any_shape.check("kink", made).verdict in NOT_PROVED
    made.domain = lambda size: [size.lo < size.hi]
    assert verdicts(made) == dict.fromkeys(KINDS, Verdict.PROVED)


def test_a_kink_at_the_edge_of_the_domain():
    """x >= 0: where(x > 0, 5x, x) is 5x, and slope 1 at 0 is that of a side outside the domain."""
    def slope(x: Tensor, i: Any) -> Scalar:
        return where(x[i] > 0, 5, 1)

    made = op("edge", "x[I] -> y[I]", lambda x, i: where(x[i] > 0, 5 * x[i], x[i]),
              lambda x, dx, i: slope(x, i) * dx[i], {"x": lambda x, g, i: slope(x, i) * g[i]},
              elements={"x": lambda v: v >= 0}, kinks={"x[i] = 0": 0})
    assert any_shape.check("kink", made).verdict in NOT_PROVED


# ---------------------------------------------------------------- 5. bounds
def test_two_guards_do_not_excuse_each_other():
    """[s (10 // s) >= 1] [s (20 // s) >= 1] at s = 0: each divides by 0, each was read under the other."""
    def factor(size: Any) -> Scalar:
        s = size.s
        return indicator(s * (10 // s) >= 1) * indicator(s * (20 // s) >= 1)

    made = op("circular", "x[I] -> y[I]", lambda x, i, size: x[i] * factor(size),
              lambda dx, i, size: factor(size) * dx[i], {"x": lambda g, i, size: factor(size) * g[i]},
              attributes="s", domain=lambda size: [size.s >= 0])
    assert any_shape.check("bounds", made).verdict == Verdict.REFUTED


def test_a_scalar_that_nobody_declared():
    def nope() -> Scalar:
        return Tensor("nope")[()]

    made = op("undeclared", "x[I] -> y[I]", lambda x, i: nope() * x[i], lambda dx, i: nope() * dx[i],
              {"x": lambda g, i: nope() * g[i]})
    assert any_shape.check("bounds", made).verdict in NOT_PROVED


@pytest.mark.parametrize(("signature", "fields"), [
    ("x[I] dx[I] -> y[I]", {}), ("x[I] size[I] -> y[I]", {}), ("x[I] -> y[I]", {"reals": "g"}),
    ("x[I] -> y[I]", {"reals": "dx"}), ("x[I] -> y[I]", {"reals": "size"}),
    ("x[I] -> y[I]", {"reals": "s", "attributes": "s"}), ("x[I] -> y[I]", {"attributes": "batch"})])
def test_names_that_already_mean_something(signature, fields):
    with pytest.raises(SpecificationError):
        Op("twice", signature, **fields)


# ---------------------------------------------------------------- 6. laws
LAW_OF_EXP = {
    "exp(log x) = x": lambda case, i: (exp(function("log", Tensor("x")[i])), Tensor("x")[i]),
    "sqrt(x)^2 = x": lambda case, i: (function("sqrt", Tensor("x")[i]) ** 2, Tensor("x")[i]),
    "x / x = 1": lambda case, i: (Tensor("x")[i] / Tensor("x")[i], to_scalar(1)),
}


@pytest.mark.parametrize("claim", LAW_OF_EXP)
def test_a_law_whose_side_is_not_defined_everywhere(claim):
    law = Law("exp", "partial", claim, LAW_OF_EXP[claim], lambda size: ())
    assert prove(law).verdict in NOT_PROVED


def between() -> Op:
    return op("between", "x[I] -> y[I]", lambda x, lo, hi, i: where(lo < hi, x[i], 3 * x[i]), lambda dx, i: dx[i], {},
              reals="lo hi")


def test_a_false_law_with_a_condition_on_reals_is_refuted():
    """It crashed: KeyError 'lo'."""
    law = Law("exp", "real-where", "", lambda case, i: (case.forward(i), 2 * Tensor("x")[i]),
              lambda size: [size.lo < size.hi])
    assert prove(law, between()).verdict == Verdict.REFUTED


def test_a_law_does_not_put_a_formula_where_a_selection_reads_the_tensor():
    """max(-x) = -max(x): the formula -x is substituted, but `best` stays that of x."""
    made = op("row_max", "x[I,N] -> y[I]", lambda x, best, i: x[i, best(i)[0]], lambda dx, best, i: dx[i, best(i)[0]],
              {"x": lambda g, best, i, n: indicator(equal(n, best(i)[0])) * g[i]}, domain=lambda size: [size.N >= 1])
    made.first_argmax("best", "n", exists=lambda i, size: ([0],))(lambda x, i, n: (TRUE, x[i, n]))

    from gradproof_spec.law import Computed, forward_of
    OPS["row_max"] = made
    try:
        def sides(case: Any, i: Any) -> Any:
            minus = Computed(lambda *j: -Tensor("x")[j])
            return forward_of("row_max", case, minus, lambda k: (apply("best.n", k),), *i), -case.forward(i)

        with pytest.raises(SpecificationError):
            prove(Law("row_max", "negated", "max(-x) = -max(x)", sides, lambda size: ()))
    finally:
        del OPS["row_max"]


# ---------------------------------------------------------------- 7. shape, flat
def test_a_shape_rule_that_depends_on_a_real_attribute(monkeypatch):
    from gradproof.op import OPS as RUNTIME
    rules = RUNTIME["layer_norm"].rules
    shipped = rules["shape"]

    def rule(x: Any, gamma: Any, beta: Any, *, eps: float) -> Any:
        shape = shipped(x, gamma, beta, eps=eps)
        return shape if eps == 1.0 else shape[:-1]

    monkeypatch.setitem(rules, "shape", rule)
    assert shape_kind.check(OPS["layer_norm"]).verdict in NOT_PROVED


def test_flat_leaves_out_kinks_only():
    """c moves nothing, so c = 0 is no kink: a slope that is wrong exactly there is wrong."""
    def by_sign(c: Tensor, i: Any, at_0: int) -> Scalar:
        return where(c[i] > 0, 1, where(c[i] < 0, 2, at_0))

    made = op("at_zero", "x[I] c:real[I] -> y[I]", lambda x, c, i: by_sign(c, i, 3) * x[i],
              lambda dx, c, i: by_sign(c, i, 7) * dx[i], {"x": lambda g, c, i: by_sign(c, i, 7) * g[i]})
    assert any_shape.check("derivative", made).verdict == Verdict.REFUTED
    assert flat.check_flat(made).verdict in NOT_PROVED


def test_flat_knows_the_domain():
    """True, and was REFUTED."""
    ordered = between()
    ordered.vjps = {"x": lambda g, i: g[i]}
    ordered.domain = lambda size: [size.lo < size.hi]
    assert flat.check_flat(ordered).verdict == Verdict.PROVED
    above = op("above_1", "x[I] -> y[I]", lambda x, i: where(x[i] > 1, x[i], 5 * x[i]), lambda dx, i: dx[i],
               {"x": lambda g, i: g[i]}, elements={"x": lambda v: v > 1})
    assert flat.check_flat(above).verdict == Verdict.PROVED


def test_flat_of_what_sympy_writes_with_abs():
    """sqrt(x^2) of one element: ValueError: no encoding for sign."""
    def norm(x: Tensor, size: Any) -> Scalar:
        return function("sqrt", Sum(x[n] * x[n] for n in size.N))

    made = op("norm", "x[N] -> y[]", norm, lambda x, dx, size: Sum(x[n] * dx[n] for n in size.N) / norm(x, size),
              {"x": lambda x, g, n, size: x[n] * g[()] / norm(x, size)}, elements={"x": nonzero},
              domain=lambda size: [size.N >= 1])
    assert flat.check_flat(made).verdict in (Verdict.PROVED, Verdict.UNSUPPORTED, Verdict.UNKNOWN)


# ---------------------------------------------------------------- 8. crashes, hangs, wrong refutations
def test_cos_is_no_function_of_z3():
    """|cos| of SMT-LIB text is z3's own cos, whatever is declared: this satisfiable query never came back."""
    c = function("cos", access("x", variable("i")))
    with seconds(30):
        assert Solver().valid([in_range(variable("i"), variable("I"))], c > 0) is False


@pytest.mark.parametrize("axis", ["EXP", "SQRT", "TRUE", "AND"])
def test_an_axis_named_like_a_word_of_smtlib(axis):
    def slope(x: Tensor, index: Any) -> Scalar:
        return indicator(exp(x[index]) > 0) * exp(x[index])

    made = op("named", f"x[{axis}] -> y[{axis}]", lambda x, index: exp(x[index]),
              lambda x, dx, index: slope(x, index) * dx[index], {"x": lambda x, g, index: slope(x, index) * g[index]})
    assert any_shape.check("derivative", made).verdict == Verdict.PROVED


def test_a_wrong_rule_on_a_domain_without_integers():
    """0 < p < 1: the search drew integers for ever."""
    made = op("logit", "p[I] -> y[I]", lambda p, i: function("log", p[i]), lambda p, dp, i: 2 * dp[i] / p[i],
              {"p": lambda p, g, i: g[i] / p[i]}, elements={"p": lambda v: (v > 0) & (v < 1)})
    with seconds(60):
        assert any_shape.check("derivative", made).verdict in (Verdict.REFUTED, Verdict.UNKNOWN)


def test_a_counterexample_lies_in_the_domain_of_the_real_attributes():
    """exp(t) > 1 + t for t > 5 is true and not proved; REFUTED was at a t outside the domain."""
    made = op("tail", "x[I] -> y[I]", lambda x, t, i: where(exp(t) > 1 + t, x[i], 3 * x[i]), lambda dx, i: dx[i],
              {"x": lambda g, i: g[i]}, reals="t", domain=lambda size: [size.t > 5])
    assert any_shape.check("derivative", made).verdict != Verdict.REFUTED


def test_a_kink_outside_the_domain_is_none():
    """x > 1: the boundary x = 1 is not in the domain, so it need not be declared."""
    made = op("above_1", "x[I] -> y[I]", lambda x, i: where(x[i] > 1, x[i], 5 * x[i]), lambda dx, i: dx[i],
              {"x": lambda g, i: g[i]}, elements={"x": lambda v: v > 1})
    assert any_shape.check("kink", made).verdict != Verdict.REFUTED


@pytest.mark.parametrize("condition", [lambda v: (v > 0) & (v < 1), lambda v, size: v < size.I + 5])
def test_a_kernel_on_a_domain_without_1_or_with_extents(monkeypatch, condition):
    """StopIteration, and KeyError 'I', in sampling: the outcome was an internal error."""
    monkeypatch.setitem(OPS["neg"].elements, "x", condition)
    outcome = prove_with("neg", "forward", lambda inputs: (-1 * inputs[0], None), "3", "forward")
    assert outcome.verdict == Verdict.PROVED, outcome.message

