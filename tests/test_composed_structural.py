"""Structural functions and those of indices that are composed of table ops: values against NumPy, VJP against JVP."""

import itertools

import numpy as np
import pytest

import gradproof as gp
from gradproof.ops.structural import adjacent_swaps


def normal(*shape, seed=0):
    return np.random.default_rng(seed + sum(shape) * 7 + len(shape)).normal(size=shape)


def pixels(x, r):
    *lead, c, h, w = x.shape
    c //= r * r
    y = np.zeros((*lead, c, h * r, w * r))
    for k, i, j in np.ndindex(c, r, r):
        y[..., k, i::r, j::r] = x[..., (k * r + i) * r + j, :, :]
    return y


def picked(x, indices):
    rows = [x[i] if 0 <= i < len(x) else np.zeros(x.shape[1:]) for i in np.ravel(indices)]
    return np.reshape(rows, (*np.shape(indices), *x.shape[1:]))


def added(x, v, indices):
    y = x.copy()
    for k, i in enumerate(indices):
        if 0 <= i < len(x):
            y[i] += v[k]
    return y


X = normal(2, 3, 4)
OUTSIDE = np.array([[1, -1], [4, 1]])
# (id, function of the arrays, reference, arrays)
CASES = [
    ("flatten", gp.flatten, np.ravel, (X,)),
    ("flatten-0d", gp.flatten, np.ravel, (np.array(2.0),)),
    ("flatten-one-axis", lambda x: gp.flatten(x, 1, 1), lambda x: x, (X,)),
    ("flatten-axes", lambda x: gp.flatten(x, 1, -2), lambda x: x.reshape(2, 12, 5), (normal(2, 3, 4, 5),)),
    ("flatten-empty", lambda x: gp.flatten(x, 0, 1), lambda x: x.reshape(0, 3), (normal(2, 0, 3),)),
    ("permute", lambda x: gp.permute(x, (1, -1, 0)), lambda x: x.transpose(1, 2, 0), (X,)),
    ("permute-0d", lambda x: gp.permute(x, ()), lambda x: x, (np.array(2.0),)),
    ("swap_adjacent", lambda x: gp.swap_adjacent(x, 1), lambda x: x.swapaxes(1, 2), (normal(2, 3, 4, 5),)),
    ("swap_adjacent-first", lambda x: gp.swap_adjacent(x, 0), lambda x: x.swapaxes(0, 1), (X,)),
    ("transpose2d", gp.transpose2d, np.transpose, (normal(2, 3),)),
    ("transpose3d_first_to_last", gp.transpose3d_first_to_last, lambda x: np.moveaxis(x, 0, -1), (X,)),
    ("transpose3d_last_to_first", gp.transpose3d_last_to_first, lambda x: np.moveaxis(x, -1, 0), (X,)),
    ("transpose3d_last_two", gp.transpose3d_last_two, lambda x: x.swapaxes(1, 2), (X,)),
    ("split", lambda x: gp.split(x, (1, 0, 2), -2)[2], lambda x: x[:, 1:], (X,)),
    ("stack", lambda *xs: gp.stack(xs), lambda *xs: np.stack(xs), (normal(2, 3), normal(2, 3, seed=1))),
    ("stack-last", lambda *xs: gp.stack(xs, -1), lambda *xs: np.stack(xs, -1), (normal(2, 3), normal(2, 3, seed=1))),
    ("stack-0d", lambda *xs: gp.stack(list(xs)), lambda *xs: np.stack(xs), (np.array(1.0), np.array(2.0))),
    ("stack-one", lambda x: gp.stack([x], 1), lambda x: x[:, None], (normal(3),)),
    ("tile", lambda x: gp.tile(x, 3), lambda x: np.tile(x, 3), (normal(2, 2),)),
    ("tile-each", lambda x: gp.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3)), (X,)),
    ("tile-more", lambda x: gp.tile(x, (2, 2)), lambda x: np.tile(x, (2, 2)), (normal(3),)),
    ("tile-0d", lambda x: gp.tile(x, (2,)), lambda x: np.tile(x, 2), (np.array(1.5),)),
    ("tile-none", lambda x: gp.tile(x, (0, 2)), lambda x: np.tile(x, (0, 2)), (normal(2, 3),)),
    ("tile-once", lambda x: gp.tile(x, 1), lambda x: x, (normal(2, 3),)),
    ("repeat", lambda x: gp.repeat(x, 2), lambda x: np.repeat(x, 2), (normal(2, 2),)),
    ("repeat-axis", lambda x: gp.repeat(x, 3, -2), lambda x: np.repeat(x, 3, -2), (X,)),
    ("repeat-each", lambda x: gp.repeat(x, (2, 0, 1), 1), lambda x: np.repeat(x, (2, 0, 1), 1), (X,)),
    ("repeat-each-of-all", lambda x: gp.repeat(x, [1, 0, 2, 3]), lambda x: np.repeat(x, [1, 0, 2, 3]), (normal(2, 2),)),
    ("repeat-0d", lambda x: gp.repeat(x, 2), lambda x: np.repeat(x, 2), (np.array(1.5),)),
    ("repeat-none", lambda x: gp.repeat(x, 0, 0), lambda x: np.repeat(x, 0, 0), (X,)),
    ("repeat-empty", lambda x: gp.repeat(x, [], 1), lambda x: x, (normal(2, 0),)),
    ("roll-two-axes", lambda x: gp.roll(x, (1, -5), (0, 2)), lambda x: np.roll(x, (1, -5), (0, 2)), (X,)),
    ("roll-one-shift", lambda x: gp.roll(x, 2, (1, -1)), lambda x: np.roll(x, 2, (1, -1)), (X,)),
    ("roll-axis-twice", lambda x: gp.roll(x, (1, 1), (2, 2)), lambda x: np.roll(x, 2, 2), (X,)),
    ("roll-flat", lambda x: gp.roll(x, 5, None), lambda x: np.roll(x, 5), (X,)),
    ("roll-no-axis", lambda x: gp.roll(x, 5, ()), lambda x: x, (X,)),
    ("pixel_shuffle", lambda x: gp.pixel_shuffle(x, 2), lambda x: pixels(x, 2), (normal(8, 3, 2),)),
    ("pixel_shuffle-batch", lambda x: gp.pixel_shuffle(x, 3), lambda x: pixels(x, 3), (normal(2, 1, 9, 1, 2),)),
    ("pixel_shuffle-1", lambda x: gp.pixel_shuffle(x, 1), lambda x: x, (normal(2, 3, 2),)),
    ("embedding", lambda w: gp.embedding(OUTSIDE, w), lambda w: picked(w, OUTSIDE), (normal(3, 2),)),
    ("embedding-one", lambda w: gp.embedding(2, w), lambda w: w[2], (normal(3, 2),)),
    ("embedding-none", lambda w: gp.embedding(np.zeros((2, 0), int), w), lambda w: np.zeros((2, 0, 4)), (X[0],)),
    ("gather_scalar", lambda x: gp.gather_scalar(x, 2), lambda x: x[2], (normal(3),)),
    ("gather_scalar-array", lambda x: gp.gather_scalar(x, np.array(2)), lambda x: x[2], (normal(3),)),
    ("gather_scalar-outside", lambda x: gp.gather_scalar(x, np.array(-1)), lambda x: 0 * x[0], (normal(3),)),
    ("gather_scalar-no-rows", lambda x: gp.gather_scalar(x, np.int8(0)), lambda x: np.zeros(()), (normal(0),)),
    ("gather_row", lambda x: gp.gather_row(x, 0), lambda x: x[0], (normal(3, 2),)),
    ("gather_row-array", lambda x: gp.gather_row(x, np.array(1)), lambda x: x[1], (normal(3, 2),)),
    ("gather_row-outside", lambda x: gp.gather_row(x, np.array(3)), lambda x: 0 * x[0], (normal(3, 2),)),
    ("gather_vec", lambda x: gp.gather_vec(x, [2, 0, 2, -1, 3]), lambda x: picked(x, [2, 0, 2, -1, 3]), (normal(3),)),
    ("gather_vec-raise", lambda x: gp.gather_vec(x, [2, 0], "raise"), lambda x: x[[2, 0]], (normal(3),)),
    ("gather_vec-none", lambda x: gp.gather_vec(x, []), lambda x: np.zeros(0), (normal(3),)),
    ("scatter_add_vec", lambda x, v: gp.scatter_add_vec(x, v, 1), lambda x, v: added(x, [v], [1]),
     (normal(3), np.array(0.5))),
    ("scatter_add_vec-outside", lambda x, v: gp.scatter_add_vec(x, v, np.array(-1)), lambda x, v: x,
     (normal(3), np.array(0.5))),
    ("scatter_add_vec-many", lambda x, v: gp.scatter_add_vec(x, v, [1, 1, 0, 9]),
     lambda x, v: added(x, v, [1, 1, 0, 9]), (normal(3), normal(4))),
    ("scatter_add_row", lambda x, v: gp.scatter_add_row(x, v, 2), lambda x, v: added(x, [v], [2]),
     (normal(3, 2), normal(2))),
    ("scatter_add_row-many", lambda x, v: gp.scatter_add_row(x, v, [2, 2, -1]), lambda x, v: added(x, v, [2, 2, -1]),
     (normal(3, 2), normal(3, 2))),
]  # fmt: skip
every_case = pytest.mark.parametrize(("f", "reference", "xs"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])


@every_case
def test_value(f, reference, xs):
    out = f(*xs)
    assert isinstance(out, np.ndarray)
    np.testing.assert_array_equal(out, reference(*xs), strict=True)


@every_case
def test_vjp_is_the_adjoint_of_jvp(f, reference, xs):
    dxs = tuple(normal(*x.shape, seed=3) for x in xs)
    out, tangent = gp.jvp(f, xs, dxs)
    np.testing.assert_array_equal(out, f(*xs))
    again, pullback = gp.vjp(f, *xs)
    np.testing.assert_array_equal(again, out)
    g = normal(*out.shape, seed=5)
    cotangents = pullback(g)
    assert [c.shape for c in cotangents] == [x.shape for x in xs]
    right = sum(float((dx * gx).sum()) for dx, gx in zip(dxs, cotangents, strict=True))
    np.testing.assert_allclose(float((tangent * g).sum()), right, rtol=1e-12, atol=1e-12)


@every_case
def test_jvp_is_the_function_itself(f, reference, xs):
    """All of them are linear."""
    dxs = tuple(normal(*x.shape, seed=3) for x in xs)
    np.testing.assert_array_equal(gp.jvp(f, xs, dxs)[1], f(*dxs))


@every_case
def test_float32_stays_float32(f, reference, xs):
    small = tuple(x.astype(np.float32) for x in xs)
    out, pullback = gp.vjp(f, *small)
    assert {a.dtype for a in (f(*small), out, *pullback(np.ones_like(out)))} == {np.dtype(np.float32)}


@every_case
def test_results_are_the_callers_own(f, reference, xs):
    before = [x.copy() for x in xs]
    out, pullback = gp.vjp(f, *xs)
    g = np.ones_like(out)
    results = [f(*xs), out, *pullback(g), *pullback(g), *gp.jvp(f, xs, xs)]
    assert all(a.flags.writeable for a in results)
    for a, b in itertools.combinations([*results, *xs, g], 2):
        assert not np.shares_memory(a, b)
    for x, b in zip(xs, before, strict=True):
        np.testing.assert_array_equal(x, b)


def test_split_gives_all_parts():
    x = normal(5, 2)
    parts = gp.split(x, [2, 0, 3])
    assert type(parts) is tuple
    assert [p.shape for p in parts] == [(2, 2), (0, 2), (3, 2)]
    np.testing.assert_array_equal(np.concatenate(parts), x)
    (gx,) = gp.vjp(lambda x: gp.concat(gp.split(x, [2, 0, 3])), x)[1](x)
    np.testing.assert_array_equal(gx, x)


@pytest.mark.parametrize("rank", range(5))
def test_adjacent_swaps_are_the_permutation(rank):
    x = normal(*range(2, 2 + rank))
    for axes in itertools.permutations(range(rank)):
        y, depths = x, adjacent_swaps(axes)
        for depth in depths:
            y = gp.swap_adjacent(y, depth)
        np.testing.assert_array_equal(y, x.transpose(axes), strict=True)
        assert len(depths) == sum(a > b for a, b in itertools.combinations(axes, 2))


@pytest.mark.parametrize("extents", [((4,), (6,)), ((5,), (2,)), ((2, 3), (4, 3)), ((1, 2, 2), (2, 5, 1))])
def test_upsample_nearest(extents):
    """Not in the table yet."""
    from gradproof.ops.structural import upsample_nearest

    old, new = extents
    x, dx = normal(2, *old), normal(2, *old, seed=1)
    rows = [[p * n // m for p in range(m)] for n, m in zip(old, new, strict=True)]
    y, tangent = gp.jvp(lambda x: upsample_nearest(x, new), (x,), (dx,))
    np.testing.assert_array_equal(y, x[(slice(None), *np.ix_(*rows))], strict=True)
    g = normal(*y.shape, seed=2)
    (gx,) = gp.vjp(lambda x: upsample_nearest(x, new), x)[1](g)
    np.testing.assert_allclose((tangent * g).sum(), (dx * gx).sum(), rtol=1e-12)


def test_a_scalar_takes_the_dtype_of_the_array():
    assert gp.scatter_add_vec(np.zeros(3, np.float32), 0.5, 1).dtype == np.float32


def test_numpy_integers_are_data_and_python_integers_are_static():
    x = normal(3)
    for index in (np.int64(3), np.array(3), np.array(-1, np.int8)):
        assert gp.gather_scalar(x, index) == 0
        np.testing.assert_array_equal(gp.scatter_add_vec(x, 1.0, index), x)
    for index in (3, -1):
        with pytest.raises(gp.IndexRangeError):
            gp.gather_scalar(x, index)
        with pytest.raises(gp.IndexRangeError):
            gp.scatter_add_vec(x, 1.0, index)


def test_what_is_outside_gets_no_gradient():
    w = np.ones((3, 2))
    (gw,) = gp.vjp(lambda w: gp.embedding([[0, 7], [0, -3]], w), w)[1](np.full((2, 2, 2), np.inf))
    np.testing.assert_array_equal(gw, [[np.inf] * 2, [0] * 2, [0] * 2])


V, M, T = np.zeros(3), np.zeros((2, 3)), np.zeros((2, 3, 4))
ERRORS = [
    (gp.DomainError, "flatten-axis", lambda: gp.flatten(M, 2)),
    (gp.DomainError, "flatten-order", lambda: gp.flatten(M, 1, 0)),
    (gp.DomainError, "flatten-0d", lambda: gp.flatten(np.array(1.0), 1)),
    (gp.DomainError, "transpose-short", lambda: gp.transpose(M, (0,))),
    (gp.DomainError, "transpose-twice", lambda: gp.transpose(M, (1, -1))),
    (gp.DtypeError, "permute-none", lambda: gp.permute(M, None)),
    (gp.DomainError, "permute-outside", lambda: gp.permute(M, (0, 2))),
    (gp.DomainError, "adjacent_swaps", lambda: adjacent_swaps((0, 0))),
    (gp.DomainError, "swap_adjacent-last", lambda: gp.swap_adjacent(M, 1)),
    (gp.DomainError, "swap_adjacent-negative", lambda: gp.swap_adjacent(M, -1)),
    (gp.DomainError, "swap_adjacent-1d", lambda: gp.swap_adjacent(V, 0)),
    (gp.DtypeError, "swap_adjacent-float", lambda: gp.swap_adjacent(M, 0.0)),
    (gp.ShapeError, "transpose2d", lambda: gp.transpose2d(T)),
    (gp.ShapeError, "transpose3d_first_to_last", lambda: gp.transpose3d_first_to_last(M)),
    (gp.ShapeError, "transpose3d_last_to_first", lambda: gp.transpose3d_last_to_first(M)),
    (gp.ShapeError, "transpose3d_last_two", lambda: gp.transpose3d_last_two(M)),
    (gp.IndexRangeError, "slice_range-over", lambda: gp.slice_range(V, 2, 2)),
    (gp.IndexRangeError, "slice_range-start", lambda: gp.slice_range(V, -1, 2)),
    (gp.IndexRangeError, "slice_range-length", lambda: gp.slice_range(V, 1, -1)),
    (gp.DomainError, "slice_range-axis", lambda: gp.slice_range(V, 0, 1, 1)),
    (gp.DtypeError, "slice_range-float", lambda: gp.slice_range(V, 0.0, 1)),
    (gp.ShapeError, "split-sum", lambda: gp.split(V, (1, 1))),
    (gp.ShapeError, "split-negative", lambda: gp.split(V, (4, -1))),
    (gp.DtypeError, "split-int", lambda: gp.split(V, 3)),
    (gp.DomainError, "split-axis", lambda: gp.split(V, (3,), 1)),
    (gp.DtypeError, "stack-array", lambda: gp.stack(M)),
    (gp.ShapeError, "stack-nothing", lambda: gp.stack([])),
    (gp.ShapeError, "stack-shapes", lambda: gp.stack([V, M])),
    (gp.DomainError, "stack-axis", lambda: gp.stack([V, V], 2)),
    (gp.DomainError, "tile-negative", lambda: gp.tile(V, (2, -1))),
    (gp.DtypeError, "tile-float", lambda: gp.tile(V, 2.0)),
    (gp.DomainError, "repeat-negative", lambda: gp.repeat(V, -1)),
    (gp.DomainError, "repeat-negative-one", lambda: gp.repeat(V, [1, -1, 1])),
    (gp.ShapeError, "repeat-number", lambda: gp.repeat(M, [1, 2], 1)),
    (gp.DomainError, "repeat-axis", lambda: gp.repeat(V, 2, 1)),
    (gp.DtypeError, "repeat-float", lambda: gp.repeat(V, 2.0)),
    (gp.ShapeError, "pad-rank", lambda: gp.pad(M, ((1, 1),))),
    (gp.ShapeError, "pad-triple", lambda: gp.pad(V, ((1, 1, 1),))),
    (gp.DtypeError, "pad-int", lambda: gp.pad(V, 1)),
    (gp.DomainError, "pad-negative", lambda: gp.pad(V, ((0, -1),))),
    (gp.DtypeError, "pad-value", lambda: gp.pad(V, ((0, 1),), value=None)),
    (gp.DomainError, "flip-axis", lambda: gp.flip(V, 1)),
    (gp.DomainError, "flip-twice", lambda: gp.flip(M, (1, -1))),
    (gp.DomainError, "roll-axis", lambda: gp.roll(V, 1, 1)),
    (gp.DomainError, "roll-number", lambda: gp.roll(M, (1, 2, 3), (0, 1))),
    (gp.DtypeError, "roll-float", lambda: gp.roll(V, 1.0, 0)),
    (gp.DomainError, "pixel_shuffle-factor", lambda: gp.pixel_shuffle(T, 0)),
    (gp.ShapeError, "pixel_shuffle-channels", lambda: gp.pixel_shuffle(T, 2)),
    (gp.ShapeError, "pixel_shuffle-rank", lambda: gp.pixel_shuffle(M, 1)),
    (gp.IndexRangeError, "gather_scalar-static", lambda: gp.gather_scalar(V, 3)),
    (gp.IndexRangeError, "gather_scalar-raise", lambda: gp.gather_scalar(V, np.array(3), mode="raise")),
    (gp.ShapeError, "gather_scalar-vector", lambda: gp.gather_scalar(V, [1])),
    (gp.ShapeError, "gather_scalar-matrix", lambda: gp.gather_scalar(M, 1)),
    (gp.DtypeError, "gather_scalar-bool", lambda: gp.gather_scalar(V, True)),
    (gp.DtypeError, "gather_scalar-float", lambda: gp.gather_scalar(V, 1.0)),
    (gp.DomainError, "gather_scalar-mode", lambda: gp.gather_scalar(V, 1, mode="clip")),
    (gp.IndexRangeError, "gather_row-static", lambda: gp.gather_row(M, -1)),
    (gp.ShapeError, "gather_row-vector", lambda: gp.gather_row(V, 1)),
    (gp.ShapeError, "gather_vec-static", lambda: gp.gather_vec(V, 1)),
    (gp.IndexRangeError, "gather_vec-raise", lambda: gp.gather_vec(V, [0, 3], mode="raise")),
    (gp.ShapeError, "embedding-weight", lambda: gp.embedding([0], V)),
    (gp.IndexRangeError, "embedding-static", lambda: gp.embedding(2, M)),
    (gp.IndexRangeError, "embedding-raise", lambda: gp.embedding([[0], [2]], M, mode="raise")),
    (gp.DtypeError, "embedding-float-ids", lambda: gp.embedding([0.0], M)),
    (gp.ShapeError, "scatter_add-rank", lambda: gp.scatter_add(M, V, [0])),
    (gp.ShapeError, "scatter_add-rows", lambda: gp.scatter_add(M, M, [0])),
    (gp.ShapeError, "scatter_add-0d", lambda: gp.scatter_add(np.array(1.0), np.array(1.0), [0])),
    (gp.DtypeError, "scatter_add-bool", lambda: gp.scatter_add(V, V, np.zeros(3, bool))),
    (gp.ShapeError, "scatter_add_vec-shape", lambda: gp.scatter_add_vec(V, V, 1)),
    (gp.ShapeError, "scatter_add_row-shape", lambda: gp.scatter_add_row(M, V, [1])),
    (gp.IndexRangeError, "scatter_add_row-static", lambda: gp.scatter_add_row(M, V, 2)),
    (gp.DtypeError, "transpose-integers", lambda: gp.transpose(np.zeros((2, 2), int))),
]


@pytest.mark.parametrize(("error", "call"), [(e, c) for e, _, c in ERRORS], ids=[name for _, name, _ in ERRORS])
def test_errors_name_the_op_and_a_remedy(error, call, request):
    with pytest.raises(error) as caught:
        call()
    text, name = str(caught.value), request.node.callspec.id.split("-")[0]
    assert text.startswith(f"{name}: ")
    assert ";" in text and text.endswith(".")
