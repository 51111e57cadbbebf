"""Counterexamples to wrong rules: exact evaluation at small shapes, smallest first, then minimised.

Values are Fractions; where exp, log or sqrt occur, intervals at 200 bits that must be disjoint. So a counterexample
proves that the statement is false, by evaluation alone: no prover code is involved.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial
from itertools import chain, combinations, product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .array_evaluation import MOST_VARIABLES, ArrayEvaluation, Entry, differing_entries
from .derivative import derivative as formal_derivative
from .evaluate import DivisionByZero, Environment, Exact, Inexact, Interval, Intervals, OutOfBounds, Undecided
from .obligations import Outcome, Verdict
from .op import Case
from .printing import to_text
from .terms import TRUE, Condition, Scalar, Term, numbered_binders, subterms, to_scalar, variable

if TYPE_CHECKING:
    from .any_shape import Kink

SHAPES, POINTS_PER_SHAPE, MOST_PAIRS, LARGEST = 60, 6, 400, 4
TRIES, TRIES_FOR_ATTRIBUTES = 4000, 100
QUICK_SHAPES, QUICK_POINTS, QUICK_PAIRS = 6, 2, 40
Point = dict[str, dict[tuple[int, ...], Fraction]]  # tensor -> index -> value; missing entries are 0


class NoPoint(Exception):
    """No point of the domain was found to try."""


@dataclass
class Counterexample:
    """A concrete input at which a statement is false."""

    kind: str
    case: Case
    sizes: dict[str, int]
    primals: Point
    integers: dict[str, dict[tuple[int, ...], int]]
    x: str = ""  # the input concerned
    i: tuple[int, ...] = ()  # its element
    o: tuple[int, ...] = ()  # the output element
    left: Any = None
    right: Any = None
    rule: str = ""  # for bounds: "forward", "jvp" or the input whose VJP is at fault
    fault: str = ""  # for bounds: what went wrong on evaluation


@dataclass(frozen=True)
class Effort:
    """How many points to try at a shape, at how many random entries, of which inputs' Jacobians.

    memory   shared by searches for ops that differ in their JVP and VJPs only: what was evaluated at which point
    """

    points: int = POINTS_PER_SHAPE
    pairs: int = MOST_PAIRS
    count_faults: bool = False
    inputs: tuple[str, ...] = ()
    memory: dict[Any, Evaluation] | None = None


# ---------------------------------------------------------------- small shapes and points
_shape_memory: dict[Any, list[dict[str, int]]] = {}


def shapes(case: Case) -> list[dict[str, int]]:
    """Assignments of extents and attributes that satisfy the domain, smallest first."""
    key = ("all", case.op.name, case.inputs, case.output, case.op.domain)
    if key not in _shape_memory:
        names, hypotheses = case.symbols, case.shape_hypotheses()
        rng = random.Random(f"{case.op.name} {case.id}")

        def inside(tries: Iterable[tuple[int, ...]]) -> set[tuple[int, ...]]:
            different = list(set(tries))
            try:
                hold = all_in_domain(names, different, hypotheses)
            except Unvectorised:
                return {t for t in different if in_domain(case, dict(zip(names, t, strict=True)), hypotheses)}
            return {t for t, holds in zip(different, hold, strict=True) if holds}

        if len(names) <= 4:
            found = inside(product(range(LARGEST), repeat=len(names)))
        else:
            found = inside(tuple(rng.choice((0, 1, 1, 1, 2, 2, 3, LARGEST)) for _ in names) for _ in range(TRIES))
            axes, around = len(case.free_axes), None
            while found:  # a domain with many conditions is hit rarely: look around the smallest point, few empty axes
                smallest = min(found, key=lambda t: (t[:axes].count(0), sum(t), t))
                if smallest == around:
                    break
                around = smallest
                found |= inside(neighbours(smallest))
        every = (dict(zip(names, t, strict=True)) for t in found)
        _shape_memory[key] = sorted(every, key=lambda s: (sum(s.values()), sorted(s.items())))
    return _shape_memory[key]


class Unvectorised(Exception):
    """A hypothesis is more than arithmetic."""


def all_in_domain(names: Sequence[str], tries: Sequence[tuple[int, ...]], hypotheses: Sequence[Condition]) -> Any:
    """in_domain for many values of the names at once: an array of truth values. Where one divides by 0, it is False."""
    columns = dict(zip(names, np.array(tries, dtype=np.int64).reshape(len(tries), len(names)).T, strict=True))
    known: dict[Term, tuple[Any, Any]] = {}

    def go(t: Term) -> tuple[Any, Any]:
        """(value, does it divide by 0)"""
        if t not in known:
            known[t] = make(t)
        return known[t]

    def make(t: Term) -> tuple[Any, Any]:
        if t.op in ("true", "false", "constant"):
            return (t.args[0] if t.op == "constant" else t.op == "true"), False
        if t.op == "variable" and t.args[0] in columns:
            return columns[t.args[0]], False
        if t.op == "not":
            value, fails = go(t.args[0])
            return ~np.asarray(value), fails
        if t.op not in ("+", "*", "//", "%", "index<=", "index==", "and", "or") or len(t.args) != 2:
            raise Unvectorised
        (x, x_fails), (y, y_fails) = map(go, t.args)
        if t.op in ("and", "or"):  # the right side is read where the left one does not decide
            read = np.asarray(x) if t.op == "and" else ~np.asarray(x)
            return (x & y if t.op == "and" else x | y), x_fails | (read & y_fails)
        fails = x_fails | y_fails
        if t.op in ("//", "%"):
            zero = np.equal(y, 0)
            return (np.floor_divide if t.op == "//" else np.remainder)(x, np.where(zero, 1, y)), fails | zero
        relation: Any = {"+": np.add, "*": np.multiply, "index<=": np.less_equal, "index==": np.equal}[t.op]
        return relation(x, y), fails

    result = np.ones(len(tries), bool)
    for h in hypotheses:
        value, fails = go(h)
        result &= np.asarray(value, bool) & ~np.asarray(fails, bool)
    return result


def neighbours(values: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The tuple with one or two of its entries changed."""
    for places in combinations(range(len(values)), 2):
        for new in product(range(LARGEST), repeat=2):
            changed = list(values)
            for k, v in zip(places, new, strict=True):
                changed[k] = v
            yield tuple(changed)


def extents(case: Case, name: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    environment = Environment(case, dict(sizes), {})
    return tuple(environment.index(n) for n in case.shape(name))


def cells(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return product(*map(range, shape))


def environment(
    case: Case,
    sizes: Mapping[str, int],
    point: Point,
    integers: Mapping[str, Mapping[tuple[int, ...], int]],
    domain: Any,
) -> Environment:
    def read(name: str) -> Callable[..., Any]:
        values = point.get(name, {})
        return lambda *i: values.get(i, Fraction(0))

    names = [n for t in case.inputs for n in (t.name, "d" + t.name)] + ["g", *case.op.reals]
    return Environment(
        case, dict(sizes), {n: read(n) for n in names}, {n: reader(n, v) for n, v in integers.items()}, domain
    )


def reader(name: str, values: Mapping[tuple[int, ...], int]) -> Callable[..., int]:
    """An index tensor as a function of its indices."""

    def read(*i: int) -> int:
        if i not in values:
            raise OutOfBounds(f"{name}{list(i)}")
        return values[i]

    return read


class Evaluation:
    """The rules of a case at one concrete point: entries of the Jacobian, exact or enclosed in intervals.

    What depends on the primals alone is computed once and shared by all unit tangents and cotangents.
    """

    def __init__(self, case: Case, sizes: Mapping[str, int], primals: Point, integers: Any) -> None:
        self.case, self.sizes, self.primals, self.integers = case, sizes, primals, integers
        self._shared: dict[Any, Any] = {}
        self._environments: dict[Any, Environment] = {}
        self._domain: Any = Exact()
        self._arrays: ArrayEvaluation | None = None

    @property
    def arrays(self) -> ArrayEvaluation:
        """The same point in floats."""
        if self._arrays is None:
            def array(values: Mapping[tuple[int, ...], Any], name: str, dtype: Any) -> Any:
                filled = np.zeros(self.shape(name), dtype)
                for i, v in values.items():
                    filled[i] = v
                return filled

            tensors = {n: array(values, n, float) for n, values in self.primals.items()}
            integers = {n: array(values, n, int) for n, values in self.integers.items()}
            self._arrays = ArrayEvaluation(self.case, self.sizes, tensors, integers)
        return self._arrays

    def shape(self, name: str) -> tuple[int, ...]:
        return () if name in self.case.op.reals else extents(self.case, name, self.sizes)

    def value(self, t: Scalar, indices: Mapping[str, int], unit: Mapping[str, tuple[int, ...]] | None = None) -> Any:
        """t where each tensor of `unit` is 1 at one element and 0 elsewhere."""
        try:
            return self._value(t, indices, unit or {})
        except Inexact:
            self._domain = Intervals()
            self._shared.clear()
            self._environments.clear()
            return self._value(t, indices, unit or {})

    def _value(self, t: Scalar, indices: Mapping[str, int], unit: Mapping[str, tuple[int, ...]]) -> Any:
        key = tuple(unit.items())
        if key not in self._environments:
            point = {**self.primals, **{name: {at: Fraction(1)} for name, at in unit.items()}}
            self._environments[key] = environment(self.case, self.sizes, point, self.integers, self._domain)
            self._environments[key].shared = self._shared
        at = self._environments[key]
        at.sizes.update(indices)
        return at.scalar(t)

    def jvp(self, x: str, i: tuple[int, ...], o: tuple[int, ...]) -> Any:
        return self.value(
            rule_term(self.case, "jvp"), dict(zip(self.case.index_names("g"), o, strict=True)), {"d" + x: i}
        )

    def vjp(self, x: str, i: tuple[int, ...], o: tuple[int, ...]) -> Any:
        return self.value(rule_term(self.case, x), dict(zip(self.case.index_names(x), i, strict=True)), {"g": o})

    def slope(self, x: str, i: tuple[int, ...], o: tuple[int, ...]) -> Any:
        """The formal derivative of the forward."""
        names = dict(zip(self.case.index_names("g"), o, strict=True)) | {f"i_{k}": v for k, v in enumerate(i)}
        return self.value(rule_term(self.case, "slope " + x), names)


def evaluation(case: Case, sizes: Mapping[str, int], primals: Point, integers: Any,
               memory: dict[Any, Evaluation] | None) -> Evaluation:
    if memory is None:
        return Evaluation(case, sizes, primals, integers)
    key = str((sizes, primals, integers))
    if key not in memory:
        memory[key] = Evaluation(case, sizes, primals, integers)
    at = memory[key]
    at.case = case  # nothing that was evaluated depends on the rules: terms are looked up as terms
    if at._arrays is not None and len(at._arrays.axes) > MOST_VARIABLES // 2:
        at._arrays = None
    return at


def rule_term(case: Case, what: str) -> Scalar:
    """A rule of the case as a term in its index names, in which equal sums are equal terms."""
    original, own = _changed.get(case, (case, {}))
    return own[what] if what in own else _rule_term(original, what)


_changed: dict[Case, tuple[Case, Mapping[str, Scalar]]] = {}


@contextmanager
def changed_rules(case: Case, original: Case, own: Mapping[str, Scalar]) -> Iterator[None]:
    """Meanwhile it is known that the case is the original with these JVP and VJPs: all else need not be made again."""
    _changed[case] = original, own
    try:
        yield
    finally:
        del _changed[case]


@lru_cache(maxsize=512)
def _rule_term(case: Case, what: str) -> Scalar:
    if what.startswith("slope "):
        x = what.removeprefix("slope ")
        return formal_derivative(
            rule_term(case, "forward"), x, tuple(variable(f"i_{k}") for k in range(len(case.shape(x))))
        )
    if what in ("forward", "jvp"):
        rule = case.forward if what == "forward" else case.jvp
        return numbered_binders(rule(case.indices("g")))
    return numbered_binders(case.vjp(what, case.indices(what)))


def kinks_of(case: Case) -> list[Kink]:
    """Those of the forward."""
    return _kinks_of(_changed.get(case, (case,))[0])


@lru_cache(maxsize=512)
def _kinks_of(case: Case) -> list[Kink]:
    from .any_shape import kinks

    return [k for k in kinks(case) if not k.smooth]


def differ(a: Any, b: Any) -> bool:
    """Are two exact or enclosed values certainly different?"""
    d = Interval.of(a) - b
    return bool(d.lo > 0 or d.hi < 0)


# ---------------------------------------------------------------- search
def search(kind: str, case: Case) -> Counterexample | None:
    """A counterexample to `derivative`, `adjoint`, `kink` or `bounds` of a case, as small as found, or None."""
    found = quick_search(kind, case) or thorough_search(kind, case)
    return minimise(smaller_shape(found, _random(kind, case))) if found else None


def quick_search(
    kind: str, case: Case, count_faults: bool = False, inputs: Sequence[str] = (),
    memory: dict[Any, Evaluation] | None = None,
) -> Counterexample | None:
    """A few points at the most telling shapes. `count_faults`: a malformed rule is a finding of any kind.

    inputs   those whose derivatives are compared, all by default
    memory   see Effort
    """
    effort = Effort(QUICK_POINTS, 0, count_faults, tuple(inputs), memory)
    return _search(kind, case, telling_shapes(case)[:QUICK_SHAPES], effort)


def telling_shapes(case: Case) -> list[dict[str, int]]:
    """Shapes without empty tensors and few enough entries, those with most extents and attributes above 1 first."""
    key = ("telling", case.op.name, case.inputs, case.output, case.op.domain)
    if key not in _shape_memory:
        entries, tensors = {}, [case.shape(name) for name in ("g", *(t.name for t in case.inputs))]
        for k, sizes in enumerate(shapes(case)):
            here = Environment(case, dict(sizes), {})
            try:
                outputs, *inputs = (prod(map(here.index, extents)) for extents in tensors)
            except DivisionByZero:
                continue
            if outputs > 0 and min(inputs) > 0:
                entries[k] = outputs * sum(inputs)
        few = [k for k, n in entries.items() if n <= MOST_PAIRS]
        above_one = {k: sum(v in (2, 3) for v in shapes(case)[k].values()) for k in few}
        _shape_memory[key] = [shapes(case)[k] for k in sorted(few, key=lambda k: (-above_one[k], entries[k]))]
    return _shape_memory[key]


def thorough_search(kind: str, case: Case, count_faults: bool = False) -> Counterexample | None:
    """More points, from the smallest shape up."""
    return _search(kind, case, spread(shapes(case), SHAPES), Effort(count_faults=count_faults))


def _search(kind: str, case: Case, among: Sequence[dict[str, int]], effort: Effort) -> Counterexample | None:
    rng = _random(kind, case)
    for sizes in among:
        found = search_shape(kind, case, sizes, rng, effort)
        if found is not None:
            return found
    return None


def _random(kind: str, case: Case) -> random.Random:
    return random.Random(f"{case.op.name} {case.id} {kind}")


def smaller_shape(found: Counterexample, rng: random.Random) -> Counterexample:
    """Make every extent and attribute as small as the statement stays false, until none gets smaller."""
    before: dict[str, int] = {}
    effort = Effort(pairs=MOST_PAIRS if found.kind == "kink" else 0)  # elsewhere floats tell at which entries to look
    while before != found.sizes:
        before = dict(found.sizes)
        for name in before:
            for value in range(found.sizes[name]):
                sizes = {**found.sizes, name: value}
                if in_domain(found.case, sizes):
                    again = search_shape(found.kind, found.case, sizes, rng, effort)
                    if again is not None and bool(again.fault) == bool(found.fault):
                        found = again
                        break
    return found


def in_domain(case: Case, sizes: Mapping[str, int], hypotheses: Sequence[Condition] | None = None) -> bool:
    environment = Environment(case, dict(sizes), {})
    try:
        return all(environment.condition(h) for h in (case.shape_hypotheses() if hypotheses is None else hypotheses))
    except DivisionByZero:
        return False


def search_shape(
    kind: str,
    case: Case,
    sizes: dict[str, int],
    rng: random.Random,
    effort: Effort,
) -> Counterexample | None:
    """A counterexample at this shape, at one of a few random points on a grid where ties are likely."""
    for _ in range(effort.points):
        integers: dict[str, dict[tuple[int, ...], int]] = {}
        try:
            primals = attribute_values(case, sizes, rng)
            for t in case.inputs:
                shape = extents(case, t.name, sizes)
                if t.integer:
                    low, high = (0, 1) if t.kind == "bool" else (-1, LARGEST)
                    integers[t.name] = {c: rng.randint(low, high) for c in cells(shape)}
                else:
                    primals[t.name] = {c: drawn(case, t.name, sizes, rng, primals) for c in cells(shape)}
            negative = [n for n, e in zip(case.output.axes, extents(case, "g", sizes), strict=True) if e < 0]
        except NoPoint:
            continue
        except DivisionByZero:
            negative, fault = [], "An extent divides by 0."
        else:
            fault = f"The extent {negative[0]} is negative." if negative else ""
        if fault:
            return Counterexample(kind, case, sizes, {}, {}, rule="forward", fault=fault) if kind == "bounds" else None
        at = evaluation(case, sizes, primals, integers, effort.memory)
        found = find_fault(at) if kind == "bounds" else find_difference(kind, at, rng, effort)
        if found is not None:
            return found
    return None


def attribute_values(case: Case, sizes: dict[str, int], rng: random.Random) -> Point:
    """Values of the real attributes inside the domain."""
    values: Point = {}
    for n in range(TRIES_FOR_ATTRIBUTES if case.op.reals else 0):
        values = {}
        for name in case.op.reals:
            values[name] = {(): drawn(case, name, sizes, rng, values) / (1 if n < 10 else rng.choice((1, 2, 3)))
                                * (1 if n < 50 else rng.randint(1, 10))}
        if in_real_domain(case, sizes, values):
            return values
    if case.op.reals:
        raise NoPoint("no values of the real attributes were found in the domain")
    return values


def drawn(case: Case, name: str, sizes: dict[str, int], rng: random.Random, values: Point) -> Fraction:
    """A number of the grid that may be an element of this tensor."""
    q = Fraction(rng.randint(-2, 2))
    if name not in case.op.elements:
        return q
    for n in range(TRIES_FOR_ATTRIBUTES):  # whole numbers first, then fractions and larger ones
        if allowed(case, name, q, sizes, values):
            return q
        q = Fraction(rng.randint(-3 - n, 3 + n), 1 if n < 10 else rng.choice((1, 2, 3, 4)))
    raise NoPoint(f"no number was found that {name} may be")


def allowed(case: Case, name: str, value: Fraction, sizes: dict[str, int], values: Point) -> bool:
    condition = case.element_condition(name, to_scalar(value))
    return condition == TRUE or environment(case, sizes, values, {}, Exact()).condition(condition) is True


def spread(found: list[dict[str, int]], count: int) -> list[dict[str, int]]:
    """The smallest shapes and some of the larger ones."""
    if len(found) <= count:
        return found
    half = count // 2
    step = (len(found) - half) / (count - half)
    return found[:half] + [found[half + int(i * step)] for i in range(count - half)]


def find_difference(kind: str, at: Evaluation, rng: random.Random, effort: Effort) -> Counterexample | None:
    """First where floats say that the sides differ, then at some random entries."""
    case, sizes = at.case, at.sizes
    inputs = effort.inputs or case.differentiable
    likely = entries_that_differ_in_floats(kind, at, inputs) if kind != "kink" else iter(())
    others = max(effort.pairs, QUICK_PAIRS) if kind == "kink" else effort.pairs
    for entry in chain(likely, some_entries(case, sizes, rng, inputs, others)):
        found = compare(kind, at, *entry)
        if found is not None and (not found.fault or effort.count_faults):
            return found
    return None


def entries_that_differ_in_floats(kind: str, at: Evaluation, inputs: Sequence[str]) -> Iterator[Entry]:
    case = at.case
    with np.errstate(all="ignore"):
        yield from differing_entries(kind, case, at.arrays, partial(rule_term, case), at.shape, tuple(inputs))


def some_entries(
    case: Case, sizes: Mapping[str, int], rng: random.Random, inputs: Sequence[str], most: int
) -> list[Entry]:
    outputs = list(cells(extents(case, "g", sizes)))
    entries = [(x, i, o) for x in inputs for i in cells(extents(case, x, sizes)) for o in outputs]
    return entries if len(entries) <= most else rng.sample(entries, most)


def find_fault(at: Evaluation) -> Counterexample | None:
    """A rule that reads outside its tensor or divides by 0 at this point."""
    case, sizes = at.case, at.sizes
    outputs = list(cells(extents(case, "g", sizes)))
    rules = [(rule, "g", o) for rule in ("forward", "jvp") for o in outputs]
    rules += [(x, x, i) for x in case.differentiable for i in cells(extents(case, x, sizes))]
    for rule, tensor, index in rules:
        try:
            at.value(rule_term(case, rule), dict(zip(case.index_names(tensor), index, strict=True)))
        except (OutOfBounds, DivisionByZero) as e:
            name = rule if tensor == "g" else f"VJP for {rule}"
            fault = f"reads outside its tensor: {e}" if isinstance(e, OutOfBounds) else "divides by 0"
            return Counterexample(
                "bounds", case, dict(sizes), at.primals, at.integers, rule=rule, fault=f"The {name} {fault}."
            )
        except Undecided:
            continue
    return None


def compare(kind: str, at: Evaluation, x: str, i: tuple[int, ...], o: tuple[int, ...]) -> Counterexample | None:
    """The statement at one entry of the Jacobian: tangent dx[i] = 1, cotangent g[o] = 1."""
    result = Counterexample(kind, at.case, dict(at.sizes), at.primals, at.integers, x, i, o)
    try:
        if kind == "adjoint":
            result.left, result.right = at.jvp(x, i, o), at.vjp(x, i, o)
        elif kind == "derivative":
            if on_kink(at, o):
                return None
            result.left, result.right = at.slope(x, i, o), at.jvp(x, i, o)
        elif kind == "kink":
            expected = convention(at, x, i, o)
            if expected is None:
                return None
            result.left, result.right = expected, at.jvp(x, i, o)
    except (OutOfBounds, DivisionByZero) as e:
        result.fault = (
            str(e) or type(e).__name__
        )  # the rule is malformed: of interest to mutants, else left to `bounds`
        return result
    except Undecided:
        return None
    return result if differ(result.left, result.right) else None


def on_kink(at: Evaluation, o: tuple[int, ...]) -> bool:
    names = dict(zip(at.case.index_names("g"), o, strict=True))
    if at.case.op.ties == "shared" and len(tied(at, o)) > 1:
        return True
    return any(not differ(*(at.value(s, names) for s in k.guard.args)) for k in kinks_of(at.case))


def tied(at: Evaluation, o: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """The elements that the best candidates of the op's one selection are, at this output."""
    from .any_shape import selected

    case = at.case
    (selection,) = case.op.selections.values()
    names = dict(zip(case.index_names("g"), o, strict=True))
    here = Environment(case, {**at.sizes, **names}, {})
    arguments = [here.index(a) for a in selected(case, selection, rule_term(case, "forward"))]
    values = []
    for cell in cells(tuple(map(here.index, case.cell_extents(selection)))):
        real, value = case.candidate(selection, arguments, cell)
        if here.condition(real) is True:
            element = next(x for x in subterms(value) if x.op == "access")
            values.append((at.value(value, {}), (element.args[0], tuple(here.index(i) for i in element.args[1:]))))
    best = max(v for v, _ in values)
    return [element for v, element in values if v == best]


def convention(at: Evaluation, x: str, i: tuple[int, ...], o: tuple[int, ...]) -> Any:
    """The declared slope where exactly one kink's boundary is met, else None."""
    case = at.case
    if case.op.ties == "shared":
        best = tied(at, o)
        return Fraction((x, i) in best, len(best)) if len(best) > 1 else None
    names = dict(zip(case.index_names("g"), o, strict=True)) | {f"i_{k}": v for k, v in enumerate(i)}
    met = [k for k in kinks_of(case) if at.value(k.guard.args[0] - k.guard.args[1], names) == 0]
    if len(met) != 1 or met[0].name not in case.op.kinks:
        return None
    weight = case.op.kinks[met[0].name]
    indices = tuple(variable(f"i_{k}") for k in range(len(i)))
    yes, no = (
        at.value(
            met[0].on_boundary(formal_derivative(met[0].side(rule_term(case, "forward"), side), x, indices)), names
        )
        for side in (True, False)
    )
    return weight * yes + (1 - weight) * no


def minimise(found: Counterexample) -> Counterexample:
    """Set every primal entry to 0, else to 1, where the statement stays false."""
    if found.fault:
        return found
    for name in list(found.primals):
        for c, old in list(found.primals[name].items()):
            simpler = [] if old == 0 else [Fraction(0)] if old == 1 else [Fraction(0), Fraction(1)]
            for new in simpler:
                if not allowed(found.case, name, new, found.sizes, found.primals):
                    continue
                found.primals[name][c] = new
                if name in found.case.op.reals and not in_real_domain(found.case, found.sizes, found.primals):
                    found.primals[name][c] = old
                    continue
                again = compare(
                    found.kind,
                    Evaluation(found.case, found.sizes, found.primals, found.integers),
                    found.x,
                    found.i,
                    found.o,
                )
                if again is not None and not again.fault:
                    found = again
                    break
                found.primals[name][c] = old
    return found


def in_real_domain(case: Case, sizes: dict[str, int], primals: Point) -> bool:
    """Do attributes and elements satisfy the conditions on real numbers?"""
    at = environment(case, sizes, primals, {}, Exact())
    elements = ((n, v) for n in case.op.elements for v in primals.get(n, {}).values())
    return all(at.condition(h) is True for h in case.value_hypotheses()) and all(
        allowed(case, n, v, sizes, primals) for n, v in elements
    )


# ---------------------------------------------------------------- the message
def number(v: Any) -> str:
    return str(v) if isinstance(v, Fraction) else f"{float((v.lo + v.hi) / 2):.12g}"


def element(name: str, index: Sequence[int | str]) -> str:
    return f"{name}[{','.join(map(str, index))}]" if index else name


def rule_location(rule: Callable[..., Any]) -> str:
    try:
        path, (lines, first) = inspect.getsourcefile(rule) or "", inspect.getsourcelines(rule)
    except (OSError, TypeError):
        return rule.__name__  # written at a prompt: there is no file to point at
    packages = {"gradproof_spec": "spec", "gradproof/": "runtime"}
    marker, root = max((path.rfind(package), root) for package, root in packages.items())
    decorators = sum(1 for line in lines if line.startswith("@"))
    return f"{f'{root}/{path[marker:]}' if marker >= 0 else path}:{first + decorators}  {rule.__name__}"


def rule_concerned(found: Counterexample) -> tuple[Callable[..., Any], str, Scalar]:
    """The rule that the statement is about, the element that it gives, and its formula."""
    case = replace(found.case, named_extents=True)
    op, y = case.op, case.output.name
    which = found.rule or (found.x if found.kind == "adjoint" else "jvp")
    rules = {"forward": (op.forward_rule, y, case.forward), "jvp": (op.jvp_rule, "d" + y, case.jvp)}
    rule, name, term = rules.get(which) or (op.vjps[op.variadic or which], "g" + which, lambda i: case.vjp(which, i))
    tensor = y if which in rules else which
    assert rule is not None
    return rule, element(name, case.index_names(tensor)), term(case.indices(tensor))


def report(found: Counterexample, again: str) -> str:
    """The failing message: what is wrong, claim and formula, the witness, who is to blame, how to repeat it."""
    from .any_shape import CLAIMS
    from .link.replay import replay

    case, kind = found.case, found.kind
    name = case.op.name
    rule, left_side, formula = rule_concerned(found)
    y = case.output.name
    wrong = element("g" + found.x, found.i) if kind == "adjoint" else element("d" + y, found.o)
    first = found.fault or f"{wrong} is {number(found.right)} but must be {number(found.left)}."
    claim = CLAIMS[kind]
    if kind == "adjoint":
        xs = case.differentiable
        claim = f"<jvp({', '.join('d' + x for x in xs)}), g> = " + " + ".join(f"<d{x}, vjp_{x}(g)>" for x in xs)
    here, size = Environment(case, dict(found.sizes), {}), case.size()
    computed = [] if found.fault else [e for e in case.op.extents if getattr(size, e).op != "constant"]
    derived = {e: here.index(getattr(size, e)) for e in computed}
    at = " ".join(f"{k}={v}" for k, v in found.sizes.items())
    if derived:
        at += " -> " + " ".join(f"{k}={v}" for k, v in derived.items())
    point: Point = dict(found.primals)
    if not found.fault:
        point = {"d" + found.x: {found.i: Fraction(1)}, **point}
    if kind == "adjoint":
        point["g"] = {found.o: Fraction(1)}
    shown = [f"{element(n, c)} = {v}" for n, values in point.items() for c, v in values.items() if v != 0]
    shown += [f"{element(n, c)} = {v}" for n, values in found.integers.items() for c, v in values.items()]
    lines = [
        f"REFUTED  {kind}[{name}]",
        "",
        f"  {first}",
        "",
        f"  claim    {claim}    for all shapes and all reals",
        f"  rule     {rule_location(rule)}",
        f"             {left_side} = {to_text(formula)}",
        f"  at       {at}",
        "",
        "  counterexample (smallest found; entries not shown are 0)",
        f"    {'      '.join(shown)}",
    ]
    if not found.fault:
        lines += [f"    left side  = {number(found.left)}", f"    right side = {number(found.right)}"]
    verdict = replay(found)
    if verdict:
        lines += ["", f"  {verdict}"]
    lines += ["", f'  again    pytest "proofs/test_{kind}.py::test_{kind}[{again}]"']
    if not found.fault:
        lines.append(f"  alone    python proofs/report/{kind}/{again}.py       (NumPy only, no solver)")
    return "\n".join(lines)


def explain(kind: str, case: Case, what: str, residual: str) -> Outcome:
    """The outcome of a proof that failed: REFUTED with a counterexample, else UNKNOWN with what was left."""
    from .python_code import script

    found = search(kind, case)
    if found is not None:
        return Outcome(
            Verdict.REFUTED,
            report(found, case.op.name),
            {"at": found.sizes},
            replay="" if found.fault else script(found),
        )
    lines = [
        f"UNKNOWN  {kind}[{case.op.name}]",
        "",
        f"  {what}.",
        "",
        f"  case     {case.id or 'only'}",
        "  no counterexample was found at small shapes",
    ]
    if residual:
        lines.append(f"  left     {residual}")
    return Outcome(Verdict.UNKNOWN, "\n".join(lines), {"residual": residual})
