"""jvp, vjp, grad and value_and_grad. What they hand out is the caller's own: no result is a view of an argument, of
another result or of anything recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .dtypes import floats, is_float, snapshot
from .errors import DomainError, DtypeError, GraphError, ShapeError, describe
from .op import Array
from .tape import Dual, Forward, Recorded, Tape, Trace, Traced, ops_seen
from .trees import is_leaf, leaves, map_leaves


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f(*primals), and the derivative of f there in the direction of the tangents: Σ_i ∂f/∂x_i dx_i.

    primals: a tuple or list of arguments, each an array, a float or a nested dict, list or tuple of them. tangents: the
    same structure; None for integer and Boolean leaves. The output's tangent has the structure of the output.
    Raises GraphError where the structures differ or differentiations are nested, ShapeError, DtypeError.

    >>> out, tangent = jvp(lambda x: x * x, (np.array(3.0),), (np.array(1.0),))
    >>> out, tangent
    (array(9.), array(6.))
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise GraphError(
            describe(
                "jvp",
                "primals and tangents must be tuples",
                "write jvp(f, (x,), (dx,))",
                primals=type(primals).__name__,
                tangents=type(tangents).__name__,
            )
        )
    trace, taken = Forward(), Handover()

    def start(primal: Any, tangent: Any) -> Any:
        if not differentiated("jvp", primal):
            if tangent is not None:
                raise DtypeError(
                    describe(
                        "jvp",
                        "a primal that is not a float has no tangent",
                        "pass None as its tangent",
                        primal=type(primal).__name__,
                    )
                )
            return primal
        (value,) = floats("jvp", primal=primal)
        direction = direction_of("jvp", "tangent", tangent, value)
        taken.belongs_to_caller(primal, tangent, value, direction)
        return Dual(trace, value, direction)

    duals = map_leaves(start, tuple(primals), tuple(tangents), op="jvp")
    result = run("jvp", trace, f, duals, {})
    out = map_leaves(lambda leaf: taken.over(leaf.value) if isinstance(leaf, Dual) else plain(leaf), result)

    def tangent_of(leaf: Any) -> Any:
        if not isinstance(leaf, Dual):
            return np.zeros_like(plain(leaf)) if is_float(leaf) else None
        return np.zeros_like(leaf.value) if leaf.tangent is None else taken.over(leaf.tangent)

    return out, map_leaves(tangent_of, result)


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*primals), and the pullback g -> (g · ∂f/∂x_1, ..., g · ∂f/∂x_n).

    primals: arrays, floats, or nested dicts, lists and tuples of them. The pullback takes a cotangent in the structure
    of the output and returns one per primal, of the primal's structure, shapes and dtypes: zeros where f does not use
    it, None for integer and Boolean leaves. It may be called any number of times.
    Raises GraphError where the structures differ or differentiations are nested, ShapeError, DtypeError.

    >>> out, pullback = vjp(lambda a, b: a * b, np.array([1.0, 2.0]), 3.0)
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 3., 30.]), array(21.))
    """
    tape = Tape()
    recorded = map_leaves(lambda leaf: record_leaf("vjp", tape, leaf, copy=True), primals)
    result = run("vjp", tape, f, own_containers(recorded), {})
    # The shapes and dtypes suffice from here on, and `result` may hold lists that f's caller can change.
    result = own_containers(result)
    out = map_leaves(lambda leaf: leaf.value.copy() if isinstance(leaf, Recorded) else plain(leaf), result)

    def pullback(g: Any) -> tuple[Any, ...]:
        taken, seeds = Handover(), list[tuple[int, Array]]()

        def seed(leaf: Any, cotangent: Any) -> None:
            if isinstance(leaf, Recorded) or is_float(leaf):
                value = leaf.value if isinstance(leaf, Recorded) else plain(leaf)
                direction = direction_of("pullback", "g", cotangent, value)
                taken.belongs_to_caller(cotangent, direction)
                if isinstance(leaf, Recorded):
                    seeds.append((leaf.node, direction))
            elif cotangent is not None:
                raise DtypeError(
                    describe(
                        "pullback",
                        "an output that is not a float has no cotangent",
                        "pass None in its place",
                        output=type(leaf).__name__,
                    )
                )

        map_leaves(seed, result, g, op="pullback")
        cotangents: tuple[Any, ...] = leaf_cotangents(tape, recorded, seeds, taken)
        return cotangents

    return out, pullback


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The function that returns the gradient of a scalar function f with respect to the argument `argnums` (a tuple
    gives a tuple), in the structure of that argument. Further arguments and keywords are constants.

    Raises ShapeError where f is not scalar, DtypeError, GraphError where differentiations are nested.

    >>> from gradproof import reduce_sum
    >>> grad(lambda p: reduce_sum(p["w"] * p["w"]))({"w": np.array([1.0, 2.0])})
    {'w': array([2., 4.])}
    """
    both = value_and_grad(f, argnums)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., tuple[Array, Any]]:
    """As `grad`, but the function returns (value, gradient).

    >>> value_and_grad(lambda x: x * x)(3.0)
    (array(9.), array(6.))
    """
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int):
            raise DtypeError(describe("grad", "argnums must be an int or a tuple of ints", "pass 0", argnums=argnums))

    def both(*args: Any, **kwargs: Any) -> tuple[Array, Any]:
        positions = [number + len(args) if number < 0 else number for number in numbers]
        if any(not 0 <= position < len(args) for position in positions) or len(set(positions)) != len(positions):
            raise DomainError(
                describe(
                    "grad",
                    "argnums must name positional arguments, each once",
                    "check the call",
                    argnums=argnums,
                    arguments=len(args),
                )
            )
        tape, chosen, recorded = Tape(), list(args), []
        for position in positions:
            if not any(isinstance(leaf, Traced) or is_float(leaf) for leaf in leaves(args[position])):
                raise DtypeError(
                    describe(
                        "grad",
                        "the argument has no floats to differentiate",
                        "pass floats, 3.0 instead of 3",
                        argnum=position,
                        type=type(args[position]).__name__,
                    )
                )
            recorded.append(map_leaves(lambda leaf: record_leaf("grad", tape, leaf, copy=False), args[position]))
            chosen[position] = own_containers(recorded[-1])
        result = run("grad", tape, f, tuple(chosen), kwargs)
        if not is_leaf(result) or not (isinstance(result, Recorded) or is_float(result)):
            raise GraphError(
                describe(
                    "grad",
                    "the function must return one float scalar",
                    "return the loss alone",
                    returned=type(result).__name__,
                )
            )
        value = result.value.copy() if isinstance(result, Recorded) else plain(result)
        if value.shape != ():
            remedy = "reduce it with reduce_sum or reduce_mean, or use vjp"
            raise ShapeError(describe("grad", "the function must return a scalar", remedy, shape=value.shape))
        seeds = [(result.node, np.ones_like(value))] if isinstance(result, Recorded) else []
        gradients = leaf_cotangents(tape, recorded, seeds, Handover())
        return value, tuple(gradients) if isinstance(argnums, tuple) else gradients[0]

    return both


def ops_used(f: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[str, ...]:
    """The names of the ops that f(*args, **kwargs) runs, in order of first use.

    >>> from gradproof import relu
    >>> ops_used(lambda x: relu(x) @ x, np.ones((2, 2)))
    ('relu', 'matmul')
    """
    trace, seen = Forward(), dict[str, None]()

    def watch(leaf: Any) -> Any:  # traced, with a tangent of zero, so that operators are seen too
        return Dual(trace, floats("ops_used", x=leaf)[0], None) if differentiated("ops_used", leaf) else leaf

    watched, keywords = map_leaves(watch, args), map_leaves(watch, kwargs)
    token = ops_seen.set(seen)
    try:
        run("ops_used", trace, f, watched, keywords)
    finally:
        ops_seen.reset(token)
    return tuple(seen)


# What the transforms share.


def differentiated(op: str, leaf: Any) -> bool:
    """Whether a leaf of the arguments is differentiated; the others pass unchanged and have cotangent None."""
    if isinstance(leaf, Traced):
        raise GraphError(
            describe(op, "an argument is traced already", "derivatives of derivatives are not supported", value=leaf)
        )
    if is_float(leaf):
        return True
    of_numpy = isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind in "iub"
    if not of_numpy and not (leaf is None or isinstance(leaf, (bool, int, str))):
        raise DtypeError(
            describe(
                op,
                "an argument is neither float32 or float64 nor integer data",
                "convert it",
                type=type(leaf).__name__,
                **({"dtype": leaf.dtype} if hasattr(leaf, "dtype") else {}),
            )
        )
    return False


def record_leaf(op: str, tape: Tape, leaf: Any, copy: bool) -> Any:
    if not differentiated(op, leaf):
        return leaf
    (value,) = floats(op, x=leaf)
    return tape.leaf(snapshot(value) if copy else value)


def own_containers(tree: Any) -> Any:
    """The same leaves in containers of their own: f may rebind `params["w"]`, what was recorded stays as it was."""
    return map_leaves(lambda leaf: leaf, tree)


def run(op: str, trace: Trace, f: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """f on traced arguments. Afterwards the trace is closed, and what f returns is its own or plain."""
    try:
        result = f(*arguments, **keywords)
    except ValueError as error:
        if isinstance(error.__cause__, GraphError):  # NumPy wraps ours on `buffer[0] = traced`
            raise error.__cause__ from None
        raise
    finally:
        trace.open = False
    for leaf in leaves(result):
        if isinstance(leaf, Traced) and leaf.trace is not trace:
            raise GraphError(
                describe(
                    op,
                    "the function returned a value of another differentiation",
                    "derivatives of derivatives are not supported",
                    value=leaf,
                )
            )
    return result


def plain(leaf: Any) -> Any:
    """An output that does not depend on the arguments; numbers become arrays."""
    return np.asarray(leaf) if isinstance(leaf, (float, np.generic)) else leaf


def direction_of(op: str, name: str, given: Any, like: Array) -> Array:
    """A tangent or cotangent that the caller gives, in the dtype of its value."""
    if isinstance(given, Traced):
        raise GraphError(
            describe(op, f"{name} is a traced value", "derivatives of derivatives are not supported", value=given)
        )
    if given is None:
        raise GraphError(
            describe(op, f"{name} is missing for a float value", "pass an array, zeros if need be", shape=like.shape)
        )
    (direction,) = floats(op, **{name: given})
    if direction.shape != like.shape:
        raise ShapeError(
            describe(
                op,
                f"{name} has the wrong shape",
                "give it the shape of its value",
                expected=like.shape,
                given=direction.shape,
            )
        )
    return direction.astype(like.dtype, copy=False)


def leaf_cotangents(tape: Tape, recorded: Any, seeds: list[tuple[int, Array]], taken: Handover) -> Any:
    """In the structure of `recorded`: cotangents, zeros where none arrives, None for what was not differentiated."""
    cotangents = tape.pull_back(seeds)

    def of(leaf: Any) -> Any:
        if not isinstance(leaf, Recorded):
            return None
        cotangent = cotangents[leaf.node]
        return np.zeros_like(leaf.value) if cotangent is None else taken.over(cotangent)

    return map_leaves(of, recorded)


class Handover:
    """Makes each array that leaves a transform the caller's own, copying only where it is shared."""

    def __init__(self) -> None:
        self.shared: dict[int, Any] = {}  # by id; the arrays are kept alive so that an id stays theirs

    def belongs_to_caller(self, *arrays: Any) -> None:
        self.shared.update((id(array), array) for array in arrays)

    def over(self, array: Array) -> Array:
        if array.base is not None or not array.flags.writeable or id(array) in self.shared:
            array = array.copy()
        self.shared[id(array)] = array
        return array
