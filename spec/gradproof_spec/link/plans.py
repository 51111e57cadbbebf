"""TRUSTED. The `lowering` obligations of plans: what gradproof.compile makes of a function computes the function.

A plan is recorded from floats; its very source then runs on symbols, views, `out=` and reused buffers included. Every
buffer holds a symbol of its own in each element at first, so that nothing may depend on what an earlier run has left,
and every input may be overwritten (`donate`), so that in-place results are looked at. The results are compared with the
specification (`plan` of each op, every direction) or with the function itself (`plan-whole`).

Where a plan says that a branch goes another way, the caller records a new one: nothing is claimed there, but a plan
must fit the example that it was made from.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

import numpy as np

import gradproof as gp
from gradproof import optimizers
from gradproof.plan import ANOTHER, Compiled, Plan, blocks, memory, source
from gradproof.tape import apply
from gradproof.trees import leaves, map_leaves

from ..obligations import PASSING, Obligation, Outcome, Verdict
from ..op import OPS
from ..symbolic import Unsupported, as_terms, explore, symbols
from ..symbolic.comparison import is_zero
from ..terms import to_scalar
from .examples import Example
from .kernels import Run, prove_run
from .lowering import chosen, gates_open
from .sampling import draw

NO_INTEGER = np.iinfo(np.int64).min // 2


# ---------------------------------------------------------------- a plan on symbols
def on_symbols(plan: Plan, arrays: Sequence[Any], numbers: Sequence[Any] = ()) -> Any:
    """The plan's results, or ANOTHER. The arrays are copied: the plan may overwrite them."""
    stale = (f"stale{k}" for k in count())
    buffers: list[Any] = []

    def buffer(size: int, dtype: Any) -> Any:
        if dtype.kind in "iu":  # integers stay machine integers
            buffers.append(np.full(size, NO_INTEGER if dtype.itemsize == 8 else 99, dtype))
        else:
            buffers.append(symbols(next(stale), (size,)).copy())
        return buffers[-1]

    kept: list[Any] = []  # what the plan must neither write into nor hand out

    def constant(value: Any, dtype: Any) -> Any:
        x = exact(value, dtype)
        return read_only(x) if isinstance(x, np.ndarray) else x

    def read_only(x: Any) -> Any:
        kept.append(x.view())
        kept[-1].flags.writeable = False
        return kept[-1]

    given = [x.copy() if k in plan.kind.donated else read_only(x.copy()) for k, x in enumerate(arrays)]
    results = plan.bind(buffer, constant)(*given, *numbers)
    if results is not ANOTHER:
        require_own([x for x in leaves(results) if isinstance(x, np.ndarray)], [*buffers, *kept])
    return results


def exact(value: Any, dtype: Any) -> Any:
    """A constant as symbols: what is computed from it is exact."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    lifted = symbols("constant", value.shape).copy()
    lifted[...] = value
    return lifted


class NotOwn(Exception):
    """A result that the caller does not have alone."""


def require_own(results: Sequence[Any], others: Sequence[Any]) -> None:
    """No result shares memory with another, with what the plan keeps, or with an input that was not donated."""
    for number, x in enumerate(results):
        if any(np.may_share_memory(x, other) for other in (*results[:number], *others)):
            raise NotOwn(f"result {number} shares memory with another, with a buffer or with an input")


def is_symbolic(tree: Any) -> bool:
    return any(isinstance(x, np.ndarray) and x.dtype == object for x in leaves(tree))


# ---------------------------------------------------------------- each op
class PlanRun(Run):
    """As Run, but by a plan of the op through the public functions and their transforms.

    followed: whether the plan fitted the symbols on a path.
    """

    followed = False

    @property
    def label(self) -> str:
        return f"lowering[{self.example.op}-plan]"

    def moving(self) -> list[int]:
        return [k for k, name in enumerate(self.names()) if name in self.link.case.differentiable]

    def program(self, inputs: Any, tangents: Any, g: Any, reals: Any) -> Any:
        """The results of this direction: of the output, or one per input that moves. reals: attributes by name."""
        moving = self.moving()

        def function(*moved: Any) -> Any:
            given = list(inputs)
            for k, x in zip(moving, moved, strict=True):
                given[k] = x
            return apply(self.op, *given, **{**self.example.attributes, **reals})

        primals = tuple(inputs[k] for k in moving)
        if self.direction == "forward":
            return (function(*primals),)
        if self.direction == "jvp":
            return gp.jvp(function, primals, tuple(tangents))[1:]
        return gp.vjp(function, *primals)[1](g)

    def compute(self, inputs: Any, tangents: Any, g: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
        tangents = tuple(tangents[k] for k in self.moving())
        values = draw(self, random.Random(self.label), largest=3)
        names = self.names()
        reals = {n: float(self.example.attributes[n]) for n in self.link.case.op.reals if n in attributes}
        like = (
            tuple(values[n] for n in names), tuple(values["d" + names[k]] for k in self.moving()), values["g"], reals,
        )  # fmt: skip
        plan = gp.compile(self.program, donate=(0, 1, 2)).plan(*like)
        require_fitting(plan, like)
        arrays, numbers = list(leaves((tuple(inputs), tangents, g))), [attributes[n] for n in reals]
        if is_symbolic(arrays):
            found = on_symbols(plan, arrays, numbers)
        else:
            found = plan.bind()(*(x.copy() for x in arrays), *map(float, numbers))
        if found is ANOTHER:  # nothing is claimed: what it would be compared with
            return super().compute(inputs, self.whole(tangents), g, attributes)
        self.followed = self.followed or is_symbolic(arrays)
        case = self.link.case
        if self.direction != "vjp":
            return {("d" if self.direction == "jvp" else "") + case.output.name: found[0]}
        return {"g" + names[k]: x for k, x in zip(self.moving(), found, strict=True)}


    def whole(self, tangents: Sequence[Any]) -> tuple[Any, ...]:
        by_position = dict(zip(self.moving(), tangents, strict=True))
        return tuple(by_position.get(k) for k in range(len(self.names())))


class DoesNotFit(Exception):
    """A plan that refuses the arguments that it was made for."""


def require_fitting(plan: Plan, arguments: Any, function: Callable[..., Any] | None = None) -> None:
    """On the example itself the plan gives results: those of the function, which may see that symbols are no floats."""
    copies, others = (map_leaves(lambda x: x.copy() if isinstance(x, np.ndarray) else x, arguments) for _ in range(2))
    found = plan(copies)
    if found is ANOTHER:
        raise DoesNotFit("the plan does not fit the arguments that it was made for")
    if function is not None:
        for a, b in zip(leaves(found), leaves(function(*others)), strict=True):
            if not np.array_equal(a, b, equal_nan=np.asarray(b).dtype.kind == "f"):
                raise DoesNotFit("the plan and the function differ on the example that it was made from")


def prove_op(op: str) -> Outcome:
    ways = ("forward", "jvp", "vjp") if any(case.differentiable for case in OPS[op].cases) else ("forward",)
    for example in chosen(op):
        for way in ways:
            run = PlanRun(example, way)
            outcome = prove_run(run)
            if outcome.verdict not in PASSING:
                return outcome
            if not run.followed:
                return Outcome(Verdict.VACUOUS, f"VACUOUS  {run.label}\n\n  the plan was followed on no path")
    return Outcome(Verdict.PROVED, data={"directions": list(ways)})


# ---------------------------------------------------------------- whole programs
@dataclass(frozen=True)
class Program:
    """A function, its arguments as floats, and those among them that may be overwritten."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    donate: tuple[int, ...]
    what: str
    block: int = 0  # elements; 0: as shipped, larger than any array here
    every_number: bool = True  # whether floats that are no arrays are symbols too, past the gates of optimizers


def floats(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, shape) for shape in shapes]


def loss(params: Any, x: Any, y: Any) -> Any:
    h = gp.tanh(gp.linear(x, params["w"], params["b"]))
    return gp.mse_loss(gp.linear(h, params["v"]), y)


def parameters() -> dict[str, Any]:
    w, b, v = floats((2, 2), (2,), (1, 2))
    return {"w": w, "b": b, "v": v}


def sgd_step(params: Any, x: Any, y: Any, rate: float) -> Any:
    value, gradients = gp.value_and_grad(loss)(params, x, y)
    params, _ = optimizers.sgd(params, gradients, learning_rate=rate)
    return params, value


def momentum_step(params: Any, state: Any, x: Any, y: Any) -> Any:
    value, gradients = gp.value_and_grad(loss)(params, x, y)
    return *optimizers.sgd(params, gradients, state, learning_rate=0.5, momentum=0.75), value


def adam_step(p: Any, g: Any, state: Any) -> Any:
    return optimizers.adam(p, g, state, learning_rate=0.125, betas=(0.5, 0.75), eps=0.25)


def shared(x: Any, y: Any) -> Any:
    """Values that are used again and again, views of each other, and outputs that share memory."""
    def f(x: Any, y: Any) -> Any:
        z = gp.add(gp.mul(x, y), x)
        u = gp.transpose(gp.reshape(z, (2, 2)), (1, 0))
        return gp.reduce_sum(gp.mul(gp.add(u, u), gp.reshape(z, (2, 2))))

    value, pullback = gp.vjp(f, x, y)
    gx, gy = pullback(np.asarray(1.0))
    return value, gx, gy, gx, x


def plain_numpy(x: Any, y: Any) -> Any:
    """NumPy's own functions, with writes into views, and into what was read before."""
    z = x * y
    z[1:] += x[:-1]
    part = z[::2]
    kept = part.copy()
    part *= 2.0
    w = np.zeros_like(x)
    w[0] = z.sum()
    w[1:] = np.maximum(x[1:], y[1:])
    square = (x * 3.0).reshape((2, 2))
    turned = square * square.T
    again = x * y
    np.subtract(again, kept[0], out=again)
    return z, kept, w, again, turned, np.where(x > y, z, w), np.concatenate([kept, w[:1]])


def copied(x: Any, y: Any) -> Any:
    """Values that are copied into views: of what they are computed from, after that has changed, twice."""
    z, w, v = x * 2.0, np.zeros_like(x), np.zeros_like(x, shape=(2, *x.shape))
    early, late = z + y, z - y
    z *= 3.0
    w[...] = early
    z[1:] = z[:-1] * y[1:]
    v[0] = v[1] = late
    w[::2] = np.where(x > y, z, late)[::2]
    v[1] = np.where(x > y, z, w)
    return z, w, v


def swapped(x: Any, y: Any) -> Any:
    """Each result has the shape of a donated input that is still needed."""
    return y * 2.0, x + y, x, gp.exp(x)


def convolution(x: Any, k: Any) -> Any:
    return gp.value_and_grad(lambda k: gp.reduce_sum(gp.square(gp.conv(x, k, padding=1))))(k)


def labelled(x: Any, labels: Any) -> Any:
    return gp.value_and_grad(lambda x: gp.cross_entropy(x, labels))(x)


def branching(x: Any) -> Any:
    """One plan for each way of the branch."""
    return x * 2.0 if bool(x.sum() > 0) else x - 1.0


def chains(x: Any, y: Any) -> Any:
    """Elementwise operations only, on arrays of two sizes, and some that read across the elements."""
    def f(x: Any, y: Any) -> Any:
        return gp.mul(gp.silu(x), gp.add(gp.mul(x, y), gp.square(y)))

    z, pullback = gp.vjp(f, x, y)
    gx, gy = pullback(z)
    first = gx[0] + np.tanh(gx) * x
    first += gy
    total = first.sum()
    return z, x - 0.5 * gx, y - np.maximum(gy, 0.5), first * total + x[::-1], np.where(x > y, first, 0.0)


def early(x: Any, y: Any) -> Any:
    """A result in the shape of a donated input that the rest of the chain still reads."""
    twice = x * 2.0
    return twice, twice + x * y


def parts(x: Any) -> Any:
    """Views, in a tuple, of a copy that nobody writes into."""
    z = x * 2.0
    first, last = np.split(z.copy(), 2)
    return z + 1.0, first * 3.0, last - 1.0


def programs() -> list[Program]:
    params, (x, y) = parameters(), floats((2, 2), (2, 1))
    a, b = floats((4,), (4,))
    state = optimizers.SGDState(1, map_leaves(np.copy, parameters()))
    adam = optimizers.AdamState(1, {"p": 1}, {"p": a}, {"p": np.abs(b)})
    image, kernel = floats((1, 3, 3), (1, 1, 2, 2))
    return [
        Program("sgd", sgd_step, (params, x, y, 0.5), (0,), "a step of SGD, for every learning rate >= 0"),
        Program("momentum", momentum_step, (params, state, x, y), (0, 1), "a step of SGD with momentum"),
        Program("adam", adam_step, ({"p": a}, {"p": b}, adam), (0, 1, 2), "the second step of Adam"),
        Program("shared", shared, (a, b), (0, 1), "values used several times, views, equal outputs"),
        Program("numpy", plain_numpy, (a, b), (0, 1), "NumPy's own functions, writes into views"),
        Program("copied", copied, (a, b), (0,), "values that are copied into views"),
        Program("swapped", swapped, (a, b), (0, 1), "results in the memory of inputs that are still read"),
        Program("convolution", convolution, (image, kernel), (1,), "a convolution with its gradient"),
        Program("labelled", labelled, (floats((2, 3))[0], np.array([2, 0])), (0,), "labels that are inputs"),
        Program("branching", branching, (np.abs(a),), (0,), "a branch on values, where it goes the same way"),
        Program("parts", parts, (a,), (), "views of a copy that is left out"),
        Program("blocks", chains, tuple(floats((5,), (5,))), (0, 1), "chains of elementwise ops, block by block", 2),
        Program("early", early, tuple(floats((5,), (5,))), (0,), "a chain that reads an input after a result", 2),
    ]


def symbolic(arguments: Any, every_number: bool) -> tuple[Any, list[Any], list[Any]]:
    """The arguments as symbols, and their arrays and numbers in order."""
    names = (f"x{k}" for k in count())
    arrays: list[Any] = []
    numbers: list[Any] = []

    def leaf(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            arrays.append(symbols(next(names), x.shape) if x.dtype.kind == "f" else x)
            return arrays[-1]
        if type(x) in (int, float):
            numbers.append(symbols("rate", ()) if type(x) is float and every_number else x)
            return numbers[-1]
        return x

    return map_leaves(leaf, arguments), arrays, numbers


def prove_program(program: Program) -> Outcome:
    label = f"lowering[plan-{program.name}]"
    def both() -> Any:
        with ExitStack() as stack:
            stack.enter_context(gates_open())
            if program.every_number:
                for place in ("gradproof.optimizers.within", "gradproof.ops.optimizer.number"):
                    stack.enter_context(patch(place, lambda op, name, value, **_: value))
            arguments, arrays, numbers = symbolic(program.arguments, program.every_number)
            try:
                want = program.function(*(map_leaves(own, x) for x in arguments))
            except Exception as fault:
                raise Unsupported(f"the function itself raises on symbols: {fault}") from fault
            found = on_symbols(plan, arrays, numbers)
            if found is ANOTHER:
                return None
        map_leaves(lambda *_: None, want, found, op="plan", path="results")
        return [list(map(terms, leaves(tree))) for tree in (found, want)]

    try:
        with patch.object(memory, "FEW", 1), ExitStack() as stack:  # choices go into buffers, as those of many elements
            if program.block:
                stack.enter_context(patch.multiple(blocks, ELEMENTS=program.block, LEAST=program.block))
                stack.enter_context(patch.object(source, "FEW", 2))
            plan = gp.compile(program.function, donate=program.donate).plan(*program.arguments)
        require_fitting(plan, program.arguments, program.function)
        exploration = explore(both, max_paths=64)
    except Unsupported as fault:
        return Outcome(Verdict.UNSUPPORTED, f"UNSUPPORTED  {label}\n\n  {fault}")
    except Exception as error:
        return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {type(error).__name__}: {error}")
    if not exploration.complete:
        return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  {exploration.reason}")
    compared = 0
    for path in exploration.paths:
        if path.result is None:
            continue
        found, want = path.result
        for number, (a, b) in enumerate(zip(found, want, strict=True)):
            difference = differing(a, b)
            if difference:
                return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  result {number} {difference}")
            compared += np.size(a)
    if not compared:
        return Outcome(Verdict.VACUOUS, f"VACUOUS  {label}\n\n  the plan was followed on no path")
    return Outcome(Verdict.PROVED, data={"paths": len(exploration.paths), "elements": compared})


def verify_plan(function: Callable[..., Any], *arguments: Any, donate: int | tuple[int, ...] = ()) -> Outcome:
    """Whether the plan that gradproof.compile makes of a function, for arguments like these, is the function: for all
    real values of the float arrays, whatever the plan's buffers hold; numbers, integers and Booleans as they are given.

    Where the function branches on values, this is about the plan for the branches that these arguments take. Use small
    shapes: every element is compared. The outcome's `verdict` is PROVED, REFUTED, UNKNOWN or UNSUPPORTED
    (the function uses what has no meaning on symbols), its `message` says why.

    >>> import numpy as np, gradproof as gp
    >>> verify_plan(lambda x, y: gp.value_and_grad(gp.mse_loss)(x, y), np.zeros(3), np.ones(3)).verdict.value
    'PROVED'
    """
    function = function.function if isinstance(function, Compiled) else function
    positions = donate if isinstance(donate, tuple) else (donate,)
    name = getattr(function, "__name__", "function")
    return prove_program(Program(name, function, arguments, positions, name, every_number=False))


def differing(a: Any, b: Any) -> str:
    """Both compute the same things in the same order, up to a factor of 1: their normal forms are equal."""
    if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):
        return "" if a == b else f"is {a}, must be {b}"
    if np.shape(a) != np.shape(b):
        return f"has shape {np.shape(a)}, must have {np.shape(b)}"
    for i in np.ndindex(*a.shape):
        got, want = to_scalar(a[i]), to_scalar(b[i])
        if got != want and not is_zero(got - want):
            return f"at {list(i)}: {got}  is not  {want}"
    return ""


def own(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) and x.dtype == object else x


def terms(x: Any) -> Any:
    """A result as an array of terms; what is no array as it is."""
    return as_terms(np.asarray(x)) if isinstance(x, (np.ndarray, int, float)) else x


# ---------------------------------------------------------------- the list
def example_lines(op: str) -> str:
    return "; ".join(example.over() for example in chosen(op))


def has_arrays(examples: Sequence[Example]) -> bool:
    return any(example.shapes for example in examples)


def obligations() -> Iterator[Obligation]:
    claim = "its plan gives the specification's value, tangent and cotangents, whatever its buffers held before"
    for op in OPS:
        if has_arrays(chosen(op)):
            yield Obligation("lowering", op, "plan", claim, f"all reals at {example_lines(op)}", partial(prove_op, op))
    for program in programs():
        yield Obligation("lowering", "", f"plan-{program.name}", f"the plan of {program.what} is the function",
                         "all reals at small shapes, whatever its buffers held before",
                         partial(prove_program, program))  # fmt: skip
