"""TRUSTED. The kernel obligations: the shipped NumPy rules, run on symbols, equal the specification.

The run enters at the table entry that jvp() and vjp() themselves call: OPS[name].evaluate, .jvp, .vjp. Every element of
the result is compared with the specification's term at the same shape, for all real inputs, on every path, as
symbolic/comparison.py says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np

import gradproof
from gradproof.op import OPS as RUNTIME
from gradproof.op import Op as RuntimeOp

from ..evaluate import Environment, Symbols
from ..obligations import PASSING, Obligation, Outcome, Verdict
from ..op import OPS
from ..solver import Solver
from ..symbolic import Exploration, Path, Unsupported, as_terms, explore, symbols, undischarged
from ..symbolic.comparison import Comparison, Different
from ..terms import Condition, Scalar, access, equal, to_scalar
from .cases import Correspondence, correspondence, file_of
from .examples import EXAMPLES, Example
from .sampling import differing_input

SAMPLES = 3
MAX_PATHS = 64


# ---------------------------------------------------------------- running the kernel
def read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


@dataclass
class Run:
    """What a direction of the runtime gives on symbols: arrays by name (y; dy; gx, gweight, ...)."""

    example: Example
    direction: str
    link: Correspondence = field(init=False)
    fixed: Mapping[str, int] = field(default_factory=dict)  # inputs that are this number everywhere
    still: frozenset[str] = frozenset()  # inputs whose tangent is None, which stands for zero

    def __post_init__(self) -> None:
        self.link = correspondence(self.example.op, self.example.shapes, self.example.attributes)

    @property
    def op(self) -> RuntimeOp:
        return RUNTIME[self.example.op]

    def names(self) -> list[str]:
        return [t.name for t in self.link.passed]

    @property
    def label(self) -> str:
        return f"kernel[{self.example.op}-{self.direction}-{self.example.name}]"

    def attributes(self) -> dict[str, Any]:
        """Real attributes are symbols too, so the proof holds for every value of them."""
        return {
            n: (symbols(n, ()) if n in self.link.case.op.reals else v) for n, v in self.example.attributes.items()
        }

    def real_attribute(self, name: str) -> Scalar:
        """What stands for it in the specification."""
        return access(name)

    def hypotheses(self) -> tuple[Condition, ...]:
        """The domain; a real attribute that is a number is that number there too."""
        reals = ((access(p), self.real_attribute(p)) for p in self.link.case.op.reals)
        return (*self.link.case.value_hypotheses(), *(equal(a, b) for a, b in reals if a != b))

    def integers(self) -> dict[str, Any]:
        """The integer or Boolean input by name."""
        dtypes = {"int": int, "bool": bool}
        shapes = dict(zip(self.names(), self.example.shapes, strict=True))
        return {
            t.name: read_only(np.array(self.example.indices, dtypes[t.kind]).reshape(shapes[t.name]))
            for t in self.link.case.inputs
            if t.integer and t.name in shapes
        }

    def inputs(self, prefix: str = "") -> tuple[Any, ...]:
        """The inputs, or (prefix d) their tangents: None for what has none."""
        integers, moves = self.integers(), self.link.case.differentiable
        found: list[Any] = []
        for n, shape in zip(self.names(), self.example.shapes, strict=True):
            if prefix and (n not in moves or n in self.still):
                found.append(None)
            else:
                found.append(integers[n] if n in integers else symbols(prefix + n, shape))
        return tuple(found)

    def __call__(self) -> dict[str, Any]:
        inputs, attributes = self.inputs(), self.attributes()
        out_shape = self.op.shape(*self.example.shapes, **self.example.attributes)
        with self.link.drawing(symbols, attributes):
            found = self.compute(inputs, self.inputs("d"), symbols("g", out_shape), attributes)
        return {name: as_terms(array) for name, array in found.items()}

    def compute(self, inputs: Any, tangents: Any, g: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The results of this direction, from symbols or floats."""
        out, residual = self.op.evaluate(inputs, **attributes)
        for array in (out, *(residual or ())):  # the caller keeps the output, the tape keeps the residual
            if isinstance(array, np.ndarray):
                read_only(array)
        y = self.link.case.output.name
        if self.direction == "forward":
            return {y: out}
        if self.direction == "jvp":
            return {"d" + y: self.op.jvp(tangents, inputs, out, residual, **attributes)}
        wanted = tuple(n in self.link.case.differentiable for n in self.names())
        cotangents = self.op.vjp(g, inputs, out, residual, wanted, **attributes)
        return {"g" + n: c for n, c, w in zip(self.names(), cotangents, wanted, strict=True) if w}

    def explore(self) -> Exploration:
        return explore(self, max_paths=MAX_PATHS)


# ---------------------------------------------------------------- the specification at the same shape
def specification(run: Run) -> dict[str, Any]:
    """The arrays that the run must give, in specification layout."""
    link, case = run.link, run.link.case
    env = environment(run)
    found: dict[str, Any] = {}

    def array(rule: Any, tensor: str) -> Any:
        term, names = rule(case.indices(tensor)), case.index_names(tensor)
        values = np.empty(tuple(env.index(n) for n in case.shape(tensor)), dtype=object)
        for i in product(*map(range, values.shape)):
            env.sizes.update(zip(names, i, strict=True))
            values[i] = to_scalar(env.scalar(term))
        return values

    if run.direction != "vjp":
        rule = case.jvp if run.direction == "jvp" else case.forward
        found[("d" if run.direction == "jvp" else "") + case.output.name] = array(rule, "g")
    else:
        for x in case.differentiable:
            if x not in link.absent and x not in run.fixed:
                found["g" + x] = array(partial(case.vjp, x), x)
    return found


def environment(run: Run) -> Environment:
    """Accesses in specification layout read the runtime's symbols."""
    link, case = run.link, run.link.case
    tensors: dict[str, Any] = {}

    def reader(values: Any) -> Any:
        return lambda *i: to_scalar(values[i])

    shapes = dict(zip(run.names(), run.example.shapes, strict=True))
    shapes |= {n: x.shape for n, x in link.drawn(run.example.attributes).items()}
    for t in case.inputs:
        for prefix in ("", "d"):
            if t.name in link.absent or t.name in run.fixed or (prefix and t.name in run.still):
                number = 0 if prefix or t.name in link.absent else run.fixed[t.name]
                tensors[prefix + t.name] = lambda *i, number=number: to_scalar(number)
            elif not t.integer and (not prefix or not t.kind):
                tensors[prefix + t.name] = reader(link.to_spec(t.name, names_of(prefix + t.name, shapes[t.name])))
    out_shape = run.op.shape(*run.example.shapes, **run.example.attributes)
    tensors["g"] = reader(link.to_spec(case.output.name, names_of("g", out_shape)))
    for p in case.op.reals:
        tensors[p] = lambda p=p: run.real_attribute(p)
    laid_out = {n: link.to_spec(n, x) for n, x in run.integers().items()}
    integers = {n: (lambda *i, x=x: int(x[i])) for n, x in laid_out.items()}
    return Environment(case, dict(link.sizes), tensors, integers, Symbols())


def names_of(name: str, shape: Sequence[int]) -> Any:
    """The elements of a runtime array as terms, in a plain object array."""
    values = np.empty(tuple(shape), dtype=object)
    for i in product(*map(range, shape)):
        values[i] = access(name, *i)
    return values


class WrongShape(Exception):
    """The result has another shape than the specification's."""


# ---------------------------------------------------------------- one obligation
def prove_run(run: Run) -> Outcome:
    label = run.label
    try:
        exploration = run.explore()
    except Unsupported as e:
        return Outcome(
            Verdict.UNSUPPORTED, f"UNSUPPORTED  {label}\n\n  the kernel uses what the symbolic run does not model: {e}"
        )
    except Exception as e:
        found = differing_input(run)
        verdict = Verdict.REFUTED if found else Verdict.UNSUPPORTED
        return Outcome(
            verdict, f"{verdict}  {label}\n\n  {found or 'on floats it runs'}\n\n  on symbols: {type(e).__name__}: {e}"
        )
    if not exploration.complete:
        return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  {exploration.reason}")
    expected = specification(run)
    case = run.link.case
    linear_in = {"jvp": frozenset("d" + x for x in case.differentiable), "vjp": frozenset({"g"})}.get(
        run.direction, frozenset()
    )
    tiers: dict[str, int] = {}
    for path in exploration.paths:
        solver = Solver(known=lambda x: case.element_condition(x.args[0], x))
        try:
            failure = _failure_of(run, path, expected, solver, linear_in, tiers)
        except WrongShape as e:
            return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {e}")
        if failure is not None:
            from .replay import witness

            return witness(run, failure, label)
    differing = differing_input(run, tries=1)  # the code that floats take: a branch on the dtype would be seen here
    if differing:
        return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {differing}\n\n  on symbols the same rule is right")
    return Outcome(
        Verdict.PROVED,
        data={
            "paths": len(exploration.paths),
            "elements": tiers,
            "decimal_constants": sorted(exploration.decimal_constants),
        },
    )


def _failure_of(
    run: Run, path: Path, expected: Mapping[str, Any], solver: Solver, linear_in: frozenset[str], tiers: dict[str, int]
) -> str | None:
    """What is not proved on this path, or None."""
    sample = cache(lambda: differing_input(run, tries=SAMPLES))
    domain = run.hypotheses()
    if path.conditions and solver.satisfiable([*domain, *path.conditions]) is False:
        return None
    open_conditions = undischarged(
        path.side_conditions,
        [list(path.result.values()), list(path.conditions)],
        domain,
        solver.valid,
        positive=run.link.case.positive,
    )
    if open_conditions:
        return f"side condition not shown: {open_conditions[0].kind}: {open_conditions[0].goal}"
    if set(path.result) != set(expected):
        return f"the kernel gives {sorted(path.result)}, the specification {sorted(expected)}"
    for name, want in expected.items():
        base = run.link.case.output.name if run.direction != "vjp" else name[1:]
        natural = (
            run.example.shapes[run.names().index(base)]
            if run.direction == "vjp"
            else run.op.shape(*run.example.shapes, **run.example.attributes)
        )
        if np.shape(path.result[name]) != tuple(natural):
            raise WrongShape(f"{name} has shape {np.shape(path.result[name])}, must have {tuple(natural)}.")
        got = run.link.to_spec(base, np.asarray(path.result[name], dtype=object).view(np.ndarray))
        if got.shape != want.shape:
            raise WrongShape(f"{name} has shape {got.shape} in the specification's layout, must have {want.shape}.")
        comparison = Comparison(solver, (*domain, *path.conditions), linear_in, tiers, sample)
        for i in product(*map(range, want.shape)):
            try:
                comparison.require_equal(to_scalar(got[i]), want[i])
            except Different as e:
                return f"{name}{list(i)}: {e}"
    return None


def runs_of(example: Example, direction: str) -> Iterator[Run]:
    """A rule of any number of inputs gets all tangents at once, so it is also run where one of them is None. Op.jvp
    leaves None out for the others."""
    run = Run(example, direction)
    yield run
    if direction == "jvp" and run.op.variadic and len(run.names()) > 1:
        for name in run.names():
            yield Run(example, direction, still=frozenset({name}))
        if len(run.names()) > 2:
            for name in run.names():
                yield Run(example, direction, still=frozenset(run.names()) - {name})


def prove_example(example: Example, direction: str) -> Outcome:
    outcomes = (prove_run(run) for run in runs_of(example, direction))
    first = next(outcomes)
    return next((o for o in (first, *outcomes) if o.verdict not in PASSING), first)


def no_examples(op: str) -> Outcome:
    text = f"there are no shapes to prove it at: add examples to {file_of(op)}"
    return Outcome(Verdict.FAILED, f"FAILED  kernel[{op}-examples]\n\n  {text}")


def obligations() -> Iterator[Obligation]:
    claims = {
        "forward": "evaluate on symbols = forward",
        "jvp": "jvp on symbols = jvp",
        "vjp": "vjp on symbols = vjp, every input",
    }
    for op in (op for op in OPS if op not in {example.op for example in EXAMPLES}):
        yield Obligation("kernel", op, "examples", "there are shapes to prove it at", "none", partial(no_examples, op))
    for example in EXAMPLES:
        moves = any(c.differentiable for c in OPS[example.op].cases)
        for direction, claim in claims.items() if moves else [("forward", claims["forward"])]:
            yield Obligation(
                "kernel",
                example.op,
                f"{direction}-{example.name}",
                claim,
                f"all reals at {example.over()}",
                partial(prove_example, example, direction),
            )


__all__ = ["Run", "gradproof", "obligations", "prove_run"]
