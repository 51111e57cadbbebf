"""Attacks on what `check` leaves out: roots at 0, values of their own, empty sides, rounding, and the identities and
claims that it uses again. A wrong gradient is not PROVED, however the fault hides; a right one is not REFUTED."""

import numpy as np
import pytest

from gradproof_spec import check
from gradproof_spec.obligations import Verdict

PROVED, REFUTED, UNKNOWN = Verdict.PROVED, Verdict.REFUTED, Verdict.UNKNOWN
SCALAR, TWO, PAIR = {"x": ()}, {"x": (2,)}, {"x": (), "y": ()}


def norm(x):
    return np.sqrt((x * x).sum())


def length(x):
    return np.sqrt(x * x)


def safe(n):
    return np.where(n > 0, n, 1)


def normalized(x):
    return np.where(norm(x) > 0, x / safe(norm(x)), 0)


def normalized_backward(g, x):
    n = safe(norm(x))
    return np.where(norm(x) > 0, g / n - x * (g * x).sum() / n**3, 0)


def distances(x, y):
    return np.sqrt(((x - y) ** 2).sum(-1))


def distances_backward(g, x, y):
    gx = (g / distances(x, y))[:, None] * (x - y)
    return gx, -gx


def triplet(x, y):
    return length(x).sum() - 2 * length(y).sum()


def fraction(x):
    return x - np.floor(x)


def bumps(x):
    return fraction(x) ** 2 * (1 - fraction(x)) ** 2


def bumps_backward(g, x):
    t = fraction(x)
    return 2 * g * t * (1 - t) * (1 - 2 * t)


# verdict, forward, backward, shapes, how many ties are named
ROOTS = {
    "a norm": (PROVED, norm, lambda g, x: g * x / norm(x), TWO, 1),
    "its value at 0 is free": (
        PROVED, norm, lambda g, x: np.where(norm(x) == 0, 5 * g, g * x / safe(norm(x))), TWO, 1),
    "wrong on an axis": (
        REFUTED, norm, lambda g, x: np.where(x[0] == 0, 5 * g, g * x / safe(norm(x))), TWO, 0),
    "an eps too much": (REFUTED, norm, lambda g, x: g * x / (norm(x) + 1e-9), TWO, 1),
    "a root of a fourth power": (
        REFUTED, lambda x: np.sqrt(x**4), lambda g, x: 2 * g * x**3 / np.sqrt(x**4), SCALAR, 0),
    "a root of a sixth power": (REFUTED, lambda x: np.sqrt(x**6), lambda g, x: 3 * g * x**5 / np.sqrt(x**6), SCALAR, 0),
    "a root squared": (
        REFUTED, lambda x: length(x) ** 2, lambda g, x: 2 * g * length(x) * x / length(x), SCALAR, 0),
    "a root times its argument": (
        REFUTED, lambda x: x**2 * length(x), lambda g, x: g * (2 * x * length(x) + x**3 / length(x)), SCALAR, 0),
    "the same by the absolute value": (
        PROVED, lambda x: x**2 * length(x), lambda g, x: 3 * g * x * np.abs(x), SCALAR, 0),
    "a root times x": (
        REFUTED, lambda x: x * length(x), lambda g, x: g * (length(x) + x * x / length(x)), SCALAR, 0),
    "roots that cancel": (
        REFUTED, lambda x: length(x) - length(2 * x) / 2, lambda g, x: g * (x / length(x) - 2 * x / length(2 * x)),
        SCALAR, 0),
    "roots that do not": (
        PROVED, lambda x: length(x) - length(2 * x), lambda g, x: g * (x / length(x) - 4 * x / length(2 * x)),
        SCALAR, 2),
    "a difference of lengths": (
        PROVED, triplet, lambda g, x, y: (g * x / length(x), -2 * g * y / length(y)), PAIR, 2),
    "a root of a product, smooth at 0 0": (
        REFUTED, lambda x, y: np.sqrt(x**2 * y**2),
        lambda g, x, y: (g * x * y**2 / np.sqrt(x**2 * y**2), g * y * x**2 / np.sqrt(x**2 * y**2)), PAIR, 0),
    "a root times y, smooth where y = 0": (
        REFUTED, lambda x, y: length(x) * y, lambda g, x, y: (g * x * y / length(x), g * length(x)), PAIR, 0),
    "the same without a quotient": (
        PROVED, lambda x, y: length(x) * y, lambda g, x, y: (g * y * np.sign(x), g * length(x)), PAIR, 0),
    "the end of a domain": (PROVED, np.sqrt, lambda g, x: g / 2 / np.sqrt(x), SCALAR, 1),
    "an end with a slope": (UNKNOWN, lambda x: np.sqrt(x) ** 3, lambda g, x: 1.5 * g * x / np.sqrt(x), SCALAR, 0),
    "a root of the absolute value": (
        PROVED, lambda x: np.sqrt(np.abs(x)), lambda g, x: g * np.sign(x) / 2 / np.sqrt(np.abs(x)), SCALAR, 1),
    "the power 1.5": (REFUTED, lambda x: np.abs(x) ** 1.5, lambda g, x: 1.5 * g * np.abs(x) ** 1.5 / x, SCALAR, 0),
    "a standard deviation": (PROVED, np.std, lambda g, x: g * (x - x.mean()) / x.size / x.std(), {"x": (3,)}, 1),
    "of n - 1": (REFUTED, lambda x: x.std(ddof=1), lambda g, x: g * (x - x.mean()) / 3 / x.std(ddof=1), {"x": (3,)}, 1),
    "distances": (PROVED, distances, distances_backward, {"x": (2, 2), "y": (2, 2)}, 2),
    "normalized, 0 at 0": (PROVED, normalized, normalized_backward, TWO, 1),
    "a root inside a branch": (
        REFUTED, lambda x: np.where(x > 1, length(x - 2) ** 2, x), lambda g, x: np.where(
            x > 1, 2 * g * length(x - 2) * (x - 2) / length(x - 2), g), SCALAR, 1),
    "a kink with a smooth point at which a root is 0": (
        UNKNOWN, lambda x, y: np.where(x > 1, 0, (x - 1) * length(y)), lambda g, x, y: (
            np.where(x > 1, 0, g * length(y)), np.where(x > 1, 0, g * (x - 1) * y / length(y))), PAIR, 0),
    "a kink with a smooth point, wrong there": (
        REFUTED, lambda x, y: np.where(x > 1, 0, (x - 1) * y), lambda g, x, y: (
            np.where((x == 1) & (y == 0), g, np.where(x > 1, 0, g * y)), np.where(x > 1, 0, g * (x - 1))), PAIR, 0),
    "a kink with a smooth point, wrong there and nowhere else": (
        UNKNOWN, lambda x, y: np.where(x > 1.37, 0, (x - 1.37) * (y - 2.91)), lambda g, x, y: (
            np.where((x == 1.37) & (y == 2.91), g, np.where(x > 1.37, 0, g * (y - 2.91))),
            np.where(x > 1.37, 0, g * (x - 1.37))), PAIR, 0),
    "the larger of two lengths": (
        PROVED, lambda x: np.maximum(length(x[0]), length(x[1])),
        lambda g, x: np.where(np.arange(2) == np.argmax(x * x), g * np.sign(x), 0), TWO, 1),
}  # fmt: skip


def ties(result):
    return sum(line.startswith("off ") for line in result.assumptions)


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_is_a_tie_only_where_there_is_no_derivative(name):
    verdict, forward, backward, shapes, count = ROOTS[name]
    result = check(forward, backward, shapes=shapes)
    assert result.verdict is verdict, result.message
    assert verdict is not PROVED or ties(result) == count


def at_a_root_of_2(x):
    return np.where((x * x - 2) ** 2 <= 0, x**3 / 2, x)


OWN_VALUES = {
    "a quotient that is 0 / 0 where it is not used": (
        REFUTED, lambda x: np.where(x == 0, 0, x * x / x), lambda g, x: np.where(x == 0, 0, g)),
    "the same with a safe divisor": (
        REFUTED, lambda x: np.where(x == 0, 0, x**3 / np.where(x == 0, 1, x**2)), lambda g, x: g * (x != 0)),
    "right": (PROVED, lambda x: np.where(x == 0, 0, x * x / np.where(x == 0, 1, x)), lambda g, x: g),
    "a branch at a single point": (REFUTED, lambda x: np.where(x * x <= 0, 0, x), lambda g, x: g * (x != 0)),
    "the same, right": (PROVED, lambda x: np.where(x * x <= 0, 0, x), lambda g, x: g),
    "with a quotient": (REFUTED, lambda x: np.where(x * x <= 0, 0, x * x / x), lambda g, x: g * (x != 0)),
    "at an irrational point": (
        UNKNOWN, at_a_root_of_2, lambda g, x: g * np.where((x * x - 2) ** 2 <= 0, 1.5 * x * x, 1)),
    "clipped at one number": (REFUTED, lambda x: np.clip(x, 1, 1) * 1.0, lambda g, x: g * (x == 1)),
    "clipped at one number, right": (UNKNOWN, lambda x: np.clip(x, 1, 1) * 1.0, lambda g, x: 0 * g),
    "a branch on a rounded number": (
        REFUTED, lambda x: np.where(np.floor(x) <= 3, x, 2 * x - 4), lambda g, x: g * np.where(x <= 4, 1, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", OWN_VALUES)
def test_a_value_at_a_point_is_not_the_derivative_of_its_branch(name):
    verdict, forward, backward = OWN_VALUES[name]
    result = check(forward, backward, shapes=SCALAR)
    assert result.verdict is not PROVED or verdict is PROVED
    assert result.verdict is not REFUTED or verdict is REFUTED


def test_a_false_proof_of_before():
    result = check(lambda x: np.where(x == 0, 0, x * x / x), lambda g, x: np.where(x == 0, 0, g), shapes=SCALAR)
    assert result.verdict is REFUTED
    assert result.counterexample["x"] == 0
    assert "gx is 0.0 but must be 1.0." in result.message


ROUNDING = {
    "round": (PROVED, lambda x: np.round(4 * x) / 4, lambda g, x: 0 * g, 2),
    "straight through": (REFUTED, lambda x: np.round(4 * x) / 4, lambda g, x: g, 2),
    "of a square": (PROVED, lambda x: np.round(x * x), lambda g, x: 0 * g, 2),
    "a fraction": (PROVED, fraction, lambda g, x: g, 2),
    "wrong between two jumps": (REFUTED, np.ceil, lambda g, x: g * (x == 0.25), 2),
    "smooth at the jumps": (PROVED, bumps, bumps_backward, 2),
    "smooth at the jumps, wrong there": (
        REFUTED, bumps, lambda g, x: np.where(x == np.floor(x), g, bumps_backward(g, x)), 2),
    "a product": (PROVED, lambda x: x * np.floor(x), lambda g, x: g * np.floor(x), 2),
    "rounded the other way": (REFUTED, lambda x: x * np.floor(x), lambda g, x: g * np.ceil(x), 2),
    "half even in the backward": (REFUTED, lambda x: x * np.round(x), lambda g, x: g * np.floor(x + 0.25), 2),
    "an integer in a whole region": (
        UNKNOWN, lambda x: np.floor(np.where(x > 0, x, 1.0)), lambda g, x: 0 * g, 0),
    "a rounded cotangent": (REFUTED, lambda x: 2 * x, lambda g, x: np.round(2 * g), 0),
    "rest": (PROVED, lambda x: np.fmod(x, 2.0) + x % 3.0, lambda g, x: 2 * g, 6),
}  # fmt: skip


@pytest.mark.parametrize("name", ROUNDING)
def test_rounding_is_constant_but_where_it_jumps(name):
    verdict, forward, backward, count = ROUNDING[name]
    result = check(forward, backward, shapes=TWO)
    assert result.verdict is verdict, result.message
    assert verdict is not PROVED or ties(result) == count


def third(x):
    return np.exp(np.log(x) / 3)


IDENTITIES = {
    "tan": (PROVED, np.tan, lambda g, x: g / np.cos(x) ** 2),
    "tan by itself": (PROVED, np.tan, lambda g, x: g * (1 + np.tan(x) ** 2)),
    "tan without the square": (REFUTED, np.tan, lambda g, x: g / np.cos(x)),
    "of another angle": (
        REFUTED, lambda x: np.sin(x) ** 2 * x, lambda g, x: g * (1 - np.cos(x * 1.0001) ** 2 + x * np.sin(2 * x))),
    "sin^2 + cos^2": (PROVED, lambda x: x * np.cos(x) ** 2 + x * np.sin(x) ** 2, lambda g, x: g),
    "sin^2 - cos^2": (REFUTED, lambda x: x * np.cos(x) ** 2 - x * np.sin(x) ** 2, lambda g, x: g),
    "a third root": (PROVED, third, lambda g, x: g / 3 / third(x) ** 2),
    "a third root of the wrong power": (REFUTED, third, lambda g, x: g / 3 / third(x)),
    "a third root where there is none": (
        REFUTED, lambda x: np.where(x > 0, third(np.where(x > 0, x, 1)) ** 3, x), lambda g, x: np.where(x > 0, g, -g)),
    "a third root, cubed": (
        PROVED, lambda x: np.where(x > 0, third(np.where(x > 0, x, 1)) ** 3, x), lambda g, x: g),
    "norm of order 3": (
        PROVED, lambda x: np.linalg.norm(np.stack([x, x + 1]), ord=3),
        lambda g, x: g * (x * np.abs(x) + (x + 1) * np.abs(x + 1)) / np.linalg.norm(np.stack([x, x + 1]), ord=3) ** 2),
}  # fmt: skip


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities(name):
    verdict, forward, backward = IDENTITIES[name]
    result = check(forward, backward, shapes=SCALAR)
    assert result.verdict is verdict, result.message


def weighted(x, i):
    return x[i] * np.array([1.0, 2.0])


def weighted_backward(turned):
    def backward(g, x, i):
        gx = np.zeros(x.shape)
        np.add.at(gx, i, g * np.array([2.0, 1.0] if turned(i) else [1.0, 2.0]))
        return gx

    return backward


@pytest.mark.parametrize("wrong_at", [[0, 1], [2, 0], [1, 1], [2, 2], None])
def test_what_is_shown_for_other_indices_is_not_shown_for_these(wrong_at):
    backward = weighted_backward(lambda i: i.tolist() == wrong_at)
    result = check(weighted, backward, shapes={"x": (3,), "i": (2,)}, integers={"i": (0, 3)})
    assert result.verdict is (PROVED if wrong_at is None else REFUTED)
    assert wrong_at is None or result.counterexample["i"].tolist() == wrong_at


def test_a_domain_counts_for_what_is_shown():
    """|x[k]| is x[k] where k is the positive element, and only there."""
    result = check(
        lambda x, k: np.abs(x[k]), lambda g, x, k: np.where(np.arange(2) == k, g, 0), shapes={"x": (2,), "k": ()},
        integers={"k": (0, 2)}, domain=lambda x, k: x[0] > 0,
    )  # fmt: skip
    assert result.verdict is REFUTED
    assert result.counterexample["k"] == 1


def test_a_small_fault_is_found_after_the_first_candidates():
    result = check(
        lambda x: x * x, lambda g, x: g * x * np.where(np.abs(x) > 500, 2 + 1e-13, 2), shapes=SCALAR)  # fmt: skip
    assert result.verdict is REFUTED
