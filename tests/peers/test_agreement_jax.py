"""Ops of every family agree with JAX (forward, JVP, VJP), HIPS autograd and MyGrad (forward, VJP): three more
implementations, with other conventions than PyTorch's. JAX too can read 0 outside of an axis and drop what is added
there."""
from functools import partial

import autograd
import autograd.numpy as anp
import autograd.scipy.special
import jax
import jax.numpy as jnp
import mygrad as mg
import mygrad.nnet as nnet
import numpy as np
import pytest

import gradproof as gp

jax.config.update("jax_enable_x64", True)

TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}  # as in test_agreement_torch
SEEDS = 5
IDS = np.array([2, 0, 2, 7, 3])  # repeats, and an index outside
MASK = np.array([[True, False, True], [False, False, False]])  # a row that may read nothing


def quarters(rng, *shape):
    """Between -2 and 2: ties occur."""
    return rng.integers(-8, 9, shape) / 4


def apart(rng, *shape):
    """No ties, no zeros."""
    return (rng.permutation(int(np.prod(shape))).reshape(shape) - np.prod(shape) // 2 + 0.5) / 4


def layer_norm(np_, x, gamma, beta):
    centred = x - np_.mean(x, axis=-1, keepdims=True)
    return gamma * centred / np_.sqrt(np_.mean(centred**2, axis=-1, keepdims=True) + 1e-5) + beta


def attention(q, k, v):  # jax.nn.dot_product_attention takes its softmax in float32 always
    scores = jnp.where(MASK, q @ k.T / q.shape[-1] ** 0.5, -1e9)
    return jnp.where(MASK, jax.nn.softmax(scores), 0) @ v


# name: (ours, theirs, values, shapes)
JAX = {
    "mul": (gp.mul, jnp.multiply, quarters, ((2, 1, 3), (4, 1))),
    "maximum": (gp.maximum, jnp.maximum, quarters, ((3, 4), (4,))),
    "gelu": (gp.gelu, partial(jax.nn.gelu, approximate=False), quarters, ((3, 4),)),
    "elu": (gp.elu, jax.nn.elu, apart, ((3, 4),)),
    "max_axis": (partial(gp.max_axis, axis=(0, 2)), partial(jnp.max, axis=(0, 2)), quarters, ((2, 3, 4),)),
    "cumsum": (partial(gp.cumsum, axis=0), partial(jnp.cumsum, axis=0), quarters, ((4, 3),)),
    "einsum": (partial(gp.einsum, "iij,...j->...i"), partial(jnp.einsum, "iij,...j->...i"), quarters,
               ((3, 3, 2), (2, 4, 2))),
    "gather_rows": (lambda x: gp.gather_rows(x, IDS),
                    lambda x: jnp.take(x, IDS, axis=0, mode="fill", fill_value=0), quarters, ((4, 3),)),
    "scatter_add": (lambda x, v: gp.scatter_add(x, v, IDS),
                    lambda x, v: x.at[IDS].add(v, mode="drop"), quarters, ((4, 3), (5, 3))),
    "logsumexp": (partial(gp.logsumexp, axis=(0, 1)), partial(jax.nn.logsumexp, axis=(0, 1)), quarters, ((2, 3, 4),)),
    "log_softmax": (gp.log_softmax, jax.nn.log_softmax, quarters, ((3, 4),)),
    "conv": (partial(gp.conv, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
             partial(jax.lax.conv_general_dilated, window_strides=(2, 1), padding=((1, 1), (2, 2)),
                     rhs_dilation=(1, 2), feature_group_count=2), quarters, ((2, 4, 5, 4), (6, 2, 3, 2))),
    "max_pool": (partial(gp.max_pool, kernel=(2, 3), stride=(2, 1), padding=(1, 1)),
                 lambda x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 3), (1, 2, 1),
                                                 ((0, 0), (1, 1), (1, 1))), apart, ((2, 5, 4),)),
    "layer_norm": (gp.layer_norm, partial(layer_norm, jnp), apart, ((3, 4), (4,), (4,))),
    "scaled_dot_product_attention": (lambda q, k, v: gp.scaled_dot_product_attention(q, k, v, MASK), attention,
                                     quarters, ((2, 4), (3, 4), (3, 4))),
}
AUTOGRAD = {
    "mul": (gp.mul, anp.multiply, quarters, ((2, 1, 3), (4, 1))),
    "minimum": (gp.minimum, anp.minimum, quarters, ((3, 4), (4,))),
    "tanh": (gp.tanh, anp.tanh, quarters, ((3, 4),)),
    "max_axis": (partial(gp.max_axis, axis=1), partial(anp.max, axis=1), quarters, ((2, 3, 4),)),
    "var": (partial(gp.var, axis=(0, 1), correction=0), partial(anp.var, axis=(0, 1)), quarters, ((2, 3, 4),)),
    "matmul": (gp.matmul, anp.matmul, quarters, ((2, 1, 3, 4), (3, 4, 2))),
    "einsum": (partial(gp.einsum, "ij,...j"), partial(anp.einsum, "ij,...j"), quarters, ((3, 2), (2, 4, 2))),
    "concat": (lambda *xs: gp.concat(xs, 1), lambda *xs: anp.concatenate(xs, 1), quarters, ((2, 3), (2, 1), (2, 2))),
    "roll": (lambda x: gp.roll(x, 2, 1), lambda x: anp.roll(x, 2, 1), quarters, ((2, 3),)),
    "repeat": (lambda x: gp.repeat(x, 2, 1), lambda x: anp.repeat(x, 2, 1), quarters, ((2, 3),)),
    "logsumexp": (gp.logsumexp, partial(autograd.scipy.special.logsumexp, axis=-1), quarters, ((2, 3),)),
    "layer_norm": (gp.layer_norm, partial(layer_norm, anp), apart, ((3, 4), (4,), (4,))),
}
MYGRAD = {
    "div": (gp.div, mg.divide, apart, ((2, 1, 3), (4, 1))),
    "abs": (gp.abs, mg.abs, apart, ((3, 4),)),
    "sigmoid": (gp.sigmoid, nnet.sigmoid, quarters, ((3, 4),)),
    "var": (partial(gp.var, axis=1, correction=1), partial(mg.var, axis=1, ddof=1), quarters, ((4, 3),)),
    "matmul": (gp.matmul, mg.matmul, quarters, ((2, 1, 3, 4), (3, 4, 2))),
    "transpose": (partial(gp.transpose, axes=(2, 0, 1)), lambda x: mg.transpose(x, (2, 0, 1)), quarters, ((2, 3, 4),)),
    "softmax": (gp.softmax, nnet.softmax, quarters, ((3, 4),)),
    "conv": (partial(gp.conv, stride=(2, 1), padding=(1, 2)), partial(nnet.conv_nd, stride=(2, 1), padding=(1, 2)),
             quarters, ((2, 3, 5, 4), (4, 3, 3, 2))),
    "max_pool": (partial(gp.max_pool, kernel=(2, 3), stride=(2, 1)),
                 partial(nnet.max_pool, pool=(2, 3), stride=(2, 1)), apart, ((2, 4, 5),)),
    "batch_norm": (gp.batch_norm, lambda x, gamma, beta: nnet.batchnorm(x, gamma=gamma, beta=beta, eps=1e-5), apart,
                   ((4, 3, 2), (3,), (3,))),
    "cross_entropy": (lambda x: gp.cross_entropy(x, np.array([2, 0, 0])),
                      lambda x: nnet.softmax_crossentropy(x, np.array([2, 0, 0])), quarters, ((3, 4),)),
}


def agree(ours, theirs, dtype):
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype == dtype
    bound = TOLERANCE[dtype] * max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


@partial(jax.jit, static_argnums=0)
def with_jax(theirs, primals, tangents, g):
    out, pullback = jax.vjp(theirs, *primals)
    return out, pullback(g), jax.jvp(theirs, primals, tangents)[1]


def with_autograd(theirs, primals, tangents, g):
    """In float64, the results rounded: autograd's rules do not keep float32."""
    wide = [x.astype(np.float64) for x in primals]
    cotangents = [autograd.make_vjp(theirs, number)(*wide)[0](g.astype(np.float64)) for number in range(len(wide))]
    return theirs(*wide).astype(g.dtype), [gx.astype(g.dtype) for gx in cotangents], None


def with_mygrad(theirs, primals, tangents, g):
    leaves = [mg.tensor(x) for x in primals]
    out = theirs(*leaves)
    out.backward(g)
    return out.data, [leaf.grad for leaf in leaves], None


CASES = [pytest.param(peer, table[name], id=f"{peer.__name__[5:]}-{name}")
         for peer, table in ((with_jax, JAX), (with_autograd, AUTOGRAD), (with_mygrad, MYGRAD)) for name in table]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda d: d.__name__)
@pytest.mark.parametrize(("peer", "call"), CASES)
def test_forward_and_vjp_agree(peer, call, dtype):
    ours, theirs, values, shapes = call
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        primals = tuple(values(rng, *shape).astype(dtype) for shape in shapes)
        tangents = tuple(quarters(rng, *shape).astype(dtype) for shape in shapes)
        out, pullback = gp.vjp(ours, *primals)
        g = np.asarray(quarters(rng, *out.shape), dtype)
        their_out, their_cotangents, their_tangent = peer(theirs, primals, tangents, g)
        agree(out, their_out, dtype)
        for pair in zip(pullback(g), their_cotangents, strict=True):
            agree(*pair, dtype)
        if their_tangent is not None:
            agree(gp.jvp(ours, primals, tangents)[1], their_tangent, dtype)
