"""Every op: values against plain NumPy, rules against central differences and against each other, dtypes, aliasing."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradproof as gp

R = np.random.default_rng


def normal(*shape, seed=0):
    return R(seed + sum(shape) * 7 + len(shape)).normal(size=shape)


def apart(*shape, seed=0):
    """Distinct values, 0.1 from each other and from 0: no finite difference crosses a kink."""
    size = int(np.prod(shape))
    values = (np.arange(size) - size // 2) * 0.1 + 0.05
    return R(seed).permutation(values).reshape(shape)


def strided(x):
    """The same values, not contiguous and read-only."""
    wide = np.zeros((*x.shape[:-1], x.shape[-1] * 2)) if x.ndim else x.copy()
    view = wide[..., ::2] if x.ndim else wide
    view[...] = x
    view.flags.writeable = False
    return view


# What each op computes, written for clarity.


def conv_reference(x, weight, bias=None, stride=(1, 1), padding=(0, 0)):
    lead, (C, H, W), (O, _, U, V) = x.shape[:-3], x.shape[-3:], weight.shape
    P, Q = (H + 2 * padding[0] - U) // stride[0] + 1, (W + 2 * padding[1] - V) // stride[1] + 1
    y = np.zeros((*lead, O, P, Q))
    for o, p, q, c, u, v in itertools.product(*map(range, (O, P, Q, C, U, V))):
        h, w = stride[0] * p + u - padding[0], stride[1] * q + v - padding[1]
        if 0 <= h < H and 0 <= w < W:
            y[..., o, p, q] += x[..., c, h, w] * weight[o, c, u, v]
    return y if bias is None else y + bias[:, None, None]


def pool_reference(x, kernel, stride, padding):
    """Maximum and the flat position of the first winner, cell by cell."""
    H, W = x.shape[-2:]
    P = (H + 2 * padding[0] - kernel[0]) // stride[0] + 1
    Q = (W + 2 * padding[1] - kernel[1]) // stride[1] + 1
    y = np.zeros((*x.shape[:-2], P, Q))
    winner = np.zeros(y.shape, int)
    for index in np.ndindex(*y.shape):
        *lead, p, q = index
        best = None
        for u, v in np.ndindex(*kernel):
            h, w = stride[0] * p + u - padding[0], stride[1] * q + v - padding[1]
            if 0 <= h < H and 0 <= w < W:
                value = x[(*lead, h, w)]
                if best is None or value > best or (np.isnan(value) and not np.isnan(best)):
                    best, winner[index] = value, h * W + w
        y[index] = best
    return y, winner


def softmax_reference(x, axis):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def gather_reference(x, indices):
    return np.array([x[i] if 0 <= i < len(x) else np.zeros(x.shape[1]) for i in indices]).reshape(-1, x.shape[1])


def layer_norm_reference(x, gamma, beta, eps=1e-5):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * gamma + beta


# (id, function of the arrays, reference, arrays)
CASES = [
    ("add", gp.add, np.add, (normal(2, 3), normal(2, 3, seed=1))),
    ("add-broadcast", gp.add, np.add, (normal(2, 1, 3), normal(4, 1))),
    ("add-scalar", lambda a: gp.add(a, 2), lambda a: a + 2, (normal(3),)),
    ("add-0d", gp.add, np.add, (np.array(1.5), np.array(-0.5))),
    ("sub", gp.sub, np.subtract, (normal(2, 3), normal(3))),
    ("sub-scalar", lambda b: gp.sub(1.0, b), lambda b: 1 - b, (normal(2, 2),)),
    ("mul", gp.mul, np.multiply, (normal(2, 3), normal(2, 1))),
    ("mul-empty", gp.mul, np.multiply, (normal(0, 3), normal(1, 3))),
    ("neg", gp.neg, np.negative, (normal(2, 3),)),
    ("exp", gp.exp, np.exp, (normal(2, 3),)),
    ("maximum", gp.maximum, np.maximum, (apart(2, 3), apart(2, 3, seed=4) + 0.03)),
    ("maximum-broadcast", gp.maximum, np.maximum, (apart(2, 3), np.array(0.0))),
    ("relu", gp.relu, lambda x: x * (x > 0), (apart(3, 4),)),
    ("relu-empty", gp.relu, lambda x: x, (normal(0),)),
    ("reduce_sum-all", gp.reduce_sum, np.sum, (normal(2, 3),)),
    ("reduce_sum-axis", lambda x: gp.reduce_sum(x, -1), lambda x: x.sum(-1), (normal(2, 3, 4),)),
    ("reduce_sum-axes", lambda x: gp.reduce_sum(x, (2, 0)), lambda x: x.sum((0, 2)), (normal(2, 3, 4),)),
    ("reduce_sum-keep", lambda x: gp.reduce_sum(x, 1, True), lambda x: x.sum(1, keepdims=True), (normal(2, 3),)),
    ("reduce_sum-none", lambda x: gp.reduce_sum(x, ()), lambda x: x, (normal(2, 3),)),
    ("reduce_sum-0d", gp.reduce_sum, lambda x: x, (np.array(2.5),)),
    ("reduce_sum-empty", lambda x: gp.reduce_sum(x, 0), lambda x: np.zeros(3), (normal(0, 3),)),
    ("reduce_mean-all", gp.reduce_mean, np.mean, (normal(2, 3),)),
    ("reduce_mean-axes", lambda x: gp.reduce_mean(x, (0, -1)), lambda x: x.mean((0, 2)), (normal(2, 3, 4),)),
    ("reduce_mean-keep", lambda x: gp.reduce_mean(x, 0, True), lambda x: x.mean(0, keepdims=True), (normal(2, 3),)),
    ("reduce_mean-outside-empty", lambda x: gp.reduce_mean(x, 1), lambda x: np.zeros(0), (normal(0, 3),)),
    ("linear", gp.linear, lambda x, w, b: x @ w.T + b, (normal(2, 3), normal(4, 3), normal(4))),
    ("linear-1d", gp.linear, lambda x, w: x @ w.T, (normal(3), normal(4, 3))),
    ("linear-3d", gp.linear, lambda x, w, b: x @ w.T + b, (normal(2, 1, 3), normal(2, 3), normal(2))),
    ("linear-no-rows", gp.linear, lambda x, w, b: x @ w.T + b, (normal(0, 3), normal(4, 3), normal(4))),
    ("linear-no-inputs", gp.linear, lambda x, w, b: x @ w.T + b, (normal(2, 0), normal(4, 0), normal(4))),
    ("matmul", gp.matmul, np.matmul, (normal(2, 3), normal(3, 4))),
    ("matmul-dot", gp.matmul, np.matmul, (normal(3), normal(3, seed=1))),
    ("matmul-row", gp.matmul, np.matmul, (normal(3), normal(3, 4))),
    ("matmul-column", gp.matmul, np.matmul, (normal(2, 3), normal(3))),
    ("matmul-batch", gp.matmul, np.matmul, (normal(2, 3, 4), normal(2, 4, 2))),
    ("matmul-batch-matrix", gp.matmul, np.matmul, (normal(2, 5, 3, 4), normal(4, 2))),
    ("matmul-batch-column", gp.matmul, np.matmul, (normal(2, 3, 4), normal(4))),
    ("matmul-matrix-batch", gp.matmul, np.matmul, (normal(3, 4), normal(2, 4, 2))),
    ("matmul-row-batch", gp.matmul, np.matmul, (normal(4), normal(2, 4, 3))),
    ("matmul-broadcast", gp.matmul, np.matmul, (normal(2, 1, 3, 4), normal(5, 4, 2))),
    ("matmul-no-inner", gp.matmul, np.matmul, (normal(2, 0), normal(0, 3))),
    ("concat", lambda *xs: gp.concat(xs), lambda *xs: np.concatenate(xs), (normal(2, 3), normal(1, 3), normal(0, 3))),
    ("concat-axis", lambda *xs: gp.concat(list(xs), -1), lambda *xs: np.concatenate(xs, -1),
     (normal(2, 3), normal(2, 1))),
    ("concat-one", lambda x: gp.concat([x]), lambda x: x, (normal(3),)),
    ("reshape", lambda x: gp.reshape(x, (3, 2)), lambda x: x.reshape(3, 2), (normal(2, 3),)),
    ("reshape-open", lambda x: gp.reshape(x, (2, -1)), lambda x: x.reshape(2, -1), (normal(2, 3, 2),)),
    ("reshape-0d", lambda x: gp.reshape(x, ()), lambda x: x.reshape(()), (normal(1, 1),)),
    ("reshape-empty", lambda x: gp.reshape(x, (3, -1)), lambda x: x.reshape(3, 0), (normal(0, 2),)),
    ("broadcast_to", lambda x: gp.broadcast_to(x, (4, 2, 3)), lambda x: np.broadcast_to(x, (4, 2, 3)), (normal(2, 1),)),
    ("broadcast_to-empty", lambda x: gp.broadcast_to(x, (0, 3)), lambda x: np.zeros((0, 3)), (normal(1, 3),)),
    ("gather_rows", lambda x: gp.gather_rows(x, [2, 0, 2, -1, 9]), lambda x: gather_reference(x, [2, 0, 2, -1, 9]),
     (normal(3, 2),)),
    ("gather_rows-none", lambda x: gp.gather_rows(x, []), lambda x: np.zeros((0, 2)), (normal(3, 2),)),
    ("gather_rows-no-rows", lambda x: gp.gather_rows(x, [0, 1]), lambda x: np.zeros((2, 2)), (normal(0, 2),)),
    ("softmax", gp.softmax, lambda x: softmax_reference(x, -1), (normal(2, 3),)),
    ("softmax-axis", lambda x: gp.softmax(x, 1), lambda x: softmax_reference(x, 1), (normal(2, 3, 2),)),
    ("softmax-0d", gp.softmax, np.ones_like, (np.array(3.0),)),
    ("softmax-empty", gp.softmax, lambda x: x, (normal(2, 0),)),
    ("log_softmax", gp.log_softmax, lambda x: np.log(softmax_reference(x, -1)), (normal(2, 3),)),
    ("log_softmax-axis", lambda x: gp.log_softmax(x, 0), lambda x: np.log(softmax_reference(x, 0)), (normal(4, 2),)),
    ("log_softmax-0d", gp.log_softmax, np.zeros_like, (np.array(3.0),)),
    ("log_softmax-empty", gp.log_softmax, lambda x: x, (normal(2, 0),)),
    ("conv", gp.conv, conv_reference, (normal(2, 3, 5, 4), normal(2, 3, 3, 2), normal(2))),
    ("conv-no-batch", gp.conv, conv_reference, (normal(1, 4, 4), normal(2, 1, 3, 3))),
    ("conv-two-batch-axes", gp.conv, conv_reference, (normal(2, 1, 2, 3, 4), normal(3, 2, 2, 2), normal(3))),
    ("conv-empty-batch", gp.conv, conv_reference, (normal(0, 2, 3, 4), normal(3, 2, 2, 2), normal(3))),
    ("max_pool", lambda x: gp.max_pool(x, (2, 2)), lambda x: pool_reference(x, (2, 2), (2, 2), (0, 0))[0],
     (apart(2, 3, 5, 4),)),
    ("layer_norm", gp.layer_norm, layer_norm_reference, (normal(2, 3, 4), normal(4), normal(4, seed=1))),
    ("layer_norm-1d", gp.layer_norm, layer_norm_reference, (normal(5), normal(5), normal(5, seed=1))),
    ("layer_norm-one", gp.layer_norm, layer_norm_reference, (normal(3, 1), normal(1), normal(1, seed=1))),
    ("mse_loss", gp.mse_loss, lambda a, b: ((a - b) ** 2).mean(), (normal(2, 3), normal(2, 3, seed=1))),
    ("mse_loss-0d", gp.mse_loss, lambda a, b: (a - b) ** 2, (np.array(1.0), np.array(3.0))),
]  # fmt: skip
for stride, padding in [((2, 2), (1, 1)), ((1, 2), (2, 0)), ((3, 1), (0, 1)), ((5, 5), (3, 3))]:
    tag = f"s{stride[0]}{stride[1]}p{padding[0]}{padding[1]}"
    CASES.append(
        (
            f"conv-{tag}",
            lambda *xs, s=stride, p=padding: gp.conv(*xs, stride=s, padding=p),
            lambda *xs, s=stride, p=padding: conv_reference(*xs, stride=s, padding=p),
            (normal(2, 2, 5, 6), normal(3, 2, 3, 3), normal(3)),
        )
    )
for kernel, stride, padding in [
    ((3, 3), (2, 2), (1, 1)),
    ((2, 3), (1, 1), (1, 2)),
    ((3, 2), (1, 3), (2, 0)),
    ((4, 4), (5, 5), (3, 3)),
    ((1, 1), (2, 1), (0, 0)),
]:
    tag = f"k{kernel[0]}{kernel[1]}s{stride[0]}{stride[1]}p{padding[0]}{padding[1]}"
    CASES.append(
        (
            f"max_pool-{tag}",
            lambda x, k=kernel, s=stride, p=padding: gp.max_pool(x, k, s, p),
            lambda x, k=kernel, s=stride, p=padding: pool_reference(x, k, s, p)[0],
            (apart(2, 5, 6),),
        )
    )
every_case = pytest.mark.parametrize(("f", "reference", "xs"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])


def test_every_op_has_a_case():
    assert {case[0].split("-")[0] for case in CASES} == set(gp.OPS)


@every_case
def test_value(f, reference, xs):
    out = f(*xs)
    assert isinstance(out, np.ndarray)
    assert out.shape == np.shape(reference(*xs))
    np.testing.assert_allclose(out, reference(*xs), rtol=1e-12, atol=1e-12)


@every_case
def test_jvp_is_the_central_difference(f, reference, xs):
    dxs = tuple(normal(*x.shape, seed=3) for x in xs)
    out, tangent = gp.jvp(f, xs, dxs)
    h = 1e-6
    ahead, behind = (f(*(x + sign * h * dx for x, dx in zip(xs, dxs, strict=True))) for sign in (1, -1))
    assert tangent.shape == out.shape
    np.testing.assert_allclose(tangent, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-7)


@every_case
def test_jvp_is_the_sum_over_inputs(f, reference, xs):
    dxs = [normal(*x.shape, seed=3) for x in xs]
    _, total = gp.jvp(f, xs, dxs)
    alone = [gp.jvp(lambda x, i=i: f(*xs[:i], x, *xs[i + 1 :]), (xs[i],), (dxs[i],))[1] for i in range(len(xs))]
    np.testing.assert_allclose(sum(alone), total, rtol=1e-12, atol=1e-12)


@every_case
def test_vjp_is_the_adjoint_of_jvp(f, reference, xs):
    dxs = tuple(normal(*x.shape, seed=3) for x in xs)
    _, tangent = gp.jvp(f, xs, dxs)
    out, pullback = gp.vjp(f, *xs)
    g = normal(*out.shape, seed=5)
    cotangents = pullback(g)
    assert [c.shape for c in cotangents] == [x.shape for x in xs]
    right = sum(float((dx * gx).sum()) for dx, gx in zip(dxs, cotangents, strict=True))
    np.testing.assert_allclose(float((tangent * g).sum()), right, rtol=1e-10, atol=1e-12)


@every_case
def test_float32_stays_float32_and_agrees(f, reference, xs):
    small = tuple(x.astype(np.float32) for x in xs)
    out, tangent = gp.jvp(f, small, small)
    out_again, pullback = gp.vjp(f, *small)
    cotangents = pullback(np.ones_like(out))
    assert {a.dtype for a in (f(*small), out, tangent, out_again, *cotangents)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(out, f(*xs), rtol=1e-4, atol=1e-5)
    for narrow, wide in zip(cotangents, gp.vjp(f, *xs)[1](np.ones(out.shape)), strict=True):
        np.testing.assert_allclose(narrow, wide, rtol=1e-3, atol=1e-4)


@every_case
def test_layout_of_the_inputs_does_not_matter(f, reference, xs):
    views = tuple(strided(x) for x in xs)
    out, pullback = gp.vjp(f, *xs)
    out_of_views, pullback_of_views = gp.vjp(f, *views)
    g = normal(*out.shape, seed=5)
    np.testing.assert_allclose(f(*views), out, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(out_of_views, out, rtol=1e-12, atol=1e-14)
    for first, second in zip(pullback(g), pullback_of_views(strided(g)), strict=True):
        np.testing.assert_allclose(second, first, rtol=1e-12, atol=1e-14)


@every_case
def test_results_are_the_callers_own(f, reference, xs):
    before = [x.copy() for x in xs]
    g = np.ones(f(*xs).shape)
    out, pullback = gp.vjp(f, *xs)
    results = [f(*xs), out, *pullback(g), *pullback(g), *gp.jvp(f, xs, xs)]
    assert all(a.flags.writeable for a in results)
    for a, b in itertools.combinations([*results, *xs, g], 2):
        assert not np.shares_memory(a, b)
    expected = [c.copy() for c in pullback(g)]
    for a in results:
        a[...] = 99
    for c, e in zip(pullback(g), expected, strict=True):
        np.testing.assert_array_equal(c, e)
    for x, b in zip(xs, before, strict=True):
        np.testing.assert_array_equal(x, b)


@every_case
def test_shape_rule_agrees_with_the_kernel(f, reference, xs, monkeypatch):
    seen = []
    for op in gp.OPS.values():
        forward = op.rules["forward"]

        def checked(inputs, op=op, forward=forward, **attributes):
            out, residual = forward(inputs, **attributes)
            seen.append(op.name)
            assert np.shape(out) == op.shape(*(x.shape for x in inputs), **attributes)
            return out, residual

        monkeypatch.setitem(op.rules, "forward", checked)
    f(*xs)
    assert seen


# Random shapes, extents of 0 and 1 among them.

extent, at_least_one = st.integers(0, 4), st.integers(1, 4)


def check(f, reference, *xs):
    """Value, and the adjoint identity."""
    np.testing.assert_allclose(f(*xs), reference(*xs), rtol=1e-10, atol=1e-10)
    dxs = [normal(*x.shape, seed=3) for x in xs]
    tangent = gp.jvp(f, xs, dxs)[1]
    g = normal(*tangent.shape, seed=5)
    cotangents = gp.vjp(f, *xs)[1](g)
    assert [c.shape for c in cotangents] == [x.shape for x in xs]
    right = sum(float((dx * gx).sum()) for dx, gx in zip(dxs, cotangents, strict=True))
    np.testing.assert_allclose(float((tangent * g).sum()), right, rtol=1e-9, atol=1e-10)


@given(st.data())
def test_conv_of_any_shape(data):
    draw = data.draw
    batch = draw(st.lists(extent, max_size=2))
    C, O, U, V, S, T = draw(extent), draw(extent), *draw(st.tuples(*[at_least_one] * 4))
    padding = draw(st.tuples(extent, extent))
    H, W = (max(0, k - 2 * p) + draw(extent) for k, p in zip((U, V), padding, strict=True))
    bias = [normal(O)] if draw(st.booleans()) else []
    keywords = {"stride": (S, T), "padding": padding}
    check(
        lambda *xs: gp.conv(*xs, **keywords),
        lambda *xs: conv_reference(*xs, **keywords),
        normal(*batch, C, H, W),
        normal(O, C, U, V),
        *bias,
    )


@given(st.data())
def test_max_pool_of_any_shape(data):
    draw = data.draw
    batch, kernel = draw(st.lists(extent, max_size=2)), draw(st.tuples(at_least_one, at_least_one))
    stride, padding = draw(st.tuples(at_least_one, at_least_one)), tuple(draw(st.integers(0, k - 1)) for k in kernel)
    H, W = (max(1, k - 2 * p) + draw(extent) for k, p in zip(kernel, padding, strict=True))
    x = R(draw(st.integers(0, 99))).integers(-1, 2, size=(*batch, H, W)).astype(float)
    check(
        lambda x: gp.max_pool(x, kernel, stride, padding),
        lambda x: pool_reference(x, kernel, stride, padding)[0],
        x,
    )


@given(st.data())
def test_broadcasting_of_any_shapes(data):
    shape = data.draw(st.lists(extent, max_size=4))
    shapes = [
        [1 if data.draw(st.booleans()) else n for n in shape[data.draw(st.integers(0, len(shape))) :]] for _ in "ab"
    ]
    a, b = normal(*shapes[0]), normal(*shapes[1], seed=1)
    for op in ("add", "sub", "mul", "maximum"):
        check(getattr(gp, op), {"sub": np.subtract, "mul": np.multiply}.get(op) or getattr(np, op), a, b)


@given(st.data())
def test_matmul_of_any_shapes(data):
    draw = data.draw
    batch = draw(st.lists(extent, max_size=3))
    N, K, M = draw(st.tuples(extent, extent, extent))
    left, right = ([1 if draw(st.booleans()) else n for n in batch[draw(st.integers(0, len(batch))) :]] for _ in "ab")
    a = normal(K) if draw(st.booleans()) else normal(*left, N, K)
    b = normal(K, seed=1) if draw(st.booleans()) else normal(*right, K, M, seed=1)
    check(gp.matmul, np.matmul, a, b)


@given(st.data())
def test_reductions_and_softmax_over_any_axes(data):
    shape = data.draw(st.lists(at_least_one, min_size=1, max_size=4))
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    signed = tuple(axis - len(shape) if data.draw(st.booleans()) else axis for axis in axes)
    keepdims, x = data.draw(st.booleans()), normal(*shape)
    check(lambda x: gp.reduce_sum(x, signed, keepdims), lambda x: x.sum(tuple(axes), keepdims=keepdims), x)
    check(lambda x: gp.reduce_mean(x, signed, keepdims), lambda x: x.mean(tuple(axes), keepdims=keepdims), x)
    for axis in signed:
        check(lambda x, axis=axis: gp.softmax(x, axis), lambda x, axis=axis: softmax_reference(x, axis), x)
        check(lambda x, axis=axis: gp.log_softmax(x, axis), lambda x, axis=axis: np.log(softmax_reference(x, axis)), x)


# The table entry on exact numbers: the kernels do not care what the elements are.

RATIONAL = [case for case in CASES if case[0].split("-")[0] not in ("exp", "softmax", "log_softmax", "layer_norm")]


@pytest.mark.parametrize(("f", "xs"), [(c[1], c[3]) for c in RATIONAL], ids=[c[0] for c in RATIONAL])
def test_entry_runs_on_fractions(f, xs, monkeypatch):
    """Whatever f calls at the table's entry is called again with Fractions: the same numbers, adjoint exactly."""
    calls = []
    for op in gp.OPS.values():
        forward = op.rules["forward"]

        def noted(inputs, op=op, forward=forward, **attributes):
            calls.append((op, inputs, attributes))
            return forward(inputs, **attributes)

        monkeypatch.setitem(op.rules, "forward", noted)
    f(*xs)
    assert calls
    for op, inputs, attributes in list(calls):
        exact = tuple(fractions(x) if x.dtype.kind == "f" else x for x in inputs)
        dxs = tuple(fractions(normal(*x.shape, seed=3)) if x.dtype.kind == "f" else None for x in inputs)
        out, residual = op.evaluate(exact, **attributes)
        out = np.asarray(out, dtype=object)
        np.testing.assert_allclose(out.astype(float), op.evaluate(inputs, **attributes)[0], rtol=1e-9, atol=1e-12)
        g = fractions(normal(*out.shape, seed=5))
        tangent = op.jvp(dxs, exact, out, residual, **attributes)
        cotangents = op.vjp(g, exact, out, residual, tuple(dx is not None for dx in dxs), **attributes)
        right = sum(np.sum(dx * gx) for dx, gx in zip(dxs, cotangents, strict=True) if dx is not None)
        assert np.sum(tangent * g) == right


def fractions(x):
    exact = np.empty(x.shape, dtype=object)
    for index in np.ndindex(*x.shape):
        exact[index] = Fraction(float(x[index]))
    return exact


# Conventions at kinks, and floats that are not ordinary.


def both_ways(f, *xs):
    """The slopes of f by reverse mode, checked against forward mode one direction at a time."""
    out, pullback = gp.vjp(f, *xs)
    cotangents = pullback(np.ones_like(out))
    for i, (x, gx) in enumerate(zip(xs, cotangents, strict=True)):
        for index in np.ndindex(*x.shape):
            dxs = [np.zeros_like(y) for y in xs]
            dxs[i][index] = 1
            np.testing.assert_allclose(gp.jvp(f, xs, dxs)[1].sum(), gx[index], rtol=1e-12)
    return cotangents


def test_relu_has_slope_0_at_0():
    (gx,) = both_ways(gp.relu, np.array([-1.0, -0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(gx, [0, 0, 0, 1])


def test_relu_of_special_floats():
    x = np.array([np.nan, np.inf, -np.inf, 5e-324])
    out, pullback = gp.vjp(gp.relu, x)
    np.testing.assert_array_equal(out, [np.nan, np.inf, 0, 5e-324])
    np.testing.assert_array_equal(pullback(np.full(4, np.inf))[0], [0, np.inf, 0, np.inf])


def test_maximum_shares_a_tie():
    a, b = np.array([1.0, 2.0, 3.0, 0.0]), np.array([1.0, 3.0, 2.0, -0.0])
    ga, gb = both_ways(gp.maximum, a, b)
    np.testing.assert_array_equal(ga, [0.5, 0, 1, 0.5])
    np.testing.assert_array_equal(gb, [0.5, 1, 0, 0.5])


def test_maximum_of_nan_is_nan():
    np.testing.assert_array_equal(gp.maximum(np.array([np.nan, 1.0]), np.array([1.0, np.nan])), [np.nan, np.nan])


def test_softmax_of_large_numbers():
    x = np.array([[1e308, -1e308], [800.0, 0.0], [-800.0, 0.0]])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(gp.softmax(x), [[1, 0], [1, 0], [0, 1]])
        np.testing.assert_array_equal(gp.log_softmax(x), [[0, -np.inf], [0, -800], [-800, 0]])


def test_softmax_of_a_blocked_entry():
    out, pullback = gp.vjp(gp.softmax, np.array([0.0, -np.inf, 0.0]))
    np.testing.assert_array_equal(out, [0.5, 0, 0.5])
    np.testing.assert_array_equal(pullback(np.array([1.0, 5.0, 0.0]))[0], [0.25, 0, -0.25])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [((2, 2), (2, 2), (0, 0)), ((3, 3), (1, 1), (1, 1)), ((3, 2), (2, 1), (2, 1)), ((2, 2), (3, 3), (1, 1))],
)
def test_max_pool_first_winner(kernel, stride, padding, seed):
    x = R(seed).integers(-1, 2, size=(2, 5, 6)).astype(float)
    x[R(seed).random(x.shape) < 0.2] = -np.inf
    if seed % 2:
        x[0, 2:4, 1:3] = np.nan
    y, winner = pool_reference(x, kernel, stride, padding)
    out, pullback = gp.vjp(lambda x: gp.max_pool(x, kernel, stride, padding), x)
    np.testing.assert_array_equal(out, y)
    g, gx = normal(*y.shape), np.zeros(x.shape)
    for n, p, q in np.ndindex(*y.shape):
        gx[n].reshape(-1)[winner[n, p, q]] += g[n, p, q]
    np.testing.assert_allclose(pullback(g)[0], gx, rtol=1e-12, atol=1e-14)
    dx = normal(*x.shape, seed=2)
    tangent = gp.jvp(lambda x: gp.max_pool(x, kernel, stride, padding), (x,), (dx,))[1]
    picked = np.take_along_axis(dx.reshape(2, -1), winner.reshape(2, -1), axis=1)
    np.testing.assert_array_equal(tangent, picked.reshape(y.shape))


def test_max_pool_of_minus_infinity_picks_a_real_cell():
    out, pullback = gp.vjp(lambda x: gp.max_pool(x, (3, 3), 3, 1), np.full((2, 2), -np.inf))
    np.testing.assert_array_equal(out, [[-np.inf]])
    np.testing.assert_array_equal(pullback(np.ones((1, 1)))[0], [[1, 0], [0, 0]])


def test_gather_rows_adds_up_repeats_and_drops_what_is_outside():
    x, indices = normal(3, 2), np.array([2, 0, 2, -1, 3], dtype=np.int8)
    (gx,) = gp.vjp(lambda x: gp.gather_rows(x, indices), x)[1](np.full((5, 2), np.inf))
    np.testing.assert_array_equal(gx, np.array([[np.inf] * 2, [0] * 2, [np.inf] * 2]))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_gather_rows_takes_every_integer_dtype(dtype):
    x = normal(300, 2)
    np.testing.assert_array_equal(gp.gather_rows(x, np.array([0, 99], dtype=dtype)), x[[0, 99]])


def test_gather_rows_in_raise_mode_gives_the_same_inside():
    x = normal(3, 2)
    np.testing.assert_array_equal(gp.gather_rows(x, [1, 2], mode="raise"), x[[1, 2]])


def test_layer_norm_of_a_large_offset_keeps_its_digits():
    x = 1e8 + np.array([-1.0, 0.0, 1.0])
    expected = np.array([-1.0, 0.0, 1.0]) / np.sqrt(2 / 3 + 1e-5)
    np.testing.assert_allclose(gp.layer_norm(x, np.ones(3), np.zeros(3)), expected, rtol=1e-12, atol=1e-12)


# dtypes at the gate.


def test_python_scalars_do_not_promote():
    x = np.ones(3, np.float32)
    assert (gp.mul(x, 0.1).dtype, gp.add(2, x).dtype, gp.exp(1).dtype) == (np.float32, np.float32, np.float64)


def test_numpy_scalars_lists_and_mixed_arrays_promote_as_numpy():
    x = np.ones(3, np.float32)
    assert gp.mul(x, np.float64(0.1)).dtype == np.float64
    assert gp.add(x, [1, 2, 3]).dtype == np.float64
    assert gp.matmul(x, np.ones((3, 2))).dtype == np.float64


def test_mixed_dtypes_give_each_input_its_own_back():
    a, b = np.ones((2, 3), np.float32), normal(3, 2)
    out, pullback = gp.vjp(gp.matmul, a, b)
    assert [x.dtype for x in (out, *pullback(np.ones((2, 2))))] == [np.float64, np.float32, np.float64]
    assert gp.jvp(gp.matmul, (a, b), (a, b))[1].dtype == np.float64


def test_zero_dimensional_results_are_arrays():
    x = np.array(2.0)
    results = [gp.exp(x), gp.add(1, 2), gp.reduce_sum(np.ones(3)), gp.matmul(np.ones(2), np.ones(2)), gp.neg(x)]
    assert all(type(r) is np.ndarray and r.shape == () for r in results)


def test_big_endian_data_is_taken():
    assert gp.exp(np.zeros(2, ">f4")).dtype == np.dtype("=f4")


# The table.


def test_the_table_is_in_the_order_of_definition():
    assert list(gp.OPS)[:7] == ["add", "sub", "mul", "neg", "exp", "maximum", "relu"]
    assert all(name == op.name for name, op in gp.OPS.items())


@pytest.mark.parametrize("name", list(gp.OPS))
def test_unwanted_cotangents_are_not_computed(name):
    op, n = gp.OPS[name], len(gp.OPS[name].inputs)
    assert set(op.differentiable) <= set(op.inputs)
    attributes = {"axis": 0} if name == "concat" else {}
    unwanted = op.vjp(np.ones(2), (np.ones(2),) * n, np.ones(2), None, (False,) * n, **attributes)
    assert unwanted == (None,) * n
    assert op.jvp((None,) * n, (), np.ones(2), None, **attributes) is None


def test_concat_gives_only_the_wanted_parts():
    op, xs = gp.OPS["concat"], (np.ones(2), np.ones(3))
    first, second = op.vjp(np.arange(5.0), xs, np.ones(5), None, (False, True), axis=0)
    assert first is None
    np.testing.assert_array_equal(second, [2, 3, 4])
