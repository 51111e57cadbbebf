"""Traced values, and the two ways to trace: forward with tangents, and recording for the reverse pass.

A traced value belongs to one trace, which belongs to one call of a transform. Values of two traces never meet: nested
differentiation is refused, as is a value that has outlived its transform.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import numpy as np

from .errors import GraphError, describe
from .op import OPS, Array, Op, Residual, Shape

ops_seen: ContextVar[dict[str, None] | None] = ContextVar("ops_seen", default=None)
recording: ContextVar[Trace | None] = ContextVar("recording", default=None)
"""The graph that is being recorded. Ops without inputs, the random ones, look for it; the others see their inputs."""


class Trace:
    """One run of a transform, or one graph that is being recorded.

    keeps_inputs: arrays met on the way are needed after the op has returned. has_values: its traced values stand for
    arrays that are known; a graph's do not.
    """

    keeps_inputs = False
    has_values = True

    def __init__(self) -> None:
        self.open = True

    def record(self, op: Op, arguments: tuple[Any, ...], shape: Shape, attributes: Any) -> Traced:
        """The op's output, of this shape. The arguments' shapes and dtypes are checked."""
        raise NotImplementedError


INSTEAD_OF_METHODS = {
    "sum": "reduce_sum(x)",
    "mean": "reduce_mean(x)",
    "reshape": "reshape(x, shape)",
    "ravel": "reshape(x, (-1,))",
    "flatten": "reshape(x, (-1,))",
    "dot": "matmul(a, b)",
}


def _without(what: str, remedy: str) -> Any:
    """A method that says what a traced value cannot do, and what to do instead."""

    def refuse(self: Traced, *_: Any) -> NoReturn:
        raise GraphError(describe("traced value", f"{what} is not recorded", remedy, value=self))

    return refuse


class Traced:
    """An array on its way through a function that is being differentiated."""

    __slots__ = ("trace", "value")
    __hash__ = object.__hash__

    def __init__(self, trace: Trace, value: Array) -> None:
        self.trace = trace
        self.value = value

    @property
    def shape(self) -> Shape:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    def __repr__(self) -> str:
        return f"Traced(shape={self.shape}, dtype={self.dtype})"

    def __add__(self, other: Any) -> Any:
        return OPS["add"].function(self, other)

    def __radd__(self, other: Any) -> Any:
        return OPS["add"].function(other, self)

    def __sub__(self, other: Any) -> Any:
        return OPS["sub"].function(self, other)

    def __rsub__(self, other: Any) -> Any:
        return OPS["sub"].function(other, self)

    def __mul__(self, other: Any) -> Any:
        return OPS["mul"].function(self, other)

    def __rmul__(self, other: Any) -> Any:
        return OPS["mul"].function(other, self)

    def __matmul__(self, other: Any) -> Any:
        return OPS["matmul"].function(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return OPS["matmul"].function(other, self)

    def __neg__(self) -> Any:
        return OPS["neg"].function(self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        # `array + traced` arrives here: NumPy's operator comes first and hands over.
        operators = {np.add: "add", np.subtract: "sub", np.multiply: "mul", np.matmul: "matmul"}
        if ufunc in operators and method == "__call__" and not keywords:
            return OPS[operators[ufunc]].function(*inputs)
        raise GraphError(
            describe(f"np.{ufunc.__name__}", "NumPy's function got a traced value", "use gradproof's own functions")
        )

    def __array_function__(self, function: Any, types: Any, args: Any, keywords: Any) -> NoReturn:
        raise GraphError(
            describe(f"np.{function.__name__}", "NumPy's function got a traced value", "use gradproof's own functions")
        )

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise GraphError(
            describe(
                "traced value",
                "turning it into a plain number or array, comparing or indexing it would lose its gradient",
                "keep to gradproof's functions inside a function that is being differentiated",
                value=self,
            )
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced value has no attribute {name!r}")
        remedy = "use gradproof's function: " + INSTEAD_OF_METHODS.get(name, "see gradproof.__all__")
        raise GraphError(describe("traced value", f"the array's .{name} would lose its gradient", remedy, value=self))

    __truediv__ = __rtruediv__ = _without("/", "there is no division yet: multiply by 1 / c")
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _without("// or %", "it has no gradient: compute it outside")
    __pow__ = __rpow__ = _without("**", "multiply: x * x")
    __abs__ = _without("abs", "use maximum(x, -x)")
    __setitem__ = _without("assigning to elements", "build the result with concat, or select with mul by a mask")
    __array__ = __bool__ = __float__ = __int__ = __index__ = __complex__ = __len__ = __getitem__ = __iter__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __eq__ = _refuse
    __ne__ = _refuse


def apply(op: Op, *arguments: Array, **attributes: Any) -> Array:
    """Compute an op on arrays, or record it where an argument is traced. Arguments have passed the dtype gate."""
    seen = ops_seen.get()
    if seen is not None:
        seen[op.name] = None
    trace = common_trace(op.name, arguments) if arguments else recording.get()
    shape = op.shape(*[x.shape for x in arguments], **attributes)
    if trace is not None:
        # A traced value is typed as the array it stands for, so that users' functions type-check either way.
        return cast(Array, trace.record(op, arguments, shape, attributes))
    return evaluated(op, promoted(op, arguments), attributes)[0]


@contextmanager
def recorded_beside(x: Any) -> Iterator[None]:
    """Random ops are recorded in the graph that x belongs to, if it belongs to one."""
    graph = x.trace if isinstance(x, Traced) and not x.trace.has_values else recording.get()
    token = recording.set(graph)
    try:
        yield
    finally:
        recording.reset(token)


def evaluated(op: Op, inputs: tuple[Array, ...], attributes: Any) -> tuple[Array, Residual]:
    """An op's output and residual, after the check of what only values can show."""
    op.check_values(inputs, **attributes)
    out, residual = op.evaluate(inputs, **attributes)
    return as_array(out), residual


def common_trace(op: str, arguments: tuple[Any, ...]) -> Trace | None:
    """The open trace that the traced arguments share, or None."""
    found: Trace | None = None
    for argument in arguments:
        if isinstance(argument, Traced):
            if not argument.trace.open:
                raise GraphError(
                    describe(
                        op,
                        "a traced value was used after its jvp, vjp or grad had finished",
                        "return it from the differentiated function instead of storing it",
                        value=argument,
                    )
                )
            if found is not None and argument.trace is not found:
                values = found.has_values and argument.trace.has_values
                what = "differentiations meet" if values else "builders, sessions or differentiations meet"
                remedy = "derivatives of derivatives are not supported; pass the outer value as a plain array"
                raise GraphError(
                    describe(
                        op, f"values of two different {what}", remedy if values else "keep to one", value=argument
                    )
                )
            found = argument.trace
    return found


def common_dtype(op: Op, dtypes: tuple[np.dtype[Any], ...]) -> np.dtype[Any] | None:
    """The dtype in which an op computes on differentiable inputs of these dtypes; None if it has none."""
    floating = {dtype for position, dtype in enumerate(dtypes) if op.is_differentiable(position)}
    return (next(iter(floating)) if len(floating) == 1 else np.result_type(*floating)) if floating else None


def promoted(op: Op, arguments: tuple[Any, ...]) -> tuple[Array, ...]:
    """The arguments' arrays, the differentiable ones in their common dtype."""
    values = tuple([x.value if isinstance(x, Traced) else x for x in arguments])
    if len({x.dtype for x in values}) < 2:
        return values
    dtype = common_dtype(op, tuple(x.dtype for x in values))
    if dtype is None:
        return values
    return tuple(
        x.astype(dtype, copy=False) if op.is_differentiable(position) else x for position, x in enumerate(values)
    )


def as_array(value: Any) -> Array:
    """NumPy turns 0-d results into scalars; ours stay arrays."""
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def fitted(value: Any, like: Array) -> Array:
    """A tangent or cotangent in the dtype of the value that it belongs to."""
    return as_array(value).astype(like.dtype, copy=False)


# Forward mode: every value carries its tangent.


class Dual(Traced):
    """A value with its tangent; None stands for zero."""

    __slots__ = ("tangent",)

    def __init__(self, trace: Trace, value: Array, tangent: Array | None) -> None:
        super().__init__(trace, value)
        self.tangent = tangent


class Forward(Trace):
    def record(self, op: Op, arguments: tuple[Any, ...], shape: Shape, attributes: Any) -> Traced:
        inputs = promoted(op, arguments)
        tangents = tuple(
            fitted(argument.tangent, x) if isinstance(argument, Dual) and argument.tangent is not None else None
            for argument, x in zip(arguments, inputs, strict=True)
        )
        out, residual = evaluated(op, inputs, attributes)
        tangent = op.jvp(tangents, inputs, out, residual, **attributes)
        return Dual(self, out, None if tangent is None else fitted(tangent, out))


# Reverse mode: every op leaves a node on the tape.


class Recorded(Traced):
    """A value and the number of its node."""

    __slots__ = ("node",)

    def __init__(self, trace: Trace, value: Array, node: int) -> None:
        super().__init__(trace, value)
        self.node = node


@dataclass(frozen=True, slots=True)
class Node:
    """A value, and what it was computed from: the nodes of its inputs, all of them earlier, None where an input is a
    constant or has no gradient."""

    out: Array
    op: Op | None = None  # None: a leaf
    parents: tuple[int | None, ...] = ()
    inputs: tuple[Array, ...] = ()
    residual: Residual = None
    attributes: Any = None

    def push_forward(self, tangents: Sequence[Array | None]) -> Array | None:
        """One step of the forward loop: this op's tangent from those of the nodes before it; None is zero."""
        if self.op is None:
            return None
        arriving = tuple(
            None if parent is None or (tangent := tangents[parent]) is None else fitted(tangent, x)
            for parent, x in zip(self.parents, self.inputs, strict=True)
        )
        tangent = self.op.jvp(arriving, self.inputs, self.out, self.residual, **self.attributes)
        return None if tangent is None else fitted(tangent, self.out)

    def pull_back(self, g: Array | None, cotangents: Cotangents) -> None:
        """One step of the reverse loop: g, this op's whole cotangent, goes to the nodes of its inputs."""
        if self.op is None or g is None:
            return
        wanted = tuple(parent is not None for parent in self.parents)
        shares = self.op.vjp(g, self.inputs, self.out, self.residual, wanted, **self.attributes)
        for parent, share in zip(self.parents, shares, strict=True):
            if parent is not None and share is not None:
                cotangents.add(parent, share)


class Cotangents:
    """What has arrived at each node so far; None is zero. A sum is made in place only in an array that this object has
    made itself, which nobody else knows while its node is still waiting for more."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.sums: list[Array | None] = [None] * len(nodes)
        self.owned: set[int] = set()

    def add(self, node: int, cotangent: Any) -> None:
        cotangent = fitted(cotangent, self.nodes[node].out)
        present = self.sums[node]
        if present is None:
            self.sums[node] = cotangent
        elif node in self.owned:
            np.add(present, cotangent, out=present)
        else:
            self.sums[node] = as_array(present + cotangent)
            self.owned.add(node)


class Tape(Trace):
    """The record of one run. It can be pulled back any number of times."""

    keeps_inputs = True

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []

    def leaf(self, value: Array) -> Recorded:
        return self.append(Node(value))

    def record(self, op: Op, arguments: tuple[Any, ...], shape: Shape, attributes: Any) -> Traced:
        inputs = promoted(op, arguments)
        out, residual = evaluated(op, inputs, attributes)
        parents = tuple(
            argument.node if isinstance(argument, Recorded) and op.is_differentiable(position) else None
            for position, argument in enumerate(arguments)
        )
        return self.append(Node(out, op, parents, inputs, residual, attributes))

    def append(self, node: Node) -> Recorded:
        self.nodes.append(node)
        return Recorded(self, node.out, len(self.nodes) - 1)

    def push_forward(self, seeds: Mapping[int, Array]) -> list[Array | None]:
        """The tangent of every node, given those of leaves; None is zero. Linear in the nodes."""
        tangents: list[Array | None] = []
        for number, node in enumerate(self.nodes):
            tangents.append(seeds.get(number) if node.op is None else node.push_forward(tangents))
        return tangents

    def pull_back(self, seeds: Iterable[tuple[int, Array]], keep: bool = False) -> list[Array | None]:
        """The cotangent of every node that is a leaf, with `keep` of every node; None where none arrives. Linear in the
        nodes."""
        cotangents = Cotangents(self.nodes)
        last = -1
        for number, seed in seeds:
            cotangents.add(number, seed)
            last = max(last, number)
        for number in range(last, -1, -1):
            node = self.nodes[number]
            node.pull_back(cotangents.sums[number], cotangents)
            if not keep and node.op is not None:
                cotangents.sums[number] = None  # it will not be read again
        return cotangents.sums
