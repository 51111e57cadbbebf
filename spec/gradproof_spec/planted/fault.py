"""A planted wrong rule, and the obligation that it is refuted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .. import any_shape, laws  # noqa: F401  `laws` states them
from ..law import LAWS
from ..law import prove as prove_law
from ..obligations import Obligation, Outcome, Verdict
from ..op import OPS, Op


@dataclass(frozen=True)
class Planted:
    """A wrong rule. `rules` replaces forward, jvp or the VJP of an input; `fields` replaces fields of the op.

    kind   what must refute it, and for `law` the name of the law
    """

    op: str
    name: str
    kind: str
    rules: dict[str, Callable[..., Any]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    law: str = ""

    def wrong_op(self) -> Op:
        wrong = copy.copy(OPS[self.op])
        wrong.vjps = dict(wrong.vjps)
        for name, rule in self.rules.items():
            if name == "forward":
                wrong.forward_rule = rule
            elif name == "jvp":
                wrong.jvp_rule = rule
            else:
                wrong.vjps[name] = rule
        for name, value in self.fields.items():
            setattr(wrong, name, value)
        return wrong


PLANTED: list[Planted] = []


def plant(
    op: str, name: str, kind: str, fields: dict[str, Any] | None = None, law: str = "", **rules: Callable[..., Any]
) -> None:
    PLANTED.append(Planted(op, name, kind, rules, fields or {}, law))


def outcome_of(planted: Planted) -> Outcome:
    wrong = planted.wrong_op()
    if planted.kind != "law":
        return any_shape.check(planted.kind, wrong)
    return prove_law(next(w for w in LAWS if (w.op, w.name) == (planted.op, planted.law)), wrong)


def check_planted(planted: Planted) -> Outcome:
    """CAUGHT if the named kind refutes it (for a malformed kink or domain: rejects it for the stated reason)."""
    outcome = outcome_of(planted)
    if outcome.verdict in (Verdict.REFUTED, Verdict.VACUOUS):
        return Outcome(
            Verdict.CAUGHT,
            outcome.message.splitlines()[2].strip(),
            {"by": planted.kind, "verdict": str(outcome.verdict)},
        )
    return Outcome(
        Verdict.MISSED,
        f"MISSED  refutes[{planted.op}-{planted.name}]\n\n  {planted.kind} says {outcome.verdict}\n\n{outcome.message}",
    )


def obligations() -> Iterator[Obligation]:
    for planted in PLANTED:
        yield Obligation(
            "refutes",
            planted.op,
            planted.name,
            f"this wrong rule is refuted by {planted.kind}",
            "a planted fault",
            partial(check_planted, planted),
        )
