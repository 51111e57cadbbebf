"""Session: ops are called one by one, and what was called can be evaluated, differentiated and stepped at any time.

A session records a graph through a builder of its own and has one tape for it, with one place per value of the graph.
A place is PENDING until its value is needed; then it is lowered as every graph is, by CompiledTape.lowered, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .attributes import integer
from .builder import GraphBuilder, Var, add_methods
from .compiled import CompiledTape
from .dtypes import FLOATS, floats
from .errors import DomainError, DtypeError, GraphError, ShapeError, describe
from .graph import CONST, INPUT, Graph, GraphNode
from .op import Array, Shape
from .optimizers import sgd
from .tape import Node, Trace, Traced
from .transforms import direction_of

PENDING = Node(np.zeros(()))
LARGEST_NATURAL = 2**63 - 1


class Ref(Var):
    """A value of a session. Once the session is reset every use of it raises GraphError."""

    __slots__ = ("_recording",)
    _recording: Trace

    @property
    def trace(self) -> Trace:  # whatever takes a traced value asks for its trace first
        if not self._recording.open:
            remedy = "record it again, or read its value before the reset"
            raise GraphError(describe("session", f"%{self.id} is from before the reset", remedy, ref=self))
        return self._recording

    @trace.setter
    def trace(self, trace: Trace) -> None:
        self._recording = trace

    @property
    def value(self) -> NoReturn:  # type: ignore[override]
        raise GraphError(describe("session", "a Var has no value of its own", "use session.value(ref)", ref=self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(%{self.id}, shape={self.shape}, dtype={self.dtype})"


class NatRef(Ref):
    """A natural number of a session, an index or a label: a Var of shape () and dtype int64 without gradient."""

    __slots__ = ()


class NatVecRef(Ref):
    """Natural numbers of a session: a Var of shape (k,) and dtype int64 without gradient."""

    __slots__ = ()


RefType = TypeVar("RefType", bound=Ref)


class Parameter:
    """An array to be trained, which outlives the recordings that `Session.use` brings it into.

    value: a read-only array of its own; assign another of the same shape and dtype to change it.

    >>> parameter = Parameter([1.0, 2.0], name="w")
    >>> parameter.value = [3.0, 4.0]
    >>> parameter
    Parameter('w', shape=(2,), dtype=float64)
    """

    def __init__(self, init: ArrayLike, name: str | None = None, requires_grad: bool = True) -> None:
        if name is not None and type(name) is not str:
            raise DtypeError(describe("Parameter", "name must be text", "pass a string", name=name))
        self._value = own(float_array("Parameter", "init", init))
        self.name = name
        self.requires_grad = truth("Parameter", "requires_grad", requires_grad)

    @property
    def value(self) -> Array:
        return self._value

    @value.setter
    def value(self, value: ArrayLike) -> None:
        array = own(float_array("Parameter", "value", value, self._value.dtype))
        if array.shape != self._value.shape:
            remedy = "a parameter keeps its shape: make a new one"
            raise ShapeError(
                describe("Parameter", "another shape", remedy, name=self.name, has=self._value.shape, given=array.shape)
            )
        self._value = array

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, shape={self._value.shape}, dtype={self._value.dtype})"


class Gradients:
    """The gradients of one output. gradients[ref]: an array of the caller's own in the shape of the ref; zeros where
    the output does not depend on it, and for all that has no gradient: constants, integers, requires_grad=False.

    It stays as it was computed, also when a natural number is set afterwards.
    """

    def __init__(self, recording: Recording, cotangents: Sequence[Array | None]) -> None:
        self._recording = recording
        self._cotangents = cotangents

    def __getitem__(self, ref: Traced) -> Array:
        number = self._recording.index(ref)
        found = self._cotangents[number] if number < len(self._cotangents) else None  # recorded later: no influence
        if found is None or not self._recording.has_gradient(number):
            return np.zeros(ref.shape, ref.dtype)
        return found.copy()

    def __repr__(self) -> str:
        return f"Gradients({len(self._cotangents)} values)"


class Recording(GraphBuilder):
    """What a session records between two resets: a graph, and its tape, with PENDING for what is not computed."""

    def __init__(self, streams: int = 0) -> None:
        super().__init__()
        self.streams = streams
        self.tape = CompiledTape()
        self.used: dict[Parameter, Ref] = {}

    def close(self) -> None:
        """Refs may live on, but keep no array alive."""
        self.open = False
        self.nodes, self.payload, self._constants, self.tape, self.used = [], {}, {}, CompiledTape(), {}

    # Recording.

    def _append(self, node: GraphNode) -> Ref:
        self.nodes.append(node)
        if node.op == CONST:
            self.tape.add_leaf(self.payload[len(self.nodes) - 1], False)
        else:
            self.tape.append(PENDING)
            self.tape.differentiable.append(False)
        return Ref(self, len(self.nodes) - 1, node.shape, node.dtype)

    def leaf(self, kind: type[RefType], value: Array, name: str | None, requires_grad: bool) -> RefType:
        ref = self.input(value.shape, value.dtype, name)
        self.tape.nodes[ref.id], self.tape.differentiable[ref.id] = Node(value), requires_grad
        return kind(self, ref.id, value.shape, value.dtype.name)

    def index(self, x: Any, shape: Shape | None = None) -> int:
        if isinstance(x, Var) and x.trace is not self:
            remedy = "use what this session returned since its last reset"
            raise GraphError(describe("session", f"%{x.id} belongs to another session or builder", remedy, ref=x))
        return super().index(x, shape)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        try:
            with super().all_or_nothing():
                yield
        except BaseException:
            count = len(self.nodes)
            del self.tape.nodes[count:], self.tape.differentiable[count:]
            self.used = {parameter: ref for parameter, ref in self.used.items() if ref.id < count}
            raise

    # Evaluation. Parents have smaller ids than their children, so ascending ids are an order of evaluation.

    def ancestors(self, number: int, pending: bool = False) -> list[int]:
        """The ids of a value and of all that it is computed from, ascending; with `pending` of those not yet computed,
        as all that a computed value comes from is computed."""
        found, stack = {number}, [number]
        while stack:
            for parent in self.nodes[stack.pop()].parents:
                if parent not in found and not (pending and self.is_computed(parent)):
                    found.add(parent)
                    stack.append(parent)
        return sorted(found)

    def is_computed(self, number: int) -> bool:
        return self.tape.nodes[number] is not PENDING

    def evaluated(self, number: int) -> Array:
        if not self.is_computed(number):
            for each in self.ancestors(number, pending=True):
                made, self.tape.differentiable[each] = self.tape.lowered(self.nodes[each])
                self.tape.nodes[each] = made
        return self.tape.nodes[number].out

    def replace(self, number: int, value: Array) -> None:
        """Another value for a leaf. What was computed from it is PENDING again. Linear in the values recorded since."""
        changed = {number}
        for later in range(number + 1, len(self.nodes)):
            if not changed.isdisjoint(self.nodes[later].parents):
                changed.add(later)
                self.tape.nodes[later] = PENDING
        self.tape.nodes[number] = Node(value)

    # Differentiation.

    def has_gradient(self, number: int) -> bool:
        """False for leaves that are constants, integers or not asked for."""
        return self.nodes[number].op not in (INPUT, CONST) or self.tape.differentiable[number]

    def pushed_forward(self, number: int, seeds: Mapping[int, Array]) -> Array | None:
        """The tangent of one value, from those of leaves; None is zero."""
        self.evaluated(number)
        tangents: list[Array | None] = [None] * (number + 1)
        for each in self.ancestors(number):
            node = self.tape.nodes[each]
            tangents[each] = seeds.get(each) if node.op is None else node.push_forward(tangents)
        return tangents[number]

    def pulled_back(self, number: int, seed: Array) -> Gradients:
        self.evaluated(number)
        return Gradients(self, self.tape.pull_back([(number, seed.copy())], keep=True))


class Session:
    """Ops called one by one. Every op is a method, session.relu(x), and a function on the session's Vars,
    gradproof.relu(x); operators work too. Nothing is computed before `value`, `backward` or `jvp` needs it, and then
    once.

        session = Session()
        parameter = session.param(init)         lives on; assign parameter.value to change it
        each step: session.reset(), w = session.use(parameter), x = session.input(data), ...

    dtype: that of Python numbers and lists; float arrays that are given as leaves must have it. Arrays among the
    arguments of an op are constants and keep theirs. Integer and Boolean arrays can be inputs, as indices and masks.
    Random methods without a stream get the next number; a reset does not begin again at 0, so that each step of a
    training has its own dropout. A method that raises leaves the session as it was.

    >>> session = Session()
    >>> w = session.use(session.param([1.0, 2.0, 3.0], name="w"))
    >>> index = session.nat(2)
    >>> y = session.gather_scalar(w, index)
    >>> loss = y * y
    >>> session.value(loss)
    array(9.)
    >>> session.backward_scalar(loss)[w]
    array([0., 0., 6.])
    >>> session.set_nat(index, 0)
    >>> session.value(loss), session.backward_scalar(loss)[w]
    (array(1.), array([2., 0., 0.]))
    """

    def __init__(self, dtype: DTypeLike = "float64") -> None:
        try:
            self.dtype = np.dtype(dtype)
        except (TypeError, ValueError, SyntaxError):  # np.dtype parses text
            self.dtype = np.dtype(object)
        if self.dtype.type not in FLOATS:
            raise DtypeError(describe("Session", "dtype must be float32 or float64", "pass one of them", dtype=dtype))
        self._recording = Recording()

    def __repr__(self) -> str:
        return f"Session(dtype={self.dtype.name!r}, {len(self._recording.nodes)} values)"

    def reset(self) -> None:
        """Begins a new recording. Parameters keep their values; all refs and gradients so far are dangling: any use of
        them raises GraphError."""
        self._recording.close()
        self._recording = Recording(self._recording.streams)

    # Leaves, at any time.

    def param(self, init: ArrayLike, name: str | None = None, requires_grad: bool = True) -> Parameter:
        """A parameter, not recorded until it is used. Raises DtypeError, ShapeError for a ragged list."""
        return Parameter(float_array("param", "init", init, self.dtype), name, requires_grad)

    def use(self, parameter: Parameter) -> Var:
        """The leaf of a parameter in this recording, the same one each time. It has the value and the requires_grad
        that the parameter had when it was first used: what is assigned later counts from the next recording on.

        Raises GraphError for anything else, DtypeError for a parameter of another dtype than the session's.
        """
        if not isinstance(parameter, Parameter):
            remedy = "pass what session.param returned, or use session.input"
            raise GraphError(describe("use", "this is no Parameter", remedy, type=type(parameter).__name__))
        float_array("use", "parameter.value", parameter.value, self.dtype)
        recording = self._recording
        if parameter not in recording.used:
            ref = recording.leaf(Ref, parameter.value, parameter.name, bool(parameter.requires_grad))
            recording.used[parameter] = ref
        return recording.used[parameter]

    def input(self, value: ArrayLike, name: str | None = None, requires_grad: bool = False) -> Var:
        """A leaf of this value, copied. Integers and Booleans have no gradient. Raises DtypeError."""
        array = leaf_array("input", value, self.dtype)
        if truth("input", "requires_grad", requires_grad) and array.dtype.kind != "f":
            remedy = "pass requires_grad=False, or convert it"
            raise DtypeError(describe("input", "only floats have a gradient", remedy, dtype=array.dtype))
        return self._recording.leaf(Ref, array, name, requires_grad)

    def const(self, value: ArrayLike) -> Var:
        """A constant of this value, copied: it never has a gradient, and is no input of the frozen graph."""
        return self._recording.const(leaf_array("const", value, self.dtype))

    def nat(self, value: int) -> NatRef:
        """A natural number: an index, or a label. Raises DtypeError, and DomainError below 0."""
        return self._recording.leaf(NatRef, natural("nat", "value", value), None, False)

    def nat_vec(self, values: Sequence[int] | Array) -> NatVecRef:
        """Natural numbers: indices, or labels. Raises DtypeError, and DomainError below 0."""
        return self._recording.leaf(NatVecRef, naturals("nat_vec", values), None, False)

    def get_nat(self, ref: NatRef) -> int:
        """The number that it has now."""
        return int(self._recording.evaluated(self._nat_id("get_nat", ref, NatRef)))

    def get_nat_vec(self, ref: NatVecRef) -> Array:
        """The numbers that it has now, as int64."""
        return self._recording.evaluated(self._nat_id("get_nat_vec", ref, NatVecRef)).copy()

    def set_nat(self, ref: NatRef, value: int) -> None:
        """Another number in the same place: what was computed from the old one is computed anew when it is needed. An
        index outside its axis gives 0 and no gradient, a label outside is an error of the loss."""
        number = self._nat_id("set_nat", ref, NatRef)
        self._recording.replace(number, natural("set_nat", "value", value))

    def set_nat_vec(self, ref: NatVecRef, values: Sequence[int] | Array) -> None:
        """As `set_nat`. Raises ShapeError for another number of them."""
        number = self._nat_id("set_nat_vec", ref, NatVecRef)
        array = naturals("set_nat_vec", values)
        if array.shape != ref.shape:
            remedy = "give as many as there were"
            raise ShapeError(describe("set_nat_vec", "another length", remedy, has=ref.shape, given=array.shape))
        self._recording.replace(number, array)

    def _nat_id(self, op: str, ref: Any, kind: type[Ref]) -> int:
        if not isinstance(ref, kind):
            remedy = "pass what session.nat or session.nat_vec returned"
            raise GraphError(describe(op, f"this is no {kind.__name__}", remedy, ref=ref))
        return self._recording.index(ref)

    # Ops.

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """function(*args, **kwargs) recorded here, all of it or, if it raises, nothing."""
        return self._recording.call(function, *args, **kwargs)

    @property
    def streams(self) -> int:
        """The number of the next random op that is called without a stream."""
        return self._recording.streams

    def next_stream(self) -> None:
        self._recording.next_stream()

    if TYPE_CHECKING:  # every public op is a method: see add_methods

        def __getattr__(self, name: str) -> Callable[..., Any]: ...

    def value(self, ref: Var) -> Array:
        """The value of a ref, an array of the caller's own. It and what it needs is computed once.

        Raises GraphError for a ref of another session or from before the reset, and what ops raise for unfit values.
        """
        return self._recording.evaluated(self._recording.index(ref)).copy()

    # Gradients.

    def backward(self, out: Var, seed: ArrayLike) -> Gradients:
        """The gradients of <seed, out>. Only what `out` is computed from is evaluated.

        Raises ShapeError where the seed has another shape than `out`, GraphError where `out` is no float value.
        """
        number = self._float_id("backward", out)
        return self._recording.pulled_back(number, direction_of("backward", "seed", seed, cast(Array, out)))

    def backward_scalar(self, loss: Var) -> Gradients:
        """The gradients of a scalar. Raises ShapeError for any other value."""
        number = self._scalar_id("backward_scalar", loss, "reduce it, or use backward with a seed")
        return self._recording.pulled_back(number, np.ones((), loss.dtype))

    def backward_dense_all(self, loss: Var) -> list[Array]:
        """The gradient of a scalar with respect to every value of the recording, by id."""
        gradients = self.backward_scalar(loss)
        nodes = self._recording.nodes
        return [gradients[Ref(self._recording, k, node.shape, node.dtype)] for k, node in enumerate(nodes)]

    def grad(self, gradients: Gradients, ref: Var) -> Array:
        """gradients[ref]."""
        self._check_gradients("grad", gradients)
        return gradients[ref]

    # Tangents.

    def jvp(self, out: Var, tangents: Mapping[Any, ArrayLike]) -> Array:
        """The tangent of `out` for tangents of leaves, by their refs; those not mentioned are 0.

        Raises GraphError for what is no leaf or requires no gradient, ShapeError for a tangent of another shape.
        """
        number = self._recording.index(out)
        if not isinstance(tangents, Mapping):
            remedy = "pass {leaf: tangent}"
            raise GraphError(describe("jvp", "tangents must be a mapping", remedy, type=type(tangents).__name__))
        seeds = {self._leaf_id(ref): direction_of("jvp", f"tangent of %{ref.id}", tangent, ref)
                 for ref, tangent in tangents.items()}  # fmt: skip
        found = self._recording.pushed_forward(number, seeds)
        return np.zeros(out.shape, out.dtype) if found is None else found.copy()

    def jvp_leaf(self, out: Var, leaf: Var, tangent: ArrayLike) -> Array:
        """The tangent of `out` where only this leaf has one."""
        return self.jvp(out, {leaf: tangent})

    def jvp_scalar_leaf(self, out: Var, leaf: Var, tangent: ArrayLike) -> float:
        """`jvp_leaf` of a scalar, as a number: its derivative in the direction of the tangent."""
        self._scalar_id("jvp_scalar_leaf", out, "reduce it, or use jvp_leaf")
        return float(self.jvp_leaf(out, leaf, tangent))

    # Training.

    def sgd_step_all(self, learning_rate: float, gradients: Gradients) -> None:
        """value = value - learning_rate gradient for each parameter used in this recording that has requires_grad: of
        all or, if anything is unfit, of none. The values of this recording stay; `reset` and `use` bring the new ones.

        Raises GraphError for gradients of another recording, DomainError unless 0 <= learning_rate, DtypeError.
        """
        self._check_gradients("sgd_step_all", gradients)
        trained = [(parameter, ref) for parameter, ref in self._recording.used.items() if parameter.requires_grad]
        values = [parameter.value for parameter, _ in trained]
        stepped, _ = sgd(values, [gradients[ref] for _, ref in trained], learning_rate=learning_rate)
        for (parameter, _), value in zip(trained, stepped, strict=True):
            parameter.value = value

    # The graph.

    def freeze(self, *outputs: Var) -> Graph:
        """The graph of all that was recorded, with these outputs, by default the last value; ids are those of the refs.
        Its inputs are the leaves in order, with their names: parameters, inputs, and natural numbers as integers. It is
        the caller's own: the session goes on.

        >>> session = Session()
        >>> x = session.input([1.0, 2.0], name="x")
        >>> graph = session.freeze(session.reduce_sum(x * x))
        >>> graph(*session.leaf_values()), graph([3.0, 4.0])
        (array(5.), array(25.))
        """
        return self._recording.build(*outputs)

    def leaf_values(self) -> list[Array]:
        """The values of the leaves in order: what to call the frozen graph with for the values of the session."""
        return [self._recording.evaluated(number).copy() for number in self._recording.inputs]

    # Checks.

    def _float_id(self, op: str, out: Any) -> int:
        number = self._recording.index(out)
        if out.dtype.kind != "f":
            raise GraphError(describe(op, "the output is no float value: it has no gradient", "take another", out=out))
        return number

    def _scalar_id(self, op: str, out: Any, remedy: str) -> int:
        number = self._float_id(op, out)
        if out.shape != ():
            raise ShapeError(describe(op, "the output is no scalar", remedy, out=out))
        return number

    def _leaf_id(self, ref: Any) -> int:
        number = self._recording.index(ref)
        if self._recording.nodes[number].op != INPUT:
            remedy = "give tangents to what input and use returned"
            raise GraphError(describe("jvp", f"%{number} is no leaf", remedy, ref=ref))
        if not self._recording.has_gradient(number):
            remedy = "record it with requires_grad=True"
            raise GraphError(describe("jvp", f"%{number} requires no gradient and takes no tangent", remedy, ref=ref))
        return number

    def _check_gradients(self, op: str, gradients: Any) -> None:
        if not isinstance(gradients, Gradients):
            remedy = "pass what session.backward returned"
            raise GraphError(describe(op, "these are no Gradients", remedy, type=type(gradients).__name__))
        if gradients._recording is not self._recording:
            remedy = "call backward in this recording"
            raise GraphError(describe(op, "the gradients are of another session or from before the reset", remedy))


add_methods(Session, "call")


def truth(op: str, name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise DtypeError(describe(op, f"{name} must be True or False", "pass a bool", **{name: value}))
    return value


def float_array(op: str, name: str, value: Any, dtype: np.dtype[Any] | None = None) -> Array:
    """Floats: Python numbers and lists take the dtype, arrays must have it. None: the array's, else float64."""
    if isinstance(value, Traced):
        raise DtypeError(describe(op, f"{name} is a traced value", "pass an array", **{name: value}))
    (array,) = floats(op, **{name: value})
    if dtype is not None and not isinstance(value, (np.ndarray, np.generic)):
        array = array.astype(dtype)
    if dtype is not None and array.dtype != dtype:
        remedy = f"convert it with .astype(np.{dtype})"
        raise DtypeError(describe(op, f"{name} has another dtype", remedy, expected=dtype, given=array.dtype))
    return array


def leaf_array(op: str, value: Any, dtype: np.dtype[Any]) -> Array:
    """Floats of this dtype, integers or Booleans of any, as `own`."""
    plain = isinstance(value, (np.ndarray, np.generic)) and not isinstance(value, np.ma.MaskedArray)
    return own(value if plain and value.dtype.kind in "biu" else float_array(op, "value", value, dtype))


def own(value: Any, dtype: DTypeLike | None = None) -> Array:
    """A read-only copy."""
    array: Array = np.array(value, dtype)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def natural(op: str, name: str, value: Any) -> Array:
    number = integer(op, name, value)
    if not 0 <= number <= LARGEST_NATURAL:
        remedy = f"pass 0 <= n <= {LARGEST_NATURAL}"
        raise DomainError(describe(op, f"{name} is no natural number of 64 bits", remedy, **{name: value}))
    return own(number, np.int64)


def naturals(op: str, values: Any) -> Array:
    given = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(given, (list, tuple)):
        raise DtypeError(describe(op, "values must be a list of integers", "pass a list", type=type(values).__name__))
    return own([int(natural(op, f"values[{k}]", value)) for k, value in enumerate(given)], np.int64)
