"""TRUSTED. Losses as instances of the specification: the elements as one axis I, the class axis last.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ...op import Case
from ..calls import EXTENTS, FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, case_of, corresponds, flattened
from ..examples import example, shape_name
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant

REDUCTIONS = ("mean", "sum", "none")


# ---------------------------------------------------------------- the correspondence
def reduction_of(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {"reduction": case.label}


@corresponds("mse_loss", "bce_with_logits", "kl_div", attributes=reduction_of)
def elementwise(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    case = case_of(op, label=attributes["reduction"])
    names = [t.name for t in (*case.inputs, case.output) if t.axes]
    return Correspondence(case, {"I": prod(shapes[0])}, dict.fromkeys(names, flattened))


@corresponds("cross_entropy", "nll_loss", attributes=reduction_of)
def labelled(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    shape, case = shapes[0], case_of(op, label=attributes["reduction"])
    axis = 1 if len(shape) > 1 else 0
    sizes = {"C": shape[axis], "I": prod(shape[:axis] + shape[axis + 1 :])}
    others = [a for a in range(len(shape)) if a != axis]
    layout = {
        case.inputs[0].name: lambda x: x.transpose((*others, axis)).reshape((sizes["I"], sizes["C"])),
        "labels": flattened,
    }
    return Correspondence(case, sizes, layout | ({"loss": flattened} if case.output.axes else {}))


# ---------------------------------------------------------------- examples for the kernels
SHAPES: tuple[Shape, ...] = ((), (3,), (2, 2))
LABELLED: tuple[tuple[Shape, Any], ...] = (
    ((3,), 1),
    ((2, 3), (2, 0)),
    ((2, 2, 2), ((1, 1), (0, 1))),
    ((1, 2, 1), ((1,),)),
    ((3, 2), (-1, 1, 2)),  # outside: the public function refuses them
)

for reduction in REDUCTIONS:
    for op in ("mse_loss", "bce_with_logits", "kl_div"):
        for shape in SHAPES:
            example(op, f"{reduction}-{shape_name(shape)}", shape, shape, reduction=reduction)
        if reduction != "mean":
            example(op, f"{reduction}-empty", (2, 0), (2, 0), reduction=reduction)
    for op in ("cross_entropy", "nll_loss"):
        for shape, labels in LABELLED:
            name = f"{reduction}-{shape_name(shape)}"
            example(op, name, shape, np.shape(labels), indices=labels, reduction=reduction)


# ---------------------------------------------------------------- calls in floats
def a_reduction(draw: Draw) -> str:
    return str(draw(st.sampled_from(REDUCTIONS)))


@form("mse_loss", "bce_with_logits", "kl_div")
def elementwise_form(draw: Draw) -> Form:
    reduction = a_reduction(draw)
    shape = some_shape(draw, extents=FULL if reduction == "mean" else EXTENTS)
    return Form([shape, shape], shape if reduction == "none" else (), {"reduction": reduction})


@form("cross_entropy", "nll_loss")
def labelled_form(draw: Draw) -> Form:
    reduction, classes = a_reduction(draw), draw(FULL)
    elements = some_shape(draw, extents=FULL if reduction == "mean" else EXTENTS)
    shape = (*elements[:1], classes, *elements[1:])
    drawn = draw(st.lists(st.integers(0, classes - 1), min_size=prod(elements), max_size=prod(elements)))
    labels = np.array(drawn, draw(st.sampled_from((np.int64, np.uint8)))).reshape(elements)
    return Form([shape], elements if reduction == "none" else (), {"reduction": reduction}, labels)


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "mse_loss": [
        forward([nan, 1.0], [0.0, 1.0], gives=nan),
        forward([inf, 1.0], [0.0, 1.0], gives=inf),
        forward([inf], [inf], gives=nan),
        forward([inf, 1.0, nan], [0.0, 0.0, 0.0], reduction="none", gives=[inf, 1.0, nan]),
        jvp([inf, 1.0], [0.0, 1.0], d=([1.0, 1.0], [0.0, 1.0]), gives=nan),
        vjp([inf, 1.0], [0.0, 1.0], g=1.0, gives=([inf, 0.0], [-inf, 0.0])),
    ],
    "cross_entropy": [  # -inf at another class has probability 0 and no gradient; inf and nan spoil their row
        forward(
            [[-inf, 0.0], [-inf, 0.0], [inf, 0.0], [nan, 0.0], [0.0, 1000.0]],
            [1, 0, 1, 1, 1],
            reduction="none",
            gives=[0.0, inf, nan, nan, 0.0],
        ),
        jvp(
            [[-inf, 0.0], [nan, 0.0]],
            [1, 1],
            d=([[3.0, 1.0], [0.0, 0.0]], None),
            reduction="none",
            gives=[0.0, nan],
        ),
        vjp(
            [[-inf, 0.0], [-inf, 0.0], [nan, 0.0]],
            [1, 0, 1],
            g=1.0,
            reduction="sum",
            gives=([[0.0, 0.0], [-1.0, 1.0], [nan, nan]],),
        ),
    ],
    "nll_loss": [  # what is not labelled is not read
        forward([[-inf, -1.0], [nan, -1.0], [-0.0, 1.0]], [0, 1, 0], reduction="none", gives=[inf, 1.0, 0.0]),
        jvp([[nan, 1.0]], [1], d=([[nan, inf]], None), gives=-inf),
        vjp([[nan, 1.0], [inf, 1.0]], [1, 0], g=[inf, nan], reduction="none", gives=([[0.0, -inf], [nan, 0.0]],)),
    ],
    "bce_with_logits": [
        forward(
            [inf, -inf, nan, 1000.0, -1000.0, inf],
            [0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
            reduction="none",
            gives=[inf, inf, nan, 0.0, 0.0, nan],
        ),
        jvp([inf, nan], [0.0, 0.0], d=([1.0, 1.0], [0.0, 0.0]), reduction="none", gives=[nan, nan]),
        vjp(
            [inf, -inf, nan, 1000.0, -0.0],
            [0.0, 1.0, 0.0, 1.0, 0.5],
            g=1.0,
            reduction="sum",
            gives=([1.0, -1.0, nan, 0.0, 0.0], [-inf, inf, nan, -1000.0, 0.0]),
        ),
    ],
    "kl_div": [  # a target of 0 adds 0; a negative one is outside the domain: nan
        forward(
            [-inf, -inf, nan, 0.0, 0.0, nan, 0.0],
            [1.0, 0.0, 1.0, -1.0, nan, -0.0, inf],
            reduction="none",
            gives=[inf, 0.0, nan, nan, nan, 0.0, inf],
        ),
        jvp([-inf, 0.0], [1.0, 0.0], d=([0.0, 1.0], [1.0, 1.0]), reduction="none", gives=[inf, -inf]),
        vjp(
            [-inf, 0.0, nan],
            [1.0, 0.0, 1.0],
            g=1.0,
            reduction="sum",
            gives=([-1.0, 0.0, -1.0], [inf, -inf, nan]),
        ),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("mse_loss", "kernel-without-the-2", "vjp yhat", "mean-3")
def mse_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, reduction: Any) -> Any:
    yhat, target = inputs
    return g * (yhat - target) / yhat.size


@plant("cross_entropy", "kernel-softmax-without-the-label", "vjp logits", "sum-2x3")
def cross_entropy_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, reduction: Any) -> Any:
    exps, total = residual
    return g * exps / total


@plant("cross_entropy", "kernel-class-axis-last", "forward", "none-2x2x2")
def cross_entropy_last(inputs: Any, *, reduction: Any) -> Any:
    logits, labels = inputs
    exps = np.exp(logits)
    total = exps.sum(axis=-1, keepdims=True)
    picked = np.take_along_axis(logits, np.expand_dims(labels, -1), -1)
    return (np.log(total) - picked)[..., 0], (exps, total)


@plant("nll_loss", "kernel-mean-over-the-classes", "forward", "mean-2x3")
def nll_wrong(inputs: Any, *, reduction: Any) -> Any:
    log_p, labels = inputs
    return -np.take_along_axis(log_p, labels[:, None], 1).sum() / log_p.size, None


@plant("bce_with_logits", "kernel-target-slope-of-mse", "vjp target", "none-3")
def bce_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, reduction: Any) -> Any:
    logits, target = inputs
    return (target - 1 / (1 + np.exp(-logits))) * g


@plant("kl_div", "kernel-without-the-1", "vjp target", "sum-3")
def kl_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, reduction: Any) -> Any:
    log_p, target = inputs
    return (np.log(target) - log_p) * g
