"""TRUSTED. Convolutions as instances of the specification: 1 to 3 spatial axes, the batch axes joined, channels split.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from gradproof.errors import ShapeError

from ...op import Case
from ...ops.convolution import CELLS, FORMS, TAPS, WINDOWS
from ..calls import FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, case_of, corresponds
from ..examples import BATCHES, example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant

ATTRIBUTES = {
    "conv": ("stride", "padding", "dilation"),
    "conv_transpose": ("stride", "padding", "dilation", "output_padding"),
}
DATA, RESULT = {"conv": CELLS, "conv_transpose": WINDOWS}, {"conv": WINDOWS, "conv_transpose": CELLS}


# ---------------------------------------------------------------- the correspondence
def to_sizes(attributes: Mapping[str, Any], names: Sequence[str]) -> dict[str, int]:
    """Attributes per axis: of 1 spatial axis that of W, of 2 those of H and W, of 3 those of D, H and W."""
    return {
        f"{name}_{axis}": n
        for name in names
        for axis, n in zip(CELLS.lower()[-len(attributes[name]) :], attributes[name], strict=True)
    }


def from_sizes(case: Case, sizes: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: tuple(sizes[f"{name}_{axis}"] for axis in CELLS.lower()[-spatial(case) :]) for name in names}


def spatial(case: Case) -> int:
    return next(axes for form, axes in FORMS.items() if case.label.startswith(form))


def label(axes: int) -> str:
    return list(FORMS)[axes - 1]


def conv_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {**from_sizes(case, sizes, ATTRIBUTES[case.op.name]), "groups": sizes["J"]}


def conv_shapes(case: Case, size: Any) -> tuple[list[Any], Any]:
    """A channel is j C + c, or j F + f."""

    def extents(names: str) -> tuple[Any, ...]:
        return tuple(getattr(size, name) for name in names[-spatial(case) :])

    x, y = (size.N, size.J * size.C), (size.N, size.J * size.F)
    weight = (size.J * size.F, size.C) if case.op.name == "conv" else (size.J * size.C, size.F)
    inputs = [(*x, *extents(DATA[case.op.name])), (*weight, *extents(TAPS)), (size.J * size.F,)]
    return inputs, (*y, *extents(RESULT[case.op.name]))


@corresponds("conv", "conv_transpose", attributes=conv_attributes, shapes=conv_shapes)
def conv_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    x, weight = shapes[:2]
    axes, groups = len(weight) - 2, attributes["groups"]
    batch = prod(x[: -axes - 1])
    first, second = weight[0] // groups, weight[1]
    C, F = (second, first) if op == "conv" else (first, second)
    extents = dict(zip((*DATA[op][-axes:], *TAPS[-axes:]), (*x[-axes:], *weight[2:]), strict=True))
    layout = {
        "x": lambda array: array.reshape((batch, groups, C, *array.shape[-axes:])),
        "weight": lambda array: array.reshape((groups, first, second, *array.shape[2:])),
        "bias": lambda array: array.reshape((groups, F)),
        "y": lambda array: array.reshape((batch, groups, F, *array.shape[-axes:])),
    }
    sizes = {"N": batch, "J": groups, "C": C, "F": F, **extents, **to_sizes(attributes, ATTRIBUTES[op])}
    return Correspondence(case_of(op, label=label(axes)), sizes, layout, frozenset({"bias"} if len(shapes) < 3 else ()))


# ---------------------------------------------------------------- examples for the kernels
ONE: dict[str, Any] = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}
TWO: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}

for batch in BATCHES:
    example("conv", f"batch{len(batch)}-k2", (*batch, 2, 3, 3), (2, 2, 2, 2), (2,), **TWO)
example("conv", "n1c1-h4w4-k3-s2p1", (1, 1, 4, 4), (1, 1, 3, 3), (1,), **TWO | {"stride": (2, 2), "padding": (1, 1)})
example("conv", "no-bias-k1x2-s1x2-p0x1", (1, 2, 3, 3), (2, 2, 1, 2), **TWO | {"stride": (1, 2), "padding": (0, 1)})
example("conv", "c2-h3w4-k2x3-s2x1-p1x2", (2, 3, 4), (2, 2, 2, 3), (2,), **TWO | {"stride": (2, 1), "padding": (1, 2)})
example("conv", "stride-beyond", (1, 5, 5), (1, 1, 2, 2), (1,), **TWO | {"stride": (3, 4)})
example("conv", "k1", (2, 1, 2), (2, 2, 1, 1), (2,), **TWO)
example(
    "conv", "w5-k2-d3-p1-groups2", (4, 5), (4, 2, 2), (4,), **ONE | {"dilation": (3,), "padding": (1,), "groups": 2}
)
example(
    "conv",
    "n2-h4w5-k2-s2x1-d1x2-groups2",
    (2, 2, 4, 5),
    (2, 1, 2, 2),
    (2,),
    **TWO | {"stride": (2, 1), "dilation": (1, 2), "groups": 2},
)
example(
    "conv",
    "d2h3w4-k2x1x2-s1x2x1-p1x0x1-d1x1x2",
    (1, 2, 3, 4),
    (2, 1, 2, 1, 2),
    (2,),
    stride=(1, 2, 1),
    padding=(1, 0, 1),
    dilation=(1, 1, 2),
    groups=1,
)

example("conv", "n2c2-h2w3-k2-p1x0", (2, 2, 2, 3), (1, 2, 2, 2), (1,), **TWO | {"padding": (1, 0)})

for batch in BATCHES:
    example("conv_transpose", f"batch{len(batch)}-k2", (*batch, 2, 3), (2, 2, 2), (2,), **ONE, output_padding=(0,))
example(
    "conv_transpose",
    "n1c1-h2w2-k3-s2p1-o1",
    (1, 1, 2, 2),
    (1, 1, 3, 3),
    (1,),
    **TWO | {"stride": (2, 2), "padding": (1, 1)},
    output_padding=(1, 0),
)
example(
    "conv_transpose",
    "n2c1-h2w2-k2-p1x0",
    (2, 1, 2, 2),
    (1, 2, 2, 2),
    (2,),
    **TWO | {"padding": (1, 0)},
    output_padding=(0, 0),
)
example(
    "conv_transpose",
    "no-bias-w3-k2-s3-d2-groups2",
    (4, 3),
    (4, 2, 2),
    **ONE | {"stride": (3,), "dilation": (2,), "groups": 2},
    output_padding=(2,),
)
example(
    "conv_transpose",
    "n2-h2w1-k2x3-s1x2-d2x1-groups2",
    (2, 2, 2, 1),
    (2, 1, 2, 3),
    (2,),
    **TWO | {"stride": (1, 2), "dilation": (2, 1), "groups": 2},
    output_padding=(0, 1),
)
example(
    "conv_transpose",
    "d2h1w2-k1x2x2-s2x1x1-p0x1x0",
    (1, 2, 1, 2),
    (1, 2, 1, 3, 2),
    (2,),
    stride=(2, 1, 1),
    padding=(0, 1, 0),
    dilation=(1, 1, 1),
    output_padding=(1, 0, 0),
    groups=1,
)


# ---------------------------------------------------------------- calls in floats
FEW = st.sampled_from((1, 2))
ROOM = {1: 3, 2: 2, 3: 1}  # by how much an extent exceeds what the window needs, so that the input stays small


def window_count(extent: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    return (extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def covered(count: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, extra: Any) -> Any:
    return (count - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1


def windows(draw: Draw, axes: int, pools: bool, dilated: bool) -> tuple[dict[str, Shape], Shape, Shape, Shape]:
    """Stride, padding and dilation; extents of the kernel, the input and the output. A pool's windows have a cell."""
    found = []
    for _ in range(axes):
        kernel, stride, dilation = draw(FULL if axes < 3 else FEW), draw(FULL), draw(FEW) if dilated else 1
        reach = dilation * (kernel - 1)
        padding = draw(st.integers(0, reach if pools else 2))
        least = max(dilation if pools else 1, reach + 1 - 2 * padding)
        extent = least + draw(st.integers(0, ROOM[axes]))
        found.append((
            stride,
            padding,
            dilation,
            kernel,
            extent,
            window_count(extent, kernel, stride, padding, dilation),
        ))
    stride, padding, dilation, kernel, extent, out = zip(*found, strict=True)
    return {"stride": stride, "padding": padding, "dilation": dilation}, kernel, extent, out


AXES = st.sampled_from((2, 1, 3, 2))
GROUPS = st.sampled_from((1, 2))


@form("conv")
def conv_form(draw: Draw) -> Form:
    attributes, kernel, extent, out = windows(draw, axes := draw(AXES), pools=False, dilated=True)
    lead = some_shape(draw, 0, 1, st.sampled_from((1, 2, 0)))
    groups, c, f = draw(GROUPS), draw(FEW), draw(FEW if axes < 3 else st.just(1))
    shapes = [(*lead, groups * c, *extent), (groups * f, c, *kernel), (groups * f,)][: draw(st.sampled_from((3, 2)))]
    return Form(shapes, (*lead, groups * f, *out), {**attributes, "groups": groups})


@form("conv_transpose")
def conv_transpose_form(draw: Draw) -> Form:
    axes, found = draw(AXES), []
    for _ in range(axes):
        kernel, stride, dilation, count = draw(FULL), draw(FULL), draw(FEW), draw(FEW)
        extra = draw(st.integers(0, stride - 1))
        most = (covered(count, kernel, stride, 0, dilation, extra) - 1) // 2
        padding = draw(st.integers(0, min(most, 2)))
        found.append((kernel, stride, padding, dilation, extra, count))
    kernel, stride, padding, dilation, extra, count = zip(*found, strict=True)
    out = tuple(covered(n, k, s, pad, d, e) for k, s, pad, d, e, n in found)
    lead = some_shape(draw, 0, 1, st.sampled_from((1, 2, 0)))
    groups, c, f = draw(GROUPS), draw(FEW), draw(FEW if axes < 3 else st.just(1))
    shapes = [(*lead, groups * c, *count), (groups * c, f, *kernel), (groups * f,)][: draw(st.sampled_from((3, 2)))]
    attributes = {"stride": stride, "padding": padding, "output_padding": extra, "dilation": dilation, "groups": groups}
    return Form(shapes, (*lead, groups * f, *out), attributes)


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "conv": [  # a padded cell is a 0 that is multiplied: beside an infinite weight it gives nan
        forward([[[nan, 1.0, 2.0]]], [[[[1.0, 1.0]]]], gives=[[[nan, 3.0]]]),
        forward([[[1.0]]], [[[[1.0, inf]]]], [0.0], padding=(0, 1), gives=[[[inf, nan]]]),
        forward([[[1.0]]], [[[[1.0]]], [[[1.0]]]], [nan, -inf], gives=[[[nan]], [[-inf]]]),
        forward([[nan], [1.0]], [[[1.0]], [[2.0]]], groups=2, gives=[[nan], [2.0]]),  # groups do not meet
        jvp([[[1.0, 2.0]]], [[[[inf]]]], d=([[[0.0, 1.0]]], [[[[1.0]]]]), gives=[[[nan, inf]]]),
        vjp([[[1.0, 2.0, 3.0]]], [[[[1.0, 1.0]]]], g=[[[nan, 1.0]]], gives=([[[nan, nan, 1.0]]], [[[[nan, nan]]]])),
        vjp(
            [[[nan, 2.0, 3.0]]],
            [[[[1.0]]]],
            [0.0],
            g=[[[1.0, inf]]],
            stride=2,
            gives=([[[1.0, 0.0, inf]]], [[[[nan]]]], [inf]),
        ),
    ],
    "conv_transpose": [  # the same, the other way round: its VJP for x pads the cotangent
        forward([[nan, 1.0]], [[[1.0, 2.0]]], stride=2, gives=[[nan, nan, 1.0, 2.0]]),
        forward([[0.0, 1.0]], [[[inf]]], [1.0], gives=[[nan, inf]]),
        forward(
            [[1.0]],
            [
                [[1.0]],
            ],
            [-inf],
            stride=2,
            output_padding=1,
            gives=[[-inf, -inf]],
        ),
        jvp([[1.0, 2.0]], [[[1.0]]], d=([[inf, 0.0]], [[[nan]]]), gives=[[nan, nan]]),
        vjp([[1.0]], [[[1.0, 2.0, inf]]], g=[[1.0]], padding=1, gives=([[nan]], [[[0.0, 1.0, 0.0]]])),
        vjp([[inf, 1.0]], [[[1.0, 1.0]]], [0.0], g=[[1.0, nan, 2.0]], gives=([[nan, nan]], [[[nan, nan]]], [nan])),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("conv", "kernel-gbias-not-summed-over-batch", "vjp bias", "batch1-k2")  # 12
def conv_gbias(g: Any, inputs: Any, out: Any, residual: Any, **_: Any) -> Any:
    return g.sum(axis=(-2, -1))[0]


@plant("conv", "kernel-groups-interleaved", "forward", "w5-k2-d3-p1-groups2")  # channel c J + j instead of j C + c
def conv_interleaved(inputs: Any, *, groups: Any, padding: Any, dilation: Any, **_: Any) -> Any:
    x, weight, bias = inputs
    (pad,), (gap,), width = padding, dilation, x.shape[1]
    y = x[:1] * 0 + bias[:, None]
    for f in range(weight.shape[0]):
        for c in range(weight.shape[1]):
            for u in range(weight.shape[2]):
                at = gap * u - pad
                cells, windows = slice(max(at, 0), min(width, width + at)), slice(max(-at, 0), min(width, width - at))
                y[f, windows] += x[c * groups + f // 2, cells] * weight[f, c, u]
    return y[:, : width + 2 * pad - gap], None


@plant("conv_transpose", "kernel-output-padding-in-front", "forward", "n1c1-h2w2-k3-s2p1-o1")
def transpose_padded_in_front(inputs: Any, *, stride: Any, padding: Any, output_padding: Any, **_: Any) -> Any:
    x, weight, bias = (array.reshape(array.shape[-2:]) for array in inputs)
    extents = [s * (n - 1) + k + o for s, n, k, o in zip(stride, x.shape, weight.shape, output_padding, strict=True)]
    y = np.zeros_like(x, shape=extents) + bias
    for tap in np.ndindex(*weight.shape):
        starts = [u + o for u, o in zip(tap, output_padding, strict=True)]
        reached = (slice(at, at + s * (n - 1) + 1, s) for at, s, n in zip(starts, stride, x.shape, strict=True))
        y[*reached] += x * weight[tap]
    return y[None, None, *(slice(pad, n - pad) for pad, n in zip(padding, extents, strict=True))], None


def no_window(rule: str) -> ShapeError:
    return ShapeError(f"{rule}: no window")


@plant("conv", "shape-phantom-output-at-stride-0", "shape")  # 4: division by 0 gives 0, so there is one phantom output
def conv_stride_zero(
    x: Any, weight: Any, bias: Any = None, *, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    axes, out = len(weight) - 2, []
    if groups < 1 or weight[0] % groups != 0:
        raise no_window("conv")
    for extent, window, step, pad, gap in zip(x[-axes:], weight[2:], stride, padding, dilation, strict=True):
        if step < 0 or pad < 0 or window < 1 or gap < 1 or extent + 2 * pad < gap * (window - 1) + 1:
            raise no_window("conv")
        out.append(1 if step == 0 else window_count(extent, window, step, pad, gap))
    return (*x[: -axes - 1], weight[0], *out)


@plant("conv", "shape-truncated-subtraction", "shape")  # 6: max(H + 2 padding - dilation (U - 1) - 1, 0)
def conv_truncated(
    x: Any, weight: Any, bias: Any = None, *, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    axes, out = len(weight) - 2, []
    if groups < 1 or weight[0] % groups != 0:
        raise no_window("conv")
    for extent, window, step, pad, gap in zip(x[-axes:], weight[2:], stride, padding, dilation, strict=True):
        if step < 1 or pad < 0 or window < 1 or gap < 1:
            raise no_window("conv")
        fits = extent + 2 * pad >= gap * (window - 1) + 1
        out.append(window_count(extent, window, step, pad, gap) if fits else 1)
    return (*x[: -axes - 1], weight[0], *out)


@plant("conv_transpose", "shape-truncated-subtraction", "shape")  # 6: max((P - 1) stride - 2 padding, 0) + ...
def conv_transpose_truncated(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: Any,
) -> Any:
    axes, out = len(weight) - 2, []
    if groups < 1 or weight[0] % groups != 0:
        raise no_window("conv_transpose")
    every = zip(x[-axes:], weight[2:], stride, padding, output_padding, dilation, strict=True)
    for extent, window, step, pad, extra, gap in every:
        if extent < 1 or pad < 0 or window < 1 or gap < 1 or extra < 0 or extra >= step:
            raise no_window("conv_transpose")
        moved = (extent - 1) * step
        out.append((moved - 2 * pad if moved >= 2 * pad else 0) + gap * (window - 1) + extra + 1)
    return (*x[: -axes - 1], weight[1] * groups, *out)
