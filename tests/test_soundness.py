"""Ways in which something false was once PROVED, or is one step away: each is planted here and must not be proved.

Elsewhere: a side obligation keyed without its path, a divisor excused because its quotient was multiplied by 0
(test_symbolic_explorer), keywords that a meaning would ignore, views of inputs (test_symbolic_array), witnesses without
a licence (test_rewriting), wrong kernels (test_kernel_comparison). x * [x > 0] against relu in floats: kind `float`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from test_kernel_comparison import prove_with, verdict_with

from gradproof_spec import (
    any_shape,
    flat,
    ops,  # noqa: F401  registers every op
)
from gradproof_spec.link.calls import inside, inside_domain
from gradproof_spec.link.examples import EXAMPLES
from gradproof_spec.link.kernels import Run
from gradproof_spec.link.sampling import differing_input
from gradproof_spec.normal_form import Flat
from gradproof_spec.obligations import Verdict
from gradproof_spec.op import OPS, Op, SpecificationError
from gradproof_spec.ops.convolution import CELLS, along, extents, parameters
from gradproof_spec.rewriting import Rewriter
from gradproof_spec.solver import Solver
from gradproof_spec.symbolic import Unsupported, explore, symbols
from gradproof_spec.terms import (
    TRUE,
    Scalar,
    Sum,
    Tensor,
    access,
    equal,
    function,
    in_range,
    indicator,
    reciprocal,
    scalar_sum,
    substitute,
    to_scalar,
    variable,
    where,
)

KINDS = ("bounds", "derivative", "adjoint", "kink")
NOT_PROVED = {Verdict.REFUTED, Verdict.UNKNOWN, Verdict.VACUOUS, Verdict.UNSUPPORTED}


def op(
    name: str,
    signature: str,
    forward: Callable[..., Any],
    jvp: Callable[..., Any],
    vjps: dict[str, Callable[..., Any]],
    **fields: Any,
) -> Op:
    made = Op(name, signature, **fields)
    made.forward(forward)
    made.jvp(jvp)
    made.vjps = vjps
    return made


def changed(name: str, **fields: Any) -> Op:
    """A registered op with some fields replaced."""
    other = copy.copy(OPS[name])
    for field, value in fields.items():
        setattr(other, field, value)
    return other


def verdicts(made: Op) -> dict[str, Verdict]:
    return {kind: any_shape.check(kind, made).verdict for kind in KINDS}


# ---------------------------------------------------------------- the algebra of sums
def test_a_bound_name_is_not_captured():
    """Σ_j S_j exp(S_j) with S_j = Σ_m x[m,j] is not Σ_j Σ_m x[m,j] exp(M x[m,j]): S occurs in and outside."""
    x, j, m, extents = Tensor("x"), variable("j#9000"), variable("m#9001"), (variable("J"), variable("M"))
    inner = scalar_sum("m#9001", extents[1], x[m, j])
    shared = scalar_sum("j#9000", extents[0], inner * function("exp", inner))
    wrong = scalar_sum(
        "j#9000",
        extents[0],
        scalar_sum("m#9001", extents[1], x[m, j] * function("exp", to_scalar(extents[1]) * x[m, j])),
    )
    assert not Rewriter(Solver()).equal_terms(shared, wrong, [e >= 0 for e in extents])


def test_substitution_under_a_sum_renames_its_bound_variable():
    x, k, j = Tensor("x"), variable("k#9000"), variable("j")
    t = scalar_sum("k#9000", variable("N"), x[k, j])
    (moved,) = (substitute(t, {"j": k}),)
    assert moved.args[0] != "k#9000"
    assert moved.args[2] == x[variable(moved.args[0]), k]
    assert substitute(t, {"k#9000": variable("i"), "j": variable("i")}).args[2].args[2] == variable("i")


def test_a_denominator_that_is_read_under_a_guard_may_be_0_outside():
    """Multiplying by d = Σ_{n<N} (exp w + exp v) would erase what lives where N = 0."""

    def share(w: Tensor, v: Tensor, size: Any) -> Scalar:
        a, b = (Sum(function("exp", t[n]) for n in size.N) for t in (w, v))
        return indicator(size.N >= 1) * ((a + b) * reciprocal(a + b))

    def empty(size: Any) -> Scalar:
        return indicator(equal(size.N, 0))

    def nothing(g: Tensor, n: Any) -> Scalar:
        return 0 * g[n]

    made = op(
        "guarded_quotient",
        "x[I] w[N] v[N] -> y[I]",
        lambda x, i: x[i],
        lambda w, v, dx, i, size: (share(w, v, size) + empty(size)) * dx[i],
        {"x": lambda g, i, size: (indicator(size.N >= 1) + 2 * empty(size)) * g[i], "w": nothing, "v": nothing},
    )
    assert any_shape.check("adjoint", made).verdict == Verdict.REFUTED


def test_the_same_divisor_for_all_is_still_cleared():
    """The rule itself stays: (a + b) / (a + b) = 1 where every term is guarded alike."""
    a, b = (scalar_sum("k#9000", variable("N"), function("exp", Tensor(n)[variable("k#9000")])) for n in "ab")
    guard = indicator(variable("i") >= 1)
    assert Rewriter(Solver()).equal_terms(guard * (a + b) / (a + b), guard, [variable("N") >= 1])


def test_simplifying_a_sum_leaves_no_bound_variable_free():
    k, l_, x = variable("k#9000"), variable("l#9001"), variable("M") <= variable("N")
    t = scalar_sum("k#9000", variable("N"), scalar_sum("l#9001", variable("M"), indicator(k <= l_)))
    rewriter = Rewriter(Solver())
    ((flat_term, c),) = rewriter.normal_form(t).items()
    for f in rewriter.simplify(flat_term, c, (variable("M") >= 0, x)):
        assert isinstance(f, Flat)
        assert all("#" not in str(a.args[0].args[0]) or f.binders for a, _ in f.monomial if a.op == "integer"), f


# ---------------------------------------------------------------- assumptions that cannot hold
def test_a_contradictory_domain_is_vacuous_in_every_kind():
    made = op(
        "contradiction",
        "x[N] -> y[N]",
        lambda x, n: x[n],
        lambda dx, n: indicator(n >= 0) * dx[n],
        {"x": lambda g, n: indicator(n >= 0) * g[n]},
        domain=lambda size: [size.N >= 1, size.N <= 0],
    )
    found = verdicts(made)
    assert (found["bounds"], found["derivative"], found["adjoint"]) == (Verdict.VACUOUS,) * 3


def test_off_kinks_may_be_nowhere():
    """With N = 1 the boundary x[n] = x[0] is everywhere: "off kinks" says nothing, so nothing is proved."""
    made = op(
        "always_tied",
        "x[N] -> y[N]",
        lambda x, n: where(x[n] > x[0], 5 * x[n], x[n]),
        lambda dx, n: 6 * dx[n],
        {"x": lambda g, n: 6 * g[n]},
        domain=lambda size: [equal(size.N, 1)],
    )
    assert any_shape.check("derivative", made).verdict in NOT_PROVED


def test_std_of_one_element():
    """Without eps the divisor is 0 at N = 1 and at constant rows: `bounds` refuses it."""

    def std(x: Tensor, size: Any) -> Scalar:
        mean = Sum(x[n] for n in size.N) / size.N
        return function("sqrt", Sum((x[n] - mean) ** 2 for n in size.N) / size.N)

    made = op(
        "std",
        "x[N] -> y[]",
        std,
        lambda x, dx, size: Sum(dx[n] for n in size.N) / std(x, size),
        {"x": lambda x, g, size, n: g[()] / std(x, size)},
        domain=lambda size: [size.N >= 1],
    )
    assert any_shape.check("bounds", made).verdict in NOT_PROVED


def test_a_root_that_is_never_defined_is_vacuous_in_flat():
    """sqrt(-1 - x²): the facts that `flat` assumes contradict, so any rule would pass."""

    def root(x: Tensor, i: Any) -> Scalar:
        return function("sqrt", -1 - x[i] * x[i])

    made = op(
        "no_root",
        "x[I] -> y[I]",
        lambda x, i: x[i] * root(x, i),
        lambda x, dx, i: 3 * dx[i] * root(x, i),
        {"x": lambda x, g, i: 5 * g[i] * root(x, i)},
    )
    assert flat.check_flat(made).verdict in NOT_PROVED
    assert any_shape.check("bounds", made).verdict in NOT_PROVED


@pytest.mark.parametrize("name", ["max_pool", "reduce_mean", "mse_loss", "reshape"])
def test_the_domain_is_needed(name):
    """Without it: an empty window, an average of nothing, a reshape to another size. (softmax: b, n < N say N >= 1.)"""
    assert any_shape.check("bounds", changed(name, domain=None)).verdict in NOT_PROVED


# Of the axes of the form: what keeps a window from lying in the padding, or between its taps, alone.
REAL_CELLS: dict[str, Callable[..., list[Any]]] = {
    "padding": lambda size: [padding <= dilation * (kernel - 1) for kernel, _, padding, dilation in parameters(size)],
    "dilation": lambda size: [
        cells >= dilation for cells, dilation in zip(extents(size, CELLS), along(size, "dilation"), strict=True)
    ],
}


@pytest.mark.parametrize("condition", REAL_CELLS)
def test_a_pooling_window_without_a_real_cell(condition):
    pool, dropped = OPS["max_pool"], REAL_CELLS[condition]
    wider = changed("max_pool", domain=lambda size: [c for c in pool.domain(size) if c not in dropped(size)])
    for axes, (fewer, all_of_them) in enumerate(zip(wider.cases, pool.cases, strict=True), 1):
        assert len(fewer.hypotheses()) == len(all_of_them.hypotheses()) - axes
    assert any_shape.check("bounds", wider).verdict in (Verdict.VACUOUS, Verdict.REFUTED)


def test_an_empty_axis_has_no_largest_element():
    made = op(
        "largest",
        "x[I,K] -> y[I]",
        lambda x, best, i: x[(i, *best(i))],
        lambda dx, best, i: dx[(i, *best(i))],
        {"x": lambda g, best, i, k: indicator(equal(k, best(i)[0])) * g[i]},
    )
    made.first_argmax("best", "k", exists=lambda i, size: ([0],))(lambda x, i, k: (TRUE, x[i, k]))
    assert any_shape.check("bounds", made).verdict == Verdict.VACUOUS
    made.domain = lambda size: [size.K >= 1]
    assert verdicts(made) == dict.fromkeys(KINDS, Verdict.PROVED)


def test_axioms_of_index_functions_must_be_true_of_their_meaning():
    """reshape between sizes that differ: source and target cannot be inverse to each other."""
    one = {"rank 1 to 1": OPS["reshape"].signatures["rank 1 to 1"]}
    assert any_shape.check("bounds", changed("reshape", signatures=one)).verdict == Verdict.PROVED
    assert any_shape.check("bounds", changed("reshape", signatures=one, domain=None)).verdict in NOT_PROVED


# ---------------------------------------------------------------- bounds
def test_a_scatter_without_its_bounds_guard_passes_adjoint_and_bounds_decides():
    def picked(x: Tensor, indices: Any, k: Any) -> Scalar:
        return x[indices[k]]

    made = op(
        "unguarded_gather",
        "x[R] indices:int[K] -> y[K]",
        picked,
        lambda dx, indices, k: picked(dx, indices, k),
        {"x": lambda indices, g, r, size: Sum(indicator(equal(indices[k], r)) * g[k] for k in size.K)},
    )
    assert any_shape.check("adjoint", made).verdict == Verdict.PROVED
    assert any_shape.check("derivative", made).verdict == Verdict.PROVED
    assert any_shape.check("bounds", made).verdict == Verdict.REFUTED


def test_the_candidates_of_a_selection_are_read_in_bounds_too():
    made = op(
        "pick_by_next",
        "x[I,K] z[I,K] -> y[I]",
        lambda z, best, i: z[(i, *best(i))],
        lambda dz, best, i: dz[(i, *best(i))],
        {"x": lambda g, i, k: 0 * g[i], "z": lambda g, best, i, k: indicator(equal(k, best(i)[0])) * g[i]},
        domain=lambda size: [size.K >= 1],
    )
    made.first_argmax("best", "k", exists=lambda i, size: ([0],))(lambda x, i, k: (TRUE, x[i, k + 1]))
    assert any_shape.check("bounds", made).verdict in NOT_PROVED


def test_extents_divide_by_positive_integers_only():
    """-3 // -2 is 1 in Python and 2 in SMT-LIB: with P = -H // s, s = -2, the read g[2 // 2] is outside P = 1."""
    made = op(
        "negative_stride",
        "x[H] -> y[P]",
        lambda x, p: 0 * x[0],
        lambda dx, p: 0 * dx[p],
        {"x": lambda g, h: g[h // 2] - g[h // 2]},
        attributes="s",
        extents={"P": lambda size: (0 - size.H) // size.s},
        domain=lambda size: [equal(size.s, -2)],
    )
    assert any_shape.check("bounds", made).verdict in NOT_PROVED


def test_a_rule_that_is_not_linear_is_not_saved_by_adjoint():
    """jvp = dx + x has the coefficient 1 of dx, as the VJP says; `bounds` sees that it is not linear."""
    made = op("affine", "x[I] -> y[I]", lambda x, i: x[i], lambda x, dx, i: dx[i] + x[i], {"x": lambda g, i: g[i]})
    assert any_shape.check("adjoint", made).verdict == Verdict.PROVED
    assert any_shape.check("bounds", made).verdict in NOT_PROVED


# ---------------------------------------------------------------- kinks
def pointwise(name: str, forward: Any, slope: Any, kinks: dict[str, Any] | None = None, x: str = "x") -> Op:
    """JVP and VJP share the slope, so `adjoint` holds whatever it is."""

    def of(f: Any) -> Any:
        return lambda case, i: f(Tensor(x)[i])

    return op(
        name,
        f"{x}[I] -> out[I]",
        of(forward),
        lambda case, i: slope(Tensor(x)[i]) * Tensor("d" + x)[i],
        {x: lambda case, g, i: slope(Tensor(x)[i]) * g[i]},
        kinks=kinks,
    )


def huber_slope_wrong_at_the_joint(v: Scalar) -> Scalar:
    return where(v < 1, 2 * v, where(equal(v, 1), 7, 2))


def test_a_smooth_join_is_not_excluded():
    """x² for x < 1, else 2x - 1: differentiable at 1, so a slope of 7 exactly there is refuted by `derivative`."""

    def forward(v: Scalar) -> Scalar:
        return where(v < 1, v * v, 2 * v - 1)

    right = pointwise("join", forward, lambda v: where(v < 1, 2 * v, 2))
    assert verdicts(right) | {"kink": Verdict.PROVED} == dict.fromkeys(KINDS, Verdict.PROVED)
    wrong = verdicts(pointwise("join", forward, huber_slope_wrong_at_the_joint))
    assert wrong["adjoint"] == Verdict.PROVED
    assert wrong["derivative"] == Verdict.REFUTED


def test_a_wrong_slope_at_a_kink_shared_by_both_rules():
    """adjoint and derivative hold; `kink` refutes: slope 2 at 0 is no subgradient of relu."""
    wrong = verdicts(
        pointwise(
            "relu2",
            lambda v: where(v > 0, v, 0),
            lambda v: indicator(v > 0) + 2 * indicator(equal(v, 0)),
            {"x[i] = 0": 1},
        )
    )
    assert wrong == {
        "bounds": Verdict.PROVED,
        "derivative": Verdict.PROVED,
        "adjoint": Verdict.PROVED,
        "kink": Verdict.REFUTED,
    }


@pytest.mark.parametrize("x", "xyzabcdef")
def test_the_branch_of_an_equality_is_no_one_sided_derivative(x):
    """where(v = 0, 7v, 0) is 0: 7 is no slope of relu at 0, whichever guard comes first (which depends on the name)."""

    def forward(v: Scalar) -> Scalar:
        return where(v > 0, v, 0) + where(equal(v, 0), 7 * v, 0)

    made = pointwise(f"equality_{x}", forward, lambda v: indicator(v > 0) + 7 * indicator(equal(v, 0)), x=x)
    made.kinks = {k.name: Fraction(1) for k in any_shape.kinks(made.cases[0])}
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_two_guards_with_one_boundary():
    """where(x > 0, where(2x > 0, x, 5x), 0) is relu: 5 is the slope of a branch that is never active."""
    made = pointwise(
        "correlated",
        lambda v: where(v > 0, where(2 * v > 0, v, 5 * v), 0),
        lambda v: indicator(v > 0) + 5 * indicator(equal(v, 0)),
        {"x[i] = 0": 1},
    )
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_a_jump_is_no_kink():
    made = pointwise("step", lambda v: where(v > 0, v + 1, v), lambda v: v * 0 + 1, {"x[i] = 0": 1})
    assert any_shape.check("kink", made).verdict in NOT_PROVED


def test_weights_outside_the_segment_and_kinks_not_declared():
    def slope(v: Scalar) -> Scalar:
        return indicator(v > 0)

    def forward(v: Scalar) -> Scalar:
        return where(v > 0, v, 0)

    for kinks in ({"x[i] = 0": Fraction(3, 2)}, {"x[i] = 0": -1}, {}, {"x[i] = 0": 0, "x[i] = 1": 0}):
        assert any_shape.check("kink", pointwise("declared", forward, slope, kinks)).verdict == Verdict.REFUTED


# ---------------------------------------------------------------- registering
def test_an_op_without_a_rule_is_refused():
    for left_out in ("forward", "jvp", "x", "y"):
        made = Op("incomplete", "x[I] y[I] -> z[I]")
        made.forward_rule = None if left_out == "forward" else lambda x, y, i: x[i] * y[i]
        made.jvp_rule = None if left_out == "jvp" else lambda x, y, dx, dy, i: dx[i] * y[i] + x[i] * dy[i]
        rules = {"x": lambda y, g, i: g[i] * y[i], "y": lambda x, g, i: g[i] * x[i]}
        made.vjps = {n: r for n, r in rules.items() if n != left_out}
        with pytest.raises(
            SpecificationError, match="missing " + {"x": r'vjp\("x"\)', "y": r'vjp\("y"\)'}.get(left_out, left_out)
        ):
            made.register()
        assert "incomplete" not in OPS
    with pytest.raises(SpecificationError, match="twice"):
        changed("add").register()


def test_a_rule_with_an_unknown_parameter_is_refused():
    made = pointwise("typo", lambda v: v, lambda v: 1 + 0 * v)
    made.jvp_rule = lambda dz, i: dz[i]
    with pytest.raises(SpecificationError, match="'dz'"):
        any_shape.check("adjoint", made)


def test_an_extent_that_does_not_exist_is_refused():
    made = op(
        "extent", "x[I] -> y[]", lambda x, size: Sum(x[k] for k in size.K), lambda dx: dx[0], {"x": lambda g, i: g[()]}
    )
    with pytest.raises(SpecificationError, match=r"size\.K"):
        any_shape.check("derivative", made)


# ---------------------------------------------------------------- kernels
def exp_vjp_into_out(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    out *= g
    return out


def mul_jvp_into_input(da: Any, inputs: Any, out: Any, residual: Any) -> Any:
    da *= inputs[1]
    return da


def relu_in_place(inputs: Any) -> Any:
    (x,) = inputs
    x[x < 0] = 0
    return x, None


def gather_fixing_indices(inputs: Any) -> Any:
    x, indices = inputs
    inside = (indices >= 0) & (indices < x.shape[0])
    indices[~inside] = 0
    return np.where(inside[:, None], x[indices], 0), None


WRITERS = [
    ("exp", "vjp x", exp_vjp_into_out, "3", "vjp"),
    ("mul", "jvp a", mul_jvp_into_input, "3", "jvp"),
    ("relu", "forward", relu_in_place, "3", "forward"),
    ("gather_rows", "forward", gather_fixing_indices, "outside", "forward"),
]


@pytest.mark.parametrize(
    ("name", "key", "rule", "example", "direction"), WRITERS, ids=["out", "tangent", "input", "indices"]
)
def test_a_kernel_that_writes_what_is_not_its_own(name, key, rule, example, direction):
    """Inputs, tangents, index arrays, and the output that the caller keeps: the next pullback would see the change."""
    assert verdict_with(name, key, rule, example, direction) in NOT_PROVED


def floats_of(run: Run) -> dict[str, Any]:
    """Normal floats where the op is defined; the integers and Booleans of the example."""
    rng, example = np.random.default_rng(0), run.example
    found = dict(run.integers())
    for n, shape in zip(run.names(), example.shapes, strict=True):
        if n not in found:
            holds = inside_domain(example.op, n, example.attributes, run.link.case.label, run.link.sizes)
            x = rng.normal(size=shape)
            found[n] = np.reshape([inside(e, holds) if holds else e for e in x.ravel().tolist()], shape)
    return {n: found[n] for n in run.names()}


def test_no_kernel_that_ships_writes_out_or_its_residual():
    """The same, of the shipped rules in floats: two pullbacks in a row give the same, from the same output."""
    for example in EXAMPLES:
        run = Run(example, "vjp")
        inputs = tuple(floats_of(run).values())
        out, residual = run.op.evaluate(inputs, **example.attributes)
        for array in (*inputs, out, *(residual or ())):
            np.asarray(array).flags.writeable = False
        wanted = tuple(n in run.link.case.differentiable for n in run.names())
        g = np.ones_like(out)
        first, second = (run.op.vjp(g, inputs, out, residual, wanted, **example.attributes) for _ in range(2))
        assert all(a is None or np.array_equal(a, b) for a, b in zip(first, second, strict=True)), example


def neg_by_dtype(inputs: Any) -> Any:
    (x,) = inputs
    return (-x if x.dtype == object else x), None


def neg_by_type(inputs: Any) -> Any:
    (x,) = inputs
    return (x if type(x) is np.ndarray else -x), None


@pytest.mark.parametrize("rule", [neg_by_dtype, neg_by_type])
def test_a_branch_on_what_only_symbols_have_shows_in_floats(monkeypatch, rule):
    """The symbolic run cannot see the other branch (it proves what it ran); floats, which users run, refute it."""
    run = Run(next(e for e in EXAMPLES if (e.op, e.name) == ("neg", "3")), "forward")
    monkeypatch.setitem(run.op.rules, "forward", rule)
    assert differing_input(run) is not None


def test_questions_about_the_dtype_are_refused():
    for ask in (
        lambda x: np.issubdtype(x.dtype, np.floating),
        lambda x: np.finfo(x.dtype),
        lambda x: np.isnan(np.array([np.nan]) * x),
    ):
        with pytest.raises(Unsupported):
            explore(lambda ask=ask: ask(symbols("x", (2,))))


def test_a_keyword_that_is_not_modelled_is_refused():
    for call in (
        lambda x: np.var(x, where=np.array([True, False])),
        lambda x: np.sum(x, where=np.array([True, False])),
        lambda x: np.sum(x, dtype=np.float32),
        lambda x: np.max(x, initial=0),
    ):
        with pytest.raises(Unsupported):
            explore(lambda call=call: call(symbols("x", (2,))))


def test_decimal_literals_are_named_in_the_verdict():
    outcome = prove_with("neg", "forward", lambda inputs: (0.1 * inputs[0] - 1.1 * inputs[0], None), "3", "forward")
    assert outcome.verdict == Verdict.PROVED
    assert outcome.data["decimal_constants"] == ["0.1", "1.1"]
    exact = prove_with("neg", "forward", lambda inputs: (0.5 * inputs[0] - 1.5 * inputs[0], None), "3", "forward")
    assert exact.data["decimal_constants"] == []


def test_relu_as_a_product_is_equal_over_the_reals_only():
    """Documented, not hidden: the symbolic run proves x * (x > 0); kind `float` has nan, inf and -0.0 for it."""

    def rule(inputs: Any) -> Any:
        return inputs[0] * (inputs[0] > 0), None

    assert verdict_with("relu", "forward", rule, "3", "forward") == Verdict.PROVED
    with np.errstate(invalid="ignore"):
        assert np.isnan(rule((np.array([-np.inf]),))[0][0])


def test_in_range_of_a_guard_does_not_leak_to_its_neighbour():
    """[i < N] x[i] + x[i]: the guard of one term does not excuse the other."""
    made = op(
        "neighbour",
        "x[N] -> y[M]",
        lambda x, m, size: indicator(in_range(m, size.N)) * x[m] + 0 * access("x", m) + x[m] * 0,
        lambda dx, m, size: indicator(in_range(m, size.N)) * dx[m] + dx[m],
        {"x": lambda g, n, size: indicator(in_range(n, size.M)) * 2 * g[n]},
    )
    assert any_shape.check("bounds", made).verdict == Verdict.REFUTED


def test_a_jump_at_a_tie_of_a_selection_is_no_kink():
    """z at the largest x: at a tie of x it jumps, so no slope there is a Clarke subgradient."""
    made = op(
        "z_at_largest",
        "x[N] z[N] -> y[]",
        lambda z, best: z[best()],
        lambda dz, best: dz[best()],
        {"x": lambda g, n: 0 * g[()], "z": lambda g, best, n: indicator(equal(n, best()[0])) * g[()]},
        domain=lambda size: [size.N >= 1],
    )
    made.first_argmax("best", "n", exists=lambda size: ([0],))(lambda x, n: (TRUE, x[n]))
    assert any_shape.check("kink", made).verdict in NOT_PROVED


@pytest.mark.parametrize(
    ("signature", "attributes"),
    [
        ("x[N,N] -> y[N]", ""),
        ("x[N] -> y[N,N]", ""),
        ("x[N] -> y[N]", "n"),
        ("x[K] -> y[K]", "k"),
        ("x[I] x[I] -> y[I]", ""),
        ("x[N] z(N) -> y[N]", ""),
        ("x[I] -> x[I]", ""),
        ("x[N] -> y[I_N]", ""),
        ("g[N] -> y[N]", ""),
        ("x[...,B1] -> y[...,B1]", ""),
    ],
)
def test_a_name_that_means_two_things_is_refused(signature, attributes):
    """Each of these was once, or nearly, a way to a false PROVED: an axis twice compares the diagonal only."""
    with pytest.raises(SpecificationError, match="op twice"):
        Op("twice", signature, attributes=attributes)


def test_an_index_is_not_compared_with_a_number_by_python():
    made = pointwise("first_doubled", lambda v: v, lambda v: 1 + 0 * v)
    made.forward_rule = lambda x, i: x[i] * 2 if i == 0 else x[i]
    with pytest.raises(TypeError, match="use equal"):
        any_shape.check("derivative", made)
