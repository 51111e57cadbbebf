"""What `gradproof explain` says of one obligation: it is run again, watched, and what it did is written down."""
from __future__ import annotations

import ast
import functools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from .. import any_shape, lemmas, rewriting, solver
from ..cache import roots
from ..obligations import Entry, Obligation
from ..op import OPS
from ..printing import to_text
from ..prove import run
from ..terms import Condition, Scalar
from .page import NOT_SHOWN, plain

LIBRARIES = ("z3", "sympy", "mpmath", "hypothesis", "numpy")
# Of rewriting.py: a method, the name of its rule there, the lemmas of which it is an instance, and what it was given in
# the form in which it returns it: if that is not what it returns, the rule was used.
RULES: dict[str, tuple[str, tuple[str, ...], Callable[[Any], Any]]] = {
    "_eliminate_deltas": ("delta", ("delta",), lambda a: (a[1], list(a[2]), a[3])),
    "_necessary_guards": ("guard", ("congruence",), lambda a: list(a[2])),
    "_absorb_ranges": ("range", ("shift",), lambda a: (a[1], list(a[2]), a[3])),
    "_apply_congruence": ("congruence", ("congruence",), lambda a: a[3]),
    "_constant_sums": ("constant", ("constant", "scale"), lambda a: (a[1], [])),
    "_cancel_sums": ("cancel", ("scale",), lambda a: a[1]),
    "_clear_and_retry": ("clear", (), lambda a: False),
}
MOST_SHOWN, MOST_LETTERS = 12, 600


@dataclass
class Watched:
    """What happened while an obligation was decided."""

    steps: list[tuple[Scalar, Scalar, Sequence[Condition]]] = field(default_factory=list)  # left = right under these
    licences: dict[str, None] = field(default_factory=dict)  # what the solver showed to hold
    queries: list[tuple[str, str]] = field(default_factory=list)  # (text, answer)
    rules: Counter[str] = field(default_factory=Counter)
    lemmas: dict[str, None] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)  # of the code that ran


@contextmanager
def watching() -> Iterator[Watched]:
    """Every query, every equality that was shown, every rule that changed something, every file whose code ran."""
    seen = Watched()

    def beside(owner: Any, name: str, note: Callable[[Any, Any, Any], None],
               before: Callable[[Any], Any] = lambda _: None) -> None:
        """note(result, args, before(args)) after each call."""
        usual = getattr(owner, name)

        @functools.wraps(usual)
        def noted(*args: Any, **named: Any) -> Any:
            earlier = before(args)
            result = usual(*args, **named)
            note(result, args, earlier)
            return result

        patches.enter_context(patch.object(owner, name, noted))

    def licence(result: Any, args: Any, _: Any) -> None:
        if result is True:
            seen.licences[to_text(args[2])] = None

    def query(answer: Any, args: Any, _: Any) -> None:
        seen.queries.append((args[0], answer))

    def step(_: Any, args: Any, __: Any) -> None:
        seen.steps.append(args[1:4])

    def divided(*_: Any) -> None:
        seen.lemmas.update(division=None, quotient=None)

    def rule(name: str, lemma_names: Sequence[str]) -> Callable[[Any, Any, Any], None]:
        def note(result: Any, _: Any, earlier: Any) -> None:
            if result not in (False, earlier):
                seen.rules[name] += 1
                seen.lemmas.update(dict.fromkeys(lemma_names))

        return note

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        seen.files.add(frame.f_code.co_filename)

    with ExitStack() as patches:
        beside(any_shape.Proof, "require_equal", step)
        beside(solver.Solver, "valid", licence)
        beside(lemmas, "division_instances", divided)
        asking = [(m, name) for m in list(sys.modules.values()) if m.__name__.startswith("gradproof_spec.")
                  for name, value in list(vars(m).items()) if value is solver.check]
        for module, name in asking:
            beside(module, name, query)
        for method, (name, names, given) in RULES.items():
            beside(rewriting.Rewriter, method, rule(name, names), given)
        sys.setprofile(profile)
        try:
            yield seen
        finally:
            sys.setprofile(None)


def explain(obligation: Obligation) -> tuple[Entry, str, list[tuple[str, str]]]:
    """The entry, the text, and the queries with their answers."""
    solver.check.cache_clear()  # what was asked before is asked again, to be seen
    with watching() as seen:
        entry = run(obligation)
    return entry, "\n".join(lines(entry, seen)), seen.queries


def lines(entry: Entry, seen: Watched) -> Iterator[str]:
    o = entry.obligation
    yield f"{entry.verdict}  {o.id}    {entry.seconds:.2f} s, watched (which is slower)"
    yield ""
    yield from item("statement", o.claim)
    yield from item("over", o.over)
    if o.op in OPS:
        from .describe import describe

        facts = describe(OPS[o.op])
        formulas = facts["formulas"]
        yield from item("op", f"{o.op}    {facts['signature']}")
        shown = [formulas["forward"], formulas["jvp"], *formulas["vjp"].values()]
        yield from item("formulas", *(f["text"] for f in shown), *facts["where"])
        yield from item("hypotheses", ", ".join(facts["hypotheses"]))
        yield from item("domain", ", ".join(facts["domain"]))
        yield from item("kinks", *(f"at {where}: {slope}" for where, slope in facts["kinks"].items()))
        seen.lemmas |= dict.fromkeys(index_lemmas(o.op)) if o.kind in ("adjoint", "derivative", "bounds") else {}
    if entry.outcome.message:
        yield from item("says", *entry.outcome.message.splitlines())
    yield from item("found", *(f"{name.replace('_', ' ')}: {plain(value)}".replace("\n", "")
                               for name, value in entry.outcome.data.items()))
    yield from item("equalities", *some([f"{to_text(a)}  =  {to_text(b)}" for a, b, _ in seen.steps]))
    if seen.steps:
        yield from item("under", ", ".join(map(to_text, dict.fromkeys(h for _, _, hs in seen.steps for h in hs))))
    yield from item("rules", ", ".join(f"{name} {n} times" for name, n in seen.rules.items()))
    yield from item("licences", *some(list(seen.licences)))
    answers = Counter(answer for _, answer in seen.queries)
    told = ", ".join(f"{n} {answer}" for answer, n in answers.items())
    yield from item("queries", told or "none: no solver was asked")
    unsat = [text for text, answer in seen.queries if answer == "unsat"]
    if query := entry.outcome.smtlib or (unsat[-1] if unsat else ""):
        yield from item("a query", *shortened(query).splitlines())
    yield from item("rests on", *rests_on(seen))
    yield from item("not shown", NOT_SHOWN.get(o.kind, ""))
    yield from item("again", f'pytest "proofs/test_{o.kind}.py::test_{o.kind}[{o.name}]"')


def item(title: str, *texts: str) -> Iterator[str]:
    for n, text in enumerate(t for t in texts if t):
        yield f"  {'' if n else title:<12}{text}"


def some(texts: Sequence[str]) -> list[str]:
    more = [f"... and {len(texts) - MOST_SHOWN} more"] if len(texts) > MOST_SHOWN else []
    return [text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ..." for text in texts[:MOST_SHOWN]] + more


def shortened(query: str) -> str:
    """Its end, where the negated goal is; without the declarations, which are in the file that --queries writes."""
    lines = [line for line in query.splitlines() if not line.startswith("(declare")]
    return "\n".join([*(["..."] if len(lines) > MOST_SHOWN else []), *some(lines[-MOST_SHOWN:])])


def index_lemmas(op: str) -> list[str]:
    found = OPS[op]
    named = [found.index_functions.lemma] if found.index_functions else []
    return named + (["first_argmax"] if found.selections else [])


def rests_on(seen: Watched) -> Iterator[str]:
    """The trusted modules, the rules and the libraries whose code ran."""
    runtime, spec = roots()
    ran = {Path(f) for f in seen.files}
    own = sorted(p.relative_to(spec).as_posix() for p in ran if p.is_relative_to(spec) and is_trusted(p))
    yield f"trusted modules: {', '.join(own)}"
    rules = sorted(p.relative_to(spec.parent).as_posix() for p in ran if p.parent == spec / "ops")
    code = sorted(p.relative_to(runtime.parent).as_posix() for p in ran if p.is_relative_to(runtime))
    yield f"the specification: {', '.join(rules)}" if rules else ""
    yield f"the runtime: {', '.join(code)}" if code else ""
    yield f"lemmas: {', '.join('lemma[' + n.replace('_', '-') + ']' for n in seen.lemmas)}" if seen.lemmas else ""
    parts = {part for p in ran for part in p.parts}
    libraries = [name for name in LIBRARIES if name in parts]
    yield f"libraries: {', '.join(libraries)}" if libraries else ""


def is_trusted(path: Path) -> bool:
    try:
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    except (OSError, SyntaxError):
        return False
    return doc.startswith("TRUSTED.")
