"""The runtime's rules, entered at the table, on symbols and on floats: the terms evaluate to the floats' numbers."""

from __future__ import annotations

import numpy as np
import pytest
from test_symbolic_array import GRID, at

import gradproof  # noqa: F401  fills OPS
from gradproof.op import OPS
from gradproof_spec.solver import valid
from gradproof_spec.symbolic import SymbolicInteger, as_terms, explore, symbols, undischarged
from gradproof_spec.terms import variable

IDS = np.array([2, 0, 2, -1, 3])
CASES = [  # op, shapes of the inputs (or an index array), attributes
    *[(name, [(2, 3), (2, 3)], {}) for name in ("add", "sub", "mul", "maximum")],
    *[("mse_loss", [(2, 3), (2, 3)], {"reduction": r}) for r in ("mean", "sum", "none")],
    *[(name, [(2, 3)], {}) for name in ("neg", "exp", "relu")],
    ("reduce_sum", [(2, 3, 2)], {"axis": (0, 2), "keepdims": False}),
    ("reduce_mean", [(2, 3, 2)], {"axis": (1,), "keepdims": True}),
    ("linear", [(2, 1, 3), (2, 3), (2,)], {}),
    ("linear", [(2, 3), (2, 3)], {}),
    ("matmul", [(2, 3), (3, 2)], {}),
    ("concat", [(2, 3), (1, 3)], {"axis": 0}),
    ("reshape", [(2, 3)], {"shape": (3, 2)}),
    ("broadcast_to", [(3, 1)], {"shape": (2, 3, 2)}),
    ("gather_rows", [(3, 2), IDS], {}),
    ("softmax", [(2, 3, 2)], {"axis": 1}),
    ("log_softmax", [(2, 4)], {"axis": 1}),
    (
        "conv",
        [(1, 2, 4, 4), (2, 2, 3, 3), (2,)],
        {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 1), "groups": 1},
    ),
    ("conv", [(2, 4, 5), (2, 2, 2), (2,)], {"stride": (1,), "padding": (1,), "dilation": (3,), "groups": 2}),
    ("max_pool", [(1, 4, 4)], {"kernel": (3, 2), "stride": (1, 2), "padding": (1, 1), "dilation": (1, 1)}),
    ("max_pool", [(2, 4)], {"kernel": (2,), "stride": (2,), "padding": (3,), "dilation": (3,)}),
    ("layer_norm", [(2, 3), (3,), (3,)], {"eps": 1e-5}),
]


def every_direction(op, inputs, tangents, make_cotangent, attributes):
    out, residual = op.evaluate(inputs, **attributes)
    count = len(inputs) if op.variadic else len(op.differentiable)
    tangent = op.jvp(tangents, inputs, out, residual, **attributes)
    wanted = tuple(i < count for i in range(len(inputs)))
    cotangents = op.vjp(make_cotangent(np.shape(out)), inputs, out, residual, wanted, **attributes)
    return [out, tangent, *cotangents[:count]]


@pytest.mark.parametrize(("name", "shapes", "attributes"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_rules_on_symbols_agree_with_rules_on_floats(name, shapes, attributes):
    op = OPS[name]

    def on_symbols():
        inputs = tuple(symbols(f"x{i}", s) if isinstance(s, tuple) else s for i, s in enumerate(shapes))
        tangents = tuple(symbols(f"d{i}", s) if isinstance(s, tuple) else None for i, s in enumerate(shapes))
        return every_direction(op, inputs, tangents, lambda shape: symbols("g", shape), attributes)

    found = explore(on_symbols)
    (path,) = found.paths
    assert undischarged(path.side_conditions, path.result, [], valid) == []
    assert list(found.decimal_constants) == (["1e-05"] if name == "layer_norm" else [])
    rng = np.random.default_rng(0)
    for case in range(4):

        def draw(s, tied=case % 2 == 0):
            return rng.choice(GRID, s) if tied else rng.uniform(-2, 2, s)

        values = {}
        for letter in "xd":
            values |= {f"{letter}{i}": draw(s) if isinstance(s, tuple) else s for i, s in enumerate(shapes)}
        inputs = tuple(values[f"x{i}"] for i in range(len(shapes)))
        tangents = tuple(values[f"d{i}"] if isinstance(s, tuple) else None for i, s in enumerate(shapes))
        values["g"] = draw(op.shape(*map(np.shape, inputs), **attributes))
        expected = every_direction(op, inputs, tangents, lambda shape: values["g"], attributes)  # noqa: B023
        for got, want in zip(path.result, expected, strict=True):
            assert as_terms(got).shape == np.shape(want)
            np.testing.assert_allclose(at(got, values), want, rtol=1e-11, atol=1e-11)


def test_a_shape_rule_on_symbolic_extents():
    names = ("H", "W", "U", "V", "s", "t", "p", "q", "d", "e")
    H, W, U, V, s, t, p, q, d, e = (SymbolicInteger(variable(n)) for n in names)
    window = {"kernel": (U, V), "stride": (s, t), "padding": (p, q), "dilation": (d, e)}
    found = explore(lambda: OPS["max_pool"].shape((2, H, W), **window), catch=(ValueError,))
    assert found.complete
    shapes = [path for path in found.paths if path.exception is None]
    assert len(shapes) == 1
    P = shapes[0].result[1].term
    H, U, s, p, d = (variable(n) for n in "HUspd")
    rest = H + 2 * p - (d * (U - 1) + 1) - s * (P - 1)  # what the last window leaves over
    assert valid(shapes[0].conditions, (rest >= 0) & (rest < s)) is True
