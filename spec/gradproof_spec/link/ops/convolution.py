"""TRUSTED. Convolutions as instances of the specification: leading batch axes, two spatial axes.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from numpy import inf, nan

from gradproof.errors import ShapeError

from ...op import Case
from ..calls import FULL, Draw, Form, form, some_shape
from ..cases import Correspondence, Shape, batched, corresponds
from ..examples import BATCHES, example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
def to_sizes(attributes: Mapping[str, Any]) -> dict[str, int]:
    return {
        f"{name}_{axis}": n for name in ("stride", "padding") for axis, n in zip("hw", attributes[name], strict=True)
    }


def from_sizes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: (sizes[f"{name}_h"], sizes[f"{name}_w"]) for name in ("stride", "padding")}


@corresponds("conv", attributes=from_sizes)
def conv_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return batched(op, {"x": 3, "y": 3}, shapes, to_sizes(attributes))


# ---------------------------------------------------------------- examples for the kernels
for batch in BATCHES:
    example("conv", f"batch{len(batch)}-k2", (*batch, 2, 3, 3), (2, 2, 2, 2), (2,), stride=(1, 1), padding=(0, 0))
example("conv", "n1c1-h4w4-k3-s2p1", (1, 1, 4, 4), (1, 1, 3, 3), (1,), stride=(2, 2), padding=(1, 1))
example("conv", "no-bias-k1x2-s1x2-p0x1", (1, 2, 3, 3), (2, 2, 1, 2), stride=(1, 2), padding=(0, 1))
example("conv", "c2-h3w4-k2x3-s2x1-p1x2", (2, 3, 4), (2, 2, 2, 3), (2,), stride=(2, 1), padding=(1, 2))
example("conv", "stride-beyond", (1, 5, 5), (1, 1, 2, 2), (1,), stride=(3, 4), padding=(0, 0))


# ---------------------------------------------------------------- calls in floats
FEW = st.sampled_from((1, 2))


def windows(draw: Draw, most_padding: Callable[[int], int]) -> tuple[Shape, Shape, Shape, Shape, Shape]:
    """Kernel, stride, padding, input and output extents of two spatial axes."""
    axes = []
    for _ in range(2):
        kernel, stride = draw(FULL), draw(FULL)
        padding = draw(st.integers(0, most_padding(kernel)))
        extent = draw(st.integers(max(1, kernel - 2 * padding), 4))
        axes.append((kernel, stride, padding, extent, (extent + 2 * padding - kernel) // stride + 1))
    return tuple(zip(*axes, strict=True))  # type: ignore[return-value]


@form("conv")
def conv_form(draw: Draw) -> Form:
    kernel, stride, padding, extent, out = windows(draw, lambda kernel: 2)
    lead, c, o = some_shape(draw, 0, 1, st.sampled_from((1, 2, 0))), draw(FEW), draw(FEW)
    shapes = [(*lead, c, *extent), (o, c, *kernel), (o,)][: draw(st.sampled_from((3, 2)))]
    return Form(shapes, (*lead, o, *out), {"stride": stride, "padding": padding})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "conv": [  # a padded cell is a 0 that is multiplied: beside an infinite weight it gives nan
        forward([[[nan, 1.0, 2.0]]], [[[[1.0, 1.0]]]], gives=[[[nan, 3.0]]]),
        forward([[[1.0]]], [[[[1.0, inf]]]], [0.0], padding=(0, 1), gives=[[[inf, nan]]]),
        forward([[[1.0]]], [[[[1.0]]], [[[1.0]]]], [nan, -inf], gives=[[[nan]], [[-inf]]]),
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
})


# ---------------------------------------------------------------- wrong kernels
@plant("conv", "kernel-gbias-not-summed-over-batch", "vjp bias", "batch1-k2")  # 12
def conv_gbias(g: Any, inputs: Any, out: Any, residual: Any, *, stride: Any, padding: Any) -> Any:
    return g.sum(axis=(-2, -1))[0]


def window_count(extent: Any, window: Any, step: Any, pad: Any) -> Any:
    return (extent + 2 * pad - window) // step + 1


@plant("conv", "shape-phantom-output-at-stride-0", "shape")  # 4: division by 0 gives 0, so there is one phantom output
def conv_stride_zero(x: Any, weight: Any, bias: Any = None, *, stride: Any, padding: Any) -> Any:
    out: tuple[Any, ...] = ()
    for extent, window, step, pad in zip(x[-2:], weight[-2:], stride, padding, strict=True):
        if step < 0 or pad < 0 or window < 1 or extent + 2 * pad < window:
            raise ShapeError("conv: no window")
        out += (1 if step == 0 else window_count(extent, window, step, pad),)
    return (*x[:-3], weight[0], *out)


@plant(
    "conv", "shape-truncated-subtraction", "shape"
)  # 6: max(H + 2 padding - U, 0)
def conv_truncated(x: Any, weight: Any, bias: Any = None, *, stride: Any, padding: Any) -> Any:
    out: tuple[Any, ...] = ()
    for extent, window, step, pad in zip(x[-2:], weight[-2:], stride, padding, strict=True):
        if step < 1 or pad < 0 or window < 1:
            raise ShapeError("conv: no window")
        out += (1 if extent + 2 * pad < window else window_count(extent, window, step, pad),)
    return (*x[:-3], weight[0], *out)
