"""index.html from report.json alone: one file that needs no network and no script."""
from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError

from ..obligations import KINDS, PASSING, Verdict
from .record import ReportError, artefacts

Json = Mapping[str, Any]

# What a passing entry of a kind does not show: read beside what it claims.
NOT_SHOWN = {
    "bounds": "Whether the value is right. Real numbers, not floats: no overflow is excluded.",
    "derivative": "Anything at a kink (see kink), and rounding: the statement is about real numbers.",
    "adjoint": "That the JVP is right: a slope that JVP and VJP share wrongly is seen by derivative and kink only.",
    "kink": "Compositions: relu(x) - relu(-x) has slope 0 at 0 though its derivative is 1. Per op only.",
    "shape": "The values in the array.",
    "flat": "Other shapes than those listed; it is the second, independent route beside the proofs for all shapes.",
    "kernel": "Other shapes than those listed; rounding, overflow, nan and inf, as the symbols are real numbers.",
    "lowering": "That the graph is the program that was meant; rounding; what the ops themselves do (see kernel).",
    "float": "A proof: TESTED means that many inputs were tried and none left the bound.",
    "law": "Rounding: the two sides may differ in floats.",
    "lemma": "That the prover applies the lemma correctly; trusted, and tested on random points.",
    "refutes": "That every wrong rule is caught: only these were planted.",
}

# A mark and a word for each verdict: colour is never alone.
MARKS = {Verdict.PROVED: "✓", Verdict.TESTED: "≈", Verdict.CAUGHT: "✓", Verdict.REFUTED: "✗", Verdict.FAILED: "✗",
         Verdict.MISSED: "✗", Verdict.UNKNOWN: "?", Verdict.VACUOUS: "∅", Verdict.UNSUPPORTED: "?",
         Verdict.NOT_APPLICABLE: "–", Verdict.NOT_RUN: "○"}
# The verdict that stands for several in a cell of the table: the first of these that occurs.
PRECEDENCE = (Verdict.REFUTED, Verdict.FAILED, Verdict.MISSED, Verdict.VACUOUS, Verdict.UNKNOWN, Verdict.UNSUPPORTED,
              Verdict.NOT_RUN, Verdict.TESTED, Verdict.CAUGHT, Verdict.PROVED, Verdict.NOT_APPLICABLE)
SLOWEST = 10


@dataclass
class Cell:
    """One op and kind of the table."""

    verdict: str
    mark: str
    style: str
    link: str
    text: str  # "proved", "proved 3", "unknown (open) 1 of 3"


@dataclass
class Row:
    """One entry."""

    anchor: str
    json: Json
    mark: str
    style: str
    files: list[str]
    facts: list[tuple[str, str]]


@dataclass
class Section:
    """One op, or the entries of a kind that belong to no op."""

    name: str
    anchor: str
    op: Json | None = None
    rows: list[Row] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        present = {r.json["kind"] for r in self.rows}
        return [k for k in KINDS if k in present] + sorted(present - set(KINDS))


class Anchors:
    """Ids of the page: readable, safe in a link, no two alike."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def new(self, text: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-") or "entry"
        anchor, number = base, 1
        while anchor in self.taken:
            number += 1
            anchor = f"{base}-{number}"
        self.taken.add(anchor)
        return anchor


def render(report: Json) -> str:
    entries: list[Json] = report["obligations"]
    anchors = Anchors()
    for fixed in ("summary", "table", "kinds", "slowest", "versions"):
        anchors.new(fixed)
    sections = make_sections(report["ops"], entries, anchors)
    rows = [r for s in sections for r in s.rows]
    ran = [r for r in rows if r.json["verdict"] != Verdict.NOT_RUN]
    not_holding = [r for r in ran if not r.json["holds"]]
    kinds = [k for k in KINDS if any(k in s.kinds for s in sections)]
    environment = Environment(loader=PackageLoader("gradproof_spec.report", "."), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.get_template("page.html.j2").render(
            report=report, sections=sections, kinds=kinds, statements=KINDS, not_shown=NOT_SHOWN,
            counts=counts(entries), rows=rows, ran=ran, not_holding=not_holding,
            opened=[r for r in ran if "open" in r.json], cached=sum(bool(e.get("cached")) for e in entries),
            cells={s.anchor: {k: cell(s, k) for k in s.kinds} for s in sections},
            slowest=sorted(ran, key=lambda r: -float(r.json["seconds"]))[:SLOWEST], seconds=seconds_text)
    except UndefinedError as error:
        raise ReportError(f"the record lacks something that the page shows: {error}") from error


def make_sections(ops: Json, entries: Iterable[Json], anchors: Anchors) -> list[Section]:
    """One per op in the order of registration, then one per kind for entries without an op."""
    sections = {name: Section(name, anchors.new(f"op-{name}"), facts) for name, facts in ops.items()}
    for entry in entries:
        name = entry["op"]
        if name not in sections:
            name = name or f"{entry['kind']} (of no single op)"
            sections.setdefault(name, Section(name, anchors.new(f"op-{name}")))
        sections[name].rows.append(row(entry, anchors))
    return list(sections.values())


def row(entry: Json, anchors: Anchors) -> Row:
    failed = entry["verdict"] not in PASSING and entry["verdict"] != Verdict.NOT_RUN
    files = [path for path, content in artefacts(entry).items() if content and failed]
    facts = [(str(name).replace("_", " "), plain(value)) for name, value in entry["data"].items()]
    anchor = anchors.new(f"{entry['kind']}-{entry['op']}-{entry['case']}")
    return Row(anchor, entry, mark(entry["verdict"]), style(entry), files, facts)


def cell(section: Section, kind: str) -> Cell:
    rows = [r for r in section.rows if r.json["kind"] == kind]
    found = Counter(r.json["verdict"] for r in rows)
    verdict = next((str(v) for v in PRECEDENCE if found[v]), next(iter(found)))
    first = next(r for r in rows if r.json["verdict"] == verdict)
    word = "n/a" if verdict == Verdict.NOT_APPLICABLE else verdict.lower().replace("_", " ")
    if first.style == "open":
        word += " (open)"
    number = "" if len(rows) == 1 else f" {len(rows)}" if len(found) == 1 else f" {found[verdict]} of {len(rows)}"
    return Cell(verdict, mark(verdict), first.style, first.anchor, word + number)


def counts(entries: Sequence[Json]) -> list[tuple[str, list[tuple[str, int]]]]:
    """How many entries ended how; what was proved and what was tested stand apart."""
    found = Counter(e["verdict"] for e in entries)
    groups = {"Proved": (Verdict.PROVED,), "Tested, not proved": (Verdict.TESTED,),
              "Wrong rules planted": (Verdict.CAUGHT, Verdict.MISSED),
              "Not proved": (Verdict.REFUTED, Verdict.FAILED, Verdict.UNKNOWN, Verdict.VACUOUS, Verdict.UNSUPPORTED),
              "Nothing claimed": (Verdict.NOT_APPLICABLE, Verdict.NOT_RUN)}
    always = (Verdict.PROVED, Verdict.TESTED, Verdict.CAUGHT, Verdict.REFUTED)
    return [(title, [(str(v), found[v]) for v in verdicts if found[v] or v in always])
            for title, verdicts in groups.items()]


def mark(verdict: str) -> str:
    return MARKS.get(Verdict(verdict), "?") if verdict in list(Verdict) else "?"


def style(entry: Json) -> str:
    """The class of an entry: what colours it."""
    verdict = entry["verdict"]
    if verdict in (Verdict.NOT_APPLICABLE, Verdict.NOT_RUN):
        return "none"
    if "open" in entry and entry["holds"]:
        return "open"
    if not entry["holds"]:
        return "bad"
    return "tested" if verdict == Verdict.TESTED else "good"


def plain(value: Any) -> str:
    """A fact as a reader wants it: lists of texts and numbers on one line, anything deeper as JSON."""
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(v, (str, int, float)) for v in value):
        return ", ".join(map(str, value))
    return json.dumps(value, indent=1, ensure_ascii=False)


def seconds_text(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"
