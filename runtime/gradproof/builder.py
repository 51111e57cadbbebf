"""GraphBuilder, Var and trace: recording programs as graphs, without values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from inspect import isfunction
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from . import ops
from .attributes import target_shape
from .dtypes import snapshot
from .errors import DtypeError, GraphError, IndexRangeError, ShapeError, describe
from .graph import CONST, DTYPES, INPUT, Graph, GraphNode
from .op import OPS, Array, Op, Shape
from .tape import Trace, Traced, common_dtype, recording
from .trees import leaves

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The shape and dtype of an input."""

    shape: Shape
    dtype: str = "float64"


class Var(Traced):
    """A value of a graph that is being recorded: `id` is its node. It has a shape and a dtype, but no numbers yet."""

    __slots__ = ("_dtype", "_shape", "id")

    def __init__(self, trace: Trace, number: int, shape: Shape, dtype: str) -> None:
        self.trace = trace
        self.id = number
        self._shape = shape
        self._dtype = np.dtype(dtype)

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def size(self) -> int:
        return prod(self._shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    @property
    def value(self) -> NoReturn:  # type: ignore[override]
        raise GraphError(describe("graph", "a Var has no value", "run the graph that is built from it", var=self))

    def __repr__(self) -> str:
        return f"Var(%{self.id}, shape={self.shape}, dtype={self.dtype})"


class GraphBuilder(Trace):
    """Records ops as the nodes of a graph. Inputs are declared at once, as shapes or TensorSpecs, or with `input`.

    Every op is a method, builder.relu(x), and a function on its values, gradproof.relu(x); operators work too. Random
    ops that are called as methods without a stream get the next number, 0, 1, ...; otherwise the stream is the
    caller's. A method that raises leaves the builder as it was.

    >>> import gradproof as gp
    >>> builder = gp.GraphBuilder((2, 3), (3, 1))
    >>> x, w = builder.args()
    >>> y = builder.matmul(x, w)
    >>> builder.build(gp.reduce_sum(y * y))
    Graph(5 nodes, inputs=[0, 1], outputs=[4])
    """

    keeps_inputs = True
    has_values = False

    def __init__(self, *inputs: Any) -> None:
        super().__init__()
        self.nodes: list[GraphNode] = []
        self.payload: dict[int, Array] = {}
        self.inputs: list[int] = []
        self.streams = 0  # the number of the next random op that is called without a stream
        self._constants: dict[Any, Var] = {}
        for given in inputs:
            spec = spec_of("GraphBuilder", given)
            self.input(spec.shape, spec.dtype)

    # Leaves.

    def input(self, shape: Any, dtype: DTypeLike = "float64", name: str | None = None) -> Var:
        """One input more. Raises ShapeError, DtypeError."""
        self._need_open()
        spec = spec_of("input", TensorSpec(target_shape("input", shape), dtype_name("input", dtype)))
        given = f"x{len(self.inputs)}" if name is None else name
        if type(given) is not str:
            raise DtypeError(describe("input", "name must be text", "pass a string", name=name))
        self.inputs.append(len(self.nodes))
        return self._append(GraphNode(INPUT, shape=spec.shape, dtype=spec.dtype, name=given))

    def arg(self, position: int, shape: Any = None) -> Var:
        """The input at this position; of this shape, if one is given.

        Raises IndexRangeError where there is no such input, ShapeError where it has another shape.
        """
        if type(position) is not int or not 0 <= position < len(self.inputs):
            remedy = "use 0 <= position < inputs"
            raise IndexRangeError(
                describe("arg", "there is no such input", remedy, position=position, inputs=len(self.inputs))
            )
        node = self.nodes[self.inputs[position]]
        if shape is not None and target_shape("arg", shape) != node.shape:
            remedy = "ask for the declared shape"
            raise ShapeError(
                describe("arg", f"input {position} has another shape", remedy, expected=shape, declared=node.shape)
            )
        return Var(self, self.inputs[position], node.shape, node.dtype)

    def args(self) -> tuple[Var, ...]:
        """All inputs, in order."""
        return tuple(self.arg(position) for position in range(len(self.inputs)))

    def const(self, value: ArrayLike) -> Var:
        """A constant: float32, float64, integer or Boolean data; Python floats and lists become float64. It never has a
        gradient. Raises DtypeError."""
        self._need_open()
        if isinstance(value, Traced):
            raise DtypeError(describe("const", "the value is traced", "pass an array", value=value))
        array = np.asarray(snapshot(value) if isinstance(value, np.ndarray) else value)
        if type(value) is int or (isinstance(value, (list, tuple)) and array.dtype.kind in "iu"):
            array = array.astype(np.float64)
        if array.dtype.newbyteorder("=").name not in DTYPES:
            remedy = "pass float32, float64, integer or Boolean data"
            raise DtypeError(describe("const", "a graph has no such dtype", remedy, dtype=array.dtype))
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        self.payload[len(self.nodes)] = array
        return self._append(GraphNode(CONST, shape=array.shape, dtype=array.dtype.name))

    # Nodes.

    def index(self, x: Any, shape: Shape | None = None) -> int:
        """The id of a Var of this builder. Raises GraphError for anything else, ShapeError for another shape."""
        if not isinstance(x, Var):
            raise GraphError(describe("graph", "this is no Var", "use what the builder returned", value=x))
        if x.trace is not self:
            raise GraphError(describe("graph", "the Var belongs to another builder", "use one builder", var=x))
        if not 0 <= x.id < len(self.nodes):
            raise GraphError(describe("graph", "the Var has no node", "do not make Vars by hand", var=x))
        declared = self.nodes[x.id].shape
        if x.shape != declared or (shape is not None and shape != declared):
            wanted = x.shape if shape is None else shape
            raise ShapeError(describe("graph", f"%{x.id} has another shape", "check it", expected=wanted, has=declared))
        return x.id

    def record(self, op: Op, arguments: tuple[Any, ...], shape: Shape, attributes: Any) -> Var:
        self._need_open()
        dtype = common_dtype(op, tuple(x.dtype for x in arguments))
        if dtype is None:  # no differentiable input: random ops say it, the others keep what they get
            dtype = np.dtype(attributes["dtype"]) if "dtype" in attributes else arguments[0].dtype
        parents = tuple(self.index(x) if isinstance(x, Traced) else self._constant(x).id for x in arguments)
        return self._append(GraphNode(op.name, parents, dict(attributes), tuple(shape), dtype.name))

    def _constant(self, array: Array) -> Var:
        """One node for equal arrays: a weight that is used twice is one constant."""
        key = (array.dtype.str, array.shape, sha256(array.tobytes()).digest())
        if key not in self._constants:
            self._constants[key] = self.const(array)
        return self._constants[key]

    def _append(self, node: GraphNode) -> Var:
        self.nodes.append(node)
        return Var(self, len(self.nodes) - 1, node.shape, node.dtype)

    def _need_open(self) -> None:
        if not self.open:
            raise GraphError(describe("graph", "it is built already", "begin a new builder"))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within it random ops, which have no inputs, are recorded here."""
        token = recording.set(self)
        try:
            yield
        finally:
            recording.reset(token)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What raises within it leaves no node behind."""
        nodes, inputs = len(self.nodes), len(self.inputs)
        try:
            yield
        except BaseException:
            del self.nodes[nodes:], self.inputs[inputs:]
            self.payload = {number: array for number, array in self.payload.items() if number < nodes}
            self._constants = {key: kept for key, kept in self._constants.items() if kept.id < nodes}
            raise

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """function(*args, **kwargs) recorded here, all of it or, if it raises, nothing."""
        self._need_open()
        for leaf in leaves((args, kwargs)):
            if isinstance(leaf, Traced):
                self.index(leaf)
        with self.all_or_nothing(), self.recording():
            return self._as_vars(function(*args, **kwargs))

    def _as_vars(self, result: Any) -> Any:
        """An op of plain arrays alone is computed at once: its result is a constant."""
        if isinstance(result, tuple):
            return tuple(self._as_vars(item) for item in result)
        return result if isinstance(result, Traced) else self.const(result)

    def next_stream(self) -> None:
        self.streams += 1

    if TYPE_CHECKING:  # every public op is a method: see add_methods

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    # The result.

    def build(self, *outputs: Traced) -> Graph:
        """The graph of all nodes, with these outputs; by default the last node. The builder can go on."""
        if not outputs and not self.nodes:
            raise GraphError(describe("build", "the graph has no node", "record something first"))
        ids = tuple(self.index(x) for x in outputs) or (len(self.nodes) - 1,)
        return Graph(tuple(self.nodes), ids, self.payload)

    @classmethod
    def run(cls, program: Callable[..., Result], *inputs: Any) -> tuple[Result, Graph]:
        """program(builder) on a new builder with these inputs: what it returns, and the graph."""
        builder = cls(*inputs)
        result = program(builder)
        outputs = [leaf for leaf in leaves(result) if isinstance(leaf, Var)]
        return result, builder.build(*outputs)


def add_methods(cls: type, call: str) -> None:
    """Every public op as a method of a builder or session, through its method `call`."""

    def method_of(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            numbered = name in STREAM_POSITION and "stream" not in kwargs and len(args) < STREAM_POSITION[name]
            if numbered:
                kwargs["stream"] = self.streams
            result = getattr(self, call)(function, *args, **kwargs)
            if numbered:
                self.next_stream()
            return result

        return method

    for name, function in vars(ops).items():
        if isfunction(function):
            setattr(cls, name, method_of(name, function))


STREAM_POSITION = {"rand_uniform": 3, "bernoulli_mask": 4, "dropout": 4}  # among the positional arguments
add_methods(GraphBuilder, "call")


def spec_of(op: str, given: Any) -> TensorSpec:
    """An input as users declare it: a shape, a TensorSpec, or an array to take both from."""
    if isinstance(given, (np.ndarray, np.generic)):
        given = TensorSpec(given.shape, given.dtype.name)
    elif not isinstance(given, TensorSpec):
        given = TensorSpec(target_shape(op, given))
    if any(extent < 0 for extent in given.shape):
        raise ShapeError(describe(op, "an extent is negative", "extents are at least 0", shape=given.shape))
    return TensorSpec(target_shape(op, given.shape), dtype_name(op, given.dtype))


def dtype_name(op: str, dtype: DTypeLike) -> str:
    try:
        name = np.dtype(dtype).newbyteorder("=").name
    except (TypeError, ValueError, SyntaxError):  # NumPy parses text such as "f8,f8"
        name = ""
    if name not in DTYPES:
        remedy = "use float32, float64, bool or an integer dtype"
        raise DtypeError(describe(op, "a graph has no such dtype", remedy, dtype=dtype))
    return name


def is_spec(tree: Any) -> bool:
    """A tuple of ints is a shape, everything else that nests is a container."""
    return isinstance(tree, tuple) and all(type(extent) is int for extent in tree)


def trace(f: Callable[..., Any], *specs: Any) -> Graph:
    """Records f(*inputs) as a graph. f is any function of gradproof's ops; Python's loops and branches are unrolled.

    specs: one per argument of f, each a shape (float64), a TensorSpec, an array to take shape and dtype from, or a
    nested dict or list of them. The graph's inputs and outputs are the leaves of the arguments and of f's result, in
    order. Arrays that f closes over become constants. Raises what f raises, and GraphError where f returns no values.

    >>> import gradproof as gp
    >>> graph = gp.trace(lambda p, x: x @ p["w"] + p["b"], {"w": (3, 1), "b": (1,)}, (2, 3))
    >>> [graph.nodes[number].name for number in graph.inputs]
    ["x0['w']", "x0['b']", 'x1']
    """
    builder = GraphBuilder()

    def declared(spec: Any, path: str) -> Any:
        if isinstance(spec, dict):
            return {key: declared(item, f"{path}[{key!r}]") for key, item in spec.items()}
        if isinstance(spec, (list, tuple)) and not is_spec(spec):
            return type(spec)(declared(item, f"{path}[{position}]") for position, item in enumerate(spec))
        leaf = spec_of("trace", spec)
        return builder.input(leaf.shape, leaf.dtype, path)

    arguments = [declared(spec, f"x{position}") for position, spec in enumerate(specs)]
    try:
        with builder.recording():
            result = f(*arguments)
        found = list(leaves(result))
        if not found:
            raise GraphError(describe("trace", "the function returned nothing", "return the outputs"))
        return builder.build(*(leaf if isinstance(leaf, Traced) else builder.const(leaf) for leaf in found))
    finally:
        builder.open = False


def jvp_availability(op: str) -> str:
    """Says "implemented" where an op has a JVP, "reverse only" where it has none, "not differentiable" where it has
    nothing to differentiate. No op is "reverse only": one without its JVP cannot enter the table. Raises GraphError.

    >>> jvp_availability("conv"), jvp_availability("detach")
    ('implemented', 'not differentiable')
    """
    entry = OPS.get(op)
    if entry is None:
        raise GraphError(describe("jvp_availability", "there is no such op", "see gradproof.OPS", name=op))
    if not entry.differentiable:
        return "not differentiable"
    return "implemented" if all(f"jvp {name}" in entry.rules for name in entry.differentiable) else "reverse only"


def reverse_only_jvp_ops() -> list[str]:
    """The ops that have a VJP and no JVP: none.

    >>> reverse_only_jvp_ops()
    []
    """
    return [name for name in OPS if jvp_availability(name) == "reverse only"]
