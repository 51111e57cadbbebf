"""TRUSTED. Attention as instances of the specification: leading axes joined; the columns of the weights as heads x E.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from gradproof.ops.attention import mixed, weights
from gradproof.ops.linalg import flat

from ..calls import EXTENTS, Draw, Form, form, narrowed, some_shape
from ..cases import Correspondence, Layout, Shape, case_of, corresponds, extents
from ..examples import example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant

SDPA, MHA = "scaled_dot_product_attention", "multi_head_attention"


# ---------------------------------------------------------------- the correspondence
def one_batch_axis(x: Any) -> Any:
    return x.reshape((prod(x.shape[:-2]), *x.shape[-2:]))


def instance(op: str, shapes: Sequence[Shape], layout: Mapping[str, Layout]) -> Correspondence:
    inputs = case_of(op, label="with mask").inputs
    case = case_of(op, label="with mask" if len(shapes) == len(inputs) else "without mask")
    laid_out = {t.name: layout[t.name](np.empty(s)).shape for t, s in zip(case.inputs, shapes, strict=True)}
    return Correspondence(case, extents(case, laid_out), layout)


@corresponds(SDPA)
def sdpa_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return instance(op, shapes, dict.fromkeys(("q", "k", "v", "mask", "y"), one_batch_axis))


def mha_shapes(case: Any, size: Any) -> tuple[list[Any], Any]:
    x, columns = (size.B, size.N, size.D), size.H * size.E
    mask = [(size.B, size.N, size.M)] if case.label == "with mask" else []
    return [x, *[(size.D, columns)] * 3, (columns, size.D), *mask], x


@corresponds(MHA, attributes=lambda case, sizes: {"num_heads": sizes["H"]}, shapes=mha_shapes)
def mha_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    heads = attributes["num_heads"]
    to_heads: dict[str, Layout] = dict.fromkeys(
        ("wq", "wk", "wv"), lambda w: w.reshape((w.shape[0], heads, w.shape[1] // heads))
    )
    from_heads: dict[str, Layout] = {"wo": lambda w: w.reshape((heads, w.shape[0] // heads, w.shape[1]))}
    return instance(op, shapes, {**dict.fromkeys(("x", "mask", "y"), one_batch_axis), **to_heads, **from_heads})


# ---------------------------------------------------------------- examples for the kernels
example(SDPA, "plain", (2, 2), (3, 2), (3, 1), scale=0.5)
example(SDPA, "batch2", (2, 1, 1, 1), (2, 1, 2, 1), (2, 1, 2, 2), scale=0.5)
example(SDPA, "no-keys", (2, 1), (0, 1), (0, 2), scale=0.5)
example(SDPA, "no-keys-mask", (1, 1), (0, 1), (0, 1), (1, 0), indices=((),), scale=0.5)
example(SDPA, "one-blocked", (2, 1), (2, 1), (2, 2), (2, 2), indices=((True, False), (True, True)), scale=0.5)
example(SDPA, "row-blocked", (2, 2), (2, 2), (2, 1), (2, 2), indices=((False, False), (False, True)), scale=0.5)
example(SDPA, "causal", (2, 1), (3, 1), (3, 1), (2, 3), indices=((True, False, False), (True, True, False)), scale=0.5)
example(SDPA, "batch-mask", (2, 1, 1), (2, 2, 1), (2, 2, 1), (2, 1, 2), indices=(((1, 0),), ((0, 0),)), scale=0.5)


def weights_of(d: int, columns: int) -> list[Shape]:
    return [(d, columns), (d, columns), (d, columns), (columns, d)]


example(MHA, "h2-e1", (2, 2), *weights_of(2, 2), num_heads=2, scale=0.5)
example(MHA, "h1-e2", (2, 1), *weights_of(1, 2), num_heads=1, scale=0.5)
example(MHA, "h2-e2-n1", (1, 1), *weights_of(1, 4), num_heads=2, scale=0.5)
example(MHA, "batch2", (2, 1, 1, 1), *weights_of(1, 2), num_heads=2, scale=0.5)
example(MHA, "no-rows", (0, 2), *weights_of(2, 2), num_heads=2, scale=0.5)
example(MHA, "causal", (2, 1), *weights_of(1, 2), (2, 2), indices=((1, 0), (1, 1)), num_heads=2, scale=0.5)
example(MHA, "row-blocked", (2, 1), *weights_of(1, 2), (2, 2), indices=((0, 0), (1, 1)), num_heads=1, scale=0.5)
NONE_AND_ONE = (((0, 0), (0, 0)), ((1, 0), (0, 0)))
example(MHA, "all-blocked", (2, 2, 1), *weights_of(1, 1), (2, 2, 2), indices=NONE_AND_ONE, num_heads=1, scale=0.5)


# ---------------------------------------------------------------- calls in floats
def some_mask(draw: Draw, shape: Shape) -> np.ndarray:
    return np.array(draw(st.lists(st.booleans(), min_size=prod(shape), max_size=prod(shape))), bool).reshape(shape)


@form(SDPA)
def sdpa_form(draw: Draw) -> Form:
    n, m, e, f = (draw(EXTENTS) for _ in "nmef")
    batch = some_shape(draw, 0, 1)
    q, k, v = ((*narrowed(draw, batch), *own) for own in ((n, e), (m, e), (m, f)))
    whole = np.broadcast_shapes(q[:-2], k[:-2], v[:-2])
    attributes = {"is_causal": draw(st.booleans()), "scale": draw(st.sampled_from((None, 0.5, -2.0)))}
    mask = some_mask(draw, narrowed(draw, (*whole, n, m))) if draw(st.booleans()) else None
    return Form([q, k, v], (*whole, n, f), attributes, mask)


@form(MHA)
def mha_form(draw: Draw) -> Form:
    heads, e, d = (draw(st.sampled_from((2, 1))) for _ in "hed")
    x = (*some_shape(draw, 0, 1), draw(EXTENTS), d)
    mask = some_mask(draw, narrowed(draw, (*x[:-1], x[-2])))
    given = {"mask": mask.tolist()} if mask.size and draw(st.booleans()) else {}  # after num_heads
    return Form([x, *weights_of(d, heads * e)], x, {"num_heads": heads, **given})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
BLOCKED, ONE_OF_TWO = [[False, True], [False, False]], [[True, False], [False, False]]

TABLE.update({
    SDPA: [  # what is blocked may hold nan and inf; a row that may read nothing is 0 and its own nan stays with it
        forward([[1.0]], [[-inf], [0.0]], [[5.0], [2.0]], gives=[[2.0]]),
        forward([[1.0]], [[nan], [0.0]], [[5.0], [2.0]], gives=[[nan]]),
        forward([[0.0], [nan]], [[nan], [0.0]], [[inf], [2.0]], BLOCKED, gives=[[2.0], [0.0]]),
        forward([[1.0], [1.0]], [[0.0], [1000.0]], [[1.0], [nan]], is_causal=True, gives=[[1.0], [nan]]),
        jvp(
            [[0.0], [nan]],
            [[nan], [0.0]],
            [[inf], [2.0]],
            BLOCKED,
            d=([[1.0], [nan]], [[inf], [1.0]], [[nan], [3.0]], None),
            gives=[[3.0], [0.0]],
        ),
        vjp(
            [[0.0], [nan]],
            [[nan], [0.0]],
            [[inf], [2.0]],
            BLOCKED,
            g=[[1.0], [nan]],
            gives=([[0.0], [0.0]], [[0.0], [0.0]], [[0.0], [1.0]]),
        ),
    ],
    MHA: [  # the second position reads nothing and is not read
        forward(
            [[1.0], [nan]],
            [[1.0]],
            [[1.0]],
            [[2.0]],
            [[3.0]],
            mask=ONE_OF_TWO,
            num_heads=1,
            gives=[[6.0], [0.0]],
        ),
        forward([[1.0], [nan]], [[1.0]], [[1.0]], [[2.0]], [[3.0]], num_heads=1, gives=[[nan], [nan]]),
        jvp(
            [[1.0], [inf]],
            [[1.0]],
            [[1.0]],
            [[2.0]],
            [[3.0]],
            mask=ONE_OF_TWO,
            num_heads=1,
            d=([[1.0], [nan]], [[1.0]], [[1.0]], [[1.0]], [[1.0]]),
            gives=[[11.0], [0.0]],
        ),
        vjp(
            [[1.0], [inf]],
            [[1.0]],
            [[1.0]],
            [[2.0]],
            [[3.0]],
            mask=ONE_OF_TWO,
            num_heads=1,
            g=[[1.0], [1.0]],
            gives=([[6.0], [0.0]], [[0.0]], [[0.0]], [[3.0]], [[2.0]]),
        ),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant(MHA, "kernel-heads-by-direct-reshape", "forward", "h2-e1")  # 3
def heads_reshaped(inputs: Any, *, num_heads: Any, scale: Any) -> Any:
    x, wq, wk, wv, wo = inputs
    q, k, v = ((x @ w).reshape((num_heads, x.shape[0], w.shape[1] // num_heads)) for w in (wq, wk, wv))
    w = weights(q, k, None, scale)
    c = mixed(w, v, None)
    return c.reshape((x.shape[0], wo.shape[0])) @ wo, (q, k, v, w, c)


@plant(SDPA, "kernel-gv-not-transposed", "vjp v", "one-blocked")
def gv_not_transposed(g: Any, inputs: Any, out: Any, shared: Any, *, scale: Any) -> Any:
    return shared[0] @ g


@plant(SDPA, "kernel-shared-gs-not-centred", "vjp shared", "one-blocked")
def gs_not_centred(g: Any, inputs: Any, out: Any, residual: Any, *, scale: Any) -> Any:
    (w,) = residual
    return w, w * (scale * g @ inputs[2].T)


@plant(SDPA, "kernel-mask-inverted", "forward", "one-blocked")
def mask_inverted(inputs: Any, *, scale: Any) -> Any:
    q, k, v, mask = inputs
    w = weights(q, k, ~mask, scale)
    return w @ v, (w,)


@plant(MHA, "kernel-gwo-of-the-values", "vjp wo", "h2-e1")
def gwo_of_the_values(g: Any, inputs: Any, out: Any, shared: Any, *, num_heads: Any, scale: Any) -> Any:
    return flat(inputs[0] @ inputs[3]).T @ flat(g)


@plant(SDPA, "shape-of-the-keys", "shape")
def shape_of_the_keys(q: Any, k: Any, v: Any, mask: Any = None, *, scale: Any) -> Any:
    return (*k[:-1], v[-1])
