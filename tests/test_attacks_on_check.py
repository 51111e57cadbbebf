"""Attacks on `check`: no wrong gradient is PROVED and no right one REFUTED, however the fault or the function hides."""

import numpy as np
import pytest

from gradproof_spec import check
from gradproof_spec.obligations import Verdict

SCALAR, TWO = {"x": ()}, {"x": (2,)}


def identity(x):
    return x * 1


def cut_at_zero(x, y):
    return np.where(x < 0, 0, x * y)


def cut_backward(g, x, y):
    """Right but at x = y = 0, where the forward is differentiable although x = 0 is a tie with kinks."""
    at = (x == 0) & (y == 0)
    return g * np.where(x < 0, 0, np.where(at, 5, y)), g * np.where(x < 0, 0, x)


def of_one_integer(g, x, k):
    places = np.arange(3)
    return np.where((places == k) | ((k == 2) & (places == 0)), g, 0)


def at_an_irrational_point(g, x):
    if x * x == 2:
        return 9 * g
    return 2 * g * x


def halved(x):
    for _ in range(3):
        if x > 1:
            x = x / 2
    return x


def halved_backward(g, x):
    return g * np.where(x > 4, 1 / 8, np.where(x > 2, 1 / 4, np.where(x > 1, 1 / 2, 1)))


def halved_backward_with_a_shifted_border(g, x):
    return g * np.where(x > 4, 1 / 8, np.where(x > 2, 1 / 4, np.where(x > 1.00001, 1 / 2, 1)))


def flipped(g, x):
    g = g.copy()
    g[x < 0] *= -1
    return g


# A wrong gradient: REFUTED, or at least not PROVED where no float shows it.
WRONG = {
    "a sign-like tie with three sides": (
        lambda x: np.sign(x) * x * x, lambda g, x: np.where(x == 0, g, 2 * g * np.abs(x)), SCALAR, {}, Verdict.REFUTED),
    "a smooth point on a tie with kinks": (
        cut_at_zero, cut_backward, {"x": (), "y": ()}, {}, Verdict.REFUTED),
    "clipped cotangents": (identity, lambda g, x: np.clip(g, -1e6, 1e6), TWO, {}, Verdict.REFUTED),
    "cotangents clipped far away": (identity, lambda g, x: np.clip(g, -1e300, 1e300), TWO, {}, Verdict.UNKNOWN),
    "wrong where g = 0": (identity, lambda g, x: np.where(g == 0, 1, g), TWO, {}, Verdict.REFUTED),
    "wrong far away": (identity, lambda g, x: np.where(x > 1e200, 2 * g, g), TWO, {}, Verdict.UNKNOWN),
    "wrong where an irrational condition is tied": (
        lambda x: x * x, at_an_irrational_point, SCALAR, {}, Verdict.UNKNOWN),
    "wrong where two elements are equal": (
        identity, lambda g, x: np.where(x == x[::-1], 2 * g, g), TWO, {}, Verdict.REFUTED),
    "wrong on one side of a far plane": (
        lambda x: np.maximum(x, 0) ** 2, lambda g, x: np.where(x > 12345.5, g * x, 2 * g * np.maximum(x, 0)),
        SCALAR, {}, Verdict.REFUTED),
    "tuple cotangents in the wrong order": (
        lambda x, y: (2 * x, 3 * y), lambda g, x, y: (2 * g[1], 3 * g[0]), {"x": (2,), "y": (2,)}, {},
        Verdict.REFUTED),
    "transposed, of one size": (
        lambda x, y: x @ y, lambda g, x, y: (y @ g, g @ x), {"x": (2, 2), "y": (2, 2)}, {}, Verdict.REFUTED),
    "wrong at one integer": (
        lambda x, k: x[k], of_one_integer, {"x": (3,), "k": ()}, {"integers": {"k": (0, 3)}}, Verdict.REFUTED),
    "a removable singularity": (
        lambda x: np.sqrt(x**4), lambda g, x: np.where(x == 0, g, 2 * g * x), SCALAR, {}, Verdict.REFUTED),
    "a removable singularity at an irrational point": (
        lambda x: np.sqrt((x * x - 2) ** 4), lambda g, x: np.where(x * x == 2, g, 4 * g * x * (x * x - 2)), SCALAR, {},
        Verdict.UNKNOWN),
    "a constant with 14 digits": (lambda x: x / 3, lambda g, x: g * 0.33333333333333, SCALAR, {}, Verdict.UNKNOWN),
    "a root with 15 digits": (
        lambda x: x * np.sqrt(2), lambda g, x: g * 1.41421356237309, SCALAR, {}, Verdict.UNKNOWN),
    "a loop whose last border is moved": (
        halved, halved_backward_with_a_shifted_border, SCALAR, {}, Verdict.REFUTED),
    "a negative input of a power": (
        lambda x: x**3, lambda g, x: 3 * g * np.abs(x) ** 1.5 * np.sqrt(np.abs(x)) * np.sign(x), SCALAR, {},
        Verdict.REFUTED),
    "the value of its own at a point": (
        lambda x: np.where(x == 0, 1, np.sin(x) / np.where(x == 0, 1, x)),
        lambda g, x: g * np.where(x == 0, 1, (x * np.cos(x) - np.sin(x)) / np.where(x == 0, 1, x) ** 2), SCALAR, {},
        Verdict.REFUTED),
    "a domain by np.sqrt": (
        np.abs, lambda g, x: -g, SCALAR, {"domain": lambda x: np.sqrt(x) >= 0}, Verdict.REFUTED),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_is_not_proved(name):
    forward, backward, shapes, more, verdict = WRONG[name]
    result = check(forward, backward, shapes=shapes, **more)
    assert result.verdict is verdict, result.message
    assert bool(result.counterexample) == (verdict is Verdict.REFUTED)


# A right gradient, and what is assumed.
RIGHT = {
    "abs on its domain": (np.abs, lambda g, x: g, SCALAR, {"domain": lambda x: x >= 0}, 0),
    "clip with None": (lambda x: np.clip(x, None, 1), lambda g, x: g * (x < 1), SCALAR, {}, 1),
    "a view as output": (lambda x: x, lambda g, x: g, TWO, {}, 0),
    "a broadcast view as output": (lambda x: np.broadcast_to(x, (3, 2)), lambda g, x: g.sum(0), TWO, {}, 0),
    "a mask written in place": (np.abs, flipped, TWO, {}, 0),
    "a loop with branches": (halved, halved_backward, SCALAR, {}, 0),
    "an empty array": (identity, lambda g, x: 5 * g, {"x": (0,)}, {}, 0),
    "an end of the domain of definition": (lambda x: x**1.5, lambda g, x: g * 1.5 * np.sqrt(x), SCALAR, {}, 1),
    "equal constants of other digits": (
        lambda x: x * np.sqrt(2), lambda g, x: g * 1.414213562373095, SCALAR, {}, 2),
    "a tiny kink": (
        lambda x: 1e-35 * np.maximum(x, 0), lambda g, x: g * np.where(x < 0, 0, 1e-35), SCALAR, {}, 1),
    "both ends of arcsin": (
        np.arcsin, lambda g, x: g / np.sqrt(1 - x * x), SCALAR, {"domain": lambda x: [x > -1, x < 1]}, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_is_proved(name):
    forward, backward, shapes, more, assumptions = RIGHT[name]
    result = check(forward, backward, shapes=shapes, **more)
    assert result.verdict is Verdict.PROVED, result.message
    assert len(result.assumptions) == assumptions


def test_what_is_never_written_is_not_read():
    result = check(np.empty_like, lambda g, x: 0 * g, shapes=TWO)
    assert result.verdict is Verdict.UNSUPPORTED
