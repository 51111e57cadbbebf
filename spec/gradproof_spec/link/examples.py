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
    indices: Any = ()  # the elements of the integer or Boolean input, nested tuples

    def over(self) -> str:
        shapes = ", ".join(str(s) for s in self.shapes)
        attributes = "".join(f", {k}={v}" for k, v in self.attributes.items())
        return f"shapes {shapes}{attributes}" + (f", indices {self.indices}" if self.indices != () else "")


def shape_name(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "scalar"


EXAMPLES: list[Example] = []  # filled by ops/<family>.py
BATCHES: tuple[Shape, ...] = ((), (2,), (2, 1))


def example(op: str, name: str, *shapes: Shape, indices: Any = (), **attributes: Any) -> None:
    EXAMPLES.append(Example(op, name, shapes, attributes, indices))
