"""NumPy's rounding, division with a rest, cross products and differences in users' code: the terms give what NumPy
gives, at random inputs and at ties; what is not modelled is refused by name."""

import numpy as np
import pytest
from test_users_numpy import agrees

from gradproof_spec.symbolic import Unsupported, UserArray, as_terms, explore, symbols

SHAPES = {"x": (2, 3), "y": (2, 3), "v": (3,), "w": (3,), "m": (4,), "s": ()}
CALCULUS = {
    "floor": lambda x: np.floor(x) + np.floor(2.5) + np.floor(x * 2),
    "ceil": lambda x: np.ceil(x) - np.ceil(-2.5),
    "trunc": lambda x: np.trunc(x),
    "fix": lambda x: np.fix(1.5 * x),
    "rint": lambda x: np.rint(x) + np.rint(2 * x),
    "round": lambda x: np.round(x) + np.around(x / 2) + x.round(),
    "round_decimals": lambda x: np.round(x, 1) + np.round(100 * x, -1),
    "round_constants": lambda x: x * np.round(np.array([0.5, 1.5, 2.5])) + np.round(np.zeros(3) + 0.5),
    "round_integers": lambda x: x * np.round(np.arange(3)) + np.floor(x.argmax(1))[:, None] + x.argmax(0).round(),
    "of_infinities": lambda x: np.where(x > 0, np.exp(np.floor(np.where(x > 0, -np.inf, x))), np.ceil(x)),
    "remainder": lambda x, v: x % (v**2 + 1) + np.mod(x, -2.0),
    "remainder_of_a_constant": lambda v: 5.5 % (v**2 + 1) + np.remainder(-7, v**2 + 1.0),
    "fmod": lambda x, v: np.fmod(x, v**2 + 1) + np.fmod(x, -2.0),
    "floor_divide": lambda x, v: x // (v**2 + 1) + 3.0 // (v**2 + 1),
    "integer_rest": lambda x: x * (x.argmax(1)[:, None] % 2) + x.argmax(1)[:, None] // 2 + np.fmod(x.argmax(0), 2),
    "in_place": lambda x: np.add(x, 0).__imod__(1.5) + np.add(x, 0).__ifloordiv__(0.5),
    "rest_out": lambda x: np.remainder(x, 2.0, out=np.zeros((2, 3))),
    "compared": lambda x: np.where(x == np.floor(x), 1.0, x) + (np.round(x) > x),
    "cross": lambda v, w: np.cross(v, w),
    "cross_broadcast": lambda x, v: np.cross(x, v) + np.cross(v, x),
    "cross_axes": lambda x, y: np.cross(x.T, y.T, axis=0) + np.cross(x.T, y, axisa=0, axisc=0),
    "cross_constant": lambda v: np.cross(v, [1.0, 2, 3]),
    "gradient": lambda m: np.gradient(m),
    "gradient_ends": lambda m: np.gradient(m, 0.5, edge_order=2),
    "gradient_axes": lambda x: np.gradient(x, axis=1) + sum(np.gradient(x)) + np.gradient(x, 2.0, 3.0, axis=(1, 0))[0],
    "astype": lambda x: np.astype(x, np.float64) + np.astype(x > 0, float),
    "none": lambda x: np.where(x != None, x, 0) + (x == None),  # noqa: E711
    "tensordot_axes": lambda x, y: np.tensordot(x, y, [np.array([0, 1]), np.array([0, 1])]) + np.tensordot(
        x, y, axes=(np.array([1]), np.array([1]))),
    "kron": lambda v: np.kron(v, np.ones((2, 2))) + np.kron(np.zeros(2), v)[0],
}  # fmt: skip


@pytest.mark.parametrize("name", CALCULUS)
def test_meaning_agrees_with_numpy(name):
    agrees(CALCULUS[name], cases=12, shapes=SHAPES)


REJECTED = {
    "modf": (lambda x: np.modf(x), "modf"),
    "divmod": (lambda x: np.divmod(x, 2.0), "divmod"),
    "round_out": (lambda x: np.round(x, 0, np.zeros((2, 3))), "out="),
    "floor_divide_reduce": (lambda x: np.floor_divide.reduce(x), "reduce"),
    "cross_of_two": (lambda x: np.cross(x[:, :2], x[:, :2]), "3 elements"),
    "gradient_places": (lambda x: np.gradient(x[0], np.array([0.0, 1.0, 3.0])), "spacings"),
    "round_as_an_index": (lambda x: x[np.floor(x[0]).astype(int)], "integer"),
    "partition": (lambda x: np.partition(x, 1), "partition"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_not_modelled_is_refused_by_name(name):
    f, said = REJECTED[name]
    with pytest.raises(Unsupported, match=said):
        explore(lambda: as_terms(f(symbols("x", (2, 3), UserArray))), users=True)
