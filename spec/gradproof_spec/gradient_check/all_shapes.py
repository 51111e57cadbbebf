"""TRUSTED. `check` for all shapes: forward and backward as terms of named indices, proved as the ops' rules are.

For a forward F[o] and a backward B_x[i], linear in g by its syntax, the claim is, pointwise for all o and i in range,

    d F[o] / d x[i]  =  d B_x[i] / d g[o]

for all extents >= 1 and all reals in the domain, off the ties at which the forward is not differentiable. A tie inside
a sum is judged where it stands: the summand is taken as a function of its bound indices too. Before anything is PROVED
the check at given shapes has proved it at a few small ones, and floats agree there with the terms.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np

from ..any_shape import (
    BoundsWalk,
    Kink,
    NotProved,
    Proof,
    _apart,
    _is_smooth,
    _solve_tie,
    canonical_accesses,
    value_guards,
)
from ..any_shape import Unsupported as NoProof
from ..array_evaluation import ArrayEvaluation
from ..derivative import DERIVATIVES, derivative, is_linear, mentions
from ..evaluate import Environment, Symbols
from ..index_algebra import canonical
from ..normal_form import UNIT, TooLarge, ZeroDivisor, to_term
from ..obligations import Verdict
from ..op import Case, Op, TensorType
from ..solver import Solver
from ..symbolic import Unsupported
from ..symbolic.comparison import innermost_condition
from ..terms import (
    FALSE,
    TRUE,
    ZERO,
    Condition,
    Index,
    Scalar,
    Term,
    access,
    conjunction,
    equal,
    free_variables,
    fresh_names,
    in_range,
    substitute,
    subterms,
    to_index,
    variable,
)
from ..terms import replace as replaced
from .named_arrays import (
    MOST_PATHS,
    Decisions,
    NamedArray,
    Tracing,
    as_named,
    axis,
    choice,
    copied,
    number,
    numpy_with_names,
    plain_choices,
    same,
    truth_of,
)
from .on_symbols import Checked, prepare, run_backward
from .proof import has_kink
from .question import CheckError, Question, cotangents, tangent, told
from .reference import gradient, weighted
from .result import Result
from .search import search
from .ties import with_side

NamedShapes = Mapping[str, tuple[int | str, ...]]
Binders = tuple[tuple[str, Index], ...]
Kernel = Callable[[tuple[Index, ...], tuple[Index, ...]], Scalar]
FOR_FLOATS = ((2, 3, 4), (5, 4, 3), (17, 2, 3), (3, 18, 2))  # extents at which terms and floats are compared
OUTPUT = "|the output|"  # no identifier: no argument has that name
MOST_WORLDS, MOST_ELEMENTS, MOST_CASES, DEPTH = 8, 64, 100, 6


class NotForAllShapes(Exception):
    """Why the claim is not shown for all shapes."""


# ---------------------------------------------------------------- the question at small shapes
def extents_named(shapes: NamedShapes) -> list[str]:
    return list(dict.fromkeys(n for shape in shapes.values() for n in shape if isinstance(n, str)))


def at(shapes: NamedShapes, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    return {x: tuple(sizes[n] if isinstance(n, str) else n for n in shape) for x, shape in shapes.items()}


def at_sizes(question: Question, shapes: NamedShapes, sizes: Mapping[str, int]) -> Question:
    return replace(question, shapes=at(shapes, sizes), shown=set())


def instances(shapes: NamedShapes) -> list[dict[str, int]]:
    """Small extents at which everything is proved first."""
    names, found = extents_named(shapes), list[dict[str, int]]()
    for row in ((2, 2, 2), (1, 2, 3), (3, 1, 2)):
        sizes = dict(zip(names, itertools.cycle(row), strict=False))
        if elements(shapes, sizes) <= MOST_ELEMENTS or not found:
            found.append(sizes)
    return found


def elements(shapes: NamedShapes, sizes: Mapping[str, int]) -> int:
    return sum(map(prod, at(shapes, sizes).values()))


def every(shapes: NamedShapes) -> Iterator[dict[str, int]]:
    """Extents, small ones first."""
    names = extents_named(shapes)
    upto = 17 if len(names) < 3 else 7
    rows = sorted(itertools.product(range(1, upto), repeat=min(len(names), 3)), key=lambda row: (sum(row), row))
    for row in itertools.chain(rows, (r for k in range(upto, 130) for r in ((k, 2, 3), (2, k, 3), (3, 2, k), (k,)))):
        yield dict(zip(names, itertools.cycle(row), strict=False))


def holds_at(conditions: Sequence[Condition], sizes: Mapping[str, int]) -> bool:
    environment = Environment(Case(Op("extents", "-> y[]"), "", 0, (), TensorType("y", ())), dict(sizes), {})
    return all(environment.condition(c) for c in conditions)


def larger(shapes: NamedShapes, conditions: Sequence[Condition]) -> list[dict[str, int]]:
    """Larger extents, where a counterexample may be; the first are the least at which the conditions hold."""
    names = extents_named(shapes)
    found = list(itertools.islice((s for s in every(shapes) if holds_at(conditions, s)), 1)) if conditions else []
    found += [dict(zip(names, itertools.cycle(row), strict=False)) for row in ((4, 5, 3), (3, 2, 4), (6, 3, 2))]
    fresh = [sizes for k, sizes in enumerate(found) if sizes not in found[:k]]
    return [sizes for sizes in fresh if elements(shapes, sizes) <= MOST_ELEMENTS]


def in_words(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{n} = {k}" for n, k in sizes.items())


def over_all(shapes: NamedShapes) -> str:
    tensors = ", ".join(f"{x} ({', '.join(map(str, s))}{',' * (len(s) == 1)})" for x, s in shapes.items())
    return f"all shapes: {tensors}, any {', '.join(extents_named(shapes))} >= 1; all reals, all paths"


def check_all_shapes(question: Question, shapes: NamedShapes, decide: Callable[[Question], Result]) -> Result:
    """`decide`: the check at given shapes."""
    results: list[tuple[dict[str, int], Result]] = []
    for sizes in instances(shapes):
        result = decide(at_sizes(question, shapes, sizes))
        if result.verdict is Verdict.REFUTED:
            return refuted(result, sizes, shapes)
        results.append((sizes, result))
    proved = [sizes for sizes, result in results if result.verdict is Verdict.PROVED]
    for sizes, result in results:
        if result.verdict not in (Verdict.PROVED, Verdict.VACUOUS) or not proved:
            return reworded(result, shapes, f"at {in_words(sizes)}: ")
    conditions: list[Condition] = []  # in which case of the extents it fails
    try:
        with fresh_names():
            assumptions = proved_for_all(question, shapes, proved, conditions)
    except (NotForAllShapes, NotProved, Unsupported, NoProof) as fault:
        reason = str(fault)
    except (TooLarge, ZeroDivisor, RecursionError) as fault:
        reason = f"a term grows too large ({type(fault).__name__})"
    else:
        return reworded(told(question, Verdict.PROVED, "", None, assumptions=assumptions), shapes)
    for sizes in larger(shapes, conditions):
        shown_wrong = counterexample(at_sizes(question, shapes, sizes))
        if shown_wrong is not None:
            return refuted(shown_wrong, sizes, shapes)
    case = f", where {conjunction(conditions)}" if conditions else ""
    text = f"proved for {'; '.join(map(in_words, proved))}, not for all shapes{case}: {reason}"
    return reworded(told(question, Verdict.UNKNOWN, text, None), shapes)


def counterexample(question: Question) -> Result | None:
    """Of the check at given shapes the search alone."""
    try:
        checked = prepare(question, {})
        result = checked if isinstance(checked, Result) else run_backward(checked) or search(checked)
    except Exception:
        return None
    return result if result is not None and result.verdict is Verdict.REFUTED else None


def reworded(result: Result, shapes: NamedShapes, before: str = "") -> Result:
    """The result with all shapes as what it is over."""
    over, lines = over_all(shapes), result.message.splitlines()
    if before and len(lines) > 2:
        lines[2] = f"  {before}{lines[2].strip()}"
    lines = [f"  over     {over}" if line.startswith("  over     ") else line for line in lines]
    return replace(result, message="\n".join(lines), over=over)


def refuted(result: Result, sizes: Mapping[str, int], shapes: NamedShapes) -> Result:
    lines = result.message.splitlines()
    lines[2] = f"  at {in_words(sizes)}: {lines[2].strip()}"
    lines = [f"  over     {over_all(shapes)}" if line.startswith("  over     ") else line for line in lines]
    return replace(result, message="\n".join(lines), over=f"{in_words(sizes)}; {result.over}")


# ---------------------------------------------------------------- what is proved about
@dataclass(frozen=True)
class Fact:
    """A condition that holds for all values of the variables below their extents."""

    variables: Binders
    condition: Condition

    def at(self, values: Sequence[Index]) -> Condition:
        inside = conjunction(in_range(v, n) for v, (_, n) in zip(values, self.variables, strict=True))
        holds = substitute(self.condition, {n: v for (n, _), v in zip(self.variables, values, strict=True)})
        return ~inside | holds

    def among(self, available: Mapping[str, Index]) -> Iterator[Condition]:
        """Its instances at variables that range over the same extents; else beside others, as of x[1:] - x[:-1]."""
        choices = [[variable(v) for v, m in available.items() if m == n]
                   or [canonical(variable(v) + c) for v in available for c in (-1, 0, 1)] for _, n in self.variables]
        for values in itertools.islice(itertools.product(*choices), MOST_CASES):
            yield self.at(values)

    def of_element(self, element: Scalar) -> Iterator[Condition]:
        """Its instances that speak of this element, where they speak of no neighbours, of which there is no end."""
        names = {n for n, _ in self.variables}
        accesses = [x for x in subterms(self.condition) if x.op == "access"]
        if any(i.op not in ("variable", "constant") for x in accesses for i in x.args[1:]):
            return
        for x in subterms(self.condition):
            if x.op == "access" and x.args[0] == element.args[0] and len(x.args) == len(element.args):
                given = {i.args[0]: e for i, e in zip(x.args[1:], element.args[1:], strict=True) if i.op == "variable"}
                if names and given.keys() == names and len(given) == len(x.args) - 1:
                    yield self.at([given[n] for n, _ in self.variables])


@dataclass(frozen=True)
class UserCase(Case):
    """A case of no op: the shapes of the tensors, the forward's element at @0, @1, ..., and what is known."""

    tensors: Mapping[str, tuple[Index, ...]] = field(default_factory=dict)
    extents: tuple[Index, ...] = ()  # of the output
    term: Scalar = ZERO
    about_extents: tuple[Condition, ...] = ()
    facts: tuple[Fact, ...] = ()

    def shape(self, name: str) -> tuple[Index, ...]:
        return self.tensors.get(name, ())

    def in_bounds(self, name: str, indices: Sequence[Index]) -> tuple[Condition, ...]:
        extents = self.extents if name == "g" else self.tensors[name]  # "g" is how the prover names the output
        return tuple(in_range(i, n) for i, n in zip(indices, extents, strict=True))

    def index_names(self, name: str) -> tuple[str, ...]:
        if name == self.output.name:
            return self.output.axes
        return tuple(f"@{k}" for k in range(len(self.tensors[name])))

    def hypotheses(self) -> tuple[Condition, ...]:
        ranges = dict(zip(self.output.axes, self.extents, strict=True))
        return (*self.about_extents, *self.instances(ranges))

    def instances(self, available: Mapping[str, Index]) -> tuple[Condition, ...]:
        found = (c for fact in self.facts for c in fact.among(available))
        return tuple(c for c in dict.fromkeys(found) if c != TRUE)

    def known(self, element: Scalar) -> Condition:
        return conjunction(c for fact in self.facts for c in fact.of_element(element))

    def element_condition(self, name: str, value: Scalar) -> Condition:
        return conjunction(c for fact in self.facts if mentions_name(fact.condition, name) for c in [fact.condition])

    @cached_property
    def positive(self) -> frozenset[str]:
        shapes = {**self.tensors, **dict.fromkeys(self.op.reals, ())}
        return frozenset(
            n for n, shape in shapes.items() for fact in self.facts
            if tuple(m for _, m in fact.variables) == shape
            and fact.condition == (access(n, *(variable(v) for v, _ in fact.variables)) > 0)
        )  # fmt: skip

    def forward(self, indices: Sequence[Index | int]) -> Scalar:
        return substitute(self.term, dict(zip(self.output.axes, indices, strict=True)))

    def inside(self, binders: Binders, body: Scalar) -> UserCase:
        """The body of sums as a function of their indices too."""
        axes = (*self.output.axes, *(n for n, _ in binders))
        extents = (*self.extents, *(n for _, n in binders))
        return replace(self, output=TensorType(self.output.name, axes), term=body, extents=extents)


def mentions_name(c: Condition, name: str) -> bool:
    return any(x.op == "access" and x.args[0] == name for x in subterms(c))


class Needs(BoundsWalk):
    """Collects what a term needs in order to be defined and is not shown to hold: divisors, logarithms, roots."""

    def __init__(self, proof: Proof, case: UserCase, ranges: Mapping[str, Index]) -> None:
        super().__init__(proof)
        self.user, self.ranges = case, dict(ranges)
        self.shapes = dict(case.tensors)
        self.base = frozenset(proof.hypotheses)
        self.missing: list[tuple[str, Fact, Scalar]] = []  # kind, what is needed, the divisor or argument

    def scalar(self, t: Scalar, h: tuple[Condition, ...], rule: str) -> None:
        kinds = {"reciprocal": "divisor", "function": str(t.args[0]) if t.op == "function" else ""}
        kind = kinds.get(t.op, "")
        if t.op == "sum":
            self.ranges[t.args[0]] = t.args[1]
        if kind not in ("divisor", "log", "sqrt"):
            return super().scalar(t, h, rule)
        inner = t.args[-1]
        self.scalar(inner, h, rule)
        if not (self.nonzero(inner, h) if kind == "divisor" else self.positive(inner, h)):
            goal = ~equal(inner, ZERO) if kind == "divisor" else inner > 0
            ranges = {in_range(variable(n), m) for n, m in self.ranges.items()}
            for c in h:
                if c not in self.base and c not in ranges:
                    goal = ~c | goal
            free = free_variables(goal)
            self.missing.append((kind, Fact(tuple((n, m) for n, m in self.ranges.items() if n in free), goal), inner))
        return None

    def more(self, t: Scalar, h: tuple[Condition, ...]) -> tuple[Condition, ...]:
        free = free_variables(t)
        return (*h, *self.user.instances({n: m for n, m in self.ranges.items() if n in free}))

    def nonzero(self, t: Scalar, h: tuple[Condition, ...]) -> bool:
        return super().nonzero(t, self.more(t, h))

    def positive(self, t: Scalar, h: tuple[Condition, ...]) -> bool:
        return super().positive(t, self.more(t, h))


# ---------------------------------------------------------------- running the functions
@dataclass
class Traced:
    """What the functions compute in one case of the extents."""

    tracing: Tracing
    forward: list[NamedArray]
    base: list[NamedArray]  # of the surrogate, if there is one
    back: list[NamedArray]
    facts: list[Fact]


def extent_term(n: int | str) -> Index:
    return variable(n) if isinstance(n, str) else to_index(n)


def traced(question: Question, shapes: NamedShapes, tracing: Tracing) -> Traced:
    arrays: dict[str, Any] = {}
    for n, shape in shapes.items():
        arrays[n] = symbol(n, [extent_term(k) for k in shape])
        if question.way == "jvp":
            arrays[tangent(n)] = symbol(tangent(n), [extent_term(k) for k in shape])
    arrays |= {n: NamedArray((), access(n), "number") for n in question.universal()}
    facts = [Fact((), access(n) > 0) for n, kind in question.universal().items() if kind == "positive"]
    if question.domain is not None:
        domain = question.domain

        def conditions() -> list[Any]:
            found = domain(*question.arguments(arrays), **question.keywords(arrays))
            return list(found) if isinstance(found, (list, tuple)) else [found]

        for c in results_of(conditions, tracing, once=True):
            if not c.boolean:
                raise Unsupported("a domain that is no condition")
            facts.append(Fact(tuple((f"@{k}", n) for k, n in enumerate(c.extents)), truth_of(c.body)))
    tracing.known = [f.condition for f in facts if not f.variables]
    forward = results_of(lambda: question.outputs(arrays), tracing)
    base = forward
    if question.surrogate is not None:
        base = results_of(lambda: question.outputs(arrays, question.surrogate), tracing)
    back: list[NamedArray] = []
    if question.way != "none":
        g = [symbol(name, y.extents) for name, y in zip(cotangents(len(forward)), forward, strict=True)]
        back = results_of(lambda: question.cotangents(arrays, g, len(g) == 1), tracing)
    return Traced(tracing, forward, base, back, facts)


def symbol(name: str, extents: Sequence[Index]) -> NamedArray:
    return NamedArray(extents, access(name, *(axis(k) for k in range(len(extents)))), "input")


def results_of(function: Callable[[], Sequence[Any]], tracing: Tracing, once: bool = False) -> list[NamedArray]:
    """function() on all its paths, put together by choices."""
    pending: list[list[Condition]] = [[]]
    paths: list[tuple[list[Condition], list[NamedArray]]] = []
    while pending:
        if len(paths) == MOST_PATHS or (once and paths):
            raise Unsupported(f"more than {1 if once else MOST_PATHS} paths")
        tracing.path = Decisions(pending.pop())
        results = list(function())
        if tracing.ledger.refused:
            raise tracing.ledger.refused[0]  # the function caught it and went on
        if any(r is None for r in results):
            raise Unsupported("a function that returns None")
        paths.append((tracing.path.taken, [copied(as_named(r)) for r in results]))
        pending.extend(tracing.path.alternatives)
    return merged(paths, 0)


def merged(paths: Sequence[tuple[list[Condition], list[NamedArray]]], depth: int) -> list[NamedArray]:
    """The results of paths that agree on their first `depth` decisions: a choice at the next one."""
    if len(paths) == 1:
        return paths[0][1]
    c = paths[0][0][depth]
    yes, no = [p for p in paths if p[0][depth] == c], [p for p in paths if p[0][depth] != c]
    if not no:
        return merged(yes, depth + 1)
    first, second = merged(yes, depth + 1), merged(no, depth + 1)
    if len(first) != len(second):
        raise Unsupported("another number of results on another path")
    found = []
    for a, b in zip(first, second, strict=True):
        if a.ndim != b.ndim or not all(map(same, a.extents, b.extents)):
            raise Unsupported("results of another shape on another path")
        found.append(NamedArray(a.extents, choice(c, a.body, b.body)))
    return found


# ---------------------------------------------------------------- the proof
def proved_for_all(question: Question, shapes: NamedShapes, sizes: Sequence[Mapping[str, int]],
                   case: list[Condition]) -> list[str]:  # fmt: skip
    """The assumptions under which the claim is proved for all shapes. Raises what says why it is not.

    `case` is left as the case of the extents that was looked at last.
    """
    if not all(n.isidentifier() for n in (*shapes, *question.params)):
        raise NotForAllShapes("names of arguments that are no identifiers")
    if question.integers:
        raise NotForAllShapes("arguments of integers have no named extents")
    names = extents_named(shapes)
    given = [variable(n) >= 1 for n in names]
    pending: list[list[Condition]] = [[]]
    assumptions: dict[str, None] = {}
    for n, kind in question.universal().items():
        assumptions[f"{n} is any {'positive ' if kind == 'positive' else ''}real number"] = None
    if question.surrogate is not None:
        name = getattr(question.surrogate, "__name__", "surrogate")
        assumptions[f"the derivative is that of the surrogate {name}"] = None
    for count in itertools.count():
        if not pending:
            break
        if count == MOST_WORLDS:
            raise NotForAllShapes(f"more than {MOST_WORLDS} cases of the extents")
        tracing = Tracing(given, pending.pop(), Solver())
        try:
            with tracing, numpy_with_names():
                found = traced(question, shapes, tracing)
        except (Unsupported, CheckError):
            raise
        except Exception as fault:
            where = f" where {conjunction(tracing.extents.taken)}" if tracing.extents.taken else ""
            raise NotForAllShapes(f"a function raises {type(fault).__name__}: {fault}{where}") from fault
        finally:
            case[:] = tracing.extents.taken
        pending.extend(tracing.extents.alternatives)
        for written, meant in sorted(tracing.ledger.decimal_constants.items()):
            if str(meant) != written:
                assumptions[f"the constant {written} is read as {meant}"] = None
        if any(s.kind not in ("divisor", "log", "sqrt") for s in tracing.ledger.side_conditions):
            raise NotForAllShapes("infinite values are not traced with named extents")
        if any(f.condition == FALSE for f in found.facts):
            assumptions[f"nothing is claimed where {conjunction(tracing.extents.taken)}, outside of the domain"] = None
            continue
        world = World(question, shapes, found)
        compared = world.require_agreement(sizes)
        assumptions |= dict.fromkeys(world.prove(sizes))
        if not compared:
            raise NotForAllShapes(f"no extents are found where {conjunction(tracing.hypotheses)}, to run it in floats")
    return list(assumptions)


@dataclass
class World:
    """The proof in one case of the extents."""

    question: Question
    shapes: NamedShapes
    found: Traced

    def __post_init__(self) -> None:
        question, found = self.question, self.found
        self.tensors = {n: tuple(extent_term(k) for k in shape) for n, shape in self.shapes.items()}
        self.inputs = tuple(TensorType(n, tuple(f"@{k}" for k in range(len(s)))) for n, s in self.tensors.items())
        self.every = dict(self.tensors) | {tangent(n): s for n, s in self.tensors.items() if question.way == "jvp"}
        self.g = cotangents(len(found.forward)) if question.way == "vjp" else []
        self.every |= {n: y.extents for n, y in zip(self.g, found.forward, strict=False)}
        self.facts = [Fact(f.variables, truth_of(plain_choices(f.condition))) for f in found.facts]
        if len(found.base) != len(found.forward):
            raise CheckError("the surrogate has another number of results than the forward")
        self.op = Op(question.name(), "-> y[]")
        self.op.reals = tuple(question.universal())
        self.assumptions: list[str] = []
        self.kinks: list[FoundTie] = []
        self._elements: dict[Any, Scalar] = {}

    def case(self, extents: Sequence[Index], term: Scalar) -> UserCase:
        axes = tuple(f"@{k}" for k in range(len(extents)))
        return UserCase(self.op, "", 0, self.inputs, TensorType(OUTPUT, axes), tensors=self.every,
                        extents=tuple(extents), term=term, facts=tuple(self.facts),
                        about_extents=tuple(self.found.tracing.hypotheses))  # fmt: skip

    # ------------------------------------------------------------ terms
    def element(self, x: NamedArray) -> Scalar:
        """The element of a result, without what it does not depend on: the maximum that is subtracted and cancels."""
        if x.body not in self._elements:
            self._elements[x.body] = self._element(x)
        return self._elements[x.body]

    def _element(self, x: NamedArray) -> Scalar:
        with Tracing(self.found.tracing.given, [], Solver()):  # so that 0 / x keeps its divisor
            t = canonical_accesses(number(plain_choices(number(x.body))))
        for u in subterms(t):
            if u.op == "function" and u.args[0] not in DERIVATIVES:
                raise NotForAllShapes(f"{u.args[0]} is not traced with named extents")
        opaque = self.found.tracing.opaque
        if not mentions(t, frozenset(opaque)):
            return t

        def without(x: Term) -> Term | None:
            return ZERO if x.op == "access" and x.args[0] in opaque else None

        case = self.case(x.extents, t)
        shapes = {**case.tensors, **opaque}
        self.require_defined(replace(case, tensors=shapes), t, "a shift that cancels")
        rest = replaced(t, without)
        proof = Proof(case)
        if not proof.rewriter.equal_terms(t, rest, proof.at_output()):
            raise NotForAllShapes("the result depends on a maximum or minimum along a named extent (traced only where "
                                  "it cancels, as in exp(x - x.max()) / sum), or on np.empty")
        return rest

    def require_defined(self, case: UserCase, t: Scalar, what: str) -> None:
        missing = self.needs(case, t)
        if missing:
            kind, fact, _ = missing[0]
            raise NotForAllShapes(f"{what} needs what is not shown for all shapes ({kind}): {shown(fact)}")

    def needs(self, case: UserCase, t: Scalar) -> list[tuple[str, Fact, Scalar]]:
        proof = Proof(case)
        ranges = dict(zip(case.output.axes, case.extents, strict=True))
        proof.hypotheses = proof.at_output()
        walk = Needs(proof, case, ranges)
        walk.scalar(t, proof.hypotheses, "a function")
        return walk.missing

    # ------------------------------------------------------------ the steps
    def prove(self, sizes: Sequence[Mapping[str, int]]) -> list[str]:
        question, found = self.question, self.found
        for a, b in zip(found.forward, found.base, strict=True):
            self.require_shape(b, a.extents, "the surrogate's result")
        outputs = [self.element(y) for y in found.base]
        for y, t in zip(found.base, outputs, strict=True):
            while missing := self.needs(self.case(y.extents, t), t):
                kind, fact, inner = missing[0]
                zero = FoundTie(tuple(v for v in fact.variables if v[0] in free_variables(inner)), equal(inner, ZERO))
                if kind == "sqrt" and not self.is_thin(zero):
                    raise NotForAllShapes(f"{zero.text} under a root may hold in a whole region")
                if fact in self.facts:
                    raise NotForAllShapes(f"it is not seen that {shown(fact)} is enough for {kind}")
                self.facts.append(fact)
                text = "where no root is of 0 or less" if kind == "sqrt" else f"where the forward is defined ({kind})"
                self.assumptions.append(f"{text}: {shown(fact)}")
        ties = self.ties(outputs, sizes) if question.way != "none" else []
        self.facts += [Fact(t.variables, ~t.condition) for t in ties]
        self.kinks = ties
        for y, t in zip(found.base, outputs, strict=True):
            self.require_satisfiable(self.case(y.extents, t))
        if question.way == "vjp":
            for (x, shape), b in zip(self.tensors.items(), found.back, strict=True):
                self.require_shape(b, shape, f"g{x}")
                back = self.element(b)
                self.require_linear(back, self.g, f"g{x}")
                self.require_defined(self.case(shape, back), back, f"g{x}")
                for g, y, t in zip(self.g, found.base, outputs, strict=True):
                    self.require_kernel(y, t, x, partial(coefficient_of_g, back, g), f"g{x}")
        elif question.way == "jvp":
            if len(found.back) != len(found.base):
                raise NotForAllShapes("another number of tangents than of results")
            for y, t, b in zip(found.base, outputs, found.back, strict=True):
                self.require_shape(b, y.extents, "the tangent")
                moved = self.element(b)
                self.require_linear(moved, [tangent(n) for n in self.tensors], "the tangent")
                self.require_defined(self.case(y.extents, moved), moved, "the tangent")
                for x in self.tensors:
                    self.require_kernel(y, t, x, partial(coefficient_of_tangent, moved, x), f"the coefficient of d{x}")
        return self.assumptions

    def require_shape(self, x: NamedArray, extents: Sequence[Index], what: str) -> None:
        solver, h = Solver(), self.found.tracing.hypotheses
        if x.ndim != len(extents) or any(solver.valid(h, equal(a, b)) is not True
                                         for a, b in zip(x.extents, extents, strict=True)):  # fmt: skip
            raise NotForAllShapes(f"{what} has shape {x.shape}, must have {tuple(extents)}")

    def require_linear(self, t: Scalar, names: Sequence[str], what: str) -> None:
        if not is_linear(t, frozenset(names)):
            raise NotForAllShapes(f"{what} is not linear in {', '.join(names)} by its form")

    def require_satisfiable(self, case: UserCase) -> None:
        proof = Proof(case)
        if proof.solver.satisfiable(proof.at_output()) is not True:
            raise NotForAllShapes("the hypotheses are not known to be satisfiable")

    def require_kernel(self, y: NamedArray, t: Scalar, x: str, kernel: Kernel, what: str) -> None:
        case = self.case(y.extents, t)
        proof = Proof(case)
        i = case.indices(x, prefix="i")
        ranges = dict(zip(case.output.axes, y.extents, strict=True))
        ranges |= {v.args[0]: n for v, n in zip(i, self.tensors[x], strict=True)}
        hypotheses = (*case.about_extents, *(in_range(variable(v), n) for v, n in ranges.items()),
                      *case.instances(ranges))  # fmt: skip
        want, got = (off_ties(u, self.kinks, ranges) for u in (derivative(t, x, i), kernel(proof.o, i)))
        cases = Cases(proof, frozenset(self.tensors))
        if not cases.equal(want, got, hypotheses):
            left = with_letters(to_term(proof.rewriter.residual), ranges)
            raise NotForAllShapes(f"{what} is not shown to be the derivative; what is left: {left}")

    # ------------------------------------------------------------ ties
    def ties(self, outputs: Sequence[Scalar], sizes: Sequence[Mapping[str, int]]) -> list[FoundTie]:
        """The ties at which the forward is not differentiable; at all others it is shown to be."""
        kinks: dict[Any, FoundTie] = {}
        self._smooth = list[tuple[Binders, Kink]]()
        for y, t in zip(self.found.base, outputs, strict=True):
            self._smooth.clear()
            for scope, binders in scopes(self.case(y.extents, t)):
                self._ties_of(scope, binders, kinks)
        found = list(kinks.values())
        for tie in found:
            if not self.is_thin(tie):
                raise NotForAllShapes(f"{tie.text} may hold in a whole region, where nothing is shown")
            if not any(self.is_witnessed(tie, s) for s in sizes):
                raise NotForAllShapes(f"it is not decided whether the forward is differentiable at {tie.text}")
            self.assumptions.append(f"off the tie {tie.text}, where the forward is not always differentiable")
        return found

    def _ties_of(self, scope: UserCase, binders: Binders, kinks: dict[Any, FoundTie]) -> None:
        proof = Proof(scope)
        outer = frozenset(scope.output.axes)
        smooth: list[Kink] = []
        done: set[Condition] = set()
        for guard in sorted(value_guards(scope, scope.term), key=lambda c: (c.op == "value==", str(c))):
            tie, free = equal(*guard.args), free_variables(guard)
            own = {n for n, _ in binders[-1:]}
            if tie in done or not free <= outer | named(scope) or not own <= free:
                continue
            done.add(tie)
            if proof.solver.valid(proof.at_output(), ~tie) is True:
                continue
            try:
                kink = Kink(guard, *_solve_tie(guard, frozenset(scope.differentiable)), True)
            except NoProof:
                kink = None
            if kink is not None and self.is_smooth(scope, kink):
                smooth.append(kink)
                continue
            ranges = tuple((n, m) for n, m in zip(scope.output.axes, scope.extents, strict=True) if n in free)
            new = FoundTie(ranges, tie)
            kinks[new.key] = new
        inside = set(subterms(scope.term))
        outer_smooth = [k for around, k in self._smooth if around != binders and around == binders[: len(around)]
                        and k.guard in inside]  # fmt: skip
        for a, b in itertools.permutations([*smooth, *outer_smooth], 2):
            if not (a in outer_smooth and b in outer_smooth) and not _apart(proof, a, b):
                raise NotForAllShapes(f"{a.tie} and {b.tie} may be met together")
        self._smooth += [(binders, k) for k in smooth]

    def is_smooth(self, scope: UserCase, kink: Kink) -> bool:
        """Whether both sides are defined at the tie, and have the same value and derivatives there."""
        at_tie = replace(scope, about_extents=(*scope.about_extents, kink.tie))
        try:
            return not any(self.needs(at_tie, kink.side(scope.term, holds)) for holds in (True, False)) and _is_smooth(
                scope, kink, scope.term)
        except ZeroDivisor:
            return False

    def is_thin(self, tie: FoundTie) -> bool:
        """No open set of inputs is tied, whatever extents and indices are: the difference is a polynomial, of
        exponentials and the like, some derivative of which is a constant that is not 0."""
        a, b = tie.condition.args
        case = self.case([n for _, n in tie.variables], ZERO)
        proof = Proof(case)
        h = (*case.about_extents, *(in_range(variable(v), n) for v, n in tie.variables))
        if any(t.op == "function" and t.args[0] == "sqrt" for t in (a, b)):  # sqrt(s) = c only where s = c c
            a, b = (t.args[1] if t.op == "function" and t.args[0] == "sqrt" else t * t for t in (a, b))
        return self._moves(proof, h, a - b, 3)

    def _moves(self, proof: Proof, h: tuple[Condition, ...], d: Scalar, depth: int) -> bool:
        entire = ("number", "constant", "access", "integer", "add", "mul", "sum")
        functions = ("exp", "tanh", "erf", "sin", "cos", "atan")
        if depth == 0 or not all(
            t.op in entire or (t.op == "function" and t.args[0] in functions)
            or (t.op == "reciprocal" and not mentions(t, frozenset(self.tensors)))
            for t in subterms(d) if isinstance(t, Scalar)
        ):  # fmt: skip
            return False
        bound = {t.args[0] for t in subterms(d) if t.op == "sum"}
        for e in sorted((t for t in subterms(d) if t.op == "access" and t.args[0] in self.tensors),
                        key=lambda t: t.digest):  # fmt: skip
            at_first = tuple(substitute(i, dict.fromkeys(bound, 0)) for i in e.args[1:])
            slope = derivative(d, e.args[0], at_first)
            simple: dict[Any, Any] = {}
            for flat, c in proof.rewriter.normal_form(slope).items():
                for f, k in proof.rewriter.simplify(flat, c, h).items():
                    simple[f] = simple.get(f, 0) + k
            simple = {f: k for f, k in simple.items() if k}
            if list(simple) == [UNIT] or (simple and self._moves(proof, h, to_term(simple), depth - 1)):
                return True
        return False

    def is_witnessed(self, tie: FoundTie, sizes: Mapping[str, int]) -> bool:
        """Whether at these extents a point is found on the tie at which the forward has no derivative."""
        checked = prepare(at_sizes(self.question, self.shapes, sizes), {})
        if not isinstance(checked, Checked):
            return False
        outputs = [t for y, u in zip(self.found.base, map(self.element, self.found.base), strict=True)
                   for t in self.instance(u, y.extents, sizes)]  # fmt: skip
        checked = replace(checked, outputs=outputs)
        variables = [t for n in self.tensors for t in checked.symbols[n].view(np.ndarray).ravel()]
        weights = [access(f"weight {k}") for k in range(len(outputs))]
        slopes = list(gradient(weighted(outputs, weights), variables).values())
        sides = [self.instance(s, [n for _, n in tie.variables], sizes, [v for v, _ in tie.variables])
                 for s in tie.condition.args]  # fmt: skip
        for a, b in itertools.islice(zip(*sides, strict=True), 4):
            c = equal(a, b)
            if c.op == "value==":
                pair = (c.args[0], c.args[1])
                if has_kink(checked, pair, slopes, weights):
                    return True
        return False

    def instance(self, t: Scalar, extents: Sequence[Index], sizes: Mapping[str, int],
                 names: Sequence[str] | None = None) -> list[Scalar]:  # fmt: skip
        """A term at given extents, for all its indices."""
        names = [f"@{k}" for k in range(len(extents))] if names is None else names
        case = self.case([], ZERO)
        tensors = {n: partial(access, n) for n in (*self.every, *self.question.universal())}
        ranges = [int(Environment(case, dict(sizes), {}).index(n)) for n in extents]
        return [Environment(case, {**sizes, **dict(zip(names, i, strict=True))}, tensors, {}, Symbols()).scalar(t)
                for i in itertools.product(*map(range, ranges))]  # fmt: skip

    # ------------------------------------------------------------ floats
    def require_agreement(self, sizes: Sequence[Mapping[str, int]]) -> bool:
        """At small shapes the functions compute in floats what their terms say. Whether there are such shapes."""
        question, found = self.question, self.found
        results = [(y, t) for y, t in zip(found.forward, map(self.element, found.forward), strict=True)]
        results += [(b, t) for b, t in zip(found.back, map(self.element, found.back), strict=True)]
        rng = np.random.default_rng(0)
        more = [dict(zip(extents_named(self.shapes), itertools.cycle(row), strict=False)) for row in FOR_FLOATS]
        case, hypotheses = self.case([], ZERO), found.tracing.hypotheses
        chosen = [here for here in [*sizes, *more] if holds_at(hypotheses, here)]
        if not any(here in chosen for here in more):
            chosen += itertools.islice((here for here in every(self.shapes) if holds_at(hypotheses, here)), 2)
        for here in chosen:
            environment = Environment(case, dict(here), {})
            for scale in (1.0, 0.4, 2.0):
                arrays = {n: rng.normal(size=[environment.index(k) for k in s]) * scale for n, s in self.every.items()}
                arrays |= {n: np.asarray(abs(rng.normal()) + 0.1) for n in question.universal()}
                if scale == 0.4:
                    arrays = {n: np.abs(v) + 0.1 for n, v in arrays.items()}
                arrays = {n: np.asarray(v) for n, v in arrays.items()}
                concrete = at_sizes(question, self.shapes, here)
                for v in arrays.values():
                    v.flags.writeable = False
                values = {n: v[()] if n in question.universal() else v for n, v in arrays.items()}
                with np.errstate(all="ignore"):
                    try:
                        floats = concrete.outputs(values)
                        if question.way != "none":
                            g = [arrays[n] for n in self.g]
                            floats += concrete.cotangents(values, g, len(g) == 1)
                    except (ArithmeticError, ValueError):
                        continue  # outside of the domain
                    except Exception as fault:
                        raise NotForAllShapes(f"a function raises {type(fault).__name__} on floats: {fault}") from fault
                    for (x, t), y in zip(results, floats, strict=True):
                        extents = [environment.index(n) for n in x.extents]
                        order = {f"@{k}": n for k, n in enumerate(extents)}
                        want = ArrayEvaluation(case, here, arrays, {}).array(t, order)
                        got = np.asarray(y, dtype=float)
                        if got.shape != want.shape:
                            raise NotForAllShapes(f"a function gives shape {got.shape} on floats, {want.shape} when "
                                                  f"traced")
                        both = np.isfinite(got) & np.isfinite(want)
                        if not np.allclose(got[both], want[both], rtol=1e-6, atol=1e-9):
                            raise NotForAllShapes("a function computes something else on floats than when traced")
        return bool(chosen)


def coefficient_of_g(back: Scalar, g: str, o: tuple[Index, ...], i: tuple[Index, ...]) -> Scalar:
    return derivative(substitute(back, {f"@{k}": n for k, n in enumerate(i)}), g, o)


def coefficient_of_tangent(moved: Scalar, x: str, o: tuple[Index, ...], i: tuple[Index, ...]) -> Scalar:
    return derivative(moved, tangent(x), i)


def named(case: UserCase) -> frozenset[str]:
    """The names of extents."""
    return frozenset().union(*(free_variables(n) for s in case.tensors.values() for n in s))


@dataclass(frozen=True)
class FoundTie:
    variables: Binders
    condition: Condition

    @property
    def key(self) -> Condition:
        """The same for ties that differ in the names of their variables."""
        names = {n: variable(f"place {k}") for k, (n, _) in enumerate(self.variables)}
        return substitute(self.condition, names) & conjunction(
            equal(variable(f"place {k}"), n) for k, (_, n) in enumerate(self.variables))

    @property
    def text(self) -> str:
        return shown(Fact(self.variables, self.condition))


def off_ties(t: Scalar, ties: Sequence[FoundTie], ranges: Mapping[str, Index]) -> Scalar:
    """t where nothing is tied: each comparison of two sides a, b of a tie, at indices in range, as a < b or its
    negation, so that comparisons inside of sums agree too."""
    extents: dict[str, set[Index]] = {n: {m} for n, m in ranges.items()}
    for x in subterms(t):
        if x.op == "sum":
            extents.setdefault(x.args[0], set()).add(x.args[1])

    def is_instance(tie: FoundTie, a: Term, b: Term) -> bool:
        c = equal(a, b)
        found: dict[str, Index] = {}
        if not matches(tie.condition, c, {n for n, _ in tie.variables}, found):
            return False
        inside = all(n in found and found[n].op == "variable" and extents.get(found[n].args[0]) == {m}
                     for n, m in tie.variables)  # fmt: skip
        return inside and substitute(tie.condition, found) == c

    def step(x: Term) -> Condition | None:
        if not (isinstance(x, Condition) and x.op.startswith("value")):
            return None
        a, b = x.args
        if not any(is_instance(tie, a, b) for tie in ties):
            return None
        if x.op == "value==":
            return FALSE
        less: Condition = a < b if a.digest <= b.digest else ~(b < a)
        return less

    return replaced(t, step) if ties else t


def matches(pattern: Term, t: Term, names: set[str], found: dict[str, Index]) -> bool:
    """Whether t may be the pattern with its variables replaced; which by what. To be checked by replacing them."""
    if pattern.op == "variable" and pattern.args[0] in names:
        assert isinstance(t, Index)
        return found.setdefault(pattern.args[0], t) == t
    return pattern.op == t.op and len(pattern.args) == len(t.args) and all(
        matches(p, x, names, found) for p, x in zip(pattern.args, t.args, strict=True)
        if isinstance(p, Term) and isinstance(x, Term))  # fmt: skip


def scopes(case: UserCase) -> Iterator[tuple[UserCase, Binders]]:
    """The forward, and the body of each of its sums as a function of the bound indices too."""
    seen: set[tuple[Term, Binders]] = set()

    def walk(t: Term, binders: Binders) -> Iterator[tuple[UserCase, Binders]]:
        if (t, binders) in seen:
            return
        seen.add((t, binders))
        if t.op == "sum":
            inner = (*binders, (t.args[0], t.args[1]))
            yield case.inside(inner, t.args[2]), inner
            yield from walk(t.args[2], inner)
            return
        for x in t.args:
            if isinstance(x, Term) and x.has_sum:
                yield from walk(x, binders)

    yield case, ()
    yield from walk(case.term, ())


@dataclass
class Cases:
    """Equality by the rewriting rules, and where these fail by cases: less, equal, greater, for each comparison."""

    proof: Proof
    inputs: frozenset[str]
    left: int = MOST_CASES

    def equal(self, a: Scalar, b: Scalar, h: tuple[Condition, ...], depth: int = DEPTH) -> bool:
        rewriter, solver = self.proof.rewriter, self.proof.solver
        if rewriter.equal_terms(a, b, h):
            return True
        rest = to_term(rewriter.residual)
        residual = rewriter.residual
        bound = {t.args[0] for t in subterms(rest) if t.op == "sum"}
        condition = innermost_condition(rest)
        if condition is None or depth == 0 or free_variables(condition) & bound:
            return False
        pair = (condition.args[0], condition.args[1])
        if pair[0].digest > pair[1].digest:
            pair = (pair[1], pair[0])
        for side, c in ((-1, pair[0] < pair[1]), (0, equal(*pair)), (1, pair[1] < pair[0])):
            self.left -= 1
            if self.left < 0:
                return False
            if solver.satisfiable([*h, c]) is False:
                continue
            t = with_side(rest, pair, side)
            if side == 0:
                try:
                    element, value = _solve_tie(c, self.inputs)
                    t = replaced(t, lambda x, e=element, v=value: v if x == e else None)  # type: ignore[misc]
                except NoProof:
                    pass
            if not self.equal(t, ZERO, (*h, c), depth - 1):
                rewriter.residual = residual
                return False
        return True


def with_letters(t: Any, ranges: Mapping[str, Index]) -> Any:
    """Indices by the lower-case letter of their axis."""
    names: dict[str, Index] = {}
    taken = {n for n in free_variables(t) if not n.startswith(("@", "i@", "k#"))}
    for v, n in ranges.items():
        base = n.args[0].lower() if n.op == "variable" else "i"
        base = base if base not in {m.lower() for m in taken if m == base} else f"{base}_"
        used = {x.args[0] for x in names.values()} | taken
        name = next(c for c in itertools.chain([base], (f"{base}{k}" for k in itertools.count(1))) if c not in used)
        names[v] = variable(name)
    return substitute(t, names)


def shown(fact: Fact) -> str:
    return str(with_letters(fact.condition, dict(fact.variables)))


__all__ = ["check_all_shapes", "extents_named"]
