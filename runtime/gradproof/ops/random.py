"""Random numbers: pure functions of (seed, stream). They have no gradient; dropout passes one where it keeps."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..attributes import integer, number, target_shape
from ..dtypes import FLOATS, booleans, floats
from ..errors import DomainError, DtypeError, ShapeError, describe
from ..op import Array, Op, Residual, Shape
from ..special import masked
from ..tape import apply, recorded_beside

Name = Literal["float32", "float64", "bool"]


def uniform(shape: Shape, seed: int, stream: int, dtype: Name) -> Array:
    """Multiples of 2**-24 (float32, and for a mask of dtype bool) or 2**-53 (float64) in [0, 1): the leading bits of
    one 64-bit number per element, in row-major order, from NumPy's Philox with the key (seed, stream). Source: Salmon,
    Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (SC 2011)."""
    generator = np.random.Philox(key=np.array([seed, stream], np.uint64))
    bits = 53 if dtype == "float64" else 24
    u = (generator.random_raw(prod(shape)) >> np.uint64(64 - bits)).astype("float64" if bits == 53 else "float32")
    u *= 2.0**-bits
    return u.reshape(shape)


def checked_shape(op: str, shape: Shape) -> Shape:
    for extent in shape:
        if extent < 0:
            raise ShapeError(describe(op, "an extent is negative", "pass extents >= 0", shape=shape))
    return shape


def key(op: str, seed: Any, stream: Any) -> dict[str, int]:
    """seed and stream as table attributes."""
    found = {"seed": integer(op, "seed", seed), "stream": integer(op, "stream", stream)}
    for name, value in found.items():
        if not 0 <= value < 2**64:
            raise DomainError(describe(op, f"{name} is out of range", "pass 0 <= n < 2**64", **{name: value}))
    return found


def float_name(op: str, dtype: DTypeLike) -> Name:
    """The dtype as the table attribute."""
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # NumPy parses text such as "f8,f8"
        found = None
    if found is None or found.type not in FLOATS:
        remedy = "pass np.float32 or np.float64"
        raise DtypeError(describe(op, "random numbers are float32 or float64", remedy, dtype=dtype))
    return "float32" if found.type is np.float32 else "float64"


def probability(op: str, keep_prob: Any) -> float:
    p = number(op, "keep_prob", keep_prob)
    if not 0 <= p <= 1:
        raise DomainError(describe(op, "keep_prob is no probability", "pass 0 <= keep_prob <= 1", keep_prob=keep_prob))
    return p


# rand_uniform: y = u, the uniform numbers of (seed, stream)

rand_uniform_op = Op("rand_uniform", inputs=())


@rand_uniform_op.shape_rule
def rand_uniform_shape(*, shape: Shape, seed: int, stream: int, dtype: Name) -> Shape:
    return checked_shape("rand_uniform", shape)


@rand_uniform_op.forward
def rand_uniform_y(
    inputs: tuple[()], *, shape: Shape, seed: int, stream: int, dtype: Name
) -> tuple[Array, Residual]:
    return uniform(shape, seed, stream, dtype), None


@rand_uniform_op.public
def rand_uniform(shape: int | tuple[int, ...], seed: int, stream: int = 0, dtype: DTypeLike = np.float32) -> Array:
    """Uniform random numbers in [0, 1), multiples of 2**-24 in float32 and of 2**-53 in float64.

    The same shape, seed, stream and dtype give the same numbers on every machine; other seeds or streams give unrelated
    ones, (0, 1) and (1, 0) too. The float32 numbers are the float64 ones cut to 24 bits.

    Raises DomainError unless 0 <= seed, stream < 2**64, ShapeError for a negative extent, DtypeError.
    Source: Philox4x64-10 of Salmon et al. (SC 2011), NumPy's, with the key (seed, stream).

    >>> rand_uniform((2, 2), seed=7).round(3)
    array([[0.872, 0.295],
           [0.42 , 0.405]], dtype=float32)
    """
    return apply(
        rand_uniform_op,
        shape=target_shape("rand_uniform", shape),
        **key("rand_uniform", seed, stream),
        dtype=float_name("rand_uniform", dtype),
    )


# bernoulli_mask: y = 1 where u < keep_prob, else 0

bernoulli_mask_op = Op("bernoulli_mask", inputs=())


@bernoulli_mask_op.shape_rule
def bernoulli_mask_shape(*, keep_prob: float, shape: Shape, seed: int, stream: int, dtype: Name) -> Shape:
    return checked_shape("bernoulli_mask", shape)


@bernoulli_mask_op.forward
def bernoulli_mask_y(
    inputs: tuple[()], *, keep_prob: float, shape: Shape, seed: int, stream: int, dtype: Name
) -> tuple[Array, Residual]:
    u = uniform(shape, seed, stream, dtype)
    mask = u < np.asarray(keep_prob)  # an array of float64: keep_prob is not rounded to float32
    return mask if dtype == "bool" else mask.astype(u.dtype), None


@bernoulli_mask_op.public
def bernoulli_mask(
    keep_prob: float, shape: int | tuple[int, ...], seed: int, stream: int = 0, dtype: DTypeLike = np.float32
) -> Array:
    """1 with probability keep_prob, else 0: [u < keep_prob] for u = rand_uniform(shape, seed, stream, dtype). All 1 for
    keep_prob = 1, all 0 for keep_prob = 0. No gradient.

    Raises DomainError unless 0 <= keep_prob <= 1 and 0 <= seed, stream < 2**64, ShapeError for a negative extent,
    DtypeError.

    >>> bernoulli_mask(0.5, (2, 4), seed=7)
    array([[0., 1., 1., 1.],
           [1., 0., 1., 0.]], dtype=float32)
    """
    return apply(
        bernoulli_mask_op,
        keep_prob=probability("bernoulli_mask", keep_prob),
        shape=target_shape("bernoulli_mask", shape),
        **key("bernoulli_mask", seed, stream),
        dtype="bool" if dtype is bool or dtype == "bool" else float_name("bernoulli_mask", dtype),
    )


# dropout: y = x / keep_prob where the mask is True, else 0

dropout_op = Op("dropout", inputs=("x", "mask"), differentiable=("x",))


def kept(t: Array, mask: Array, keep_prob: float) -> Array:
    return masked(mask, t / keep_prob)  # not a product with the mask: inf 0 is nan


@dropout_op.shape_rule
def dropout_shape(x: Shape, mask: Shape, *, keep_prob: float) -> Shape:
    if len(x) != len(mask) or any(n != m for n, m in zip(x, mask, strict=True)):
        raise ShapeError(describe("dropout", "the mask has another shape", "pass a mask for every x", x=x, mask=mask))
    return x


@dropout_op.forward
def dropout_y(inputs: tuple[Array, Array], *, keep_prob: float) -> tuple[Array, Residual]:
    x, mask = inputs
    return kept(x, mask, keep_prob), None


@dropout_op.jvp_of("x")
def dropout_dy_x(
    dx: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, keep_prob: float
) -> Array:
    return kept(dx, inputs[1], keep_prob)


@dropout_op.vjp_of("x")
def dropout_gx(g: Array, inputs: tuple[Array, Array], out: Array, residual: Residual, *, keep_prob: float) -> Array:
    return kept(g, inputs[1], keep_prob)


@dropout_op.recall
def dropout_recall(x: Any, mask: Any, keep_prob: Any) -> Array:
    p = probability("dropout", keep_prob)
    (x_,) = floats("dropout", x=x)
    return apply(dropout_op, x_, booleans("dropout", "mask", mask, x_), keep_prob=p if p > 0 else 1.0)


@dropout_op.public
def dropout(x: ArrayLike, keep_prob: float, seed: int, stream: int = 0) -> Array:
    """y = x / keep_prob where bernoulli_mask(keep_prob, shape of x, seed, stream) is 1, else 0, also where x is inf or
    nan. keep_prob = 0 gives zeros.

    Shapes: x s -> s. Raises DomainError unless 0 <= keep_prob <= 1 and 0 <= seed, stream < 2**64, DtypeError.
    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, JMLR 15 (2014) 1929-1958.

    >>> dropout(np.arange(1.0, 9.0), 0.5, seed=7)
    array([ 0.,  4.,  6.,  8., 10.,  0., 14.,  0.])
    """
    (x_,) = floats("dropout", x=x)
    p = probability("dropout", keep_prob)
    with recorded_beside(x_):
        mask = apply(bernoulli_mask_op, keep_prob=p, shape=x_.shape, **key("dropout", seed, stream), dtype="bool")
    return apply(dropout_op, x_, mask, keep_prob=p if p > 0 else 1.0)
