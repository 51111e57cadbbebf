"""Questions of which `check` once said something false: PROVED of a wrong gradient, REFUTED of a right one."""

import math

import numpy as np
import pytest

from gradproof_spec import check
from gradproof_spec.obligations import Verdict

SCALAR = {"x": ()}
PROVED, REFUTED, UNKNOWN, UNSUPPORTED = Verdict.PROVED, Verdict.REFUTED, Verdict.UNKNOWN, Verdict.UNSUPPORTED


def log_or_square(x):
    return np.where(1 / (1 + np.exp(-x)) > 0.5, np.log(x), x**2)


def log_or_square_backward(g, x):
    return g * np.where(1 / (1 + np.exp(-x)) > 0.5, 1 / x, np.where(x > 0, 2 * x, 7.0))


def unused_log(x):
    np.log(x)
    return x**2


def with_log_kept(x):
    return x**2, (x, np.log(x))


def tied_on_a_half_line(x):
    return np.where(np.maximum(x, 0) > 0, x**2, 1 + x + x**3)


def wrong_on_the_half_line(g, x):
    return g * np.where(x > 0, 2 * x, (1 + 3 * x**2) * 1.000001)


def jumps_on_a_half_line(x):
    return np.where(np.maximum(x, 0) == 0, 1 + x + x**3, x**2)


def pinched(x):
    return np.where((x - 1 >= 0) & (x <= 1), 1 + (1 + 1e-6) * (x - 1), x)


def swallows_a_refusal(g, x):
    try:
        return g * math.exp(float(x)) * 5
    except Exception:
        return g * np.exp(x)


def asks_for_the_type(g, x):
    return g * np.exp(x) * (1 if type(x) is not np.ndarray else 2)


def doubles_later():
    runs = []

    def forward(x):
        runs.append(None)
        return x * (1 if len(runs) == 1 else 2)

    return forward


def none_above_1(g, x):
    return None if x > 1 else g


def none_nowhere(g, x):
    if np.cos(x) ** 2 + np.sin(x) ** 2 > 1.5:
        return None
    return g


def with_cache():
    kept = {}

    def forward(x):
        kept["x"] = x
        return x**2

    def backward(g, x):
        return 2 * g * kept["x"]

    return forward, backward


def sinc(x):
    safe = np.where(x == 0, 1, x)
    return np.where(x == 0, 1.0, np.sin(x) / safe)


def sinc_tangent(primals, tangents):
    (x,), (dx,) = primals, tangents
    slope = (x * np.cos(x) - np.sin(x)) / np.where(x == 0, 1, x) ** 2
    return np.where(x == 0, 7 * dx, dx * slope)


def product_of_three(x, y, z):
    return np.maximum(x * y * z, 0)


def product_of_three_backward(g, x, y, z):
    inside = np.sign(x) * np.sign(y) * np.sign(z) > 0
    return g * y * z * inside, g * x * z * inside, g * x * y * inside


ASKED = {
    "a-domain-of-two-branches": (
        REFUTED, (lambda x: np.abs(x[0]) + x[1], lambda g, x: np.array([g, g])),
        {"shapes": {"x": (2,)}, "domain": lambda x: x[0] > 0 or x[1] > 0}),
    "a-chained-domain": (PROVED, (np.abs, lambda g, x: g), {"shapes": SCALAR, "domain": lambda x: 0 < x < 1}),
    "a-negated-domain": (PROVED, (np.abs, lambda g, x: g), {"shapes": SCALAR, "domain": lambda x: not x < 0}),
    "a-guarded-log": (REFUTED, (log_or_square, log_or_square_backward), {"shapes": SCALAR}),
    "an-unused-log": (REFUTED, (unused_log, lambda g, x: g * np.where(x > 0, 2 * x, 7.0)), {"shapes": SCALAR}),
    "a-log-in-the-residuals": (
        REFUTED, (with_log_kept, lambda kept, g: g * np.where(kept[0] > 0, 2 * kept[0], 7.0)),
        {"shapes": SCALAR, "residuals": True}),
    "tied-on-a-half-line": (UNKNOWN, (tied_on_a_half_line, wrong_on_the_half_line), {"shapes": SCALAR}),
    "jumps-on-a-half-line": (UNKNOWN, (jumps_on_a_half_line, wrong_on_the_half_line), {"shapes": SCALAR}),
    "a-point-by-two-comparisons": (
        REFUTED, (pinched, lambda g, x: g * np.where(x == 1, 1 + 1e-6, 1.0)), {"shapes": SCALAR}),
    "a-swallowed-refusal": (UNSUPPORTED, (np.exp, swallows_a_refusal), {"shapes": SCALAR}),
    "a-type-test": (UNSUPPORTED, (np.exp, asks_for_the_type), {"shapes": SCALAR}),
    "state": (UNSUPPORTED, (doubles_later(), lambda g, x: g), {"shapes": SCALAR}),
    "abs-by-its-quotient": (PROVED, (np.abs, lambda g, x: g * x / np.abs(x)), {"shapes": SCALAR}),
    "a-norm-at-0": (PROVED, (lambda x: np.sqrt(x @ x), lambda g, x: g * x / np.sqrt(x @ x)), {"shapes": {"x": (2,)}}),
    "a-product-near-its-tie": (
        PROVED, (product_of_three, product_of_three_backward), {"shapes": {"x": (), "y": (), "z": ()}}),
    "a-cache": (PROVED, with_cache(), {"shapes": {"x": (2,)}}),
    "none-nowhere": (UNKNOWN, (lambda x: x * 1, none_nowhere), {"shapes": SCALAR}),
    "none-somewhere": (REFUTED, (lambda x: x * 1, none_above_1), {"shapes": SCALAR}),
    "random-with-a-seed": (
        PROVED, (lambda x: x * np.random.default_rng(0).random(3), lambda g, x: g * np.random.default_rng(0).random(3)),
        {"shapes": {"x": (3,)}}),
}  # fmt: skip


@pytest.mark.parametrize(("verdict", "functions", "question"), ASKED.values(), ids=ASKED)
def test_verdict(verdict, functions, question):
    result = check(*functions, **question)
    assert result.verdict is verdict, result.message


def test_a_tangent_at_a_value_of_its_own_is_compared_with_differences():
    result = check(sinc, jvp=sinc_tangent, shapes=SCALAR)
    assert result.verdict is REFUTED
    assert result.counterexample["x"] == 0


def test_assumptions_of_all_integers_are_told():
    def forward(x, k):
        return np.log(x) if k == 0 else x

    def backward(g, x, k):
        return (np.where(x > 0, g / x, 7 * g) if k == 0 else g), None

    result = check(forward, backward, shapes={"x": (), "k": ()}, integers={"k": (0, 2)})
    assert any("where the forward is defined" in line for line in result.assumptions)
