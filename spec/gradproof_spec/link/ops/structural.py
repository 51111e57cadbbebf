"""TRUSTED. Calls that move elements as instances of the specification: one case per rank or number of inputs.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from gradproof.errors import ShapeError

from ...op import Case
from ..calls import EXTENTS, FULL, Draw, Form, form, narrowed, some_shape
from ..cases import Correspondence, Layout, Shape, case_of, corresponds, extents
from ..examples import example, shape_name
from ..nonfinite import BITS, TABLE, forward, jvp, vjp
from ..planted_kernels import plant

# ---------------------------------------------------------------- the correspondence
HIGHEST_RANK = 4  # of the forms of reshape, transpose, broadcast_to and pad


def laid_out(shape: Sequence[int]) -> Layout:
    return lambda x: x.reshape(tuple(shape))


def around(shape: Shape, axis: int) -> tuple[int, int]:
    """The number of positions before and after the axis."""
    return prod(shape[:axis]), prod(shape[axis + 1 :])


@corresponds("concat", attributes=lambda case, sizes: {"axis": 1})
def concat_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    axis, count = attributes["axis"], len(shapes)
    case = case_of(op, label=f"{count} input{'s' * (count > 1)}")
    before, after = around(shapes[0], axis)
    along = {f"x{j}": s[axis] for j, s in enumerate(shapes)} | {"y": sum(s[axis] for s in shapes)}
    sizes = {"B": before, "A": after, **{f"N{j}": s[axis] for j, s in enumerate(shapes)}}
    return Correspondence(case, sizes, {name: laid_out((before, n, after)) for name, n in along.items()})


@corresponds(
    "slice_range",
    attributes=lambda case, sizes: {"axis": 1, "start": sizes["start"], "length": sizes["L"]},
)
def slice_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    axis, length = attributes["axis"], attributes["length"]
    before, after = around(shapes[0], axis)
    sizes = {"B": before, "N": shapes[0][axis], "A": after, "L": length, "start": attributes["start"]}
    layout = {"x": laid_out((before, shapes[0][axis], after)), "y": laid_out((before, length, after))}
    return Correspondence(case_of(op), sizes, layout)


def wanted_shape(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": tuple(sizes[a] for a in case.output.axes)}


@corresponds("reshape", attributes=wanted_shape)
def reshape_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """More than 4 axes, on either side, are read in row-major order as one: a reshape keeps that order."""
    x, y = shapes[0], attributes["shape"]
    many = max(len(x), len(y)) > HIGHEST_RANK
    x, y = ((prod(x),), (prod(y),)) if many else (x, y)
    case = case_of(op, label=f"rank {len(x)} to {len(y)}")
    return Correspondence(case, extents(case, {"x": x, "y": y}), {"x": laid_out(x), "y": laid_out(y)})


def joined(axes: Sequence[Any], together: Callable[[Any, Any], bool]) -> list[list[Any]]:
    """Runs of neighbours that count as one axis."""
    runs: list[list[Any]] = []
    for axis in axes:
        if runs and together(runs[-1][-1], axis):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs


@corresponds("broadcast_to", attributes=wanted_shape)
def broadcast_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """From rank 4 on, missing axes are axes of extent 1; above it, neighbours that are all repeated, or all not, are
    joined."""
    x, y = shapes[0], attributes["shape"]
    if len(y) >= HIGHEST_RANK:
        x = (1,) * (len(y) - len(x)) + tuple(x)
    if len(y) > HIGHEST_RANK:
        runs = joined(list(zip(x, y, strict=True)), lambda a, b: (a[0] == a[1]) == (b[0] == b[1]))
        x, y = (tuple(prod(pair[side] for pair in run) for run in runs) for side in (0, 1))
    case = case_of(op, label=f"rank {len(x)} to {len(y)}")
    return Correspondence(case, extents(case, {"x": x, "y": y}), {"x": laid_out(x), "y": laid_out(y)})


@corresponds(
    "transpose",
    attributes=lambda case, sizes: {"axes": tuple(case.inputs[0].axes.index(a) for a in case.output.axes)},
)
def transpose_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """Of more than 3 axes, those that stay neighbours are joined."""
    shape, axes = shapes[0], attributes["axes"]
    runs = joined(axes, lambda a, b: len(axes) > 3 and b == a + 1)
    in_x = sorted(runs)
    x, y = ([prod(shape[a] for a in run) for run in order] for order in (in_x, runs))
    case = case_of(op, label=" ".join(["axes", *(str(in_x.index(run)) for run in runs)]))
    return Correspondence(case, extents(case, {"x": x}), {"x": laid_out(x), "y": laid_out(y)})


def pad_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    befores = [sizes[f"before{k}"] for k in range(len(case.output.axes))]
    inner = [sizes[a] for a in case.inputs[0].axes]
    outer = [sizes[a] for a in case.output.axes]
    return {"widths": tuple((b, o - b - i) for b, i, o in zip(befores, inner, outer, strict=True))}


@corresponds("pad", attributes=pad_attributes)
def pad_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """Of more than 4 axes, neighbours that are not padded are joined."""
    axes = list(zip(shapes[0], attributes["widths"], strict=True))
    runs = joined(axes, lambda a, b: len(axes) > HIGHEST_RANK and a[1] == b[1] == (0, 0))
    x = [prod(n for n, _ in run) for run in runs]
    widths = [run[0][1] for run in runs]
    y = [before + n + after for n, (before, after) in zip(x, widths, strict=True)]
    case = case_of(op, label=f"rank {len(x)}")
    befores = dict.fromkeys(case.op.attributes, 0) | {f"before{k}": before for k, (before, _) in enumerate(widths)}
    return Correspondence(case, {**extents(case, {"x": x, "y": y}), **befores}, {"x": laid_out(x), "y": laid_out(y)})


@corresponds("flip", attributes=lambda case, sizes: {"axis": (1,) if case.label == "1 group" else (1, 3)})
def flip_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """Kept and turned axes in alternation, neighbours of the same kind joined; kept ones, perhaps 1, at both ends."""
    groups = [1]
    for k, n in enumerate(shapes[0]):
        if (k in attributes["axis"]) == (len(groups) % 2 == 0):
            groups[-1] *= n
        else:
            groups.append(n)
    groups += [1, 1] if len(groups) == 1 else [1] * (len(groups) % 2 == 0)
    case = case_of(op, label="1 group" if len(groups) == 3 else f"{len(groups) // 2} groups")
    return Correspondence(case, extents(case, {"x": groups}), {"x": laid_out(groups), "y": laid_out(groups)})


@corresponds("roll", attributes=lambda case, sizes: {"axis": 1, "shift": sizes["shift"]})
def roll_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    before, after = around(shapes[0], attributes["axis"])
    sizes = {"B": before, "N": shapes[0][attributes["axis"]], "A": after}
    layout = laid_out(tuple(sizes.values()))
    return Correspondence(case_of(op), {**sizes, "shift": attributes["shift"]}, {"x": layout, "y": layout})


@corresponds("upsample_nearest", attributes=lambda case, sizes: {"size": tuple(sizes[a] for a in case.output.axes[1:])})
def upsample_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    size, shape = attributes["size"], shapes[0]
    own = len(size)
    x = (prod(shape[: len(shape) - own]), *shape[len(shape) - own :])
    y = (x[0], *size)
    case = case_of(op, label="1 axis" if own == 1 else f"{own} axes")
    return Correspondence(case, extents(case, {"x": x, "y": y}), {"x": laid_out(x), "y": laid_out(y)})


# ---------------------------------------------------------------- examples for the kernels
BROADCASTS: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((3,), (3,)),
    ((1,), (3,)),
    ((), (2, 2)),
    ((3,), (2, 3)),
    ((2,), (2, 2)),
    ((2, 1), (2, 3)),
    ((1, 3), (2, 2, 3)),
    ((1, 1), (2, 2)),
    ((2, 1, 2, 1), (2, 2, 2, 2)),
    ((2, 1, 1, 2, 1), (1, 2, 2, 2, 2, 1)),
)
RESHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((), (1,)),
    ((6,), (2, 3)),
    ((2, 3), (3, 2)),
    ((2, 3), (6,)),
    ((2, 1, 3), (3, 2)),
    ((4, 2), (2, 2, 2)),
    ((0, 3), (0,)),
    ((2, 1, 2, 1, 2), (4, 2)),
)
TRANSPOSES: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((), ()),
    ((2, 3), (1, 0)),
    ((2, 3, 4), (2, 0, 1)),
    ((2, 1, 3), (1, 2, 0)),
    ((0, 2, 3), (0, 2, 1)),
    ((2, 3, 1, 2), (3, 1, 0, 2)),
    ((2, 2, 3, 2), (0, 1, 3, 2)),
    ((1, 2, 2, 3, 2), (0, 3, 1, 4, 2)),
)
PADS: tuple[tuple[Shape, Any], ...] = (
    ((), ()),
    ((2,), ((1, 2),)),
    ((2, 3), ((0, 1), (2, 0))),
    ((0, 2), ((1, 1), (0, 0))),
    ((2, 1, 2), ((1, 0), (0, 1), (1, 1))),
    ((1, 2, 1, 2), ((0, 0), (1, 0), (0, 1), (1, 1))),
    ((2, 2, 1, 2, 1), ((0, 0), (0, 0), (1, 0), (0, 1), (1, 1))),
)
FLIPS: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((), ()),
    ((3,), (0,)),
    ((2, 3), (0,)),
    ((2, 3), (0, 1)),
    ((2, 2, 3), (0, 2)),
    ((2, 0), (1,)),
    ((2, 2), ()),
)
ROLLS: tuple[tuple[Shape, int, int], ...] = (
    ((3,), 1, 0),
    ((2, 4), -1, 1),
    ((3, 2), 5, 0),
    ((2, 4, 2), 2, 1),
    ((0,), 2, 0),
)
UPSAMPLES: tuple[tuple[Shape, tuple[int, ...]], ...] = (
    ((3,), (5,)),
    ((5,), (3,)),
    ((2, 2), (6,)),
    ((2, 2, 3), (4, 3)),
    ((2, 1, 3, 2), (3, 2, 3)),
    ((0, 2), (4,)),
)
LENGTHS: tuple[tuple[int, ...], ...] = ((2,), (1, 2), (2, 1, 1))

for along in (0, 1, 2):
    for lengths in LENGTHS:
        shapes = tuple(tuple(n if a == along else 2 for a in range(3)) for n in lengths)
        example("concat", f"axis{along}-{len(lengths)}", *shapes, axis=along)
example("concat", "with-empty", (2,), (0,), (1,), axis=0)
for x, along, start, length in (((4,), 0, 1, 2), ((2, 3), 1, 0, 2), ((2, 3, 2), 1, 1, 1), ((2, 2), 0, 2, 0)):
    example("slice_range", f"{shape_name(x)}-axis{along}-{start}-{length}", x, start=start, length=length, axis=along)
for r, s in RESHAPES:
    example("reshape", f"{shape_name(r)}-to-{shape_name(s)}", r, shape=s)
for r, axes in TRANSPOSES:
    example("transpose", "-".join([shape_name(r), *map(str, axes)]), r, axes=axes)
for r, s in BROADCASTS:
    example("broadcast_to", f"{shape_name(r)}-to-{shape_name(s)}", r, shape=s)
for r, widths in PADS:
    example("pad", shape_name(r), r, widths=widths, value=0.5)
for r, axes in FLIPS:
    example("flip", "-".join([shape_name(r), "axis", *map(str, axes)]), r, axis=axes)
for r, shift, along in ROLLS:
    example("roll", f"{shape_name(r)}-axis{along}-by{shift}", r, shift=shift, axis=along)
for r, s in UPSAMPLES:
    example("upsample_nearest", f"{shape_name(r)}-to-{shape_name(s)}", r, size=s)


# ---------------------------------------------------------------- calls in floats
@form("concat", never_overflows_first="forward jvp vjp")
def concat_form(draw: Draw) -> Form:
    shape = some_shape(draw, 1)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        part = list(shape)
        part[axis] = draw(EXTENTS)
        parts.append(tuple(part))
    return Form(parts, np.concatenate([np.zeros(s) for s in parts], axis).shape, {"axis": axis})


@form("reshape", never_overflows_first="forward jvp vjp")
def reshape_form(draw: Draw) -> Form:
    shape = draw(st.permutations([*some_shape(draw), *draw(st.sampled_from(((), (1, 1))))]))
    out = draw(st.permutations([*shape, *draw(st.sampled_from(((), (1,))))]))
    out = draw(st.sampled_from((tuple(out), (prod(out),), *([(*out[:-2], out[-2] * out[-1])] if len(out) > 1 else []))))
    return Form([tuple(shape)], out, {"shape": out})


@form("broadcast_to", never_overflows_first="forward jvp")
def broadcast_to_form(draw: Draw) -> Form:
    shape = some_shape(draw) + draw(st.sampled_from(((), (2,))))
    return Form([narrowed(draw, shape)], shape, {"shape": shape})


@form("slice_range", never_overflows_first="forward jvp vjp")
def slice_range_form(draw: Draw) -> Form:
    shape = some_shape(draw, 1)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    start = draw(st.integers(0, shape[axis]))
    out = list(shape)
    out[axis] = draw(st.integers(0, shape[axis] - start))
    return Form([shape], tuple(out), {"start": start, "length": out[axis], "axis": axis})


@form("transpose", never_overflows_first="forward jvp vjp")
def transpose_form(draw: Draw) -> Form:
    shape = draw(st.permutations([*some_shape(draw), *draw(st.sampled_from(((), (1,), (2,))))]))
    axes = draw(st.permutations(range(len(shape))))
    given = None if draw(st.integers(0, 4)) == 4 else tuple(draw(st.sampled_from((a, a - len(shape)))) for a in axes)
    axes = axes if given else range(len(shape))[::-1]
    return Form([tuple(shape)], tuple(shape[a] for a in axes), {"axes": given})


@form("pad", never_overflows_first="forward jvp vjp")
def pad_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    widths = tuple(draw(st.sampled_from(((0, 0), (1, 0), (0, 1), (2, 1)))) for _ in shape)
    out = tuple(before + n + after for n, (before, after) in zip(shape, widths, strict=True))
    return Form([shape], out, {"widths": widths, "value": draw(st.sampled_from((0, -1.5, 0.1)))})


@form("flip", never_overflows_first="forward jvp vjp")
def flip_form(draw: Draw) -> Form:
    shape = some_shape(draw)
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True)) if shape else []
    axis = draw(st.sampled_from((tuple(axes), None, *axes[:1], *(a - len(shape) for a in axes[:1]))))
    return Form([shape], shape, {"axis": axis})


@form("roll", never_overflows_first="forward jvp vjp")
def roll_form(draw: Draw) -> Form:
    shape = some_shape(draw, 1)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return Form([shape], shape, {"shift": draw(st.integers(-4, 4)), "axis": axis})


@form("upsample_nearest", never_overflows_first="forward jvp")
def upsample_nearest_form(draw: Draw) -> Form:
    spatial = some_shape(draw, 1, 3, FULL)
    size = tuple(draw(st.integers(1, 4)) for _ in spatial) if len(spatial) < 3 else draw(st.permutations(spatial))
    before = draw(st.sampled_from(((), (2,), (0,), (1, 2)))) if len(spatial) < 3 else ()
    return Form([before + spatial], (*before, *size), {"size": tuple(size)})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "concat": [
        forward([nan, inf], [-inf, -0.0], gives=BITS, signed=True),
        jvp([1.0, 2.0], [3.0, nan], d=([nan, inf], [-inf, -0.0]), gives=BITS, signed=True),
        vjp([1.0, 2.0], [3.0, nan], g=BITS, gives=([nan, inf], [-inf, -0.0]), signed=True),
    ],
    "reshape": [
        forward(BITS, shape=(2, 2), gives=[BITS[:2], BITS[2:]], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), shape=(2, 2), gives=[BITS[:2], BITS[2:]], signed=True),
        vjp([1.0, 2.0, 3.0, nan], g=[BITS[:2], BITS[2:]], shape=(2, 2), gives=(BITS,), signed=True),
    ],
    "broadcast_to": [
        forward(BITS, shape=(2, 4), gives=[BITS, BITS], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), shape=(2, 4), gives=[BITS, BITS], signed=True),
        vjp([nan, 1.0, 2.0], g=[[1.0, inf, inf], [2.0, -inf, 1.0]], shape=(2, 3), gives=([3.0, nan, inf],)),
    ],
    "slice_range": [
        forward([1.0, *BITS, nan], start=1, length=4, gives=BITS, signed=True),
        jvp([nan, inf, 1.0], d=([inf, nan, -0.0],), start=1, length=2, gives=[nan, -0.0], signed=True),
        vjp([nan, inf, 1.0], g=[inf, -0.0], start=1, length=2, gives=([0.0, inf, -0.0],), signed=True),
    ],
    "transpose": [
        forward([BITS[:2], BITS[2:]], axes=(1, 0), gives=[BITS[::2], BITS[1::2]], signed=True),
        jvp([[1.0, nan]], d=([[inf, -0.0]],), axes=(1, 0), gives=[[inf], [-0.0]], signed=True),
        vjp([[1.0, nan]], g=[[nan], [-0.0]], axes=(1, 0), gives=([[nan, -0.0]],), signed=True),
    ],
    "pad": [
        forward(BITS, widths=((1, 1),), gives=[0.0, *BITS, 0.0], signed=True),
        forward([nan, 1.0], widths=((0, 1),), value=-inf, gives=[nan, 1.0, -inf]),
        forward([1.0], widths=((0, 1),), value=-0.0, gives=[1.0, -0.0], signed=True),
        jvp([1.0, nan], d=([inf, -0.0],), widths=((1, 0),), value=nan, gives=[0.0, inf, -0.0], signed=True),
        vjp([1.0, nan], g=[nan, inf, -0.0], widths=((1, 0),), value=nan, gives=([inf, -0.0],), signed=True),
    ],
    "flip": [
        forward(BITS, axis=0, gives=BITS[::-1], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), axis=0, gives=BITS[::-1], signed=True),
        vjp([1.0, 2.0, 3.0, nan], g=BITS, axis=0, gives=(BITS[::-1],), signed=True),
    ],
    "roll": [
        forward(BITS, shift=1, axis=0, gives=[-0.0, nan, inf, -inf], signed=True),
        jvp([1.0, 2.0, 3.0, nan], d=(BITS,), shift=1, axis=0, gives=[-0.0, nan, inf, -inf], signed=True),
        vjp([1.0, 2.0, 3.0, nan], g=BITS, shift=1, axis=0, gives=([inf, -inf, -0.0, nan],), signed=True),
    ],
    "upsample_nearest": [
        forward([nan, -0.0], size=(3,), gives=[nan, nan, -0.0], signed=True),
        jvp([1.0, nan], d=([inf, -0.0],), size=(3,), gives=[inf, inf, -0.0], signed=True),
        vjp([1.0, nan], g=[inf, -inf, 2.0], size=(3,), gives=([nan, 2.0],)),
        vjp([nan, 1.0, 2.0], g=[inf, 2.0], size=(2,), gives=([inf, 2.0, 0.0],)),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("concat", "kernel-reversed", "forward", "axis0-2")
def concat_reversed(inputs: Any, *, axis: Any) -> Any:
    return np.concatenate(inputs[::-1], axis=axis), None


@plant("concat", "shape-of-the-first", "shape")
def concat_shape_first(*xs: Any, axis: Any) -> Any:
    return xs[0]


@plant("reshape", "kernel-column-major", "forward", "2x3-to-3x2")
def reshape_fortran(inputs: Any, *, shape: Any) -> Any:
    return inputs[0].transpose().reshape(shape), None


@plant("broadcast_to", "kernel-left-aligned", "forward", "2-to-2x2")  # 5, at a shape where both alignments fit
def broadcast_left(inputs: Any, *, shape: Any) -> Any:
    return np.broadcast_to(inputs[0][:, None], shape), None


@plant("broadcast_to", "shape-left-aligned", "shape")  # 5
def broadcast_shape_left(x: Any, *, shape: Any) -> Any:
    for have, want in zip(x, shape, strict=False):
        if have != want and have != 1:
            raise ShapeError("broadcast_to: shapes do not match")
    return shape


@plant("slice_range", "kernel-one-late", "forward", "2x3x2-axis1-1-1")
def slice_one_late(inputs: Any, *, start: Any, length: Any, axis: Any) -> Any:
    return np.take(inputs[0], range(start + 1, start + 1 + length), axis), None


@plant("slice_range", "shape-clipped", "shape")
def slice_clipped(x: Any, *, start: Any, length: Any, axis: Any) -> Any:
    stop = start + length if start + length <= x[axis] else x[axis]
    return (*x[:axis], stop - start, *x[axis + 1 :])


@plant("transpose", "kernel-vjp-same-axes", "vjp x", "2x3x4-2-0-1")
def transpose_not_inverted(g: Any, inputs: Any, out: Any, residual: Any, *, axes: Any) -> Any:
    return g.transpose(axes).reshape(inputs[0].shape)


@plant("transpose", "shape-inverse", "shape")
def transpose_inverse_shape(x: Any, *, axes: Any) -> Any:
    return tuple(x[axes.index(axis)] for axis in range(len(axes)))


@plant("pad", "kernel-zero-instead-of-value", "forward", "2")
def pad_zero(inputs: Any, *, widths: Any, value: Any) -> Any:
    return np.pad(inputs[0], widths), None


@plant("pad", "kernel-before-and-after-swapped", "vjp x", "2")
def pad_swapped(g: Any, inputs: Any, out: Any, residual: Any, *, widths: Any, value: Any) -> Any:
    ((_, after),) = widths
    return g[after : after + inputs[0].shape[0]]


@plant("flip", "kernel-first-axis-only", "forward", "2x3-axis-0-1")
def flip_first(inputs: Any, *, axis: Any) -> Any:
    return np.flip(inputs[0], axis[:1]), None


@plant("roll", "kernel-vjp-same-way", "vjp x", "3-axis0-by1")
def roll_same_way(g: Any, inputs: Any, out: Any, residual: Any, *, shift: Any, axis: Any) -> Any:
    return np.roll(g, shift, axis)


@plant("upsample_nearest", "kernel-rounds-up", "forward", "3-to-5")
def upsample_rounds_up(inputs: Any, *, size: Any) -> Any:
    (x,) = inputs
    return x[-(-np.arange(size[0]) * x.shape[0] // size[0]) % x.shape[0]], None

@plant("upsample_nearest", "kernel-vjp-last-entry-only", "vjp x", "3-to-5")
def upsample_last_entry(g: Any, inputs: Any, out: Any, residual: Any, *, size: Any) -> Any:
    gx = np.zeros_like(inputs[0])
    gx[np.arange(size[0]) * gx.shape[0] // size[0]] = g
    return gx
