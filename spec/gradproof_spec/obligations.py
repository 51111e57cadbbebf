"""What an obligation is: a statement with an id, and a check that returns a verdict.

Each kind's own module makes the list of its obligations; `prove` assembles them. One obligation is one test of
`pytest proofs/` and one entry of the report.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

KINDS = {
    "bounds": "every access is inside its tensor, divisors are not 0, hypotheses are satisfiable",
    "derivative": "the JVP is the derivative of the forward, off kinks",
    "adjoint": "<jvp(dx), g> = <dx, vjp(g)> for every input",
    "kink": "at each tie or boundary the rule is the declared convention, a Clarke subgradient",
    "shape": "the runtime's shape rule gives the specification's extents",
    "flat": "derivative and adjoint at concrete small shapes, by sympy.diff and z3 without our normal form",
    "kernel": "the shipped NumPy code, run on symbols, equals the specification",
    "lowering": "a compiled graph computes what it denotes: value, tangent and cotangents",
    "float": "the shipped NumPy code in floats stays within the derived error bound of the exact value",
    "law": "an identity between ops",
    "lemma": "base and step of a lemma that the prover uses",
    "refutes": "a planted wrong rule, or the mutants of a rule, are caught",
}


class Verdict(StrEnum):
    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNKNOWN = "UNKNOWN"
    VACUOUS = "VACUOUS"
    UNSUPPORTED = "UNSUPPORTED"
    TESTED = "TESTED"
    FAILED = "FAILED"
    CAUGHT = "CAUGHT"
    MISSED = "MISSED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    NOT_RUN = "NOT_RUN"


PASSING = frozenset({Verdict.PROVED, Verdict.TESTED, Verdict.CAUGHT, Verdict.NOT_APPLICABLE})


@dataclass
class Outcome:
    """What a check found.

    verdict   one of the closed list
    message   for a verdict that does not pass: the whole text the user reads (what is wrong first); else one line or ""
    data      JSON-ready facts for the report (queries, examples, largest error, mutants, counterexample, ...)
    smtlib    the deciding query, where one decided it
    replay    a NumPy-only Python script that shows the counterexample, where there is one
    """

    verdict: Verdict
    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    smtlib: str = ""
    replay: str = ""


@dataclass(frozen=True)
class Obligation:
    """A statement that is proved, tested or caught.

    kind    a key of KINDS (a column of the report)
    op      the op's name, or "" for lemmas
    case    what distinguishes it among those of the same kind and op, in [a-z0-9_.-]; "" if it is the only one
    claim   the statement in symbols
    over    what it ranges over, in words
    check   does the work; called once
    """

    kind: str
    op: str
    case: str
    claim: str
    over: str
    check: Callable[[], Outcome] = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        return "-".join(p for p in (self.op, self.case) if p)

    @property
    def id(self) -> str:
        return f"{self.kind}[{self.name}]"


@dataclass
class Entry:
    """An obligation with its outcome: one entry of the report."""

    obligation: Obligation
    outcome: Outcome
    seconds: float
    cached: bool = False  # found by an earlier run of the very same sources and libraries

    @property
    def id(self) -> str:
        return self.obligation.id

    @property
    def verdict(self) -> Verdict:
        return self.outcome.verdict

    @property
    def passed(self) -> bool:
        return self.verdict in PASSING

    def to_json(self) -> dict[str, Any]:
        o = self.obligation
        return {"id": o.id, "op": o.op, "kind": o.kind, "case": o.case, "claim": o.claim, "over": o.over,
                "verdict": str(self.verdict), "seconds": round(self.seconds, 4), "cached": self.cached,
                "message": self.outcome.message, "data": self.outcome.data, "smtlib": self.outcome.smtlib,
                "replay": self.outcome.replay}
