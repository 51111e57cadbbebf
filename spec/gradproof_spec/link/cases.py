"""TRUSTED. Which specification instance a runtime call means: the case, its sizes, and how arrays are laid out in it.

The specification groups axes (softmax: before, axis, after; reductions: kept, reduced; pointwise: all together). Here
that grouping is done with reshape and moveaxis, on arrays of floats, of symbols or of anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ..op import OPS, Case

Shape = tuple[int, ...]
Layout = Callable[[Any], Any]


@dataclass(frozen=True)
class Correspondence:
    """A runtime call as an instance of the specification.

    layout   for each input and the output: a runtime array to an array indexed as the specification indexes it
    absent   inputs that the call leaves out: they are 0 in the specification (a missing bias)
    """

    case: Case
    sizes: dict[str, int]
    layout: Mapping[str, Layout] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def to_spec(self, name: str, array: Any) -> Any:
        return self.layout.get(name, _same)(array)


def _same(array: Any) -> Any:
    return array


def case_of(op: str, batch: int = 0, label: str = "") -> Case:
    return next(c for c in OPS[op].cases if c.batch == batch and c.label == label)


def extents(case: Case, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Sizes read off the shapes, in specification layout, of the named tensors."""
    sizes: dict[str, int] = {}
    for tensor in (*case.inputs, case.output):
        if tensor.name in shapes:
            sizes |= dict(zip(tensor.axes, map(int, shapes[tensor.name]), strict=True))
    return {name: n for name, n in sizes.items() if name in case.symbols}


def flattened(array: Any) -> Any:
    return array.reshape((array.size,))


def _pointwise(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    case = case_of(op)
    names = [t.name for t in (*case.inputs, case.output) if t.axes]
    return Correspondence(case, {"I": prod(shapes[0])}, dict.fromkeys(names, flattened))


def _reduction(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (shape,), axis = shapes, attributes["axis"]
    kept = [a for a in range(len(shape)) if a not in axis]
    sizes = {"I": prod(shape[a] for a in kept), "N": prod(shape[a] for a in axis)}
    return Correspondence(
        case_of(op),
        sizes,
        {"x": lambda x: x.transpose(kept + list(axis)).reshape((sizes["I"], sizes["N"])), "y": flattened},
    )


def _along_axis(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    (shape,), axis = shapes, attributes["axis"]
    sizes = {"B": prod(shape[:axis]), "N": shape[axis], "A": prod(shape[axis + 1 :])}
    grouped = (sizes["B"], sizes["N"], sizes["A"])
    return Correspondence(case_of(op), sizes, dict.fromkeys(("x", "y"), lambda x: x.reshape(grouped)))


def _concat(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    axis, count = attributes["axis"], len(shapes)
    case = case_of(op, label=f"{count} input{'s' * (count > 1)}")
    before, after = prod(shapes[0][:axis]), prod(shapes[0][axis + 1 :])
    sizes = {"B": before, "A": after, **{f"N{j}": s[axis] for j, s in enumerate(shapes)}}

    def layout(extent: int) -> Layout:
        return lambda x: x.reshape((before, extent, after))

    return Correspondence(
        case,
        sizes,
        {**{f"x{j}": layout(s[axis]) for j, s in enumerate(shapes)}, "y": layout(sum(s[axis] for s in shapes))},
    )


def _batched(
    op: str, core: Mapping[str, int], shapes: Sequence[Shape], attribute_sizes: Mapping[str, int]
) -> Correspondence:
    """Ops with leading batch axes: more than two are joined into one, which row-major order allows.

    core: for each tensor with batch axes, how many axes of its own it has.
    """
    first = OPS[op].cases[0].inputs[0].name
    ndim = len(shapes[0]) - core[first]
    batch = ndim if ndim <= 2 else 1
    case = case_of(op, batch)
    layout: dict[str, Layout] = {}
    if ndim > 2:
        for name, own in core.items():
            layout[name] = lambda x, own=own: x.reshape((prod(x.shape[: x.ndim - own]), *x.shape[x.ndim - own :]))  # type: ignore[misc]
    given = {t.name: s for t, s in zip(case.inputs, shapes, strict=False)}
    spec_shapes = {n: layout[n](np.empty(s)).shape if n in layout else s for n, s in given.items()}
    sizes = {**extents(case, spec_shapes), **attribute_sizes}
    return Correspondence(case, sizes, layout, frozenset(t.name for t in case.inputs if t.name not in given))


def _spatial(attributes: Mapping[str, Any]) -> dict[str, int]:
    return {
        f"{name}_{axis}": n for name in ("stride", "padding") for axis, n in zip("hw", attributes[name], strict=True)
    }


def correspondence(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """The specification instance of OPS[op] at inputs of these shapes, with attributes as the table entry gets them."""
    if op in ("add", "sub", "mul", "neg", "exp", "relu", "maximum", "mse_loss"):
        return _pointwise(op, shapes, attributes)
    if op in ("reduce_sum", "reduce_mean"):
        return _reduction(op, shapes, attributes)
    if op in ("softmax", "log_softmax"):
        return _along_axis(op, shapes, attributes)
    if op == "concat":
        return _concat(op, shapes, attributes)
    if op == "matmul":
        return _batched(op, {"a": 2, "b": 2, "c": 2}, shapes, {})
    if op == "linear":
        return _batched(op, {"x": 1, "y": 1}, shapes, {})
    if op == "layer_norm":
        return _batched(op, {"x": 1, "y": 1}, shapes, {})
    if op == "conv":
        return _batched(op, {"x": 3, "y": 3}, shapes, _spatial(attributes))
    if op == "max_pool":
        kernel = dict(zip(("U", "V"), attributes["kernel"], strict=True))
        return _batched(op, {"x": 2, "y": 2}, shapes, {**kernel, **_spatial(attributes)})
    if op in ("reshape", "broadcast_to"):
        case = case_of(op, label=f"rank {len(shapes[0])} to {len(attributes['shape'])}")
        return Correspondence(case, extents(case, {"x": shapes[0], "y": attributes["shape"]}))
    if op == "gather_rows":
        case = case_of(op)
        return Correspondence(case, extents(case, {"x": shapes[0], "indices": shapes[1]}))
    raise KeyError(f"no correspondence for op {op}: add it to link/cases.py")


def runtime_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the runtime call whose arrays are already in specification layout."""
    op = case.op.name
    if op in ("reduce_sum", "reduce_mean"):
        return {"axis": (1,), "keepdims": False}
    if op in ("softmax", "log_softmax", "concat"):
        return {"axis": 1}
    if op in ("reshape", "broadcast_to"):
        return {"shape": tuple(sizes[a] for a in case.output.axes)}
    spatial = {
        name: (sizes[f"{name}_h"], sizes[f"{name}_w"])
        for name in ("stride", "padding")
        if f"{name}_h" in case.op.attributes
    }
    if op == "max_pool":
        spatial["kernel"] = (sizes["U"], sizes["V"])
    return spatial
