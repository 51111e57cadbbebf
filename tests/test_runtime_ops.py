"""Every op: values against plain NumPy, rules against central differences and against each other, dtypes, aliasing."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime_cases import CASES
from runtime_cases.arrays import R, normal
from runtime_cases.attention import attention_reference
from runtime_cases.convolution import conv_reference, conv_transpose_reference
from runtime_cases.indexing import gather_reference, scatter_reference
from runtime_cases.normalization import batch_norm_reference, group_norm_reference, rms_norm_reference
from runtime_cases.pointwise import selected
from runtime_cases.pooling import adaptive_reference, avg_reference, pool_reference, smooth_reference
from runtime_cases.random import uniform
from runtime_cases.softmax import softmax_reference
from runtime_cases.structural import upsample_reference

import gradproof as gp
import gradproof_spec.link.ops  # noqa: F401  fills EXAMPLES
from gradproof.op import OPS
from gradproof.ops.convolution import layout_of as conv_layout
from gradproof_spec.link.examples import EXAMPLES

ORDINARY = [case for case in CASES if not case[0].startswith("detach")]  # its derivative is 0 by definition


def strided(x):
    """The same values, not contiguous and read-only."""
    wide = np.zeros((*x.shape[:-1], x.shape[-1] * 2)) if x.ndim else x.copy()
    view = wide[..., ::2] if x.ndim else wide
    view[...] = x
    view.flags.writeable = False
    return view


def column_major(x):
    return np.array(x, order="F")


def cases(chosen):
    return pytest.mark.parametrize(("f", "reference", "xs"), [c[1:] for c in chosen], ids=[c[0] for c in chosen])


every_case = cases(CASES)


def test_every_op_has_a_case():
    assert {case[0].split("-")[0] for case in CASES} == set(gp.OPS)


@every_case
def test_value(f, reference, xs):
    out = f(*xs)
    assert isinstance(out, np.ndarray)
    assert out.shape == np.shape(reference(*xs))
    np.testing.assert_allclose(out, reference(*xs), rtol=1e-12, atol=1e-12)


@cases(ORDINARY)
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


@cases([case for case in CASES if len(case[3]) > 1])
def test_mixed_dtypes_promote_and_each_input_gets_its_own_back(f, reference, xs):
    mixed = [x.astype(np.float32 if position == 0 else np.float64) for position, x in enumerate(xs)]
    out, pullback = gp.vjp(f, *mixed)
    dtypes = [a.dtype for a in (f(*mixed), out, gp.jvp(f, mixed, mixed)[1])]
    assert dtypes == [np.float64] * 3
    assert [c.dtype for c in pullback(np.ones(out.shape))] == [x.dtype for x in mixed]
    np.testing.assert_allclose(out, f(*xs), rtol=1e-4, atol=1e-5)


@every_case
@pytest.mark.parametrize("laid_out", [strided, column_major])
def test_layout_of_the_inputs_does_not_matter(f, reference, xs, laid_out):
    views = tuple(laid_out(x) for x in xs)
    out, pullback = gp.vjp(f, *xs)
    out_of_views, pullback_of_views = gp.vjp(f, *views)
    g = normal(*out.shape, seed=5)
    np.testing.assert_allclose(f(*views), out, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(out_of_views, out, rtol=1e-12, atol=1e-14)
    for first, second in zip(pullback(g), pullback_of_views(laid_out(g)), strict=True):
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


def draw_windows(draw, *, at_most_padding=None):
    """Kernel, stride, padding and dilation for 1 to 3 axes; the more axes, the smaller."""
    axes = draw(st.integers(1, 3))
    kernel, stride, dilation = (tuple(draw(st.integers(1, 5 - axes)) for _ in range(axes)) for _ in "ksd")
    dilation = dilation if draw(st.booleans()) else (1,) * axes
    padding = tuple(
        draw(st.integers(0, 4 - axes if at_most_padding is None else at_most_padding(k, d)))
        for k, d in zip(kernel, dilation, strict=True)
    )
    return kernel, {"stride": stride, "padding": padding, "dilation": dilation}


def draw_extents(draw, kernel, *, padding, dilation, at_least=0, **_):
    """Extents of the input along the axes of the kernel: it fits."""
    return tuple(
        max(at_least, d * (k - 1) + 1 - 2 * pad) + draw(st.integers(0, 4 - len(kernel)))
        for k, pad, d in zip(kernel, padding, dilation, strict=True)
    )


@given(st.data())
def test_conv_of_any_shape(data):
    draw = data.draw
    batch, groups = draw(st.lists(st.integers(0, 2), max_size=2)), draw(st.integers(1, 2))
    (C, O), (kernel, keywords) = draw(st.tuples(*[st.integers(0, 2)] * 2)), draw_windows(draw)
    H = draw_extents(draw, kernel, **keywords)
    bias = [normal(groups * O)] if draw(st.booleans()) else []
    keywords["groups"] = groups
    check(
        lambda *xs: gp.conv(*xs, **keywords),
        lambda *xs: conv_reference(*xs, **keywords),
        normal(*batch, groups * C, *H),
        normal(groups * O, C, *kernel),
        *bias,
    )


@given(st.data())
def test_conv_transpose_of_any_shape(data):
    draw = data.draw
    batch, groups = draw(st.lists(st.integers(0, 2), max_size=2)), draw(st.integers(1, 2))
    (I, O), (kernel, keywords) = draw(st.tuples(*[st.integers(0, 2)] * 2)), draw_windows(draw)
    every_axis = list(zip(kernel, *(keywords[name] for name in ("stride", "padding", "dilation")), strict=True))
    needed = [max(0, 2 * pad - d * (k - 1)) for k, _, pad, d in every_axis]  # (P - 1) stride >= needed: H >= 1
    enough = [1 - -n // s for n, s in zip(needed, keywords["stride"], strict=True)]
    P = [n + draw(st.integers(0, 3 - len(kernel))) for n in enough]
    bias = [normal(groups * O)] if draw(st.booleans()) else []
    keywords["output_padding"] = tuple(draw(st.integers(0, s - 1)) for s in keywords["stride"])
    keywords["groups"] = groups
    check(
        lambda *xs: gp.conv_transpose(*xs, **keywords),
        lambda *xs: conv_transpose_reference(*xs, **keywords),
        normal(*batch, groups * I, *P),
        normal(groups * I, O, *kernel),
        *bias,
    )


@pytest.mark.parametrize("padding", [(0, 0), (1, 2), (2, 1), (3, 0)])  # 3: more than a window has taps before its last
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_convolutions_whose_windows_share_columns(batch, padding):
    x, weight, bias = normal(*batch, 2, 5, 14), normal(3, 2, 3, 2), normal(3)
    keywords = {"stride": (1, 2), "padding": padding, "dilation": (1, 2), "groups": 1}
    shape = gp.conv(x, weight, **keywords).shape
    shared = conv_layout(x.shape, weight.shape, shape, **keywords).taps == (3, 2)
    assert shared == (padding[0] < 3 and len(batch) > 0)
    check(lambda *xs: gp.conv(*xs, **keywords), lambda *xs: conv_reference(*xs, **keywords), x, weight, bias)
    keywords["output_padding"] = (0, 1)
    check(
        lambda *xs: gp.conv_transpose(*xs, **keywords),
        lambda *xs: conv_transpose_reference(*xs, **keywords),
        normal(*shape),
        weight,
        normal(2),
    )


def test_an_infinite_weight_reaches_the_cells_that_it_is_added_to_and_no_others():
    keywords = {"stride": (1, 1), "padding": (1, 1), "output_padding": (0, 0), "dilation": (1, 1), "groups": 1}
    x, weight = abs(normal(3, 2, 4, 8)) + 1, normal(2, 2, 3, 3)
    weight[0, 0, 2, 1] = np.inf  # the first row of cells is in no window with this tap
    y = gp.conv_transpose(x, weight, **keywords)
    assert conv_layout(y.shape, weight.shape, x.shape, **keywords).taps == (3, 3)
    want = conv_transpose_reference(x, weight, **keywords)
    np.testing.assert_array_equal(np.isinf(y), np.isinf(want))
    np.testing.assert_allclose(y[np.isfinite(y)], want[np.isfinite(want)])
    assert np.isfinite(y[:, 0, 0]).all() and np.isinf(y[:, 0, 1:]).all() and np.isfinite(y[:, 1]).all()


@pytest.mark.parametrize("op", ["conv", "conv_transpose"])
def test_both_ways_to_make_columns_are_proved(op):
    found = set()
    for example in (example for example in EXAMPLES if example.op == op):
        shapes, attributes = example.shapes, example.attributes
        out = OPS[op].shape(*shapes, **attributes)
        large, small = (shapes[0], out) if op == "conv" else (out, shapes[0])
        found.add(conv_layout(large, shapes[1], small, **attributes).taps[0] > 1)
    assert found == {True, False}


@given(st.data())
def test_max_pool_of_any_shape(data):
    draw = data.draw
    kernel, keywords = draw_windows(draw, at_most_padding=lambda k, d: d * (k - 1))
    batch = draw(st.lists(extent, max_size=2))
    H = draw_extents(draw, kernel, at_least=max(keywords["dilation"]), **keywords)
    x = R(draw(st.integers(0, 99))).integers(-1, 2, size=(*batch, *H)).astype(float)
    check(
        lambda x: gp.max_pool(x, kernel, **keywords),
        lambda x: pool_reference(x, kernel, **keywords)[0],
        x,
    )


@given(st.data())
def test_other_pools_of_any_shape(data):
    draw = data.draw
    kernel, keywords = draw_windows(draw, at_most_padding=lambda k, d: k - 1)
    keywords["dilation"] = (1,) * len(kernel)
    x = normal(*draw(st.lists(extent, max_size=2)), *draw_extents(draw, kernel, at_least=1, **keywords))
    del keywords["dilation"]
    with_pads, beta = draw(st.booleans()), draw(st.sampled_from([-3.0, 0.5, 2]))
    check(
        lambda x: gp.avg_pool(x, kernel, **keywords, count_include_pad=with_pads),
        lambda x: avg_reference(x, kernel, **keywords, count_include_pad=with_pads),
        x,
    )
    check(
        lambda x: gp.smooth_max_pool(x, kernel, **keywords, beta=beta),
        lambda x: smooth_reference(x, kernel, **keywords, beta=beta),
        x,
    )
    size = tuple(draw(st.integers(1, 5)) for _ in kernel)
    check(lambda x: gp.adaptive_avg_pool(x, size), lambda x: adaptive_reference(x, size), x)
    check(lambda x: gp.upsample_nearest(x, size), upsample_reference(*size), x)


@given(st.data())
def test_broadcasting_of_any_shapes(data):
    shape = data.draw(st.lists(extent, max_size=4))
    shapes = [
        [1 if data.draw(st.booleans()) else n for n in shape[data.draw(st.integers(0, len(shape))) :]] for _ in "ab"
    ]
    a, b = normal(*shapes[0]), normal(*shapes[1], seed=1)
    for op in ("add", "sub", "mul", "maximum", "minimum"):
        check(getattr(gp, op), {"sub": np.subtract, "mul": np.multiply}.get(op) or getattr(np, op), a, b)
    check(gp.div, np.divide, a, np.exp(b))
    condition = R(0).random(np.broadcast_shapes(a.shape, b.shape)) < 0.5
    check(lambda a, b: gp.where(condition, a, b), lambda a, b: selected(condition, a, b), a, b)


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
    check(lambda x: gp.logsumexp(x, signed, keepdims), lambda x: log_sum_exp(x, tuple(axes), keepdims), x)
    check(lambda x: gp.var(x, signed, 0, keepdims), lambda x: x.var(tuple(axes), keepdims=keepdims), x)
    ties = R(0).integers(0, 3, size=shape).astype(float)
    check(lambda x: gp.max_axis(x, signed, keepdims), lambda x: x.max(tuple(axes), keepdims=keepdims), ties)
    check(lambda x: gp.min_axis(x, signed, keepdims), lambda x: x.min(tuple(axes), keepdims=keepdims), ties)
    for axis in signed:
        check(lambda x, axis=axis: gp.cumsum(x, axis), lambda x, axis=axis: np.cumsum(x, axis), x)
        check(lambda x, axis=axis: gp.softmax(x, axis), lambda x, axis=axis: softmax_reference(x, axis), x)
        check(lambda x, axis=axis: gp.log_softmax(x, axis), lambda x, axis=axis: np.log(softmax_reference(x, axis)), x)


def log_sum_exp(x, axis, keepdims):
    return np.log(np.exp(x).sum(axis, keepdims=keepdims))


@given(st.data())
def test_moves_of_any_shape(data):
    draw = data.draw
    shape = draw(st.lists(extent, min_size=1, max_size=4))
    x, axis = normal(*shape), draw(st.integers(0, len(shape) - 1))
    axes = draw(st.permutations(range(len(shape))))
    some = tuple(axes[: draw(st.integers(0, len(shape)))])
    widths = tuple(draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in shape)
    shift = draw(st.integers(-9, 9))
    start = draw(st.integers(0, shape[axis]))
    length = draw(st.integers(0, shape[axis] - start))
    check(lambda x: gp.transpose(x, axes), lambda x: x.transpose(axes), x)
    check(lambda x: gp.flip(x, some), lambda x: np.flip(x, some), x)
    check(lambda x: gp.roll(x, shift, axis), lambda x: np.roll(x, shift, axis), x)
    check(lambda x: gp.pad(x, widths, -1.5), lambda x: np.pad(x, widths, constant_values=-1.5), x)
    cut = (slice(None),) * axis + (slice(start, start + length),)
    check(lambda x: gp.slice_range(x, start, length, axis), lambda x: x[cut], x)


@given(st.data())
def test_indexing_of_any_shape(data):
    N, *rest = data.draw(st.lists(extent, min_size=1, max_size=3))
    indices = data.draw(st.lists(st.integers(-2, 5), max_size=5))
    check(
        lambda x, v: gp.scatter_add(x, v, np.array(indices, int)),
        scatter_reference(indices),
        normal(N, *rest),
        normal(len(indices), *rest, seed=1),
    )
    C = data.draw(extent)
    check(lambda x: gp.gather_rows(x, indices), lambda x: gather_reference(x, indices), normal(N, C))


@given(st.data())
def test_normalization_of_any_shape(data):
    shape = data.draw(st.lists(at_least_one, min_size=1, max_size=4))
    axis, x = data.draw(st.integers(0, len(shape) - 1)), normal(*shape)
    C, last = shape[axis], shape[-1]
    check(
        lambda *xs: gp.batch_norm(*xs, 0.1, axis),
        lambda *xs: batch_norm_reference(*xs, 0.1, axis),
        x,
        normal(C),
        normal(C, seed=1),
    )
    check(lambda *xs: gp.rms_norm(*xs, 0.1), lambda *xs: rms_norm_reference(*xs, 0.1), x, normal(last))
    groups, size = data.draw(at_least_one), data.draw(at_least_one)
    check(
        lambda *xs: gp.group_norm(*xs, groups, 0.1),
        lambda *xs: group_norm_reference(*xs, groups, 0.1),
        normal(data.draw(extent), groups * size, *shape[:2]),
        normal(groups * size),
        normal(groups * size, seed=1),
    )


@given(st.data())
def test_attention_of_any_shape(data):
    draw = data.draw
    batch = draw(st.lists(extent, max_size=2))
    n, m, E, F = draw(st.tuples(extent, extent, at_least_one, extent))
    q, k, v = (
        normal(*[1 if draw(st.booleans()) else b for b in batch[draw(st.integers(0, len(batch))) :]], *tail, seed=seed)
        for seed, tail in enumerate([(n, E), (m, E), (m, F)])
    )
    is_causal, mask = draw(st.booleans()), R(draw(st.integers(0, 99))).random((n, m)) < 0.6
    for keywords in ({"is_causal": is_causal}, {"is_causal": is_causal, "mask": mask}):
        check(
            lambda *xs, k=keywords: gp.scaled_dot_product_attention(*xs, **k),
            lambda *xs, k=keywords: attention_reference(*xs, **k),
            q,
            k,
            v,
        )


# The table entry on exact numbers: the kernels do not care what the elements are.

IRRATIONAL = [
    *("exp", "sqrt", "log", "safe_log", "sin", "cos", "tanh", "sigmoid", "softplus", "gelu", "silu", "elu"),
    *("softmax", "log_softmax", "logsumexp", "smooth_max_pool", "cross_entropy", "bce_with_logits", "kl_div"),
    *("layer_norm", "rms_norm", "batch_norm", "batch_norm_eval", "group_norm", "adam_update"),
    *("scaled_dot_product_attention", "multi_head_attention"),
]
CONSTANT = ["detach", "rand_uniform", "bernoulli_mask"]  # nothing to differentiate
TO_SCALARS = ["var-0d", "max_axis-0d", "min_axis-0d", "einsum-trace", "einsum-0d"]  # NumPy makes a bare Fraction of it
RATIONAL = [
    case
    for case in CASES
    if case[0].split("-")[0] not in IRRATIONAL + CONSTANT
    and not case[0].startswith("pow-real")
    and case[0] not in TO_SCALARS
]


@pytest.fixture
def calls(monkeypatch):
    """(op, inputs, attributes) of every call at the table's entry from now on, of ops that have a derivative."""
    found = []
    for op in gp.OPS.values():
        forward = op.rules["forward"]

        def noted(inputs, op=op, forward=forward, **attributes):
            found.append((op, inputs, attributes))
            return forward(inputs, **attributes)

        if op.name not in CONSTANT:
            monkeypatch.setitem(op.rules, "forward", noted)
    return found


@cases([case for case in CASES if case[0].split("-")[0] not in CONSTANT])
def test_no_rule_leaves_float32(f, reference, xs, calls):
    f(*(x.astype(np.float32) for x in xs))
    of_floats = [call for call in calls if any(x.dtype.kind == "f" for x in call[1])]  # the others move a mask
    assert of_floats
    for op, inputs, attributes in of_floats:
        dxs = tuple(x if x.dtype.kind == "f" else None for x in inputs)
        out, residual = op.evaluate(inputs, **attributes)
        out = np.asarray(out)
        tangent = op.jvp(dxs, inputs, out, residual, **attributes)
        cotangents = op.vjp(np.ones_like(out), inputs, out, residual, tuple(dx is not None for dx in dxs), **attributes)
        assert {y.dtype for y in (out, tangent, *cotangents) if y is not None} == {np.dtype(np.float32)}


@cases(RATIONAL)
def test_entry_runs_on_fractions(f, reference, xs, calls):
    """Whatever f calls at the table's entry is called again with Fractions: the same numbers, adjoint exactly."""
    f(*xs)
    of_floats = [call for call in calls if any(x.dtype.kind == "f" for x in call[1])]
    assert of_floats
    for op, inputs, attributes in of_floats:
        exact = tuple(fractions(x) if x.dtype.kind == "f" else x for x in inputs)
        numbers = {name: Fraction(value) if type(value) is float else value for name, value in attributes.items()}
        dxs = tuple(fractions(normal(*x.shape, seed=3)) if x.dtype.kind == "f" else None for x in inputs)
        out, residual = op.evaluate(exact, **numbers)
        out = np.asarray(out, dtype=object)
        np.testing.assert_allclose(out.astype(float), op.evaluate(inputs, **attributes)[0], rtol=1e-9, atol=1e-12)
        g = fractions(normal(*out.shape, seed=5))
        tangent = op.jvp(dxs, exact, out, residual, **numbers)
        cotangents = op.vjp(g, exact, out, residual, tuple(dx is not None for dx in dxs), **numbers)
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


@pytest.mark.parametrize(
    ("f", "x", "slopes"),
    [
        (gp.relu, [-1.0, -0.0, 0.0, 1.0], [0, 0, 0, 1]),
        (gp.abs, [-1.0, -0.0, 0.0, 1.0], [-1, 0, 0, 1]),
        (gp.leaky_relu, [-1.0, -0.0, 0.0, 1.0], [0.01, 0.01, 0.01, 1]),
        (lambda x: gp.elu(x, 2.0), [-0.0, 0.0, 1.0], [2, 2, 1]),
        (lambda x: gp.clamp(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], [0, 1, 1, 1, 0]),
        (lambda x: gp.clamp(x, 1, 1), [0.0, 1.0, 2.0], [0, 1, 0]),
        (lambda x: gp.clamp(x, min=0), [-1.0, -0.0, 0.0, 1.0], [0, 1, 1, 1]),
        (lambda x: gp.clamp(x, max=0), [-1.0, -0.0, 0.0, 1.0], [1, 1, 1, 0]),
        (gp.hardtanh, [-2.0, -1.0, 0.0, 1.0, 2.0], [0, 0, 1, 0, 0]),
        (lambda x: gp.safe_log(x, 0.5), [-1.0, 0.0, 0.5, 2.0], [0, 0, 0, 0.5]),
        (lambda x: gp.pow(x, 0), [0.0, 2.0], [0, 0]),
        (lambda x: gp.pow(x, 1), [-2.0, 0.0], [1, 1]),
        (lambda x: gp.pow(x, 2), [-2.0, 0.0], [-4, 0]),
        (gp.max_axis, [3.0, 1.0, 3.0], [0.5, 0, 0.5]),
        (lambda x: gp.max_axis(x, 1), [[0.0, -0.0], [2.0, 1.0]], [[0.5, 0.5], [1, 0]]),
        (gp.min_axis, [1.0, 3.0, 1.0, 1.0, 1.0], [0.25, 0, 0.25, 0.25, 0.25]),
        (gp.var, [2.0, 2.0, 2.0], [0, 0, 0]),
    ],
)
def test_slopes_at_kinks(f, x, slopes):
    np.testing.assert_array_equal(both_ways(f, np.array(x))[0], slopes)


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


def test_minimum_shares_a_tie():
    a, b = np.array([1.0, 2.0, 3.0, 0.0]), np.array([1.0, 3.0, 2.0, -0.0])
    ga, gb = both_ways(gp.minimum, a, b)
    np.testing.assert_array_equal(ga, [0.5, 1, 0, 0.5])
    np.testing.assert_array_equal(gb, [0.5, 0, 1, 0.5])


def test_what_where_does_not_select_has_slope_0_whatever_it_is():
    condition, a, b = np.array([True, False]), np.array([1.0, np.nan]), np.array([np.inf, 2.0])
    out, pullback = gp.vjp(lambda a, b: gp.where(condition, a, b), a, b)
    np.testing.assert_array_equal(out, [1, 2])
    np.testing.assert_array_equal(pullback(np.full(2, np.inf)), [[np.inf, 0], [0, np.inf]])


def test_nothing_flows_through_detach():
    x = normal(2, 3)
    np.testing.assert_array_equal(gp.jvp(gp.detach, (x,), (x,))[1], np.zeros((2, 3)))
    np.testing.assert_array_equal(gp.grad(lambda x: gp.reduce_sum(gp.detach(x) * x))(x), x)


@pytest.mark.parametrize(
    ("f", "x", "expected", "slopes"),
    [
        (gp.sigmoid, [-1000.0, 1000.0], [0, 1], [0, 0]),
        (gp.softplus, [-1000.0, 1000.0, 1e308], [0, 1000, 1e308], [0, 1, 1]),
        (gp.silu, [-1000.0, 1000.0], [0, 1000], [0, 1]),
        (gp.gelu, [-1000.0, 1000.0], [0, 1000], [0, 1]),
        (lambda x: gp.gelu(x, "tanh"), [-1000.0, 1000.0], [0, 1000], [0, 1]),
        (gp.elu, [-1000.0, 1000.0], [-1, 1000], [0, 1]),
        (gp.tanh, [-1000.0, 1000.0], [-1, 1], [0, 0]),
        (lambda x: gp.safe_log(x, 1.0), [-np.inf, 0.0], [0, 0], [0, 0]),
        (gp.logsumexp, [1000.0, -1000.0], 1000, [1, 0]),
        (gp.logsumexp, [-1000.0, -1000.0], np.log(2) - 1000, [0.5, 0.5]),
        (lambda x: gp.smooth_max_pool(x, (2,), beta=3.0), [1000.0, 0.0], [1000], [1, 0]),
        (lambda x: gp.smooth_max_pool(x, (2,), beta=-3.0), [1000.0, -1000.0], [-1000], [0, 1]),
        (lambda x: gp.cross_entropy(x, 0), [0.0, 1000.0], 1000, [-1, 1]),
        (lambda x: gp.bce_with_logits(x, np.array([1.0, 0.0]), "sum"), [-1000.0, 1000.0], 2000, [-1, 1]),
    ],
)
def test_no_intermediate_overflows(f, x, expected, slopes):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        out, pullback = gp.vjp(f, np.array(x))
        np.testing.assert_allclose(out, expected, rtol=1e-15)
        np.testing.assert_array_equal(pullback(np.ones_like(out))[0], slopes)
        both_ways(f, np.array(x))


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
    "window",
    [
        ((2, 2), (2, 2), (0, 0)),
        ((3, 3), (1, 1), (1, 1)),
        ((3, 2), (2, 1), (2, 1)),
        ((2, 2), (3, 3), (1, 1)),
        ((2, 3), (1, 2), (2, 3), (2, 3)),
    ],
)
def test_max_pool_first_winner(window, seed):
    x = R(seed).integers(-1, 2, size=(2, 5, 6)).astype(float)
    x[R(seed).random(x.shape) < 0.2] = -np.inf
    if seed % 2:
        x[0, 2:4, 1:3] = np.nan
    y, winner = pool_reference(x, *window)
    out, pullback = gp.vjp(lambda x: gp.max_pool(x, *window), x)
    np.testing.assert_array_equal(out, y)
    g, gx = normal(*y.shape), np.zeros(x.shape)
    for n, p, q in np.ndindex(*y.shape):
        gx[n].reshape(-1)[winner[n, p, q]] += g[n, p, q]
    np.testing.assert_allclose(pullback(g)[0], gx, rtol=1e-12, atol=1e-14)
    dx = normal(*x.shape, seed=2)
    tangent = gp.jvp(lambda x: gp.max_pool(x, *window), (x,), (dx,))[1]
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


@pytest.mark.parametrize("columns", [3, 300])  # row times columns, and the number of columns, leave int8
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint64])
def test_rows_are_added_at_indices_of_every_integer_dtype(dtype, columns):
    indices, x, v = np.array([120, 1, 120], dtype), np.zeros((121, columns)), normal(3, columns)
    want = np.zeros_like(x)
    np.add.at(want, [120, 1, 120], v)
    np.testing.assert_array_equal(gp.scatter_add(x, v, indices), want)
    np.testing.assert_array_equal(gp.vjp(lambda x: gp.gather_rows(x, indices), x)[1](v)[0], want)


def test_gather_rows_in_raise_mode_gives_the_same_inside():
    x = normal(3, 2)
    np.testing.assert_array_equal(gp.gather_rows(x, [1, 2], mode="raise"), x[[1, 2]])


def test_layer_norm_of_a_large_offset_keeps_its_digits():
    x = 1e8 + np.array([-1.0, 0.0, 1.0])
    expected = np.array([-1.0, 0.0, 1.0]) / np.sqrt(2 / 3 + 1e-5)
    np.testing.assert_allclose(gp.layer_norm(x, np.ones(3), np.zeros(3)), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("keywords", [
    {}, {"stride": 2}, {"stride": (3, 2), "padding": (1, 2)}, {"dilation": (1, 2), "padding": 2}, {"groups": 2},
])  # fmt: skip
def test_conv_transpose_is_the_adjoint_of_conv(keywords):
    x, weight = normal(2, 4, 6, 5), normal(6, 4 // keywords.get("groups", 1), 2, 3)
    y, pullback = gp.vjp(lambda x: gp.conv(x, weight, **keywords), x)
    g, steps = normal(*y.shape, seed=1), np.array(keywords.get("stride", 1))
    reached = gp.conv_transpose(g, weight, **keywords).shape[-2:]
    rest = np.broadcast_to(np.subtract(x.shape[-2:], reached), 2)
    assert ((0 <= rest) & (rest < steps)).all()
    adjoint = gp.conv_transpose(g, weight, **keywords, output_padding=tuple(map(int, rest)))
    np.testing.assert_allclose(adjoint, pullback(g)[0], rtol=1e-12, atol=1e-12)


def test_random_numbers_in_float64():
    u = gp.rand_uniform((3, 4), 5, 6, np.float64)
    np.testing.assert_array_equal(u, uniform((3, 4), 5, 6, np.float64), strict=True)
    assert ((0 <= u) & (u < 1)).all()
    np.testing.assert_array_equal(gp.bernoulli_mask(0.4, (3, 4), 5, 6, np.float64), (u < 0.4) * 1.0, strict=True)


def test_streams_and_seeds_give_other_numbers():
    draws = [gp.rand_uniform(8, seed, stream) for seed, stream in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    assert all((a != b).any() for a, b in itertools.combinations(draws, 2))


# dtypes at the gate.


def test_python_scalars_do_not_promote():
    x = np.ones(3, np.float32)
    assert (gp.mul(x, 0.1).dtype, gp.add(2, x).dtype, gp.exp(1).dtype) == (np.float32, np.float32, np.float64)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, c: gp.div(2, x),
        lambda x, c: gp.minimum(x, 0),
        lambda x, c: gp.where(False, 1.5, x),
        lambda x, c: gp.scale(x, c),
        lambda x, c: gp.safe_log(x, c),
        lambda x, c: gp.clamp(x, c, 2 * c),
        lambda x, c: gp.clamp(x, max=c),
        lambda x, c: gp.hardtanh(x, -c, c),
        lambda x, c: gp.leaky_relu(x, c),
        lambda x, c: gp.elu(x, c),
        lambda x, c: gp.pow(x, c),
        lambda x, c: gp.pad(x, ((1, 1), (0, 0)), c),
        lambda x, c: gp.smooth_max_pool(x, (2,), beta=c),
        lambda x, c: gp.rms_norm(x, x[0], c),
        lambda x, c: gp.batch_norm(x, x[0], x[0], c),
        lambda x, c: gp.batch_norm_eval(x, x[0], x[0], x[0], x[0], c),
        lambda x, c: gp.group_norm(x, x[0], x[0], 1, c),
        lambda x, c: gp.scaled_dot_product_attention(x, x, x, scale=c),
        lambda x, c: gp.dropout(x, c, 0),
    ],
)
def test_numbers_that_are_attributes_do_not_promote(f):
    x = np.ones((2, 3), np.float32)
    assert f(x, np.float64(0.3)).dtype == f(x, 0.3).dtype == np.float32


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
    attributes = {"concat": {"axis": 0}, "einsum": {"equation": "i->i"}}.get(name, {})
    unwanted = op.vjp(np.ones(2), (np.ones(2),) * n, np.ones(2), None, (False,) * n, **attributes)
    assert unwanted == (None,) * n
    assert op.jvp((None,) * n, (), np.ones(2), None, **attributes) is None


def test_concat_gives_only_the_wanted_parts():
    op, xs = gp.OPS["concat"], (np.ones(2), np.ones(3))
    first, second = op.vjp(np.arange(5.0), xs, np.ones(5), None, (False, True), axis=0)
    assert first is None
    np.testing.assert_array_equal(second, [2, 3, 4])
