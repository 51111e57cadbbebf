"""Calls of the public functions for the float obligations, as Hypothesis makes them: one call, and the ways to make it.

Which shapes and attributes an op takes is declared in ops/<family>.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any, Literal, cast

import numpy as np
from hypothesis import strategies as st

import gradproof
from gradproof.op import OPS as RUNTIME

from ..evaluate import Environment
from ..op import OPS
from ..terms import to_scalar
from .cases import Shape, declared


# ---------------------------------------------------------------- one call
@dataclass(frozen=True)
class Call:
    """A call of a public function: tangents (None for integers), or the cotangent alone, are its directions.

    shape   of the output
    texts   how to make the arrays, then the directions
    """

    op: str
    arrays: tuple[np.ndarray, ...]
    attributes: Mapping[str, Any]
    directions: tuple[Any, ...]
    shape: Shape | None
    texts: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        floats = (x.dtype for x in self.arrays if x.dtype.kind == "f")
        return next(floats, None) or np.dtype(self.attributes["dtype"])

    @property
    def names(self) -> list[str]:
        op = RUNTIME[self.op]
        return [f"x{k}" for k in range(len(self.arrays))] if op.variadic else list(op.inputs[: len(self.arrays)])

    def function(self) -> Callable[..., Any]:
        f, first = getattr(gradproof, self.op), self.first
        keywords = {n: v for n, v in self.attributes.items() if n not in FIRST.get(self.op, ())}
        if RUNTIME[self.op].variadic and not first:
            return lambda *xs: f(xs, **keywords)
        return lambda *xs: f(*first, *xs, **keywords)

    @property
    def first(self) -> list[Any]:
        """The attributes that stand before the arrays."""
        return [self.attributes[n] for n in FIRST.get(self.op, ())]

    def expected_shape(self, result: str) -> Shape | None:
        if result in ("y", "dy"):
            return self.shape
        return self.arrays[self.names.index(result[1:])].shape

    def text(self, direction: str) -> str:
        """The call, to be pasted below `import numpy as np, gradproof`."""
        names, first = ", ".join(self.names), [repr(v) for v in self.first]
        inside = f"[{names}]" if RUNTIME[self.op].variadic and not first else names
        keywords = [f"{k}={v!r}" for k, v in self.attributes.items() if k not in FIRST.get(self.op, ())]
        f = f"gradproof.{self.op}({', '.join(filter(None, (*first, inside, *keywords)))})"
        tangents = [f"d{n}" if d is not None else "None" for n, d in zip(self.names, self.directions, strict=False)]
        shown = {
            "forward": f,
            "jvp": f"gradproof.jvp(lambda {names}: {f}, ({names},), ({', '.join(tangents)},))[1]",
            "vjp": f"gradproof.vjp(lambda {names}: {f}, {names})[1](g)",
        }[direction]
        assigned = [*self.names, *(tangents if direction == "jvp" else ["g"] if direction == "vjp" else [])]
        return "\n".join([*(f"{n} = {t}" for n, t in zip(assigned, self.texts, strict=False) if n != "None"), shown])


def array_text(x: Any) -> str:
    if x is None:
        return "None"
    numbers = re.sub(r"\b(nan|inf)\b", r"np.\1", str(x.tolist()))
    return f"np.array({numbers}, np.{x.dtype})" if x.size else f"np.zeros({x.shape}, np.{x.dtype})"


# ---------------------------------------------------------------- hypothesis makes calls
@dataclass(frozen=True)
class Form:
    """Shapes of the real inputs and of the output, attributes, and the integer or Boolean array if the op takes one.

    label   of the op's form, where the conditions on the elements are not those of the first
    """

    shapes: Sequence[Shape]
    out: Shape
    attributes: Mapping[str, Any] = field(default_factory=dict)
    indices: np.ndarray | None = None
    label: str = ""


EXTENTS, FULL = (st.sampled_from(n) for n in ((2, 1, 3, 2, 3, 0, 2, 3), (2, 1, 3)))
Draw = Callable[[st.SearchStrategy[Any]], Any]


def some_shape(draw: Draw, least: int = 0, most: int = 3, extents: Any = EXTENTS) -> Shape:
    return tuple(draw(st.lists(extents, min_size=least, max_size=most)))


def narrowed(draw: Draw, shape: Shape) -> Shape:
    """A shape that broadcasts to this one."""
    kept = shape[draw(st.integers(0, len(shape))) :] if draw(st.booleans()) else shape
    return tuple(1 if draw(st.integers(0, 3)) == 3 else n for n in kept)


# ---------------------------------------------------------------- what ops/<family>.py declares
Maker = Callable[[Draw], Form]
FORMS: dict[str, Maker] = {}
NEVER_OVERFLOWS_FIRST: dict[str, tuple[str, ...]] = {}
FIRST: dict[str, tuple[str, ...]] = {}


def form(*ops: str, never_overflows_first: str = "", first: tuple[str, ...] = ()) -> Callable[[Maker], Maker]:
    """Declare how calls of these ops are made (by the decorated function).

    never_overflows_first   the directions whose every result must have a bound if it is a float at all: no intermediate
                            may overflow before it does. The others add or multiply on the way (vjp: over what was
                            broadcast).
    first                   attributes that stand before the arrays (einsum's equation); the arrays are then not a list
    """

    def register(make: Maker) -> Maker:
        for op in ops:
            FORMS[op], NEVER_OVERFLOWS_FIRST[op], FIRST[op] = make, tuple(never_overflows_first.split()), first
        return make

    return register


# ---------------------------------------------------------------- numbers and arrays
def _numbers(dtype: Any) -> dict[str, Any]:
    """Ways to make a number, or a whole array from a seed."""
    info, width = np.finfo(dtype), cast(Literal[32, 64], 8 * np.dtype(dtype).itemsize)
    ties = [0.0, 1.0, -1.0, 2.0, -0.0, 0.5, -3.0]
    limit, small, root = float(info.max) / 4, float(info.smallest_subnormal), float(np.sqrt(info.max))
    sizes = (1000.0, 80.0, limit, small, float(info.tiny), root, 1 / root, 3 * small, 700.0)
    wide = [float(dtype(s * x)) for x in sizes for s in (1, -1)]
    return {
        "ties": st.sampled_from(ties),
        "seed": None,
        "near": st.floats(-8, 8, width=width),
        "wide": st.sampled_from(ties + wide),
        "any": st.floats(-limit, limit, width=width),
    }


NUMBERS = {np.dtype(t): _numbers(t) for t in (np.float64, np.float32)}
WAYS = ("ties", "wide", "seed", "")  # of a whole call; "": each array in its own way
ARRANGED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "{}": lambda x: x,
    "np.broadcast_to({}, {shape})": lambda x: np.broadcast_to(x, x.shape),  # read-only
    "np.asfortranarray({})": np.asfortranarray,
    "np.repeat({}, 2, axis=-1)[..., ::2]": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "np.flip(np.flip({}).copy())": lambda x: np.flip(np.flip(x).copy()),
}


def integer_inputs(op: str) -> set[str]:
    return {t.name for case in OPS[op].cases for t in case.inputs if t.integer}


def inside_domain(
    op: str, name: str, attributes: Mapping[str, Any], label: str = "", sizes: Mapping[str, int] | None = None
) -> Callable[[float], bool] | None:
    """Whether a float may be an element of this input, where the specification has a condition on it."""
    spec = OPS[op]
    if name not in spec.elements:
        return None
    case = next((c for c in spec.cases if c.label == label), spec.cases[0])
    reals = {n: (lambda n=n: Fraction(float(attributes[n]))) for n in spec.reals}
    environment = Environment(case, dict(sizes or {}), reals)
    return lambda x: bool(environment.condition(case.element_condition(name, to_scalar(Fraction(x)))))


def inside(x: float, holds: Callable[[float], bool]) -> float:
    """x if it is in the domain, else a number near it that is."""
    near = (x, abs(x), 1.0, -abs(x), -1.0, 0.5, -0.5, 0.25, 2.0, 4.0, 8.0)
    if (found := next((v for v in near if holds(v)), None)) is None:
        raise LookupError("no number of the domain was found: add one to link.calls.inside")
    return found


def _array(
    draw: Draw, shape: Shape, dtype: Any, way: str, holds: Callable[[float], bool] | None = None
) -> tuple[np.ndarray, str]:
    """An array and how to make it; elements outside the domain are replaced by their magnitude, else by 1."""
    way, size = way or draw(st.sampled_from(list(NUMBERS[dtype]))), prod(shape)
    numbers = NUMBERS[dtype][way]
    if numbers is None:
        x = np.random.default_rng(draw(st.integers(0, 999))).normal(size=shape).astype(dtype)
    else:
        x = np.array(draw(st.lists(numbers, min_size=size, max_size=size)), dtype).reshape(shape)
    if holds is not None:
        x = np.array([inside(e, holds) for e in x.ravel().tolist()], dtype).reshape(shape)
    arrangement = draw(st.sampled_from(list(ARRANGED)[: None if shape else 2]))
    return ARRANGED[arrangement](x), arrangement.format(array_text(x), shape=shape)


@st.composite
def calls(draw: Draw, op: str, direction: str, way: str) -> Call:
    dtype = draw(st.sampled_from(list(NUMBERS)))
    made = declared(FORMS, op, "no form of call")(draw)
    runtime = RUNTIME[op]
    names = [f"x{k}" for k in range(len(made.shapes))] if runtime.variadic else list(runtime.inputs)
    if made.indices is not None:
        names.remove(integer := next(n for n in names if n in integer_inputs(op)))
    inside = [inside_domain(op, n, made.attributes, made.label) for n in names[: len(made.shapes)]]
    arrays = [_array(draw, s, dtype, way, holds) for s, holds in zip(made.shapes, inside, strict=True)]
    along = {"forward": [], "jvp": made.shapes, "vjp": [made.out]}[direction]
    directions: list[tuple[Any, str]] = [_array(draw, s, dtype, way) for s in along]
    if direction == "jvp" and not runtime.variadic:
        moves = (n in runtime.differentiable for n in names)
        directions = [d if m else (None, "None") for d, m in zip(directions, moves, strict=False)]
    if made.indices is not None:
        at = runtime.inputs.index(integer)
        arrays.insert(at, (made.indices, array_text(made.indices)))
        if direction == "jvp":
            directions.insert(at, (None, "None"))
    return Call(
        op,
        tuple(x for x, _ in arrays),
        made.attributes,
        tuple(d for d, _ in directions),
        made.out,
        tuple(t for _, t in (*arrays, *directions)),
    )
