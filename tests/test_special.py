"""gradproof.special.erf against mpmath. The float obligations assume 4 ulp of it (link/running_error.py)."""
import math

import mpmath
import numpy as np
import pytest

from gradproof import special
from gradproof_spec.link.running_error import FUNCTION_ULPS

FOUND = {np.float64: 1.3, np.float32: 3.1}  # in ulps; float32 has a shorter formula, which is ten times as fast
EDGES = [special.NEAR, special.ONE_FROM, 0.47693627620446987, 0.0]  # erf(0.4769...) = 1/2, where the ulp doubles


def points(dtype):
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    around = [np.nextafter(dtype(e), dtype(d)) for e in EDGES for d in (-10, 10)] + EDGES
    magnitudes = 2.0 ** rng.uniform(math.log2(info.smallest_subnormal), 4, 2000)
    values = np.concatenate([rng.uniform(-1.5, 1.5, 6000), rng.uniform(-7, 7, 2000), magnitudes, around, [1e30, 400]])
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_error_in_ulps(dtype):
    xs = points(dtype)
    ys = special.erf(xs)
    assert ys.dtype == dtype
    with mpmath.workprec(150):
        exact = [mpmath.erf(mpmath.mpf(float(x))) for x in xs]
        ulps = [float(np.spacing(dtype(abs(float(e))))) for e in exact]
        errors = [abs(float(y) - e) / ulp for y, e, ulp in zip(ys, exact, ulps, strict=True)]
    assert max(errors) <= FOUND[dtype]
    assert max(errors) <= FUNCTION_ULPS["erf"]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_special_values_and_oddness(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 6.0, -7.5], dtype)
    y = special.erf(x)
    np.testing.assert_array_equal(y, np.array([np.nan, 1, -1, 0, -0.0, 1, -1], dtype))
    assert not np.signbit(y[3]) and np.signbit(y[4])
    some = points(dtype)
    np.testing.assert_array_equal(special.erf(-some), -special.erf(some))


def test_it_never_leaves_the_interval_and_never_falls():
    x = np.sort(points(np.float64))
    y = special.erf(x)
    assert np.all(np.abs(y) <= 1)
    assert np.all(np.diff(y) >= -2 * np.spacing(1.0))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3), (5, special.UNCUT // 4)])
def test_shapes_and_layouts(shape):
    x = np.asarray(np.random.default_rng(1).normal(size=shape))
    y = special.erf(x)
    assert isinstance(y, np.ndarray) and y.shape == shape and not np.shares_memory(x, y)
    np.testing.assert_array_equal(special.erf(np.asfortranarray(x)), y)
    np.testing.assert_allclose(y.ravel(), [math.erf(v) for v in x.ravel()], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 5)])
def test_masked_is_where_bit_for_bit(dtype, shape):
    rng = np.random.default_rng(0)
    special_values = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1.5, 1e30, 65504.0])
    for _ in range(20):
        with np.errstate(over="ignore"):  # 1e30 is inf in float16
            x = rng.choice(special_values, shape).astype(dtype)
        mask = np.asarray(rng.random(shape) < 0.5)
        for y, m in ((x, mask), (x.T, mask.T), (x[::-1] if x.ndim else x, mask)):
            found, wanted = special.masked(m, y), np.where(m, y, 0)
            assert found.dtype == wanted.dtype and found.shape == wanted.shape
            assert np.asarray(found).tobytes() == wanted.tobytes()
            assert not np.shares_memory(found, y)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 5)])
def test_chosen_is_where_bit_for_bit(dtype, shape, monkeypatch):
    monkeypatch.setattr(special, "FEW", 0)
    rng = np.random.default_rng(0)
    special_values = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1.5, 1e30, 65504.0])
    for _ in range(20):
        with np.errstate(over="ignore"):  # 1e30 is inf in float16
            a, b = (rng.choice(special_values, shape).astype(dtype) for _ in range(2))
        mask = np.asarray(rng.random(shape) < 0.5)
        for x, y, m in ((a, b, mask), (a.T, b.T, mask.T), (a[::-1] if a.ndim else a, b, mask), (a, dtype(2), mask)):
            found, wanted = special.chosen(m, x, y), np.where(m, x, y)
            assert found.dtype == wanted.dtype and found.shape == wanted.shape
            assert np.asarray(found).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_parted_is_two_wheres_bit_for_bit(dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, -1.5, 3.0] * 2, dtype)
    mask = np.arange(16) % 3 == 0
    for y, m in ((x, mask), (x[::2], mask[::2]), (x.reshape(4, 4).T, mask.reshape(4, 4)), (x[3:3], mask[3:3])):
        for found, wanted in zip(special.parted(m, y), (np.where(m, y, 0), np.where(m, 0, y)), strict=True):
            assert found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("bound", [0, 0.5, -np.inf, np.inf])
@pytest.mark.parametrize("few", [0, 100])
def test_bounds_are_maximum_and_minimum_bit_for_bit(dtype, bound, few, monkeypatch):
    monkeypatch.setattr(special, "FEW", few)
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, -1.5, 3.0] * 4, dtype)
    for y in (x, x[::3], x.reshape(4, 8).T, x[2:3].reshape(())):
        for ours, theirs in ((special.at_least, np.maximum), (special.at_most, np.minimum)):
            found, wanted = ours(y, bound), theirs(y, bound)
            assert found.dtype == wanted.dtype and not np.shares_memory(found, y)
            assert np.asarray(found).tobytes() == wanted.tobytes()
            assert np.asarray(found).strides == wanted.strides


def test_in_blocks_is_the_rule_on_the_whole(monkeypatch):
    monkeypatch.setattr(special, "BLOCK", 7)
    monkeypatch.setattr(special, "UNCUT", 14)
    lengths = []

    def rule(x, y):
        lengths.append(x.size)
        return x * y + 1, x > y

    for shape in ((), (0,), (14,), (5, 8), (3, 7)):
        x, y = np.random.default_rng(0).normal(size=(2, *shape))
        for found, wanted in zip(special.in_blocks(rule, x, y), rule(x, y), strict=True):
            np.testing.assert_array_equal(found, wanted)
            assert found.dtype == wanted.dtype and found.shape == wanted.shape
        np.testing.assert_array_equal(special.in_blocks(lambda x: 2 * x, x), 2 * x)
    assert 7 in lengths and 5 in lengths and 14 in lengths  # cut where it is large, whole where it is small
    x = np.ones((4, 8)).T  # not in row-major order: whole, so that the order of memory is kept
    assert special.in_blocks(lambda x: 2 * x, x).strides == x.strides


def test_other_arrays_give_their_own():
    class Symbolic:
        def erf(self):
            return "erf of a symbol"

    assert special.erf(Symbolic()) == "erf of a symbol"
