"""`check`: arguments of any names, counterexamples that show an ordinary wrong value, tangents at jumps."""

import subprocess
import sys

import numpy as np
import pytest

from gradproof_spec import CheckError, check
from gradproof_spec.obligations import Verdict

SCALAR, TWO = {"x": ()}, {"x": (2,)}


def product(g, dx):
    return g * dx


def product_backward(cotangent, g, dx):
    return cotangent * dx, cotangent * g


def product_backward_in_the_wrong_order(cotangent, g, dx):
    return cotangent * g, cotangent * dx


NAMES = {"g": (2,), "dx": (2,)}


def test_arguments_may_have_the_names_of_cotangents_and_tangents():
    assert check(product, product_backward, shapes=NAMES)
    assert check(lambda x, dx: x * dx, jvp=lambda p, t: t[0] * p[1] + p[0] * t[1], shapes={"x": (), "dx": ()})
    assert check(lambda x, g: x * g, lambda c, x, g: c * g, shapes=SCALAR, params={"g": "real"})
    assert check(lambda g0, x: (g0, x), lambda g, g0, x: g, shapes={"g0": (), "x": ()})


def test_the_keys_of_a_counterexample_are_all_different(tmp_path):
    result = check(product, product_backward_in_the_wrong_order, shapes=NAMES)
    assert set(result.counterexample) == {"g", "dx", "cotangent"}
    assert "    cotangent = [" in result.message
    path = tmp_path / "shown.py"
    path.write_text(result.script, encoding="utf-8")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] != done.stdout.splitlines()[2]
    several = check(lambda g0: (g0, 2 * g0), lambda g, g0: g[0], shapes={"g0": ()})
    assert set(several.counterexample) == {"g0", "cotangent0", "g1"}
    tangents = check(lambda x, dx: x * dx, jvp=lambda p, t: t[0] * p[1], shapes={"x": (), "dx": ()})
    assert set(tangents.counterexample) == {"x", "dx", "tangent of x", "ddx"}
    usual = check(lambda x: x * x, lambda g, x: g * x, shapes=SCALAR)
    assert set(usual.counterexample) == {"x", "g"}


def test_names_with_space_around_them_are_refused():
    with pytest.raises(CheckError, match="without space"):
        check(lambda x: x, lambda g, x: g, shapes={"g ": ()})


def slow(g):
    return 1 + np.tanh(g) + np.arctan(g) ** 2


def test_terms_in_messages_have_plain_names():
    result = check(lambda x: 2 * x, lambda g, x: 2 * g * slow(g) / slow(g), shapes=TWO)
    assert result.verdict is Verdict.UNKNOWN
    assert "atan(g[0])" in result.message
    of_one = check(lambda x: 2 * x, lambda g, x: 2 * g * slow(g) / slow(g), shapes=SCALAR)
    assert "atan(g)" in of_one.message


# A wrong gradient, and the line that shows it first.
SHOWN = {
    "a factor": (lambda x: x**2, lambda g, x: g * x, "gx[0] is 0.0 but must be -2.0."),
    "a constant": (lambda x: 3 * x, lambda g, x: 2 * g, "gx[0] is 2.0 but must be 3.0."),
    "nan at 0": (lambda x: np.sqrt(x**4), lambda g, x: 2 * g * x**3 / np.sqrt(x**4), "gx[0] is nan but must be 0.0."),
    "at one": (
        lambda x: np.maximum(x - 1, 0) ** 2, lambda g, x: np.where(x == 1, g, 2 * g * np.maximum(x - 1, 0)),
        "gx[0] is 1.0 but must be 0.0."),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_the_cotangent_is_not_0_and_the_numbers_are_short(name):
    forward, backward, line = SHOWN[name]
    result = check(forward, backward, shapes=TWO)
    assert np.all(result.counterexample["g"] != 0)
    assert all(len(repr(float(v))) <= 5 for x in result.counterexample.values() for v in x.ravel())
    if name != "a factor":
        assert line in result.message


def test_far_numbers_are_short_too():
    result = check(lambda x: x**2, lambda g, x: 2 * g * np.clip(x, -90.0, 90.0), shapes=SCALAR)
    x = float(result.counterexample["x"])
    assert abs(x) > 90
    assert len(repr(x)) <= 6


def test_only_g_0_shows_it():
    result = check(lambda x: 2 * x, lambda g, x: np.where(g == 0, 1, 2 * g), shapes=SCALAR)
    assert result.verdict is Verdict.REFUTED
    assert result.counterexample["g"] == 0


def sinc(x):
    return np.where(x == 0, 1.0, np.sin(x) / np.where(x == 0, 1, x))


def slope(x):
    return (x * np.cos(x) - np.sin(x)) / np.where(x == 0, 1, x) ** 2


def both(x):
    return sinc(x), 2 * sinc(x)


TANGENTS = {
    "right": (Verdict.PROVED, sinc, lambda p, t: t[0] * np.where(p[0] == 0, 0, slope(p[0]))),
    "wrong at the value of its own": (Verdict.REFUTED, sinc, lambda p, t: t[0] * np.where(p[0] == 0, 7, slope(p[0]))),
    "of two outputs": (
        Verdict.PROVED, both, lambda p, t: (t[0] * slope(p[0]), 2 * t[0] * slope(p[0]))),
    "of two outputs, the second wrong there": (
        Verdict.REFUTED, both, lambda p, t: (t[0] * slope(p[0]), t[0] * np.where(p[0] == 0, 1, 2 * slope(p[0])))),
    "a jump": (Verdict.PROVED, np.floor, lambda p, t: 0 * t[0]),
    "a fraction": (Verdict.REFUTED, lambda x: x - np.floor(x), lambda p, t: 0 * t[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", TANGENTS)
def test_tangents_at_a_value_of_its_own(name):
    verdict, forward, jvp = TANGENTS[name]
    result = check(forward, jvp=jvp, shapes=SCALAR)
    assert result.verdict is verdict, result.message
    assert any("compared with differences, not proved" in line for line in result.assumptions)


def test_rounding_to_float32_is_named():
    result = check(lambda x: x.astype(np.float32) * 2, lambda g, x: 2 * g, shapes=TWO)
    assert result
    assert result.assumptions == ("rounding to float32 changes nothing",)


RIGHT = {
    "a cross product": (np.cross, lambda g, x, y: (np.cross(y, g), np.cross(g, x)), {"x": (3,), "y": (3,)}),
    "a kronecker product": (
        lambda x: x.reshape(2, 2, 2).sum((0, 2)), lambda g, x: np.kron(np.kron(np.ones(2), g), np.ones(2)),
        {"x": (8,)}),
    "axes in arrays": (
        lambda x, y: np.tensordot(x, y, 1),
        lambda g, x, y: (np.tensordot(g, y, [np.array([1]), np.array([1])]),
                         np.tensordot(x, g, [np.array([0]), np.array([0])])), {"x": (2, 3), "y": (3, 2)}),
    "differences": (np.gradient, lambda g, x: np.stack([-g[0] - g[1] / 2, g[0] - g[2] / 2, g[1] / 2 - g[2],
                                                        g[2] / 2 + g[3]]) + np.array([0, 0, 0, 0]) * g
                    + np.array([0, 0, 1, 0]) * (g[2] - g[3]), {"x": (4,)}),
    "a test for None": (lambda x: np.maximum(x, 0), lambda g, x: g * ((x > 0) & (x != None)), TWO),  # noqa: E711
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_functions_that_were_not_modelled(name):
    forward, backward, shapes = RIGHT[name]
    assert check(forward, backward, shapes=shapes), check(forward, backward, shapes=shapes).message
