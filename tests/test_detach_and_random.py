"""detach stops every gradient; random numbers are pure functions of (seed, stream), and have none."""
import math

import numpy as np
import pytest

import gradproof as gp

X = np.array([1.0, -2.0, 3.0])


# ---------------------------------------------------------------- detach
def test_detach_is_a_copy():
    y = gp.detach(X)
    np.testing.assert_array_equal(y, X)
    assert not np.shares_memory(X, y)
    y[0] = 7.0
    assert X[0] == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_flows_through_detach(dtype):
    x = X.astype(dtype)
    y, dy = gp.jvp(gp.detach, (x,), (np.ones_like(x),))
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(dy, np.zeros(3))
    y, pullback = gp.vjp(gp.detach, x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(pullback(np.ones(3))[0], np.zeros(3))
    gradient = gp.grad(lambda x: gp.reduce_sum(gp.detach(x * x)))(x)
    np.testing.assert_array_equal(gradient, np.zeros(3))
    assert gradient.dtype == dy.dtype == y.dtype == dtype


def test_detach_is_a_constant_factor():
    np.testing.assert_array_equal(gp.grad(lambda x: gp.reduce_sum(gp.detach(x) * x * x))(X), 2 * X * X)
    np.testing.assert_array_equal(gp.jvp(lambda x: gp.detach(x) * x, (X,), (X,))[1], X * X)
    residual = gp.grad(lambda x: gp.reduce_sum(x + gp.detach(gp.relu(x) - x)))(X)  # the straight-through estimator
    np.testing.assert_array_equal(residual, np.ones(3))


def test_detach_beside_other_outputs():
    _, pullback = gp.vjp(lambda x: (gp.detach(x), x * x), X)
    np.testing.assert_array_equal(pullback((np.full(3, 100.0), np.ones(3)))[0], 2 * X)
    assert gp.ops_used(lambda x: gp.detach(x) * x, X) == ("detach", "mul")


def test_detach_of_a_value_that_outlived_its_trace():
    kept = []
    gp.grad(lambda x: kept.append(x) or x)(1.0)
    with pytest.raises(gp.GraphError):
        gp.detach(kept[0])
    with pytest.raises(gp.DtypeError):
        gp.detach(np.arange(3))


# ---------------------------------------------------------------- random numbers
def philox(seed, stream, counter):
    """Philox4x64-10 in Python integers, from the paper (Salmon et al., SC 2011)."""
    mask, c, k = 2**64 - 1, [counter, 0, 0, 0], [seed, stream]
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c[0], 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * c[2], 2**64)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
    return c


@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (7, 1), (0, 1), (1, 0), (2**64 - 1, 2**64 - 1), (12345, 678)])
def test_the_numbers_are_those_of_philox(seed, stream):
    words = [w for block in (1, 2) for w in philox(seed, stream, block)][:6]  # NumPy counts from 1
    double, single = (gp.rand_uniform((2, 3), seed, stream, dtype) for dtype in (np.float64, np.float32))
    np.testing.assert_array_equal(double.ravel(), [(w >> 11) / 2**53 for w in words])
    np.testing.assert_array_equal(single.ravel(), [(w >> 40) / 2**24 for w in words])
    assert (double.dtype, single.dtype) == (np.float64, np.float32)


def test_fixed_numbers():
    double, single = (gp.rand_uniform(3, seed=7, stream=1, dtype=dtype) for dtype in (np.float64, np.float32))
    assert [float(v).hex() for v in double] == ["0x1.c3d2b13f7efedp-1", "0x1.79e52f699b24ap-2", "0x1.08bd5be6daadep-1"]
    assert [float(v).hex() for v in single] == ["0x1.c3d2b00000000p-1", "0x1.79e52c0000000p-2", "0x1.08bd5a0000000p-1"]


def test_pure_in_seed_and_stream():
    first = gp.rand_uniform((4, 5), 3, 9)
    np.random.seed(0)
    gp.rand_uniform((4, 5), 4, 9)
    np.testing.assert_array_equal(gp.rand_uniform((4, 5), 3, 9), first)
    np.testing.assert_array_equal(gp.rand_uniform(20, 3, 9), first.ravel())
    first[...] = 0
    assert gp.rand_uniform((4, 5), 3, 9).any()


def test_other_seeds_and_streams_give_other_numbers():
    keys = [(0, 0), (0, 1), (1, 0), (1, 1), (2**32, 0), (0, 2**32), (2**63, 0), (0, 2**63)]
    drawn = {gp.rand_uniform(8, *key).tobytes() for key in keys}
    assert len(drawn) == len(keys)


def test_mean_and_variance():
    n = 10**6
    u = gp.rand_uniform(n, 1, dtype=np.float64)
    assert 0 <= u.min() and u.max() < 1
    assert abs(u.mean() - 1 / 2) < 5 * math.sqrt(1 / 12 / n)
    assert abs(u.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / n)
    kept = gp.bernoulli_mask(0.3, n, 1, dtype=np.float64)
    assert abs(kept.mean() - 0.3) < 5 * math.sqrt(0.3 * 0.7 / n)
    other = gp.rand_uniform(n, 1, 1, np.float64)
    assert abs(np.corrcoef(u, other)[0, 1]) < 5 / math.sqrt(n)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32", np.dtype(">f8")])
@pytest.mark.parametrize("shape", [(), 3, (0,), (2, 0), (2, 3)])
def test_shapes_and_dtypes(shape, dtype):
    expected = (shape,) if isinstance(shape, int) else shape
    for y in (gp.rand_uniform(shape, 5, dtype=dtype), gp.bernoulli_mask(0.5, shape, 5, dtype=dtype)):
        assert isinstance(y, np.ndarray) and y.shape == expected and y.flags.writeable
        assert y.dtype == np.dtype(dtype).newbyteorder("=")


def test_a_mask_keeps_where_u_is_below_keep_prob():
    u = gp.rand_uniform((3, 4), 2, 3)
    mask = gp.bernoulli_mask(0.4, (3, 4), 2, 3)
    np.testing.assert_array_equal(mask, (u < 0.4).astype(np.float32))
    tie = float(u[1, 1])
    assert gp.bernoulli_mask(tie, (3, 4), 2, 3)[1, 1] == 0
    assert gp.bernoulli_mask(np.nextafter(tie, 1), (3, 4), 2, 3)[1, 1] == 1  # in float32 the two are equal
    assert gp.bernoulli_mask(1, 1000, 0).all() and not gp.bernoulli_mask(0, 1000, 0).any()


def test_dropout():
    x = np.random.default_rng(0).normal(size=(50, 40))
    mask = gp.bernoulli_mask(0.8, (50, 40), 4, 2)
    y, pullback = gp.vjp(lambda x: gp.dropout(x, 0.8, 4, 2), x)
    np.testing.assert_array_equal(y, np.where(mask == 1, x / 0.8, 0))
    np.testing.assert_array_equal(pullback(np.ones_like(x))[0], np.where(mask == 1, 1 / 0.8, 0))
    np.testing.assert_array_equal(gp.jvp(lambda x: gp.dropout(x, 0.8, 4, 2), (x,), (x,))[1], y)
    np.testing.assert_array_equal(gp.dropout(x, 1.0, 4), x)
    np.testing.assert_array_equal(gp.dropout(np.full(9, np.nan), 0, 4), np.zeros(9))
    single = gp.dropout(x.astype(np.float32), 0.8, 4, 2)
    np.testing.assert_array_equal(single != 0, y != 0)
    assert single.dtype == np.float32


def test_random_numbers_are_constants():
    gradient = gp.grad(lambda x: gp.reduce_sum(gp.rand_uniform(3, 1) * x))(X)
    np.testing.assert_array_equal(gradient, gp.rand_uniform(3, 1))
    np.testing.assert_array_equal(gp.grad(lambda x: gp.reduce_sum(gp.rand_uniform(3, 1)))(X), np.zeros(3))


@pytest.mark.parametrize(("error", "call"), [
    (gp.DomainError, lambda: gp.rand_uniform(3, -1)),
    (gp.DomainError, lambda: gp.rand_uniform(3, 0, 2**64)),
    (gp.DtypeError, lambda: gp.rand_uniform(3, 1.0)),
    (gp.DtypeError, lambda: gp.rand_uniform(3, 0, None)),
    (gp.DtypeError, lambda: gp.rand_uniform(3, True)),
    (gp.ShapeError, lambda: gp.rand_uniform((2, -1), 0)),
    (gp.DtypeError, lambda: gp.rand_uniform(2.0, 0)),
    (gp.DtypeError, lambda: gp.rand_uniform(3, 0, dtype=np.float16)),
    (gp.DtypeError, lambda: gp.rand_uniform(3, 0, dtype=int)),
    (gp.DtypeError, lambda: gp.rand_uniform(3, 0, dtype="real")),
    (gp.DomainError, lambda: gp.bernoulli_mask(1.1, 3, 0)),
    (gp.DomainError, lambda: gp.bernoulli_mask(-0.1, 3, 0)),
    (gp.DomainError, lambda: gp.bernoulli_mask(np.nan, 3, 0)),
    (gp.ShapeError, lambda: gp.bernoulli_mask(0.5, -3, 0)),
    (gp.DomainError, lambda: gp.dropout(X, 2.0, 0)),
    (gp.DomainError, lambda: gp.dropout(X, 0.5, -1)),
    (gp.DtypeError, lambda: gp.dropout(np.arange(3), 0.5, 0)),
    (gp.ShapeError, lambda: gp.OPS["dropout"].shape((2,), (3,), keep_prob=0.5)),
])
def test_errors(error, call):
    with pytest.raises(error):
        call()
