"""Wrong gradients where ties or roots of 0 meet: once PROVED, for the derivative of the terms was taken at its word."""

import numpy as np
import pytest

from gradproof_spec import check

SCALAR, NOT_PROVED_THERE = {"x": ()}, "there it is not proved"


def relu(x):
    return np.maximum(x, 0)


def v(x):
    """0 at no float, so that no search finds the place."""
    return x**3 - 2


def wrong_at_the_root(c):
    return lambda g, x: g * 3 * x**2 * np.where(x**3 == 2, c, 1)


# each is v, whose derivative is 3 x^2 at the cube root of 2 as well
SPLIT = {
    "roots": lambda x: np.sqrt(relu(v(x)) ** 2) - np.sqrt(relu(-v(x)) ** 2),
    "relu": lambda x: relu(v(x)) - relu(-v(x)),
    "scaled": lambda x: relu(v(x)) - relu(-v(x) * (x * x + 1)) / (x * x + 1),
    "powers": lambda x: np.where(x**3 > 2, v(x), 0) + np.where(x**9 < 8, v(x), 0),
    "or equal": lambda x: np.where(x**3 >= 2, v(x), 0) + np.where(x**9 <= 8, v(x), 0),
    "root and relu": lambda x: 2 * relu(v(x)) - np.sqrt(v(x) ** 2),
}


@pytest.mark.parametrize("c", [0, 2, 3])
@pytest.mark.parametrize("name", SPLIT)
def test_wrong_where_two_ties_meet(name, c):
    result = check(SPLIT[name], wrong_at_the_root(c), shapes=SCALAR)
    assert result.verdict.name == "UNKNOWN" or any(NOT_PROVED_THERE in line for line in result.assumptions)
    assert not any("not differentiable" in line for line in result.assumptions)


@pytest.mark.parametrize(("forward", "backward", "domain"), [
    (lambda x: np.sqrt(x) ** 2, lambda g, x: g * np.where(x > 0, 1.0, 0.0), None),
    (lambda x: np.sqrt(x) ** 2, lambda g, x: g * np.where(x > 0, 1.0, 0.0), lambda x: [x >= 0]),
    (lambda x: np.sqrt(x) ** 2 + 3 * x, lambda g, x: g * np.where(x > 0, 4.0, 3.0), None)])  # fmt: skip
def test_the_edge_of_where_a_root_is_defined(forward, backward, domain):
    result = check(forward, backward, shapes=SCALAR, domain=domain)
    assert result.verdict.name != "PROVED" or any(NOT_PROVED_THERE in line for line in result.assumptions)


@pytest.mark.parametrize(("forward", "backward"), [
    (lambda x: relu(x) - relu(-x), lambda g, x: g * 1.0),
    (lambda x: np.sqrt(x**4), lambda g, x: g * 2 * x),
    (lambda x: np.abs(x) ** 1.5, lambda g, x: g * 1.5 * np.sign(x) * np.sqrt(np.abs(x))),
    (lambda x: np.linalg.norm(x) ** 2, lambda g, x: 2 * g * x),
    (lambda x: np.maximum(x, 1) + np.log1p(np.exp(-np.abs(x - 1))), lambda g, x: g / (1 + np.exp(1 - x))),
    (lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
     lambda g, x: (lambda s: s * (g - (g * s).sum()))(np.exp(x - x.max()) / np.exp(x - x.max()).sum()))])  # fmt: skip
def test_right_everywhere_and_nothing_left_out(forward, backward):
    result = check(forward, backward, shapes={"x": (2,)})
    assert result.verdict.name == "PROVED" and result.assumptions == (), result.message
