"""A planted wrong rule, and the obligation that it is refuted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .. import any_shape
from ..obligations import Obligation, Outcome, Verdict
from ..op import OPS, Op


@dataclass(frozen=True)
class Planted:
    """A wrong rule. `rules` replaces forward, jvp or the VJP of an input; `fields` replaces fields of the op."""

    op: str
    name: str
    kind: str
    rules: dict[str, Callable[..., Any]] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

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


def plant(op: str, name: str, kind: str, fields: dict[str, Any] | None = None, **rules: Callable[..., Any]) -> None:
    PLANTED.append(Planted(op, name, kind, rules, fields or {}))


def check_planted(planted: Planted) -> Outcome:
    """CAUGHT if the named kind refutes it (for a malformed kink or domain: rejects it for the stated reason)."""
    outcome = any_shape.check(planted.kind, planted.wrong_op())
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
