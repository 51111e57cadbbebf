"""TRUSTED. verify: what is proved of one given graph, as a certificate.

Three things make a graph right: that the loops do with its nodes what the definitions say (structure.py, on this very
graph, with uninterpreted rules); that each node's shipped kernel is its specification (kernels.py, at the shapes of
this graph where they are small, else at those of the `kernel` obligations); and that the specification's JVP and VJP
are the derivative and its adjoint (`derivative`, `adjoint`: all shapes). Equals may be put for equals, so together they
give the graph's value, JVP and VJP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gradproof.compiled import backward_dense_from, compile_tape, jvp_dense_all
from gradproof.errors import GradproofError
from gradproof.graph import CONST, Graph, GraphNode

from ..obligations import PASSING, Obligation, Outcome, Verdict
from ..op import OPS
from ..solver import Solver
from ..symbolic import Unsupported, as_terms, explore, symbols, undischarged
from ..symbolic.comparison import Comparison, Different
from ..terms import to_scalar
from .cases import correspondence
from .examples import Example
from .kernels import prove_run, runs_of
from .lowering import directions_of, gates_open
from .sampling import differing_input
from .structure import Broken, Names, check_structure

MOST_ELEMENTS = 48  # of a node's arrays together: beyond, its own shape is not tried
MOST_COMPARED = 400
THEOREMS = ("bounds", "derivative", "adjoint")  # of each op, about the specification, all shapes


@dataclass(frozen=True)
class Line:
    """One statement of a certificate."""

    statement: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.verdict:<9} {self.statement}"


@dataclass(frozen=True)
class Certificate:
    """What is proved of a graph. The verdict is PROVED only if every line is."""

    verdict: Verdict
    message: str  # what is wrong, where something is
    lines: list[Line] = field(default_factory=list)
    rests_on: list[Line] = field(default_factory=list)
    not_claimed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.verdict is Verdict.PROVED

    def __str__(self) -> str:
        parts = [f"{self.verdict}", *([self.message] if self.message else [])]
        for title, lines in (("of this graph", self.lines), ("of its ops", self.rests_on)):
            parts += [title, *(f"  {line}" for line in lines)] if lines else []
        parts += ["not claimed", *(f"  {text}" for text in self.not_claimed)] if self.not_claimed else []
        return "\n".join(parts)


def verify(
    graph: Graph,
    against: Callable[..., Any] | None = None,
    compiler: Callable[..., Any] = compile_tape,
) -> Certificate:
    """Proves of a graph, at its own shapes, that what `compiler` makes of it computes its denotation, JVP and VJP.

    against: a function of the graph's inputs, in plain NumPy or gradproof's ops (the program that was traced, the
    denotation of an IR program). On the same symbols it must give the graph's outputs: for all reals, at these shapes,
    which must be small.

    A graph that is not well formed, a loop or kernel that computes something else, or another function than `against`
    makes the verdict REFUTED; what could not be decided, UNKNOWN.

    >>> import gradproof as gp
    >>> print(verify(gp.trace(lambda x: gp.reduce_sum(x * x), (2,))).verdict)
    PROVED
    """
    try:
        graph.check_well_formed()
    except GradproofError as error:
        return Certificate(Verdict.REFUTED, f"the graph is not well formed: {error}")
    lines = [structure_line(graph, compiler)]
    used = [op for op in OPS if any(node.op == op for node in graph.nodes)]
    try:
        shown, lines_of_nodes = node_lines(graph)
        lines += lines_of_nodes
        rests_on = list(theorem_lines(used, [op for op in used if op not in shown])) + list(case_lines(graph))
    except (ArithmeticError, ValueError, LookupError) as fault:  # an attribute that is inf or nan, say
        what = f"a node is not what the specification speaks of: {type(fault).__name__}: {fault}"
        lines, rests_on = [*lines, Line(what, Verdict.UNSUPPORTED)], []
    if against is not None:
        try:
            lines.append(comparison_line(graph, against))
        except Exception as fault:  # of the user's own function
            lines.append(Line(f"`against` raises {type(fault).__name__}: {fault}", Verdict.UNSUPPORTED))
    wrong = [line for line in (*lines, *rests_on) if line.verdict not in PASSING]
    refuted = any(line.verdict is Verdict.REFUTED for line in wrong)
    verdict = Verdict.PROVED if not wrong else Verdict.REFUTED if refuted else Verdict.UNKNOWN
    return Certificate(verdict, wrong[0].statement if wrong else "", lines, rests_on, not_claimed(used))


def verify_file(path: str | Path) -> Certificate:
    """verify of a saved graph. A file that holds no well-formed graph is refuted."""
    try:
        graph = Graph.load(path)
    except GradproofError as error:
        return Certificate(Verdict.REFUTED, f"{path} holds no well-formed graph: {error}")
    return verify(graph)


# ---------------------------------------------------------------- the loops on this graph
def structure_line(graph: Graph, compiler: Callable[..., Any]) -> Line:
    """Values, tangents and cotangents of every node, whatever its rules are."""
    what = "values, tangents and cotangents of all nodes are those of the definitions, whatever the rules are"
    try:
        exploration = explore(lambda: check_structure(graph, Names(), compiler), max_paths=1)
    except Broken as fault:
        return Line(f"the compiled graph is not its denotation: {fault}", Verdict.REFUTED)
    except Unsupported as fault:
        return Line(f"{what}: {fault}", Verdict.UNSUPPORTED)
    except Exception as error:
        text = f"the compiled graph is not its denotation: it raises {type(error).__name__}: {error}"
        return Line(text, Verdict.REFUTED)
    path = exploration.paths[0]
    if not exploration.complete or path.conditions or path.side_conditions:
        return Line(what, Verdict.UNKNOWN)
    differs = differing_tapes(graph, compiler)  # of code that looks at shapes, dtypes or the payload
    if differs:
        return Line(f"the compiled graph is not its denotation: {differs}", Verdict.REFUTED)
    return Line(what, Verdict.PROVED)


def differing_tapes(graph: Graph, compiler: Callable[..., Any]) -> str:
    """The compiled graph as it is, with its shapes, dtypes and payload, on floats: a sentence, or nothing. Integers are
    0. Where the graph raises, on symbols too, nothing is compared."""
    rng = np.random.default_rng(0)

    def drawn(numbers: Iterable[int]) -> list[Any]:
        found = []
        for number in numbers:
            node = graph.nodes[number]
            values = rng.uniform(0.25, 0.75, node.shape) if node.is_float else np.zeros(node.shape)
            found.append(values.astype(node.dtype))
        return found

    inputs, ids = drawn(graph.inputs), range(len(graph.nodes))
    seeds = [g if graph.nodes[i].is_float else None for i, g in zip(ids, drawn(ids), strict=True)]
    tangents = [g if i in graph.inputs else None for i, g in enumerate(seeds)]
    with np.errstate(all="ignore"):
        try:
            wanted = [graph.denote(*inputs), *by_tape(compile_tape(graph, inputs)[0], tangents, seeds)]
        except GradproofError:
            return ""
        made, context = compiler(graph, inputs)
        found = [context, *by_tape(made, tangents, seeds)]
    for what, got, want in zip(("value", "tangent", "cotangent"), found, wanted, strict=True):
        for number, (a, b) in enumerate(zip(got, want, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype or not np.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True):
                return f"on floats the {what} of node {number} ({graph.nodes[number].op}) is another"
    return ""


def by_tape(tape: Any, tangents: list[Any], seeds: list[Any]) -> tuple[list[Any], list[Any]]:
    return jvp_dense_all(tape, tangents), backward_dense_from(tape, seeds)


# ---------------------------------------------------------------- its nodes at their shapes
def example_of(graph: Graph, node: GraphNode) -> Example | None:
    """The node alone. None if an index or mask is not known before the graph is run."""
    shapes = tuple(graph.nodes[parent].shape for parent in node.parents)
    indices: Any = ()
    try:
        correspondence(node.op, shapes, node.attributes)
    except (StopIteration, LookupError):
        return None
    for parent in node.parents:
        source = graph.nodes[parent]
        if not source.is_float:
            if source.op != CONST:
                return None
            indices = nested(graph.payload[parent])
    return Example(node.op, f"node-{node.op}", shapes, dict(node.attributes), indices)


def is_large(shapes: Sequence[Any], node: GraphNode) -> bool:
    return bool(sum(prod(shape) for shape in (*shapes, node.shape)) > MOST_ELEMENTS)


def nested(array: Any) -> Any:
    if array.ndim == 0:
        return array.item()
    return tuple(nested(part) for part in array)


def node_lines(graph: Graph) -> tuple[set[str], list[Line]]:
    """The ops all of whose nodes are proved at their own shapes, and a line per distinct node."""
    seen: dict[str, Line] = {}
    elsewhere: set[str] = set()
    for node in graph.nodes:
        if node.op not in OPS:
            continue
        shapes = [graph.nodes[parent].shape for parent in node.parents]
        attributes = "".join(f", {name}={value!r}" for name, value in node.attributes.items())
        text = f"{node.op}({', '.join(map(str, shapes))}{attributes})"
        example = example_of(graph, node)
        key = f"{text} {example.indices if example else None}"
        if key in seen:
            continue
        if example is None or is_large(shapes, node):
            elsewhere.add(node.op)
            continue
        runs = [run for way in directions_of(example) if way != "denote" for run in runs_of(example, way)]
        outcomes = [prove_run(run) for run in runs]
        failed = [outcome for outcome in outcomes if outcome.verdict not in PASSING]
        worst = next((o for o in failed if o.verdict is Verdict.REFUTED), None) or next(
            (o for o in failed if not gave_up(o)), None
        )
        if worst is not None:
            told = worst.message.splitlines()[2].strip()
            what = "is not" if worst.verdict is Verdict.REFUTED else "is not shown to be"
            seen[key] = Line(f"the kernel of {text} {what} its specification: {told}", worst.verdict)
        elif failed and (differing := next(filter(None, (differing_input(run) for run in runs)), None)):
            seen[key] = Line(f"the kernel of {text} is not its specification: {differing}", Verdict.REFUTED)
        elif failed:
            elsewhere.add(node.op)
        else:
            seen[key] = Line(f"{text}: kernel = specification, value, JVP and VJP", Verdict.PROVED)
    used = {node.op for node in graph.nodes if node.op in OPS}
    return used - elsewhere, list(seen.values())


def gave_up(outcome: Outcome) -> bool:
    """There were too many paths to look at all: nothing is said, so other shapes may speak. A comparison that failed is
    something else."""
    return bool(outcome.verdict is Verdict.UNKNOWN and "stopped after" in outcome.message)


# ---------------------------------------------------------------- against another program
def comparison_line(graph: Graph, against: Callable[..., Any]) -> Line:
    """The graph's outputs and those of the other program on the same symbols."""
    what = "the outputs are those of the other program, for all reals at these shapes"
    inputs = [graph.nodes[number] for number in graph.inputs]
    if any(not node.is_float for node in inputs):
        return Line(f"{what}: an input is an integer or Boolean, pass constants", Verdict.UNSUPPORTED)
    if sum(prod(node.shape) for node in graph.nodes) > MOST_COMPARED:
        return Line(f"{what}: the graph is too large, use smaller shapes", Verdict.UNSUPPORTED)

    def run() -> tuple[list[Any], list[Any]]:
        given = [symbols(f"x{k}", node.shape) for k, node in enumerate(inputs)]
        with gates_open():
            values = graph.denote(*given)
            told = against(*given)
        others = told if isinstance(told, (tuple, list)) else [told]
        return [as_terms(values[number]) for number in graph.outputs], [as_terms(other) for other in others]

    differing = differing_floats(graph, against)
    if differing:
        return Line(differing, Verdict.REFUTED)
    try:
        exploration = explore(run)
    except Unsupported as fault:
        return Line(f"{what}: {fault}", Verdict.UNSUPPORTED)
    if not exploration.complete:
        return Line(f"{what}: {exploration.reason}", Verdict.UNKNOWN)
    compared, assumed = 0, dict[str, None]()
    for path in exploration.paths:
        solver = Solver()
        ours, theirs = path.result
        if [x.shape for x in ours] != [x.shape for x in theirs]:
            return Line(f"the outputs have shapes {[x.shape for x in theirs]}", Verdict.REFUTED)
        owed = undischarged(path.side_conditions, [ours, theirs, list(path.conditions)], [], solver.valid)
        domain = (*path.conditions, *(condition.goal for condition in owed))
        feasible = solver.satisfiable(list(domain)) if owed else True
        if feasible is False:  # a path on which nothing is in the domain of both
            assumed |= {f"not ({' and '.join(map(str, path.conditions))})": None}
            continue
        if feasible is None:
            return Line(f"{what}: it is not shown that an input is in the domain of both", Verdict.UNKNOWN)
        compared += 1
        assumed |= {str(condition.goal): None for condition in owed}
        comparison = Comparison(solver, domain, frozenset())
        try:
            for mine, other in zip(ours, theirs, strict=True):
                for a, b in zip(mine.ravel(), other.ravel(), strict=True):
                    comparison.require_equal(to_scalar(a), to_scalar(b))
        except Different as found:
            return Line(f"{what}: {found}", Verdict.UNKNOWN)
    if not compared:
        return Line(f"{what}: no input is in the domain of both", Verdict.VACUOUS)
    return Line(what + (f", where {' and '.join(assumed)}" if assumed else ""), Verdict.PROVED)


TRIES = 3


def differing_floats(graph: Graph, against: Callable[..., Any]) -> str:
    """A sentence that shows an input with another output, or nothing."""
    rng = np.random.default_rng(0)
    for attempt in range(TRIES):
        given = [rng.standard_normal(graph.nodes[number].shape).astype(graph.nodes[number].dtype)
                 for number in graph.inputs]  # fmt: skip
        if attempt == 0:
            given = [np.round(x) for x in given]
        with np.errstate(all="ignore"):
            ours, theirs = graph(*given), against(*given)
        pairs = zip(*(x if isinstance(x, (tuple, list)) else [x] for x in (ours, theirs)), strict=False)
        for mine, other in pairs:
            if np.shape(mine) != np.shape(other):
                return f"the output has shape {np.shape(mine)}, that of the other program {np.shape(other)}"
            if not np.allclose(mine, other, rtol=1e-4, atol=1e-6, equal_nan=True):
                shown = ", ".join(str(x.tolist()) for x in given)
                return f"the output is {np.asarray(mine).tolist()}, that of the other program " \
                       f"{np.asarray(other).tolist()}, at {shown}"  # fmt: skip
    return ""


# ---------------------------------------------------------------- what it rests on
def theorem_lines(used: Sequence[str], elsewhere: Sequence[str]) -> Iterator[Line]:
    """The theorems about the ops' specifications, and the kernels of those ops that are not shown at their own shapes:
    each discharged now."""
    from ..prove import run, select

    def grouped(op: str, kind: str, over: str) -> Line:
        obligations: list[Obligation] = select([op], [kind])
        for obligation in obligations:
            entry = run(obligation)
            if not entry.passed:
                return Line(f"{obligation.id}: {first_line(entry.outcome.message)}", entry.verdict)
        name = f"{kind}[{op}]" if len(obligations) == 1 else f"{kind}[{op}-*] ({len(obligations)} cases)"
        return Line(f"{name}: {over}", Verdict.PROVED)

    for op in used:
        for kind in THEOREMS:
            yield grouped(op, kind, "all shapes")
    for op in elsewhere:
        yield grouped(op, "kernel", "small shapes; not shown at those of this graph")


def case_lines(graph: Graph) -> Iterator[Line]:
    """The theorems are about the cases of an op: ranks, permutations, numbers of inputs, equations. A node that is none
    of them is proved now where the specification has it (einsum), and is not claimed where it has not."""
    from ..any_shape import check

    seen: dict[str, None] = {}
    for node in graph.nodes:
        if node.op not in OPS:
            continue
        shapes = [graph.nodes[parent].shape for parent in node.parents]
        text = f"{node.op}({', '.join(map(str, shapes))}, {dict(node.attributes)})"
        try:
            case = correspondence(node.op, shapes, node.attributes).case
        except (StopIteration, LookupError):
            yield Line(f"{text}: no theorem is about such a node", Verdict.UNSUPPORTED)
            continue
        if case in OPS[node.op].cases or case.label in seen:
            continue
        seen[case.label] = None
        if is_large(shapes, node):
            yield Line(f"the kernel of {text} is tried at no shape: use smaller ones", Verdict.UNSUPPORTED)
        for kind in THEOREMS:
            outcome = check(kind, case.op)
            told = "all shapes" if outcome.verdict in PASSING else first_line(outcome.message)
            yield Line(f"{kind}[{node.op}] of {case.label}: {told}", outcome.verdict)


def first_line(message: str) -> str:
    lines = [line.strip() for line in message.splitlines()[1:] if line.strip()]
    return lines[0] if lines else message


def not_claimed(used: Sequence[str]) -> list[str]:
    """What a user might read into PROVED, and is not there."""
    kinked = [op for op in used if any(case.op.kinks for case in OPS[op].cases)]
    found = ["rounding, overflow, nan, infinities: everything above is about real numbers (see `float` in the report)"]
    if kinked:
        found.append(f"gradients at kinks of a composition: the kinks of {', '.join(kinked)} are settled op by op only")
    if partial := [op for op in used if OPS[op].elements]:
        found.append(f"anything outside the domains of {', '.join(partial)}")
    if any(op in ("rand_uniform", "bernoulli_mask") for op in used):
        found.append("that random numbers are random: the proofs hold for whatever numbers are drawn")
    found.append("that the graph is the program you had in mind: pass it as `against`")
    found.append("of `against`: a branch of it on a dtype; its constants are read as decimals, as they are written")
    return found


__all__ = ["Certificate", "Line", "verify"]
