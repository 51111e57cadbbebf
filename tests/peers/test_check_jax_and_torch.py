"""check_jax and check_torch on right and wrong custom rules."""

import jax
import jax.numpy as jnp
import pytest
import torch

from gradproof_spec import CheckError, check_jax, check_torch
from gradproof_spec.obligations import Verdict


@jax.custom_vjp
def log1pexp(x):
    return jnp.log1p(jnp.exp(-jnp.abs(x))) + jnp.maximum(x, 0)


log1pexp.defvjp(lambda x: (log1pexp(x), x), lambda x, g: (g / (1 + jnp.exp(-x)),))


@jax.custom_vjp
def scaled(x, w):
    return x * w


scaled.defvjp(lambda x, w: (x * w, (x, w)), lambda kept, g: (g * kept[1], g * kept[1]))


@jax.custom_vjp
def other_value(x):
    return x * x


other_value.defvjp(lambda x: (x * x + 1, x), lambda x, g: (2 * g * x,))


def attention(q, k, v):
    return jax.nn.softmax(q @ k.T / 2.0) @ v


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return g * s * (1 + x * (1 - s))


class WrongSwish(Swish):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return g * s * (1 + x * s)


@pytest.mark.parametrize(
    ("f", "shapes", "verdict"),
    [
        (log1pexp, {"x": (2,)}, Verdict.PROVED),
        (scaled, {"x": (2,), "w": (2,)}, Verdict.REFUTED),
        (other_value, {"x": (2,)}, Verdict.UNKNOWN),
        (attention, {"q": (2, 2), "k": (2, 2), "v": (2, 1)}, Verdict.PROVED),
        (lambda x: jnp.linalg.svd(x)[1], {"x": (2, 2)}, Verdict.UNSUPPORTED),
    ],
    ids=["right", "wrong", "another-value", "plain", "unsupported"],
)
def test_jax(f, shapes, verdict):
    assert check_jax(f, shapes=shapes).verdict is verdict


@pytest.mark.parametrize(
    ("f", "shapes", "verdict"),
    [
        (Swish, {"x": (2,)}, Verdict.PROVED),
        (WrongSwish, {"x": (2,)}, Verdict.REFUTED),
        (lambda x, w: torch.nn.functional.layer_norm(x, (3,), w), {"x": (2, 3), "w": (3,)}, Verdict.PROVED),
        (lambda x: x * x.max().item(), {"x": (2,)}, Verdict.UNSUPPORTED),
    ],
    ids=["right", "wrong", "plain", "unsupported"],
)
def test_torch(f, shapes, verdict):
    assert check_torch(f, shapes=shapes).verdict is verdict


def never_run(x):
    raise AssertionError("it ran")


@pytest.mark.parametrize("check", [check_jax, check_torch])
def test_named_extents_are_refused_before_anything_runs(check):
    with pytest.raises(CheckError, match="never_run has named extents, N, D: they are for NumPy functions only"):
        check(never_run, shapes={"x": ("N", "D")})
