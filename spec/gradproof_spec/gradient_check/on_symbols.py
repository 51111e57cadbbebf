"""TRUSTED. A question on symbols: forward and backward as terms, on every path, and the derivative that is wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ..obligations import Verdict
from ..solver import Solver
from ..symbolic import explore, symbols
from ..symbolic.user_code import UserArray, scalar_symbol
from ..terms import FALSE, Condition, Scalar, access, conjunction, conjuncts, to_condition
from .programs import Program, Undecided, run
from .question import CheckError, Question, cotangents, tangent, told
from .reference import LOCALLY_CONSTANT, gradient, postorder, weighted
from .result import Result
from .ties import Kind, Tie, jump_of, settled, unified

MOST_INTEGERS = 300  # assignments of the integer arguments
RLIMIT = 100_000  # per query


@dataclass
class Checked:
    """The terms of a question, for one assignment of its integers."""

    question: Question
    integers: dict[str, Any]
    symbols: dict[str, Any]  # every float array by name: arguments, universal parameters, cotangents, tangents
    hypotheses: list[Condition]
    solver: Solver
    forward: Program
    outputs: list[Scalar] = field(default_factory=list)  # of the surrogate, if there is one
    got: list[tuple[str, Any]] = field(default_factory=list)  # name of the result, its terms
    want: list[Any] = field(default_factory=list)
    backward_needs: list[tuple[str, Condition]] = field(default_factory=list)
    jumps: list[Condition] = field(default_factory=list)  # off the points where the forward has a value of its own
    assumptions: list[str] = field(default_factory=list)
    jumping: list[Tie] = field(default_factory=list)
    weights: list[Scalar] = field(default_factory=list)  # one per output
    slopes: list[Scalar] = field(default_factory=list)  # the outputs' derivatives, so weighted


def symbolic_arrays(question: Question) -> dict[str, Any]:
    found = {n: symbols(n, question.shapes[n], UserArray) for n in question.floats}
    found |= {n: scalar_symbol(n) for n in question.universal()}
    if question.way == "jvp":
        found |= {tangent(n): symbols(tangent(n), question.shapes[n], UserArray) for n in question.floats}
    return found


def conditions_of(question: Question, arrays: Mapping[str, Any]) -> list[Condition]:
    """The domain, and the signs of positive parameters."""
    found: list[Condition] = [access(n) > 0 for n, kind in question.universal().items() if kind == "positive"]
    if question.domain is None:
        return found

    def run_domain() -> list[Any]:
        told = question.domain(*question.arguments(arrays), **question.keywords(arrays))  # type: ignore[misc]
        parts = told if isinstance(told, (list, tuple)) else [told]
        return [np.asarray(part) for part in parts]

    exploration = explore(run_domain, users=True)
    if not exploration.complete:
        raise Undecided(f"the domain: {exploration.reason}")
    inside = FALSE
    for path in exploration.paths:
        holds = conjunction(path.conditions)
        for part in path.result:
            for c in np.asarray(part, dtype=object).view(np.ndarray).ravel():
                if not isinstance(c, (bool, np.bool_, Condition)):
                    raise CheckError(f"domain gives {c!r}: return conditions, such as x > 0")
                holds = holds & (c if isinstance(c, Condition) else to_condition(bool(c)))
        inside = inside | holds
    return [*found, *conjuncts(inside)]


def assignments(question: Question) -> Iterator[dict[str, Any]]:
    """Every value of the integer arguments, those first in which indices coincide."""
    names, count = list(question.integers), question.count_of_assignments()
    if count > MOST_INTEGERS:
        raise Undecided(f"the integer arguments have {count} values; at most {MOST_INTEGERS}")
    sizes = [prod(question.shapes[n]) for n in names]
    ranges = [range(*question.integers[n]) for n, size in zip(names, sizes, strict=True) for _ in range(size)]
    for values in itertools.product(*ranges):
        found, at = {}, 0
        for n, size in zip(names, sizes, strict=True):
            found[n] = np.array(values[at : at + size], dtype=np.int64).reshape(question.shapes[n])
            found[n].flags.writeable = False
            at += size
        yield found


# ---------------------------------------------------------------- one assignment
def prepare(question: Question, integers: dict[str, Any]) -> Checked | Result:
    """Run everything on symbols. A Result where that already decides."""
    solver = Solver(rlimit=RLIMIT)
    arrays = symbolic_arrays(question)
    every = {**arrays, **integers}
    hypotheses = conditions_of(question, every)
    if FALSE in hypotheses or (hypotheses and solver.satisfiable(hypotheses) is False):
        return told(question, Verdict.VACUOUS, "no input is in the domain", [])
    forward = run(lambda: question.outputs(every), hypotheses, solver, unused=False)
    checked = Checked(question, integers, arrays, hypotheses, solver, forward)
    base = forward
    if question.surrogate is not None:
        base = run(lambda: question.outputs(every, question.surrogate), hypotheses, solver, unused=False)
        if [x.shape for x in base.results] != [x.shape for x in forward.results]:
            raise CheckError("the surrogate's results have other shapes than the forward's")
        checked.assumptions.append(f"the derivative is that of the surrogate {question.surrogate.__name__}")
    if any(x is None for x in base.results):
        raise CheckError("the forward returns None")
    for kind, condition in base.needs:
        checked.hypotheses.append(condition)
        checked.assumptions.append(f"where the forward is defined ({kind}): {condition}")
    if base.needs and solver.satisfiable(checked.hypotheses) is False:
        return told(question, Verdict.VACUOUS, "the forward is defined nowhere in the domain", [])
    checked.outputs = base.terms()
    for n, kind in question.universal().items():
        checked.assumptions.append(f"{n} is any {'positive ' if kind == 'positive' else ''}real number")
    read_as(checked, base)
    return checked


def read_as(checked: Checked, program: Program) -> None:
    checked.assumptions += [line for line in program.notes if line not in checked.assumptions]
    for written, meant in sorted(program.decimals.items()):
        line = f"the constant {written} is read as {meant}"
        if line not in checked.assumptions and str(meant) != written:
            checked.assumptions.append(line)


def run_backward(checked: Checked) -> Result | None:
    question = checked.question
    shapes = [x.shape for x in checked.forward.results]
    g_names = cotangents(len(shapes))
    g = [symbols(n, shape, UserArray) for n, shape in zip(g_names, shapes, strict=True)]
    if question.way == "vjp":
        checked.symbols |= dict(zip(g_names, g, strict=True))
    every = {**checked.symbols, **checked.integers}
    program = run(lambda: question.cotangents(every, g, len(g) == 1), checked.hypotheses, checked.solver)
    read_as(checked, program)
    of_jvp = ["dy"] if len(shapes) == 1 else [f"dy{k}" for k in range(len(shapes))]
    names = question.floats if question.way == "vjp" else of_jvp
    expected = [question.shapes[n] for n in question.floats] if question.way == "vjp" else shapes
    prefix = "g" if question.way == "vjp" else ""
    for n, array, shape in zip(names, program.results, expected, strict=True):
        if array is None:
            text = f"{prefix}{n} is None but must be an array of shape {shape}."
            return told(question, Verdict.REFUTED, text, checked)
        if array.shape != shape:
            return told(question, Verdict.REFUTED, f"{prefix}{n} has shape {array.shape}, must have {shape}.", checked)
        checked.got.append((f"{prefix}{n}", array))
    variables = [t for n in question.floats for t in plain(checked.symbols[n]).ravel()]
    checked.outputs, jumps = settled(unified(checked.outputs, variables), variables, checked.hypotheses, checked.solver)
    terms = [t for t in postorder(checked.outputs) if isinstance(t, Scalar)]
    roundings = [jump_of(t) for t in terms if t.op == "function" and t.args[0] in LOCALLY_CONSTANT]
    for pair in dict.fromkeys([*jumps, *roundings]):
        tie = Tie(pair, Kind.KINK)
        checked.jumps.append(tie.off)
        checked.jumping.append(tie)
        what = "rounding jumps" if pair in roundings else "the forward may have a value of its own"
        checked.assumptions.append(f"off {tie}, where {what}: there compared with differences, not proved")
    if question.way == "vjp":
        weights = [t for x in g for t in plain(x).ravel()]
        slopes = gradient(weighted(checked.outputs, weights), variables)
        checked.want = [filled(plain(checked.symbols[n]), slopes) for n in question.floats]
    else:
        tangents = [t for n in question.floats for t in plain(checked.symbols[tangent(n)]).ravel()]
        at = 0
        for shape in shapes:
            want = np.empty(shape, dtype=object)
            for i in np.ndindex(*shape):
                slopes = gradient(checked.outputs[at], variables)
                want[i] = weighted([slopes[x] for x in variables], tangents)
                at += 1
            checked.want.append(want)
    checked.weights = [access(f"weight {k}") for k in range(len(checked.outputs))]
    checked.slopes = list(gradient(weighted(checked.outputs, checked.weights), variables).values())
    checked.backward_needs = program.needs
    return None


def plain(array: Any) -> Any:
    """The array without its class: its elements are terms."""
    return array.view(np.ndarray)


def filled(array: Any, values: Mapping[Scalar, Scalar]) -> Any:
    result = np.empty(array.shape, dtype=object)
    for i in np.ndindex(*array.shape):
        result[i] = values[array[i]]
    return result


def terms_of(checked: Checked) -> dict[str, Any]:
    return {n: plain(x) for n, x in checked.symbols.items()}
