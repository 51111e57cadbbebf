"""Graph: a recorded program as pure data, what it must satisfy, and what it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .errors import DtypeError, GradproofError, GraphError, NodeError, ShapeError, describe
from .op import OPS, Array, Op, PlanValue, Shape
from .tape import Traced, apply, evaluated, promoted

INPUT, CONST = "input", "const"
DTYPES = frozenset(
    ("float32", "float64", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
)
MOST_AXES, MOST_BYTES = 64, 2**62  # NumPy's
MOST_DEPTH, MOST_BITS = 8, 1024  # of tuples within tuples, and of an integer


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One value: an input, a constant, or an op of values before it. Its id is its place in the graph.

    op: "input", "const" or a name in OPS. parents: ids. attributes: those of the op's table entry. name: of an input.
    """

    op: str
    parents: tuple[int, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    shape: Shape = ()
    dtype: str = "float64"
    name: str | None = None

    @property
    def is_float(self) -> bool:
        return self.dtype in ("float32", "float64")

    def __repr__(self) -> str:
        return f"GraphNode({self.text(None)})"

    def text(self, number: int | None) -> str:
        """As it stands in the text of a graph."""
        left = "" if number is None else f"%{number} = "
        arguments = [f"%{parent}" for parent in self.parents]
        arguments += [f"{name}={value!r}" for name, value in self.attributes.items()]
        if self.name is not None:
            arguments.append(repr(self.name))
        return f"{left}{self.op}({', '.join(arguments)}) : {self.dtype}{list(self.shape)}"


@dataclass(frozen=True, eq=False)
class Graph:
    """A program: nodes in an order in which every parent comes first, the ids of the outputs, and `payload`, the arrays
    of the constants by id. Nothing in it can be executed; what an op name means stands in gradproof.OPS.

    Record one with `trace` or `GraphBuilder`. `graph(*inputs)` runs it, and can be differentiated like any function.

    >>> import gradproof as gp
    >>> graph = gp.trace(lambda x, w: gp.relu(x @ w), (2, 3), (3, 1))
    >>> print(graph)
    %0 = input('x0') : float64[2, 3]
    %1 = input('x1') : float64[3, 1]
    %2 = matmul(%0, %1) : float64[2, 1]
    %3 = relu(%2) : float64[2, 1]
    return %3
    >>> graph(np.ones((2, 3)), np.ones((3, 1)))
    array([[3.],
           [3.]])
    """

    nodes: tuple[GraphNode, ...]
    outputs: tuple[int, ...]
    payload: Mapping[int, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frozen = {}
        for number, array in dict(self.payload).items():
            if not isinstance(array, np.ndarray):
                raise DtypeError(describe("graph", "a payload must be an array", "convert it", id=number))
            copy = array.copy() if array.flags.writeable or not array.flags.owndata else array
            copy.flags.writeable = False
            frozen[number] = copy
        object.__setattr__(self, "nodes", tuple(self.nodes))
        object.__setattr__(self, "outputs", tuple(self.outputs))
        object.__setattr__(self, "payload", MappingProxyType(frozen))

    @property
    def inputs(self) -> tuple[int, ...]:
        """The ids of the inputs, in the order in which they are passed."""
        return tuple(number for number, node in enumerate(self.nodes) if node.op == INPUT)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return (
            self.outputs == other.outputs
            and len(self.nodes) == len(other.nodes)
            and all(same_node(a, b) for a, b in zip(self.nodes, other.nodes, strict=True))
            and self.payload.keys() == other.payload.keys()
            and all(same_array(array, other.payload[number]) for number, array in self.payload.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        lines = [node.text(number) for number, node in enumerate(self.nodes)]
        return "\n".join([*lines, "return " + ", ".join(f"%{number}" for number in self.outputs)])

    def __repr__(self) -> str:
        return f"Graph({len(self.nodes)} nodes, inputs={list(self.inputs)}, outputs={list(self.outputs)})"

    # What it computes.

    def __call__(self, *inputs: Any) -> Any:
        """The output, or the tuple of outputs, for arrays in the order of the inputs. Traced values may be passed, so a
        graph is differentiated, or recorded into another, like any function.

        Raises GraphError for a wrong number of inputs, ShapeError, DtypeError.
        """
        values: list[Any] = []
        given = iter(self.arguments(inputs))
        for number, node in enumerate(self.nodes):
            if node.op == INPUT:
                values.append(next(given))
            elif node.op == CONST:
                values.append(self.payload[number])
            else:
                values.append(apply(OPS[node.op], *(values[parent] for parent in node.parents), **node.attributes))
        results = tuple(x if isinstance(x, Traced) else x.copy() for x in (values[number] for number in self.outputs))
        return results if len(results) != 1 else results[0]

    def denote(self, *inputs: Any) -> list[Array]:
        """The value of every node, by definition: each is its op's table entry on the values of its parents. Nothing is
        reused, shared or traced; what runs faster is compared with it.

        Raises as calling the graph does.
        """
        values: list[Array] = []
        given = iter(self.arguments(inputs))
        for number, node in enumerate(self.nodes):
            if node.op == INPUT:
                values.append(next(given))
            elif node.op == CONST:
                values.append(self.payload[number])
            else:
                op = OPS[node.op]
                parents = promoted(op, tuple(values[parent] for parent in node.parents))
                out, _ = evaluated(op, parents, node.attributes)
                values.append(out)
        return values

    def arguments(self, inputs: Sequence[Any]) -> list[Any]:
        """The inputs as arrays of the declared shapes and dtypes."""
        if len(inputs) != len(self.inputs):
            remedy = "pass one array per input"
            raise GraphError(
                describe("graph", "wrong number of inputs", remedy, expected=len(self.inputs), given=len(inputs))
            )
        return [fitting(self.nodes[number], number, x) for number, x in zip(self.inputs, inputs, strict=True)]

    # What it must satisfy.

    def check_well_formed(self) -> None:
        """Raises NodeError, which names the node, unless every node is what its op's public function records for these
        parents and attributes: arity, parents before children, attributes in their normal form and domain, shape and
        dtype by the op's rules; constants have their payload and nothing else has one. GraphError for the outputs.
        """
        seen: dict[Any, tuple[Shape, str]] = {}
        for number, node in enumerate(self.nodes):
            check_node(self, number, node, seen)
        for number in self.outputs:
            if type(number) is not int or not 0 <= number < len(self.nodes):
                remedy = "name nodes of this graph"
                raise GraphError(
                    describe("graph", "an output is no node", remedy, output=number, nodes=len(self.nodes))
                )
        if not self.outputs:
            raise GraphError(describe("graph", "there is no output", "name at least one node"))
        for key in self.payload:
            if type(key) is not int or not 0 <= key < len(self.nodes) or self.nodes[key].op != CONST:
                raise GraphError(describe("graph", "a payload belongs to no constant", "remove it", id=key))

    # Files and pictures.

    def save(self, path: str | Path) -> None:
        """Writes `path`, JSON, and beside it an .npz of the payload if there is one. See gradproof.graph_files."""
        from .graph_files import save

        save(self, path)

    @staticmethod
    def load(path: str | Path) -> Graph:
        """The graph that `save` wrote to `path`, checked. Nothing in the files is executed. Raises GraphError."""
        from .graph_files import load

        return load(path)

    def to_dot(self) -> str:
        """The graph in the DOT language of Graphviz."""
        from .graph_picture import to_dot

        return to_dot(self)

    def to_svg(self) -> str:
        """A picture of the graph, as SVG."""
        from .graph_picture import to_svg

        return to_svg(self)


def same(a: Any, b: Any) -> bool:
    """Attributes that are equal and of one type: 1, 1.0 and True are three values; nan is itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b or (a != a and b != b))


def same_attributes(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(same(value, b[name]) for name, value in a.items())


def same_node(a: GraphNode, b: GraphNode) -> bool:
    fields = (a.op, a.parents, a.shape, a.dtype, a.name) == (b.op, b.parents, b.shape, b.dtype, b.name)
    return fields and same_attributes(a.attributes, b.attributes)


def same_array(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def is_within(integers: Array, dtype: np.dtype[Any]) -> bool:
    limits = np.iinfo(dtype)
    return integers.size == 0 or (limits.min <= int(integers.min()) and int(integers.max()) <= limits.max)


def fitting(node: GraphNode, number: int, x: Any) -> Any:
    """An input as the node declares it. Python numbers and lists take its dtype, integers where they are within it;
    arrays must have it, integers may be of a narrower one."""
    what = f"input {node.name or number}"
    given: Any
    if isinstance(x, Traced):
        given = x
    elif isinstance(x, PlanValue):
        given = x.as_array(np.dtype(node.dtype))
    else:
        try:
            given = np.asarray(x)
        except ValueError:
            raise ShapeError(describe("graph", f"{what} is a ragged list", "make it rectangular")) from None
        wanted = np.dtype(node.dtype)
        plain = not isinstance(x, (np.ndarray, np.generic))
        if wanted.kind == "f":
            fits = plain and given.dtype.kind in "iuf"
        else:
            integers = given.dtype.kind in "iu" and wanted.kind in "iu"
            fits = integers and (np.can_cast(given.dtype, wanted) or (plain and is_within(given, wanted)))
        if fits:
            given = given.astype(wanted)
    if given.dtype != node.dtype:
        values = {"expected": node.dtype, "given": given.dtype.name}
        raise DtypeError(describe("graph", f"{what} has another dtype", "convert it", **values))
    if given.shape != node.shape:
        remedy = "pass that shape, or trace again for this one"
        raise ShapeError(describe("graph", f"{what} has another shape", remedy, expected=node.shape, given=given.shape))
    return given


def refuse(number: int, node: GraphNode | None, what: str, remedy: str, **values: Any) -> NodeError:
    op = node.op[:40] if node is not None and isinstance(node.op, str) else "?"
    return NodeError(number, describe(f"node {number} ({op})", what, remedy, **values))


def check_node(graph: Graph, number: int, node: GraphNode, seen: dict[Any, tuple[Shape, str]]) -> None:
    if not isinstance(node, GraphNode) or not isinstance(node.op, str):
        raise refuse(number, None, "it is no node", "build graphs from GraphNode", type=type(node).__name__)
    if type(node.parents) is not tuple or any(type(parent) is not int for parent in node.parents):
        raise refuse(number, node, "parents must be a tuple of ids", "name nodes before it", parents=node.parents)
    for parent in node.parents:
        if not 0 <= parent < number:
            raise refuse(number, node, "a parent does not come before it", "order the nodes", parent=parent)
    if not isinstance(node.attributes, Mapping) or any(type(name) is not str for name in node.attributes):
        raise refuse(number, node, "attributes must be a mapping", "pass names and values")
    check_shape(number, node)
    if not isinstance(node.dtype, str) or node.dtype not in DTYPES:
        raise refuse(number, node, "unknown dtype", f"use one of {sorted(DTYPES)}", dtype=node.dtype)
    if (node.op == CONST) != (number in graph.payload):
        what = "it has no payload" if node.op == CONST else "it has a payload and is no constant"
        raise refuse(number, node, what, "give one array to each constant, and to nothing else")
    if node.name is not None and (node.op != INPUT or type(node.name) is not str):
        raise refuse(number, node, "only inputs have names, and they are text", "remove it", name=node.name)
    if node.op in (INPUT, CONST):
        if node.parents or node.attributes:
            raise refuse(number, node, "it has parents or attributes", "remove them", parents=node.parents)
        if node.op == CONST:
            array = graph.payload[number]
            if array.shape != node.shape or array.dtype != node.dtype:
                remedy = "declare the shape and dtype of the payload"
                raise refuse(number, node, "the payload does not fit", remedy, declared=(node.shape, node.dtype),
                             payload=(array.shape, str(array.dtype)))  # fmt: skip
        return
    op = OPS.get(node.op)
    if op is None:
        raise refuse(number, node, "there is no such op", "see gradproof.OPS")
    if not op.takes(len(node.parents)):
        raise refuse(number, node, "wrong number of parents", f"it takes {op.inputs}", parents=node.parents)
    if not all(is_plain(value) for value in node.attributes.values()):
        remedy = "attributes are numbers, text, None and tuples of them"
        raise refuse(number, node, "an attribute is no plain value", remedy, attributes=dict(node.attributes))
    parents = tuple((graph.nodes[parent].shape, graph.nodes[parent].dtype) for parent in node.parents)
    key = (node.op, parents, repr(sorted(node.attributes.items())))
    if key not in seen:
        seen[key] = rule_of(op, number, node, parents)
    shape, dtype = seen[key]
    if (shape, dtype) != (node.shape, node.dtype):
        remedy = "declare what the op gives"
        raise refuse(number, node, "it declares another shape or dtype", remedy, declared=(node.shape, node.dtype),
                     given=(shape, dtype))  # fmt: skip


def check_shape(number: int, node: GraphNode) -> None:
    shape = node.shape
    if type(shape) is not tuple or any(type(extent) is not int or extent < 0 for extent in shape):
        raise refuse(number, node, "a shape is a tuple of extents >= 0", "check it", shape=shape)
    if len(shape) > MOST_AXES or prod(extent for extent in shape if extent) * 8 > MOST_BYTES:
        raise refuse(number, node, "no array has this shape", "check it", shape=shape)


def rule_of(op: Op, number: int, node: GraphNode, parents: tuple[tuple[Shape, str], ...]) -> tuple[Shape, str]:
    """The shape and dtype of the op's output: the public function is recorded on abstract values, and must record this
    very node."""
    from .builder import GraphBuilder

    unknown = node.attributes.keys() - op.attributes()
    if unknown:
        remedy = f"it has {sorted(op.attributes())}"
        raise refuse(number, node, "unknown attributes", remedy, attributes=sorted(unknown))
    if node.attributes.get("dtype", "bool") not in DTYPES:  # NumPy would parse it
        raise refuse(number, node, "unknown dtype", f"use one of {sorted(DTYPES)}", dtype=node.attributes["dtype"])
    builder = GraphBuilder()
    inputs = tuple(builder.input(shape, dtype) for shape, dtype in parents)
    try:
        with builder.recording():
            op.call(inputs, **node.attributes)
    except GradproofError as error:
        raise NodeError(number, f"node {number}: {error}") from error
    except TypeError as error:  # an attribute that is missing
        missing = sorted(op.attributes() - node.attributes.keys())
        raise refuse(number, node, "the attributes do not fit", "give all of them", missing=missing) from error
    made = builder.nodes[len(parents) :]
    if len(made) != 1 or made[0].op != op.name or not same_attributes(made[0].attributes, node.attributes):
        recorded = [f"{other.op}{dict(other.attributes)}" for other in made]
        raise refuse(number, node, "it is not in normal form", "record it with the public function",
                     attributes=dict(node.attributes), recorded=recorded)  # fmt: skip
    return made[0].shape, made[0].dtype


def is_plain(value: Any, depth: int = 0) -> bool:
    if type(value) is tuple:
        return depth < MOST_DEPTH and all(is_plain(item, depth + 1) for item in value)
    if type(value) is int:
        return value.bit_length() <= MOST_BITS
    return value is None or type(value) in (float, bool, str)
