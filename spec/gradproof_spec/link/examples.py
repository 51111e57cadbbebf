"""The shapes at which the kernels are proved: small, with repeats, stride, padding, 0 to 2 batch axes, every axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Example:
    op: str
    name: str
    shapes: tuple[Shape, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    indices: tuple[int, ...] = ()

    def over(self) -> str:
        shapes = ", ".join(str(s) for s in self.shapes)
        attributes = "".join(f", {k}={v}" for k, v in self.attributes.items())
        return f"shapes {shapes}{attributes}" + (f", indices {list(self.indices)}" if self.indices else "")


def shape_name(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _examples() -> list[Example]:
    found: list[Example] = []

    def example(op: str, name: str, *shapes: Shape, indices: tuple[int, ...] = (), **attributes: Any) -> None:
        found.append(Example(op, name, shapes, attributes, indices))

    shape: Shape
    axis: tuple[int, ...]
    for op in ("add", "sub", "mul", "maximum", "mse_loss"):
        for shape in ((), (3,), (2, 3), (2, 1, 2)):
            example(op, shape_name(shape), shape, shape)
    for op in ("neg", "exp", "relu"):
        for shape in ((), (3,), (2, 3), (0,), (2, 1, 2)):
            example(op, shape_name(shape), shape)
    for op in ("reduce_sum", "reduce_mean"):
        for shape, axis in (
            ((3,), (0,)),
            ((2, 3), (0,)),
            ((2, 3), (1,)),
            ((2, 2, 3), (1,)),
            ((2, 3, 2), (0, 2)),
            ((2, 2), ()),
            ((2, 3), (0, 1)),
            ((), ()),
        ):
            for keepdims in (False, True) if len(shape) > 1 else (False,):
                example(
                    op,
                    f"{shape_name(shape)}-axis{'-'.join(map(str, axis)) or 'none'}{'-keepdims' * keepdims}",
                    shape,
                    axis=axis,
                    keepdims=keepdims,
                )
    example("reduce_sum", "empty-axis", (2, 0), axis=(1,), keepdims=False)
    batch: Shape
    for batch in ((), (2,), (2, 1)):
        example("matmul", f"batch{len(batch)}", (*batch, 2, 3), (*batch, 3, 2))
        example("linear", f"batch{len(batch)}", (*batch, 3), (2, 3), (2,))
        example("layer_norm", f"batch{len(batch)}", (*batch, 3), (3,), (3,), eps=1e-5)
        example("conv", f"batch{len(batch)}-k2", (*batch, 2, 3, 3), (2, 2, 2, 2), (2,), stride=(1, 1), padding=(0, 0))
        example("max_pool", f"batch{len(batch)}-k2", (*batch, 2, 3), kernel=(2, 2), stride=(1, 1), padding=(0, 0))
    example("matmul", "empty-k", (2, 0), (0, 2))
    example("matmul", "ones", (1, 1), (1, 1))
    example("linear", "no-bias", (2, 3), (2, 3))
    example("linear", "empty-batch", (0, 3), (2, 3), (2,))
    example("layer_norm", "one-element", (2, 1), (1,), (1,), eps=1e-5)
    r: Shape
    s: Shape
    for r, s in (
        ((), ()),
        ((3,), (3,)),
        ((1,), (3,)),
        ((), (2, 2)),
        ((3,), (2, 3)),
        ((2,), (2, 2)),
        ((2, 1), (2, 3)),
        ((1, 3), (2, 2, 3)),
        ((1, 1), (2, 2)),
    ):
        example("broadcast_to", f"{shape_name(r)}-to-{shape_name(s)}", r, shape=s)
    for r, s in (
        ((), (1,)),
        ((6,), (2, 3)),
        ((2, 3), (3, 2)),
        ((2, 3), (6,)),
        ((2, 1, 3), (3, 2)),
        ((4, 2), (2, 2, 2)),
        ((0, 3), (0,)),
    ):
        example("reshape", f"{shape_name(r)}-to-{shape_name(s)}", r, shape=s)
    for along in (0, 1, 2):
        for lengths in ((2,), (1, 2), (2, 1, 1)):
            base = [2, 2, 2]
            shapes = tuple(tuple(n if a == along else e for a, e in enumerate(base)) for n in lengths)
            example("concat", f"axis{along}-{len(lengths)}", *shapes, axis=along)
    example("concat", "with-empty", (2,), (0,), (1,), axis=0)
    for name, indices in (
        ("repeats", (1, 1, 0)),
        ("outside", (-1, 0, 2)),
        ("none", ()),
        ("all-one-row", (2, 2, 2, 2)),
        ("far", (7, -8, 1)),
    ):
        example("gather_rows", name, (3, 2), (len(indices),), indices=indices)
    for op in ("softmax", "log_softmax"):
        for shape, on in (((3,), 0), ((2, 3), 1), ((2, 3), 0), ((2, 2, 2), 1), ((1,), 0), ((2, 3, 0), 1)):
            example(op, f"{shape_name(shape)}-axis{on}", shape, axis=on)
    example("conv", "n1c1-h4w4-k3-s2p1", (1, 1, 4, 4), (1, 1, 3, 3), (1,), stride=(2, 2), padding=(1, 1))
    example("conv", "no-bias-k1x2-s1x2-p0x1", (1, 2, 3, 3), (2, 2, 1, 2), stride=(1, 2), padding=(0, 1))
    example("conv", "c2-h3w4-k2x3-s2x1-p1x2", (2, 3, 4), (2, 2, 2, 3), (2,), stride=(2, 1), padding=(1, 2))
    example("conv", "stride-beyond", (1, 5, 5), (1, 1, 2, 2), (1,), stride=(3, 4), padding=(0, 0))
    example("max_pool", "h3w3-k2-s1", (3, 3), kernel=(2, 2), stride=(1, 1), padding=(0, 0))
    example("max_pool", "h4w4-k2-s2", (4, 4), kernel=(2, 2), stride=(2, 2), padding=(0, 0))
    example("max_pool", "h3w2-k2-s2-p1", (3, 2), kernel=(2, 2), stride=(2, 2), padding=(1, 1))
    example("max_pool", "h1w4-k1x3-s1x2-p0x1", (1, 4), kernel=(1, 3), stride=(1, 2), padding=(0, 1))
    example("max_pool", "k1", (2, 2), kernel=(1, 1), stride=(1, 1), padding=(0, 0))
    return found


EXAMPLES = _examples()
