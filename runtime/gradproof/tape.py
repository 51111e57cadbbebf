"""Traced values, and the two ways to trace: forward with tangents, and recording for the reverse pass.

A traced value belongs to one trace, which belongs to one call of a transform. Values of two traces never meet: nested
differentiation is refused, as is a value that has outlived its transform.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import numpy as np

from .errors import GraphError, describe
from .op import OPS, Array, Op, Residual, Shape

ops_seen: ContextVar[dict[str, None] | None] = ContextVar("ops_seen", default=None)


class Trace:
    """One run of a transform. `keeps_inputs`: arrays met on the way are needed after the op has returned."""

    keeps_inputs = False

    def __init__(self) -> None:
        self.open = True

    def record(self, op: Op, arguments: tuple[Any, ...], inputs: tuple[Array, ...], attributes: Any) -> Traced:
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
    trace = common_trace(op.name, arguments)
    inputs = promoted(op, arguments)
    op.shape(*(x.shape for x in inputs), **attributes)
    if trace is not None:
        # A traced value is typed as the array it stands for, so that users' functions type-check either way.
        return cast(Array, trace.record(op, arguments, inputs, attributes))
    out, _ = op.evaluate(inputs, **attributes)
    return as_array(out)


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
                raise GraphError(
                    describe(
                        op,
                        "values of two different differentiations meet",
                        "derivatives of derivatives are not supported; pass the outer value as a plain array",
                        value=argument,
                    )
                )
            found = argument.trace
    return found


def promoted(op: Op, arguments: tuple[Any, ...]) -> tuple[Array, ...]:
    """The arguments' arrays, the differentiable ones in their common dtype."""
    values = tuple(x.value if isinstance(x, Traced) else x for x in arguments)
    floating = [op.variadic or name in op.differentiable for name in op.inputs] * (len(values) if op.variadic else 1)
    dtypes = {x.dtype for x, is_floating in zip(values, floating, strict=False) if is_floating}
    if len(dtypes) <= 1:
        return values
    dtype = np.result_type(*dtypes)
    return tuple(
        x.astype(dtype, copy=False) if is_floating else x for x, is_floating in zip(values, floating, strict=False)
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
    def record(self, op: Op, arguments: tuple[Any, ...], inputs: tuple[Array, ...], attributes: Any) -> Traced:
        tangents = tuple(
            fitted(argument.tangent, x) if isinstance(argument, Dual) and argument.tangent is not None else None
            for argument, x in zip(arguments, inputs, strict=True)
        )
        out, residual = op.evaluate(inputs, **attributes)
        out = as_array(out)
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
    out: Array
    op: Op | None = None  # None: a leaf
    parents: tuple[int | None, ...] = ()  # None: a constant
    inputs: tuple[Array, ...] = ()
    residual: Residual = None
    attributes: Any = None


class Tape(Trace):
    """The record of one run; leaves come first. It can be pulled back any number of times."""

    keeps_inputs = True

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []

    def leaf(self, value: Array) -> Recorded:
        return self._append(Node(value))

    def record(self, op: Op, arguments: tuple[Any, ...], inputs: tuple[Array, ...], attributes: Any) -> Traced:
        out, residual = op.evaluate(inputs, **attributes)
        parents = tuple(argument.node if isinstance(argument, Recorded) else None for argument in arguments)
        return self._append(Node(as_array(out), op, parents, inputs, residual, attributes))

    def pull_back(self, seeds: list[tuple[int, Array]]) -> list[Array | None]:
        """The cotangent of every node that is a leaf, None where no cotangent arrives. Linear in the nodes."""
        cotangents: list[Array | None] = [None] * len(self.nodes)
        owned: set[int] = set()  # nodes whose cotangent is a sum made here, so that it may be added to in place

        def add(node: int, cotangent: Any) -> None:
            cotangent = fitted(cotangent, self.nodes[node].out)
            present = cotangents[node]
            if present is None:
                cotangents[node] = cotangent
            elif node in owned:
                np.add(present, cotangent, out=present)
            else:
                cotangents[node] = as_array(present + cotangent)
                owned.add(node)

        for node, seed in seeds:
            add(node, seed)
        for number in range(max((node for node, _ in seeds), default=-1), -1, -1):
            g, made = cotangents[number], self.nodes[number]
            if made.op is None or g is None:
                continue
            wanted = tuple(parent is not None for parent in made.parents)
            results = made.op.vjp(g, made.inputs, made.out, made.residual, wanted, **made.attributes)
            for parent, cotangent in zip(made.parents, results, strict=True):
                if parent is not None:
                    add(parent, cotangent)
            cotangents[number] = None
        return cotangents

    def _append(self, node: Node) -> Recorded:
        self.nodes.append(node)
        return Recorded(self, node.out, len(self.nodes) - 1)
