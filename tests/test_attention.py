"""Attention's public functions: the mask, causality, broadcasting and errors. (The rules are proved in proofs/.)"""
import numpy as np
import pytest

import gradproof as gp
from gradproof.errors import DomainError, DtypeError, ShapeError

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype)


def composed(q, k, v):
    s = gp.matmul(q, gp.transpose(k, (0, 2, 1))) * np.asarray(q.shape[-1] ** -0.5)
    return gp.matmul(gp.softmax(s), v)


def test_attention_is_its_composition_and_so_are_the_gradients():
    q, k, v, g = normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 6), normal(2, 3, 6)
    y, pull = gp.vjp(gp.scaled_dot_product_attention, q, k, v)
    want, pull_composed = gp.vjp(composed, q, k, v)
    for a, b in zip((y, *pull(g)), (want, *pull_composed(g)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_heads_are_columns():
    x, wq, wk, wv, wo = normal(2, 3, 4), normal(4, 6), normal(4, 6), normal(4, 6), normal(6, 4)
    heads = [slice(h, h + 2) for h in (0, 2, 4)]
    want = sum(gp.scaled_dot_product_attention(x @ wq[:, h], x @ wk[:, h], x @ wv[:, h]) @ wo[h] for h in heads)
    np.testing.assert_allclose(gp.multi_head_attention(x, wq, wk, wv, wo, 3), want, rtol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4), (4, 2), (2, 0), (0, 2)])
def test_causal_is_the_lower_triangle_and_combines_with_a_mask(n, m):
    q, k, v, mask = normal(n, 2), normal(m, 2), normal(m, 3), RNG.random((n, m)) < 0.6
    causal = np.tril(np.ones((n, m), bool))
    for given in (None, mask):
        both = causal if given is None else causal & given
        y = gp.scaled_dot_product_attention(q, k, v, given, is_causal=True)
        np.testing.assert_array_equal(y, gp.scaled_dot_product_attention(q, k, v, both))
        assert y.shape == (n, 3) and not y[~both.any(axis=-1)].any()


def test_batch_axes_and_masks_broadcast():
    q, k, v, mask = normal(2, 1, 3, 2), normal(4, 3, 2), normal(1, 4, 3, 5), RNG.random((4, 1, 3)) < 0.7
    y = gp.scaled_dot_product_attention(q, k, v, mask)
    assert y.shape == (2, 4, 3, 5)
    one = gp.scaled_dot_product_attention(q[1, 0], k[2], v[0, 2], mask[2])
    np.testing.assert_allclose(y[1, 2], one, rtol=1e-12)
    _, pull = gp.vjp(lambda *a: gp.scaled_dot_product_attention(*a, mask), q, k, v)
    assert [gx.shape for gx in pull(y)] == [q.shape, k.shape, v.shape]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_padding_may_hold_anything(dtype):
    """Positions 2 and 3 are padding: nan there changes neither the result nor a gradient."""
    mask = np.zeros((4, 4), bool)
    mask[:2, :2] = True
    x, ws = normal(4, 2, dtype=dtype), [normal(2, 4, dtype=dtype) for _ in range(3)] + [normal(4, 2, dtype=dtype)]
    dirty = x.copy()
    dirty[2:] = np.nan
    found = []
    for rows in (x, dirty):
        y, pull = gp.vjp(lambda *a: gp.multi_head_attention(*a, 2, mask), rows, *ws)
        found.append((y, *pull(np.ones_like(y))))
    for clean, other in zip(*found, strict=True):
        assert other.dtype == dtype
        np.testing.assert_array_equal(clean, other)


def test_large_scores_do_not_overflow():
    k = np.array([[1e3], [-1e3]], np.float32)
    y = gp.scaled_dot_product_attention(k, k, np.array([[1.0], [2.0]], np.float32), scale=1.0)
    np.testing.assert_array_equal(y, np.array([[1.0], [2.0]], np.float32))


def test_the_mask_may_change_before_the_pullback():
    q, mask = normal(2, 2), np.array([[True, False], [True, True]])
    _, pull = gp.vjp(lambda v: gp.scaled_dot_product_attention(q, q, v, mask), q)
    before = pull(q)[0].copy()
    mask[:] = False
    np.testing.assert_array_equal(pull(q)[0], before)


@pytest.mark.parametrize(("error", "call"), [
    (ShapeError, lambda: gp.scaled_dot_product_attention(normal(2), normal(2, 2), normal(2, 2))),
    (ShapeError, lambda: gp.scaled_dot_product_attention(normal(2, 3), normal(2, 2), normal(2, 2))),
    (ShapeError, lambda: gp.scaled_dot_product_attention(normal(2, 2), normal(3, 2), normal(2, 2))),
    (ShapeError, lambda: gp.scaled_dot_product_attention(normal(2, 2, 2), normal(3, 2, 2), normal(2, 2))),
    (ShapeError, lambda: gp.scaled_dot_product_attention(*[normal(2, 2)] * 3, np.ones((3, 2), bool))),
    (ShapeError, lambda: gp.scaled_dot_product_attention(*[normal(2, 2)] * 3, np.ones((1, 2, 2), bool))),
    (DtypeError, lambda: gp.scaled_dot_product_attention(*[normal(2, 2)] * 3, np.ones((2, 2)))),
    (DtypeError, lambda: gp.scaled_dot_product_attention(*[normal(2, 2)] * 3, scale=[1.0])),
    (ShapeError, lambda: gp.multi_head_attention(*[normal(3, 3)] * 5, 2)),
    (ShapeError, lambda: gp.multi_head_attention(normal(3), *[normal(3, 3)] * 4, 1)),
    (ShapeError, lambda: gp.multi_head_attention(normal(3, 2), *[normal(3, 3)] * 4, 1)),
    (ShapeError, lambda: gp.multi_head_attention(*[normal(3, 3)] * 4, normal(2, 3), 1)),
    (ShapeError, lambda: gp.multi_head_attention(*[normal(3, 3)] * 5, 1, np.ones((2, 2), bool))),
    (DomainError, lambda: gp.multi_head_attention(*[normal(3, 3)] * 5, 0)),
    (DtypeError, lambda: gp.multi_head_attention(*[normal(3, 3)] * 5, 1.0)),
    (DtypeError, lambda: gp.vjp(lambda m: gp.scaled_dot_product_attention(*[normal(2, 2)] * 3, m), normal(2, 2))),
    (ShapeError, lambda: gp.bmm(normal(2, 2), normal(2, 2, 2))),
    (ShapeError, lambda: gp.bmm(normal(1, 2, 2), normal(2, 2, 2))),
    (ShapeError, lambda: gp.bmm(normal(2, 2, 3), normal(2, 2, 2)))])
def test_errors(error, call):
    with pytest.raises(error, match=r"attention|bmm|matmul"):
        call()
