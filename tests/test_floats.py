"""The float obligations fail on planted faults; the error bound holds and is not empty; messages can be pasted."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradproof
import gradproof_spec.ops  # noqa: F401
from gradproof.op import OPS as RUNTIME
from gradproof_spec.evaluate import Undecided
from gradproof_spec.link import calls, cases, floats, kernels, nonfinite
from gradproof_spec.link.floats import check_table, fuzz
from gradproof_spec.link.running_error import PAIRS, interval
from gradproof_spec.obligations import Verdict
from gradproof_spec.op import OPS
from gradproof_spec.symbolic import intercepting


def plant(monkeypatch, op, key, rule):
    monkeypatch.setitem(RUNTIME[op].rules, key, rule)


# ---------------------------------------------------------------- planted faults


def unshifted(x, axis):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def centred(t, y, axis):
    return t * y - y * (t * y).sum(axis=axis, keepdims=True)


def almost_centred(g, inputs, out, residual, *, axis):
    return g * out - (1 - 1e-6) * out * (g * out).sum(axis=axis, keepdims=True)


def writes_its_input(inputs):
    return np.maximum(inputs[0], 0, out=inputs[0]), None


def writes_its_cotangent(g, inputs, out, residual):
    g[...] = np.where(inputs[0] > 0, g, 0)
    return g


def writes_its_residual(g, inputs, out, residual, *, eps):
    xhat, _ = residual
    xhat *= g
    return xhat.sum(axis=tuple(range(g.ndim - 1)))


def narrow_sum(inputs, *, axis, keepdims):
    (x,) = inputs
    return x.astype(np.float32).sum(axis=axis, keepdims=keepdims).astype(x.dtype), None


def lends_its_input(inputs, *, axis, keepdims):
    (x,) = inputs
    return (x if axis == () else x.sum(axis=axis, keepdims=keepdims)), None


FAULTS = {
    "softmax without the shift": ("softmax", "forward", "forward", lambda xs, *, axis: (unshifted(xs[0], axis), None)),
    "a backward that is inf / inf": (
        "softmax",
        "vjp",
        "vjp x",
        lambda g, xs, out, residual, *, axis: centred(g, unshifted(xs[0], axis), axis),
    ),
    "log of softmax": ("log_softmax", "forward", "forward", lambda xs, *, axis: (np.log(unshifted(xs[0], axis)), None)),
    "accumulates in float32": ("reduce_sum", "forward", "forward", narrow_sum),
    "drops a term of relative size 1e-6": ("softmax", "vjp", "vjp x", almost_centred),
    "writes its input": ("relu", "forward", "forward", writes_its_input),
    "writes its cotangent": ("relu", "vjp", "vjp x", writes_its_cotangent),
    "writes its residual": ("layer_norm", "vjp", "vjp gamma", writes_its_residual),
    "returns its input": ("reduce_sum", "forward", "forward", lends_its_input),
    "returns float64": ("exp", "forward", "forward", lambda xs: (np.exp(xs[0].astype(np.float64)), None)),
    "returns a float64 cotangent": ("exp", "vjp", "vjp x", lambda g, xs, out, residual: g * np.ones(g.shape)),
    "uses what pairs do not model": ("relu", "forward", "forward", lambda xs: (np.floor(np.maximum(xs[0], 0)), None)),
    "returns a scalar for an array": ("relu", "vjp", "vjp x", lambda g, xs, out, residual: g.sum()),
    "wrong sign": ("sub", "vjp", "vjp b", lambda g, xs, out, residual: g),
    "a tie to one side": ("maximum", "vjp", "vjp a", lambda g, xs, out, residual: np.where(xs[0] >= xs[1], g, 0)),
    "raises": ("relu", "jvp", "jvp x", lambda dx, xs, out, residual: dx[0, 0, 0, 0]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_fails(monkeypatch, name):
    op, direction, key, rule = FAULTS[name]
    plant(monkeypatch, op, key, rule)
    outcome = fuzz(op, direction)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.message.startswith(f"FAILED  float[{op}-{direction}]\n\n  x = np.") or op in ("sub", "maximum")


MASKS = {
    "x [x > 0]": ("relu", "forward", lambda xs: (xs[0] * (xs[0] > 0), None)),
    "g [x > 0]": ("relu", "vjp x", lambda g, xs, out, residual: g * (xs[0] > 0)),
    "dx [x > 0]": ("relu", "jvp x", lambda dx, xs, out, residual: dx * (xs[0] > 0)),
    "fmax": ("maximum", "forward", lambda xs: (np.fmax(*xs), None)),
    "0 - x": ("neg", "forward", lambda xs: (0 - xs[0], None)),
    "unguarded gather": ("gather_rows", "forward", lambda xs: (xs[0][xs[1]] * 0, None)),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_fault_at_nonfinite_inputs_fails(monkeypatch, name):
    op, key, rule = MASKS[name]
    assert check_table(op).verdict is Verdict.TESTED
    plant(monkeypatch, op, key, rule)
    assert check_table(op).verdict is Verdict.FAILED


def test_a_mask_that_multiplies_passes_on_finite_inputs(monkeypatch):
    """Why the table is needed."""
    plant(monkeypatch, "relu", "forward", lambda xs: (xs[0] * (xs[0] > 0), None))
    assert fuzz("relu", "forward").verdict is Verdict.TESTED


def test_an_op_without_a_table_or_a_form_fails(monkeypatch):
    monkeypatch.delitem(nonfinite.TABLE, "neg")
    monkeypatch.delitem(calls.FORMS, "neg")
    file = "spec/gradproof_spec/link/ops/pointwise.py"
    assert f"nothing is declared for forward, jvp, vjp: add rows to {file}" in check_table("neg").message
    assert f"no form of call for this op: add it to {file}" in fuzz("neg", "forward").message


def test_an_op_without_a_correspondence_or_examples_fails(monkeypatch):
    monkeypatch.delitem(cases.INSTANCES, "neg")
    with pytest.raises(LookupError, match=r"declared for op neg: add it to spec/gradproof_spec/link/ops/pointwise\.py"):
        cases.correspondence("neg", [(3,)], {})
    monkeypatch.setattr(kernels, "EXAMPLES", [e for e in kernels.EXAMPLES if e.op != "neg"])
    (missing,) = (o for o in kernels.obligations() if o.op == "neg")
    outcome = missing.check()
    assert outcome.verdict is Verdict.FAILED
    assert outcome.message.endswith("add examples to spec/gradproof_spec/link/ops/pointwise.py")


def test_a_kernel_without_a_bound_fails(monkeypatch):
    """Where overflow is allowed for, it must not be the rule."""
    plant(
        monkeypatch,
        "reduce_mean",
        "forward",
        lambda xs, *, axis, keepdims: (xs[0].sum(axis, keepdims=keepdims) / 0, None),
    )
    monkeypatch.setattr(floats, "observed", lambda call, direction: {"y": np.zeros(call.shape, call.dtype)})
    outcome = fuzz("reduce_mean", "forward")
    assert outcome.verdict is Verdict.FAILED
    assert "only 0 of" in outcome.message


def test_the_whole_message(monkeypatch):
    plant(monkeypatch, "sub", "vjp b", lambda g, xs, out, residual: g)
    assert fuzz("sub", "vjp").message == (
        "FAILED  float[sub-vjp]\n\n"
        "  a = np.array(0.0, np.float64)\n"
        "  b = np.array(0.0, np.float64)\n"
        "  g = np.array(1.0, np.float64)\n"
        "  gradproof.vjp(lambda a, b: gradproof.sub(a, b), a, b)[1](g)\n\n"
        "  gb in float64\n"
        "    result  1.0\n"
        "    exact   -1.0\n"
        "    bound   0.0"
    )


@pytest.mark.parametrize("op", OPS)
def test_the_text_of_a_call_makes_the_same_call(op):
    directions = st.sampled_from([o.case for o in floats.obligations() if o.op == op and o.case in floats.CLAIMS])

    @settings(max_examples=30, derandomize=True, database=None, deadline=None)
    @given(directions.flatmap(lambda d: st.tuples(st.just(d), calls.calls(op, d, ""))))
    def pasted(drawn):
        direction, call = drawn
        *assignments, last = call.text(direction).splitlines()
        names = {"np": np, "gradproof": gradproof}
        exec("\n".join(assignments), names)
        with np.errstate(all="ignore"):
            again = eval(last, names)
            got = floats.results(call, direction, call.arrays, call.directions)
        again = again if isinstance(again, tuple) else (again,)
        values = [x for name, x in got.items() if direction == "forward" or name != "y"]
        for x, y in zip([x for x in again if x is not None], values, strict=True):
            np.testing.assert_array_equal(x, y)

    pasted()


def test_the_same_numbers_every_time():
    assert fuzz("matmul", "vjp").data == fuzz("matmul", "vjp").data


def test_nightly_makes_more_examples(monkeypatch):
    monkeypatch.setattr(floats, "NIGHTLY", True)
    monkeypatch.setattr(floats, "EXAMPLES", 2)
    assert fuzz("neg", "forward").data["examples"] == 20 * 2 * len(calls.WAYS)


# ---------------------------------------------------------------- the bound


def on_pairs(f, *arrays):
    kind = PAIRS[arrays[0].dtype]
    with intercepting(kind):
        result = f(*map(kind.of, arrays))
    return np.asarray(kind.meanings.ufunc("lift")(np.asarray(result).view(np.ndarray)), dtype=object)


def ratio(f, *arrays):
    """The largest error / bound; the pairs' own exact values are the reference."""
    with np.errstate(all="ignore"):
        got, pairs = np.asarray(f(*arrays)), on_pairs(f, *arrays)
    assert got.dtype == arrays[0].dtype
    cells = [(interval(float(got[i])), pairs[i]) for i in np.ndindex(*got.shape)]
    return max(float((abs(x - p.v) / p.e.b).b) for x, p in cells if p.e.b > 0)


SNIPPETS = {
    "sum": lambda x: x.sum(),
    "sum of rows": lambda x: np.sum(x, axis=1),
    "mean": lambda x: x.mean(axis=0),
    "matmul": lambda x: x @ x.T,
    "tensordot": lambda x: np.tensordot(x, x, axes=([0], [0])),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "einsum optimised": lambda x: np.einsum("ij,kj,kl->il", x, x, x, optimize=True),
    "dot": lambda x: np.dot(x[0], x[1]),
    "vecdot": lambda x: np.vecdot(x, x[::-1]),
    "add at": lambda x: (lambda z: (np.add.at(z, np.arange(len(x)) % 2, x), z)[1])(np.zeros_like(x)),
    "division": lambda x: x[:2] / (1 + x[1:3] * x[1:3]),
    "deviation": lambda x: np.sqrt(((x - x.mean()) ** 2).mean()),
    "log of a sum": lambda x: np.log(np.exp(x - x.max()).sum(axis=1)),
    "constants": lambda x: 0.1 * x + 1e-5 / 3,
    "chain": lambda x: np.exp(np.sqrt(x * x + 0.5) / 3) - x,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SNIPPETS)
def test_the_bound_holds_and_is_not_empty(name, dtype):
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(3, 25)).astype(dtype) * dtype(10.0) ** rng.integers(-3, 3 if "e" not in name else 1)
        found.append(ratio(SNIPPETS[name], x))
    assert max(found) <= 1
    assert max(found) > 0.001


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_and_log_are_as_close_as_assumed(dtype):
    """The assumption FUNCTION_ULPS, on many arguments, contiguous or not, subnormal results included."""
    low, high = (-104.0, 88.0) if dtype is np.float32 else (-745.0, 709.0)
    rng = np.random.default_rng(0)
    for x in (rng.uniform(low, high, 600), rng.uniform(-1, 1, 600)[::2], np.linspace(low, low * 0.8, 300)):
        assert ratio(np.exp, x.astype(dtype)) <= 1
    for x in (np.exp(rng.uniform(-80, 80, 600)), rng.uniform(0.9, 1.1, 600)[::3]):
        assert ratio(np.log, x.astype(dtype)) <= 1


def test_no_claim():
    big, small = np.array([3e38, 1.0], np.float32), np.array([1e-40, 1.0], np.float32)
    assert [p.claimed for p in on_pairs(lambda x: x * x, big)] == [False, True]
    assert [p.claimed for p in on_pairs(lambda x: np.exp(x), big)] == [False, True]
    assert not on_pairs(lambda x: x.sum() + 3e38, big)[()].claimed
    assert [p.claimed for p in on_pairs(lambda x: 1 / (x / 3), small)] == [False, True]  # the divisor may be 0
    assert not on_pairs(lambda x: np.log(x[1] + x[0] - x[1]), small)[()].claimed
    with pytest.raises(Undecided):
        on_pairs(lambda x: np.maximum(x / 3 * 3, x), small)
    with pytest.raises(Undecided):
        on_pairs(lambda x: x * x > 0, big)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_of_what_overflows_below_is_0(dtype):
    """And of nothing else is there a claim: not of its negative, of a sum with it, or of what may be on either side."""
    meanings, most = PAIRS[np.dtype(dtype)].meanings, float(np.finfo(dtype).max)
    below = meanings.multiply(meanings.exact(-most / 2), meanings.exact(10.0))
    zero = meanings.function("exp", below)
    assert zero.claimed and (zero.v >= 0) is True and float(zero.e.b) <= float(np.finfo(dtype).smallest_subnormal)
    above = meanings.multiply(meanings.exact(most / 2), meanings.exact(10.0))
    unknown = meanings.negative(below), meanings.negative(above), above, meanings.add(below, meanings.exact(most))
    for pair in (*unknown, meanings.multiply(below, meanings.exact(-1.0))):
        assert not pair.claimed and not meanings.function("exp", pair).claimed
    assert not below.claimed and not meanings.function("tanh", below).claimed


def test_moving_and_multiplying_by_one_adds_no_error():
    x = np.array([[0.1, -3e38], [1e-45, 2.0]], np.float32)
    moving = (lambda x: -x, lambda x: x * 1 + 0, lambda x: np.where(x > 0, x, 0).T, lambda x: x * (x > 0))
    for f in (*moving, lambda x: x.max(0), lambda x: x[::-1, [1, 0, 1]]):
        assert all(p.e.b == 0 for p in on_pairs(f, x).ravel())


def test_a_constant_is_the_decimal_that_was_written():
    for dtype in (np.float32, np.float64):
        pair = PAIRS[np.dtype(dtype)].meanings.lift(0.1)
        assert (interval(Fraction(1, 10)) - pair.v).delta < 1e-50
        assert 0 < pair.e.b <= np.spacing(dtype(0.1))
    assert PAIRS[np.dtype(np.float32)].meanings.lift(0.5).e == 0
