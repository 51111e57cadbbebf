"""TRUSTED. Pools as instances of the specification: 1 to 3 spatial axes, all axes before them joined.

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
from ...ops.convolution import CELLS, WINDOWS
from ..calls import FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, case_of, corresponds
from ..examples import BATCHES, example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant
from .convolution import AXES, from_sizes, label, spatial, to_sizes, window_count, windows

NAMES = ("kernel", "stride", "padding")
WITHOUT_PADDING = " without padding"


# ---------------------------------------------------------------- the correspondence
def pool_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    names = (*NAMES, "dilation") if case.op.name == "max_pool" else NAMES
    more = {"count_include_pad": not case.label.endswith(WITHOUT_PADDING)} if case.op.name == "avg_pool" else {}
    return {**from_sizes(case, sizes, names), **more}


def pool_shapes(case: Case, size: Any) -> tuple[list[Any], Any]:
    x, y = ((size.N, *(getattr(size, name) for name in names[-spatial(case) :])) for names in (CELLS, WINDOWS))
    return [x], y


@corresponds("max_pool", "avg_pool", "smooth_max_pool", attributes=pool_attributes, shapes=pool_shapes)
def pool_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (x,), axes = shapes, len(attributes["kernel"])
    batch = prod(x[:-axes])
    names = (*NAMES, "dilation") if op == "max_pool" else NAMES
    sizes = {"N": batch, **dict(zip(CELLS[-axes:], x[-axes:], strict=True)), **to_sizes(attributes, names)}
    form = label(axes) + ("" if attributes.get("count_include_pad", True) else WITHOUT_PADDING)

    def joined(array: Any) -> Any:
        return array.reshape((batch, *array.shape[-axes:]))

    return Correspondence(case_of(op, label=form), sizes, {"x": joined, "y": joined})


def adaptive_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {"output_size": tuple(sizes[name] for name in WINDOWS[-spatial(case) :])}


@corresponds("adaptive_avg_pool", attributes=adaptive_attributes, shapes=pool_shapes)
def adaptive_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (x,), out = shapes, attributes["output_size"]
    axes, batch = len(out), prod(x[: -len(out)])
    extents = dict(zip((*CELLS[-axes:], *WINDOWS[-axes:]), (*x[-axes:], *out), strict=True))

    def joined(array: Any) -> Any:
        return array.reshape((batch, *array.shape[-axes:]))

    return Correspondence(case_of(op, label=label(axes)), {"N": batch, **extents}, {"x": joined, "y": joined})


# ---------------------------------------------------------------- examples for the kernels
MAX: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
for batch in BATCHES:
    example("max_pool", f"batch{len(batch)}-k2", (*batch, 2, 3), kernel=(2, 2), **MAX)
example("max_pool", "h3w3-k2-s1", (3, 3), kernel=(2, 2), **MAX)
example("max_pool", "h4w4-k2-s2", (4, 4), kernel=(2, 2), **MAX | {"stride": (2, 2)})
example("max_pool", "h3w2-k2-s2-p1", (3, 2), kernel=(2, 2), **MAX | {"stride": (2, 2), "padding": (1, 1)})
example("max_pool", "h1w4-k1x3-s1x2-p0x1", (1, 4), kernel=(1, 3), **MAX | {"stride": (1, 2), "padding": (0, 1)})
example("max_pool", "k1", (2, 2), kernel=(1, 1), **MAX)
example("max_pool", "w4-k2-d3-p3", (4,), kernel=(2,), stride=(2,), padding=(3,), dilation=(3,))
example("max_pool", "h3w4-k2-p0x1-d2", (3, 4), kernel=(2, 2), **MAX | {"padding": (0, 1), "dilation": (2, 2)})
example(
    "max_pool",
    "d2h2w3-k2x1x2-s1x1x2-p1x0x1",
    (2, 2, 3),
    kernel=(2, 1, 2),
    stride=(1, 1, 2),
    padding=(1, 0, 1),
    dilation=(1, 1, 1),
)

for op, more in (
    ("avg_pool", {"count_include_pad": True}),
    ("avg_pool", {"count_include_pad": False}),
    ("smooth_max_pool", {"beta": 2.0}),
):
    tag = "-without-padding" if not more.get("count_include_pad", True) else ""
    for batch in BATCHES:
        example(op, f"batch{len(batch)}-k2{tag}", (*batch, 3), kernel=(2,), stride=(1,), padding=(0,), **more)
    example(op, f"w4-k3-s2-p2{tag}", (4,), kernel=(3,), stride=(2,), padding=(2,), **more)
    example(op, f"h3w2-k2-s2x1-p1x0{tag}", (3, 2), kernel=(2, 2), stride=(2, 1), padding=(1, 0), **more)
    example(
        op,
        f"d2h1w3-k2x1x2-s1-p1x0x1{tag}",
        (2, 1, 3),
        kernel=(2, 1, 2),
        stride=(1, 1, 1),
        padding=(1, 0, 1),
        **more,
    )


for batch in BATCHES:
    example("adaptive_avg_pool", f"batch{len(batch)}-w5-q3", (*batch, 5), output_size=(3,))
example("adaptive_avg_pool", "w2-q3", (2,), output_size=(3,))
example("adaptive_avg_pool", "h3w4-p2q2", (3, 4), output_size=(2, 2))
example("adaptive_avg_pool", "d2h1w3-r1p2q2", (2, 1, 3), output_size=(1, 2, 2))


# ---------------------------------------------------------------- calls in floats
def pool_form(draw: Draw, dilated: bool = False, **more: Any) -> Form:
    attributes, kernel, extent, out = windows(draw, draw(AXES), pools=True, dilated=dilated)
    if not dilated:
        del attributes["dilation"]
    lead = some_shape(draw, 0, 2)
    return Form([(*lead, *extent)], (*lead, *out), {"kernel": kernel, **attributes, **more})


@form("max_pool", never_overflows_first="forward jvp")
def max_pool_form(draw: Draw) -> Form:
    return pool_form(draw, dilated=True)


@form("avg_pool")
def avg_pool_form(draw: Draw) -> Form:
    return pool_form(draw, count_include_pad=draw(st.booleans()))


@form("smooth_max_pool", never_overflows_first="forward")
def smooth_max_pool_form(draw: Draw) -> Form:
    return pool_form(draw, beta=draw(st.sampled_from((1.0, -2.0, 0.5, 10.0))))


@form("adaptive_avg_pool")
def adaptive_form(draw: Draw) -> Form:
    axes, lead = draw(AXES), some_shape(draw, 0, 2)
    extents, out = (tuple(draw(FULL) for _ in range(axes)) for _ in range(2))
    return Form([(*lead, *extents)], (*lead, *out), {"output_size": out})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "max_pool": [  # nan wins; the first winner takes all, also of -inf and of 0. and -0.; the others get 0
        forward([[1.0, nan, 3.0, inf, -inf, -inf]], kernel=(1, 2), gives=[[nan, inf, -inf]]),
        forward([[-inf]], kernel=(1, 2), stride=1, padding=(0, 1), gives=[[-inf, -inf]]),
        jvp([[nan, 1.0, 1.0, 2.0]], d=([[5.0, inf, nan, 1.0]],), kernel=(1, 2), gives=[[5.0, 1.0]]),
        vjp(
            [[nan, nan, 1.0, nan, -inf, -inf]],
            g=[[1.0, 2.0, 3.0]],
            kernel=(1, 2),
            gives=([[1.0, 0.0, 0.0, 2.0, 3.0, 0.0]],),
        ),
        vjp(
            [[inf, inf, -0.0, 0.0, 1.0, 2.0]],
            g=[[inf, 2.0, nan]],
            kernel=(1, 2),
            gives=([[inf, 0.0, 2.0, 0.0, 0.0, nan]],),
        ),
        vjp([[-inf]], g=[[1.0, 2.0]], kernel=(1, 2), stride=1, padding=(0, 1), gives=([[3.0]],)),
    ],
    "avg_pool": [  # what a window does not reach stays out of it
        forward([nan, 1.0, 2.0, inf, inf, -inf], kernel=(2,), gives=[nan, inf, nan]),
        forward([inf, 1.0, 3.0], kernel=(2,), padding=1, count_include_pad=False, gives=[inf, 2.0]),
        jvp([nan, 1.0, inf, 2.0], d=([1.0, 2.0, nan, 1.0],), kernel=(2,), gives=[1.5, nan]),
        vjp([nan, 1.0, inf], g=[nan, 2.0], kernel=(2,), stride=1, gives=([nan, nan, 1.0],)),
    ],
    "adaptive_avg_pool": [  # what a window does not reach stays out of it
        forward([nan, 1.0, inf, 2.0, 2.0], output_size=(3,), gives=[nan, inf, 2.0]),
        jvp([nan, 1.0, inf], d=([1.0, 2.0, nan],), output_size=(2,), gives=[1.5, nan]),
        vjp([nan, 1.0, inf], g=[nan, 2.0], output_size=(2,), gives=([nan, nan, 1.0],)),
    ],
    "smooth_max_pool": [  # as logsumexp: inf is the maximum and -inf adds nothing, but their slopes are nan
        forward([nan, 1.0, inf, 1.0, -inf, 1.0, -inf, -inf], kernel=(2,), gives=[nan, inf, 1.0, -inf]),
        forward([inf, 1.0, -inf, inf], kernel=(2,), beta=-1.0, gives=[1.0, -inf]),
        jvp([nan, 1.0, -inf, 1.0], d=([1.0, 1.0, 2.0, 3.0],), kernel=(2,), gives=[nan, 3.0]),
        vjp([-inf, 1.0, inf, 1.0], g=[2.0, 1.0], kernel=(2,), gives=([0.0, 2.0, nan, 0.0],)),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("max_pool", "kernel-every-tied-cell", "vjp x", "h3w3-k2-s1")  # 8
def pool_all(g: Any, inputs: Any, out: Any, residual: Any, **_: Any) -> Any:
    (x,) = inputs
    gx = np.zeros_like(x)
    for u in range(2):
        for v in range(2):
            cells = gx[u : u + 2, v : v + 2]
            cells += np.where(x[u : u + 2, v : v + 2] == out, g, 0)
    return gx


@plant("max_pool", "shape-one-window-more", "shape")
def max_pool_ceil(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    axes = len(kernel)
    pools = zip(x[-axes:], kernel, stride, padding, dilation, strict=True)
    return (*x[:-axes], *(window_count(extent + step - 1, k, step, pad, gap) for extent, k, step, pad, gap in pools))


@plant("avg_pool", "kernel-padding-counted", "forward", "w4-k3-s2-p2-without-padding")
def padding_counted(inputs: Any, **_: Any) -> Any:
    (x,) = inputs
    return np.stack([x[0] / 3, (x[0] + x[1] + x[2]) / 3, (x[2] + x[3]) / 3]), None


@plant("smooth_max_pool", "kernel-padding-is-zero", "forward", "w4-k3-s2-p2")
def padding_is_zero(inputs: Any, *, beta: Any, **_: Any) -> Any:
    (x,) = inputs
    e = np.exp(beta * x)
    return np.log(np.stack([2 + e[0], e[0] + e[1] + e[2], e[2] + e[3] + 1])) / beta, None


@plant("adaptive_avg_pool", "kernel-windows-of-equal-size", "forward", "batch0-w5-q3")
def equal_windows(inputs: Any, **_: Any) -> Any:
    (x,) = inputs
    return np.stack([(x[0] + x[1]) / 2, (x[2] + x[3]) / 2, x[4]]), None
