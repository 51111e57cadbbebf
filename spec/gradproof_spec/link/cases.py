"""TRUSTED. Which specification instance a runtime call means: the case, its sizes, and how arrays are laid out in it.

The specification groups axes (softmax: before, axis, after; reductions: kept, reduced; pointwise: all together). That
grouping is done with reshape and transpose, on arrays of floats, of symbols or of anything else. Here is what all ops
share; what an op means is declared in ops/<family>.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from inspect import signature
from math import prod
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np

from ..op import OPS, Case, TensorType

Shape = tuple[int, ...]
Layout = Callable[[Any], Any]

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Correspondence:
    """A runtime call as an instance of the specification.

    layout   for each input and the output: a runtime array to an array indexed as the specification indexes it
    absent   inputs that the call leaves out: they are 0 in the specification (a missing bias)
    sources  inputs that the kernel draws itself (random numbers) -> the function of the runtime that gives them. The
             proofs hold for whatever it gives
    """

    case: Case
    sizes: dict[str, int]
    layout: Mapping[str, Layout] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> list[TensorType]:
        """The inputs that the call passes."""
        return [t for t in self.case.inputs if t.name not in self.absent and t.name not in self.sources]

    def drawn(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """What the sources give, from the attributes of the call that their parameters name."""
        found = {}
        for name, place in self.sources.items():
            module, _, function = place.rpartition(".")
            draw = getattr(import_module(module), function)
            found[name] = draw(**{p: attributes[p] for p in signature(draw).parameters})
        return found

    @contextmanager
    def drawing(self, make: Callable[[str, Shape], Any], attributes: Mapping[str, Any]) -> Iterator[None]:
        """Meanwhile the sources give make(name of the input, shape), asked with the attributes of the call only."""
        with ExitStack() as stack:
            for name, place in self.sources.items():
                module, _, function = place.rpartition(".")
                called = signature(getattr(import_module(module), function))

                def draw(*args: Any, name: str = name, called: Any = called, **keywords: Any) -> Any:
                    given = called.bind(*args, **keywords).arguments
                    if given != {p: attributes[p] for p in called.parameters}:
                        raise LookupError(f"{name} is drawn with {given}, not with the attributes of the call")
                    return make(name, given["shape"])

                stack.enter_context(patch(place, draw))
            yield

    def to_spec(self, name: str, array: Any) -> Any:
        return self.layout.get(name, _same)(array)


def _same(array: Any) -> Any:
    return array


# ---------------------------------------------------------------- what ops/<family>.py declares
Instance = Callable[[str, Sequence[Shape], Mapping[str, Any]], Correspondence]
Attributes = Callable[[Case, Mapping[str, Any]], dict[str, Any]]
Shapes = Callable[[Case, Any], tuple[list[Any], Any]]
INSTANCES: dict[str, Instance] = {}
ATTRIBUTES: dict[str, Attributes] = {}
SHAPES: dict[str, Shapes] = {}


def no_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def same_shapes(case: Case, size: Any) -> tuple[list[Any], Any]:
    """The specification's axes are the runtime's."""
    *inputs, output = (tuple(getattr(size, a) for a in t.axes) for t in (*case.inputs, case.output))
    return inputs, output


def corresponds(
    *ops: str, attributes: Attributes = no_attributes, shapes: Shapes = same_shapes
) -> Callable[[Instance], Instance]:
    """Declare, for these ops, `correspondence` (the decorated function), `runtime_attributes` and `runtime_shapes`."""

    def register(instance: Instance) -> Instance:
        for op in ops:
            INSTANCES[op], ATTRIBUTES[op], SHAPES[op] = instance, attributes, shapes
        return instance

    return register


def file_of(op: str) -> str:
    """Where an op of the specification is declared to the link: the file of the same family."""
    rule = OPS[op].forward_rule if op in OPS else None
    family = rule.__module__.rpartition(".")[2] if rule else "<family>"
    return f"spec/gradproof_spec/link/ops/{family}.py"


def declared(table: Mapping[str, Entry], op: str, what: str) -> Entry:
    if op not in table:
        raise LookupError(f"{what} is declared for op {op}: add it to {file_of(op)}")
    return table[op]


def correspondence(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """The specification instance of OPS[op] at inputs of these shapes, with attributes as the table entry gets them."""
    return declared(INSTANCES, op, "no correspondence")(op, shapes, attributes)


def runtime_attributes(case: Case, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the runtime call whose arrays are already in specification layout."""
    return declared(ATTRIBUTES, case.op.name, "no correspondence")(case, sizes)


def runtime_shapes(case: Case, size: Any) -> tuple[list[Any], Any]:
    """Shapes of the inputs and of the output of that call. `size.NAME` is an extent or an attribute, any integer."""
    return declared(SHAPES, case.op.name, "no correspondence")(case, size)


# ---------------------------------------------------------------- groupings that several families use
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


def together(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    """Every array as one axis I."""
    case = case_of(op)
    names = [t.name for t in (*case.inputs, case.output) if t.axes]
    return Correspondence(case, {"I": prod(shapes[0])}, dict.fromkeys(names, flattened))


def batched(
    op: str, core: Mapping[str, int], shapes: Sequence[Shape], attribute_sizes: Mapping[str, int] | None = None
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
    sizes = {**extents(case, spec_shapes), **(attribute_sizes or {})}
    return Correspondence(case, sizes, layout, frozenset(t.name for t in case.inputs if t.name not in given))
