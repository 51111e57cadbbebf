"""TRUSTED. Random numbers as instances of the specification: every array as one axis I, u what `uniform` draws.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from gradproof.ops import random

from ...op import Case
from ..calls import Draw, Form, form, some_shape
from ..cases import Correspondence, case_of, corresponds, flattened, together
from ..examples import Shape, example, shape_name
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
def random_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": (sizes["I"],), "seed": 0, "stream": 0, "dtype": "float32"}


def random_shapes(case: Case, size: Any) -> tuple[list[Any], Any]:
    return [], (size.I,)


@corresponds("rand_uniform", "bernoulli_mask", attributes=random_attributes, shapes=random_shapes)
def drawn(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    layout = {"u": flattened, "y": flattened}
    return Correspondence(
        case_of(op), {"I": prod(attributes["shape"])}, layout, sources={"u": "gradproof.ops.random.uniform"}
    )


corresponds("dropout")(together)


# ---------------------------------------------------------------- examples for the kernels
CALL: dict[str, Any] = {"seed": 7, "stream": 1}
FIRST, SECOND, THIRD = map(float.fromhex, ("0x1.c3d2bp-1", "0x1.79e52cp-2", "0x1.08bd5ap-1"))  # of CALL, in float32

for shape in ((), (0,), (3,), (2, 3)):
    for dtype in ("float32", "float64"):
        name = f"{shape_name(shape)}-{dtype}"
        example("rand_uniform", name, shape=shape, **CALL, dtype=dtype)
        example("bernoulli_mask", name, shape=shape, **CALL, dtype=dtype, keep_prob=0.5)
example("rand_uniform", "3-other-seed", shape=(3,), seed=2**40, stream=0, dtype="float32")
example("bernoulli_mask", "3-other-seed", shape=(3,), seed=2**40, stream=0, dtype="float32", keep_prob=0.5)
example("bernoulli_mask", "3-tie", shape=(3,), **CALL, dtype="float32", keep_prob=THIRD)
example("dropout", "scalar", (), (), indices=True, keep_prob=0.3)
example("dropout", "0", (0,), (0,), indices=(), keep_prob=0.3)
example("dropout", "2x3", (2, 3), (2, 3), indices=((True, False, True), (False, False, True)), keep_prob=0.3)


# ---------------------------------------------------------------- calls in floats
KEYS, DTYPES = st.integers(0, 2**64 - 1), st.sampled_from(("float32", "float64"))


def key(draw: Draw) -> dict[str, Any]:
    return {"seed": draw(KEYS), "stream": draw(KEYS)}


@form("rand_uniform", never_overflows_first="forward")
def uniform_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    return Form([], shape, {"shape": shape, **key(draw), "dtype": draw(DTYPES)})


@form("bernoulli_mask", never_overflows_first="forward")
def mask_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    keep_prob = draw(st.sampled_from((0.5, 0.1, 1.0, 0.0, 0.75)))
    return Form([], shape, {"keep_prob": keep_prob, "shape": shape, **key(draw), "dtype": draw(DTYPES)})


@form("dropout", never_overflows_first="forward jvp vjp")
def dropout_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    return Form([shape], shape, {"keep_prob": draw(st.sampled_from((0.5, 0.9, 0.3, 1.0, 0.0))), **key(draw)})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
def uniforms(dtype: str, gives: Any, **attributes: Any) -> Any:
    return forward(gives=gives, **{**CALL, "shape": np.shape(gives), "dtype": dtype, **attributes})


TABLE.update({
    "rand_uniform": [  # fixed numbers: the same for ever
        uniforms("float32", [FIRST, SECOND, THIRD]),
        uniforms("float32", [[FIRST, SECOND, THIRD]]),
        uniforms("float32", []),
    ],
    "bernoulli_mask": [  # 1 where u < keep_prob: not at a tie; all or none at the ends
        uniforms("float32", [0.0, 1.0, 0.0], keep_prob=THIRD),
        uniforms("float64", [1.0, 1.0, 1.0], keep_prob=1.0),
        uniforms("float32", [0.0, 0.0, 0.0], keep_prob=0.0),
    ],
    "dropout": [  # where the mask is 0 the result is 0, whatever is there or arrives
        forward([nan, inf, -inf, -0.0], gives=[0.0, inf, 0.0, -0.0], signed=True, keep_prob=0.5, **CALL),
        forward([nan, inf, -inf, -0.0], gives=[0.0, 0.0, 0.0, 0.0], keep_prob=0.0, **CALL),
        forward([nan, inf, -inf, -0.0], gives=[nan, inf, -inf, -0.0], signed=True, keep_prob=1.0, **CALL),
        jvp([nan, nan, 1.0], d=([inf, inf, nan],), gives=[0.0, inf, 0.0], keep_prob=0.5, **CALL),
        vjp([nan, nan, 1.0], g=[inf, inf, nan], gives=([0.0, inf, 0.0],), keep_prob=0.5, **CALL),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("rand_uniform", "kernel-seed-for-stream", "forward", "3-float32")
def uniform_exchanged(inputs: Any, shape: Any, seed: int, stream: int, dtype: Any) -> Any:
    return random.uniform(shape, stream, seed, dtype), None


@plant("rand_uniform", "kernel-one-seed-for-all", "forward", "3-other-seed")
def uniform_of_seed_7(inputs: Any, shape: Any, seed: int, stream: int, dtype: Any) -> Any:
    return random.uniform(shape, 7, 1, dtype), None


@plant("rand_uniform", "kernel-one-minus-u", "forward", "3-float32")
def uniform_reflected(inputs: Any, shape: Any, seed: int, stream: int, dtype: Any) -> Any:
    return 1 - random.uniform(shape, seed, stream, dtype), None


@plant("rand_uniform", "shape-without-an-axis", "shape")
def uniform_shape(shape: Any, seed: int, stream: int, dtype: Any) -> Any:
    return shape[1:]


@plant("bernoulli_mask", "kernel-keeps-at-a-tie", "forward", "3-tie")
def mask_at_tie(inputs: Any, keep_prob: Any, shape: Any, seed: int, stream: int, dtype: Any) -> Any:
    u = random.uniform(shape, seed, stream, dtype)
    return (u <= np.asarray(keep_prob)).astype(u.dtype), None


@plant("bernoulli_mask", "kernel-drops-what-is-kept", "forward", "2x3-float64")
def mask_inverted(inputs: Any, keep_prob: Any, shape: Any, seed: int, stream: int, dtype: Any) -> Any:
    u = random.uniform(shape, seed, stream, dtype)
    return (u >= np.asarray(keep_prob)).astype(u.dtype), None


plant("dropout", "kernel-keeps-all", "vjp x", "2x3")(lambda g, inputs, out, residual, keep_prob: g / keep_prob)
plant("dropout", "kernel-scales-by-the-rest", "forward", "2x3")(
    lambda inputs, keep_prob: (np.where(inputs[1], inputs[0] / (1 - keep_prob), 0), None)
)
