"""Wrong kernels put in the place of the shipped ones are not proved; right ones written differently are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradproof.op import OPS as RUNTIME
from gradproof_spec import ops  # noqa: F401  registers every op
from gradproof_spec.execution import run_guarded
from gradproof_spec.link.examples import EXAMPLES, Example
from gradproof_spec.link.kernels import Run, prove_run
from gradproof_spec.obligations import Obligation, Outcome, Verdict
from gradproof_spec.solver import Solver
from gradproof_spec.symbolic.comparison import Comparison, Different, innermost_condition, is_zero
from gradproof_spec.terms import Scalar, access, equal, function, indicator, reciprocal, where

ignore_invalid = np.errstate(invalid="ignore", divide="ignore")  # as a decorator
sliding = np.lib.stride_tricks.sliding_window_view


def example_of(op: str, name: str) -> Example:
    return next(e for e in EXAMPLES if (e.op, e.name) == (op, name))


def prove_with(op: str, key: str, rule: Callable[..., Any], example: str | Example, direction: str) -> Outcome:
    """The kernel obligation while `rule` stands in the table in the place of the shipped one."""
    rules = RUNTIME[op].rules
    shipped = rules[key]
    rules[key] = rule
    try:
        run = Run(example_of(op, example) if isinstance(example, str) else example, direction)
        return run_guarded(Obligation("kernel", op, f"{direction}-{example}", "", "", lambda: prove_run(run))).outcome
    finally:
        rules[key] = shipped


def verdict_with(op: str, key: str, rule: Callable[..., Any], example: str | Example, direction: str) -> Verdict:
    return prove_with(op, key, rule, example, direction).verdict


# ---------------------------------------------------------------- wrong kernels
def bias_of_the_first_row(g, inputs, out, residual):
    return g.reshape(-1, g.shape[-1])[0]


def aligned_left(inputs, *, shape):
    (x,) = inputs
    return np.broadcast_to(x.reshape(x.shape + (1,) * (len(shape) - x.ndim)), shape).copy(), None


def tie_to_the_first(g, inputs, out, residual):
    a, b = inputs
    return np.where(a >= b, g, 0)


def right_except_at_ties(inputs):
    a, b = inputs
    return np.where(a > b, a, np.where(a < b, b, a + b)), None


def without_the_sum(g, inputs, out, residual, *, axis):
    return g * out


def last_winner(g, inputs, out, residual, *, kernel, stride, padding):
    (x,) = inputs
    gx = np.zeros_like(x)
    for p, q in np.ndindex(*out.shape):
        left = g[p, q]
        for u in reversed(range(kernel[0])):
            for v in reversed(range(kernel[1])):
                won = x[p + u, q + v] == out[p, q]
                gx[p + u, q + v] += np.where(won, left, 0)
                left = np.where(won, 0, left)
    return gx


def every_winner(g, inputs, out, residual, *, kernel, stride, padding):
    (x,) = inputs
    gx = np.zeros_like(x)
    for p, q in np.ndindex(*out.shape):
        for u, v in np.ndindex(*kernel):
            gx[p + u, q + v] += np.where(x[p + u, q + v] == out[p, q], g[p, q], 0)
    return gx


def flipped_correlation(inputs, *, stride, padding):
    x, weight, bias = inputs
    windows = sliding(x, weight.shape[2:], axis=(1, 2))
    return np.einsum("cpquv,fcuv->fpq", windows, weight[:, :, ::-1, ::-1]) + bias[:, None, None], None


def dropping_repeats(g, inputs, out, residual):
    x, indices = inputs
    gx = np.zeros_like(x)
    gx[indices] = g  # the last of equal indices wins
    return gx


def branching(inputs):
    (x,) = inputs
    return (2 * x if x[0] > 1 and x[1] > x[2] else -x), None


def wrong_shape(inputs):
    (x,) = inputs
    return -x[:, None], None


@ignore_invalid
def zero_by_zero(inputs):
    (x,) = inputs
    return -x * x / x, None


@ignore_invalid
def zero_by_zero_beside_a_guard(g, inputs, out, residual):
    (x,) = inputs
    return np.where(x > 0, g, 0) + 0 * (g / x)


def biased_variance_of_n_minus_1(inputs, *, eps):
    x, gamma, beta = inputs
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred * centred).sum(axis=-1, keepdims=True) / (x.shape[-1] - 1)
    return centred / np.sqrt(variance + eps) * gamma + beta, (centred,)


WRONG = {
    "bias gradient not summed over the batch": ("linear", "vjp bias", bias_of_the_first_row, "batch1", "vjp"),
    "broadcast aligned left": (
        "broadcast_to",
        "forward",
        aligned_left,
        Example("broadcast_to", "square", ((2,),), {"shape": (2, 2)}),
        "forward",
    ),
    "maximum gives a tie to one side": ("maximum", "vjp a", tie_to_the_first, "3", "vjp"),
    "maximum wrong at ties only": ("maximum", "forward", right_except_at_ties, "3", "forward"),
    "softmax without the sum": ("softmax", "vjp x", without_the_sum, "3-axis0", "vjp"),
    "max_pool to the last winner": ("max_pool", "vjp x", last_winner, "h3w3-k2-s1", "vjp"),
    "max_pool to every winner": ("max_pool", "vjp x", every_winner, "h3w3-k2-s1", "vjp"),
    "conv with the kernel flipped": ("conv", "forward", flipped_correlation, "batch0-k2", "forward"),
    "gather dropping repeats": ("gather_rows", "vjp x", dropping_repeats, "all-one-row", "vjp"),
    "a path of its own": ("neg", "forward", branching, "3", "forward"),
    "0/0 at 0": ("neg", "forward", zero_by_zero, "3", "forward"),
    "0 times 1/0": ("relu", "vjp x", zero_by_zero_beside_a_guard, "3", "vjp"),
    "variance divided by n - 1": ("layer_norm", "forward", biased_variance_of_n_minus_1, "batch0", "forward"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_kernel_is_refuted(name):
    outcome = prove_with(*WRONG[name])
    assert outcome.verdict == Verdict.REFUTED, outcome.message
    assert outcome.message.startswith(f"REFUTED  kernel[{WRONG[name][0]}-")


def test_an_output_of_another_shape_is_not_proved():
    outcome = prove_with("neg", "forward", wrong_shape, "3", "forward")
    assert outcome.verdict in (Verdict.REFUTED, Verdict.UNKNOWN)
    assert "y has shape (3, 1), must have (3,)" in outcome.message


def test_a_branch_that_samples_miss_is_not_proved():
    """Wrong only where x[0] > 1000: no sample shows it, so it stays UNKNOWN."""

    def rule(inputs):
        (x,) = inputs
        return (2 * x if x[0] > 1000 else -x), None

    outcome = prove_with("neg", "forward", rule, "3", "forward")
    assert outcome.verdict == Verdict.UNKNOWN
    assert "no input was found" in outcome.message


def test_a_divisor_that_may_be_0_stays_open():
    """Equal wherever it is defined, and still not proved: the verdict names the side condition."""
    outcome = prove_with("neg", "forward", zero_by_zero, "3", "forward")
    assert "side condition not shown: divisor: x[0] ≠ 0" in outcome.message


def test_the_other_examples_see_a_wrong_axis():
    """Over the wrong axis: right at one axis, wrong at the next example."""

    def always_last(inputs, *, axis):
        (x,) = inputs
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True), None

    assert verdict_with("softmax", "forward", always_last, "2x3-axis1", "forward") == Verdict.PROVED
    assert verdict_with("softmax", "forward", always_last, "2x3-axis0", "forward") == Verdict.REFUTED


# ---------------------------------------------------------------- right kernels, written differently
def relu_by_maximum(inputs):
    (x,) = inputs
    return np.maximum(x, 0), None


def relu_by_absolute(inputs):
    (x,) = inputs
    return (x + np.abs(x)) / 2, None


def relu_by_branches(inputs):
    (x,) = inputs
    return np.stack([e if e > 0 else 0 * e for e in x]), None


def maximum_by_difference(inputs):
    a, b = inputs
    return (a + b + np.abs(a - b)) / 2, None


def softmax_unshifted(inputs, *, axis):
    (x,) = inputs
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True), None


def softmax_vjp_by_matrix(g, inputs, out, residual, *, axis):
    jacobian = np.eye(3) * out - np.outer(out, out)
    return jacobian @ g


def matmul_by_einsum(inputs):
    return np.einsum("nk,km->nm", *inputs), None


def matmul_by_sum(inputs):
    a, b = inputs
    return (a[:, :, None] * b[None]).sum(axis=1), None


def mean_of_squares(inputs, *, reduction):
    yhat, target = inputs
    return (yhat * yhat - 2 * yhat * target + target * target).mean(), None


def gather_by_loop(g, inputs, out, residual):
    x, indices = inputs
    gx = np.zeros_like(x)
    for k, r in enumerate(indices):
        gx[r] += g[k]
    return gx


def pool_by_windows(inputs, *, kernel, stride, padding, dilation):
    (x,) = inputs
    return sliding(x, kernel).max(axis=(-2, -1)), None


def norm_by_moments(inputs, *, eps):
    x, gamma, beta = inputs
    mean = x.mean(axis=-1, keepdims=True)
    variance = (x * x).mean(axis=-1, keepdims=True) - mean * mean
    return (x - mean) * (variance + eps) ** -0.5 * gamma + beta, None


RIGHT = {
    "relu by maximum": ("relu", "forward", relu_by_maximum, "3", "forward"),
    "relu by absolute value": ("relu", "forward", relu_by_absolute, "3", "forward"),
    "relu by branches": ("relu", "forward", relu_by_branches, "3", "forward"),
    "maximum by difference": ("maximum", "forward", maximum_by_difference, "3", "forward"),
    "softmax unshifted": ("softmax", "forward", softmax_unshifted, "3-axis0", "forward"),
    "softmax vjp by its matrix": ("softmax", "vjp x", softmax_vjp_by_matrix, "3-axis0", "vjp"),
    "matmul by einsum": ("matmul", "forward", matmul_by_einsum, "batch0", "forward"),
    "matmul by broadcasting": ("matmul", "forward", matmul_by_sum, "batch0", "forward"),
    "mean of squares": ("mse_loss", "forward", mean_of_squares, "mean-3", "forward"),
    "gather by a loop": ("gather_rows", "vjp x", gather_by_loop, "all-one-row", "vjp"),
    "pool by windows": ("max_pool", "forward", pool_by_windows, "h3w3-k2-s1", "forward"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_kernel_written_differently_is_proved(name):
    outcome = prove_with(*RIGHT[name])
    assert outcome.verdict == Verdict.PROVED, outcome.message


def test_what_is_right_but_not_shown_is_not_refuted():
    """The variance as E x² - (E x)² is positive with eps, but not by its form: a side condition stays open."""
    outcome = prove_with("layer_norm", "forward", norm_by_moments, "batch0", "forward")
    assert outcome.verdict in (Verdict.PROVED, Verdict.UNKNOWN), outcome.message


# ---------------------------------------------------------------- the comparison itself
X, Y, G = (access(n, 0) for n in ("x", "y", "g"))
EQUAL: dict[str, tuple[Scalar, Scalar]] = {
    "choice pushed inside": (where(X > 0, X * X * G, Y * G), G * where(X > 0, X * X, Y)),
    "strict and loose": (where(X > 0, X, 0), where(X >= 0, X, 0)),
    "negated": (where(X > Y, X, Y), where(X <= Y, Y, X)),
    "nested": (where(X > 0, where(Y > 0, X * Y, 0), 0), where(Y > 0, where(X > 0, X * Y, 0), 0)),
    "guard and choice": (indicator(X > 0) * function("exp", X), where(X > 0, function("exp", X), 0)),
    "under a guard": (where(~equal(X, 0), X * reciprocal(X), 1), 1 + 0 * X),
    "in a function": (function("exp", where(X > 0, X, 0)), where(X > 0, function("exp", X), 1)),
    "a tie in three": (where(X > Y, 1, where(equal(X, Y), 2, 3)), where(X < Y, 3, where(X <= Y, 2, 1))),
}
UNEQUAL: dict[str, tuple[Scalar, Scalar]] = {
    "at the boundary": (where(X > 0, 1, 0) * G, where(X >= 0, 1, 0) * G),
    "in one branch": (where(X > 0, X * X, Y), where(X > 0, X * Y, Y)),
    "at a tie": (where(X > Y, X * X, Y * Y), where(X > Y, X * X, where(equal(X, Y), 0, Y * Y))),
    "a square root": (function("sqrt", X * X), X + 0 * X),
    "sign": (X * Y * G, -X * Y * G),
    "constants": (X / 3, X / 3 + reciprocal(access("x", 1)) - reciprocal(access("x", 1)) + 1),
    "in a function's guard": (function("sqrt", where(X > 0, 1, 0)), function("sqrt", where(X > 0, 0, 1))),
}


def compared(a: Scalar, b: Scalar) -> None:
    Comparison(Solver(), (), frozenset({"g"})).require_equal(a, b)


@pytest.mark.parametrize("name", EQUAL)
def test_equal_terms(name):
    compared(*EQUAL[name])
    compared(*EQUAL[name][::-1])


@pytest.mark.parametrize("name", UNEQUAL)
def test_unequal_terms(name):
    with pytest.raises(Different):
        compared(*UNEQUAL[name])
    with pytest.raises(Different):
        compared(*UNEQUAL[name][::-1])


def test_hypotheses_of_the_path_are_used_and_needed():
    a, b = where(X > 0, X * X, Y), X * X
    Comparison(Solver(), (X > 1,), frozenset()).require_equal(a, b)
    with pytest.raises(Different):
        Comparison(Solver(), (X > -1,), frozenset()).require_equal(a, b)


def test_units_are_used_only_where_both_sides_are_linear():
    """G² and G agree at the units 0 and 1."""
    with pytest.raises(Different):
        compared(X * G * G, X * G)
    with pytest.raises(Different):
        compared(G * G, G)
    with pytest.raises(Different):
        compared(where(G > 0, X * G, X * G * 2) * Y, X * G * Y)


def test_is_zero_gives_up_rather_than_guess():
    assert is_zero(X - X)
    assert not is_zero(reciprocal((X + Y) ** 2 - X * X - 2 * X * Y - Y * Y))
    assert not is_zero(function("sqrt", X * X) - X)
    assert innermost_condition(X, Y) is None
