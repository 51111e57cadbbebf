"""report.json: what ran, what it found, with which versions; and the files beside it."""
from __future__ import annotations

import json
import os
import platform
import re
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ..cache import hash_of_sources, roots
from ..obligations import PASSING, Entry, Obligation, Outcome, Verdict
from ..open_obligations import OpenObligation, problem

LIBRARIES = ("numpy", "z3-solver", "sympy", "mpmath", "hypothesis")
ENTRY_TEXTS = ("id", "op", "kind", "case", "claim", "over", "verdict", "message", "smtlib", "replay")


class ReportError(ValueError):
    """A file that is no report of ours: the message names the file and what is wrong with it."""


@cache
def versions() -> dict[str, str]:
    """Everything that can change a verdict: this package, its sources, Python, the libraries."""
    return {"gradproof": metadata.version("gradproof"), "sources": hash_of_sources(roots())[:16],
            "python": platform.python_version()} | {name: metadata.version(name) for name in LIBRARIES}


def entry_json(entry: Entry, opened: Mapping[str, OpenObligation]) -> dict[str, Any]:
    """An entry of the report; `holds` is what exit codes go by: it passes, or is open exactly as listed."""
    found = entry.to_json() | {"holds": not problem(entry, opened)}
    if listed := opened.get(entry.id):
        found["open"] = {"verdict": str(listed.verdict), "residual": listed.residual, "reason": listed.reason}
    return found


def not_run(obligation: Obligation) -> dict[str, Any]:
    return Entry(obligation, Outcome(Verdict.NOT_RUN), 0.0).to_json() | {"holds": False}


def assemble(obligations: Iterable[Obligation], ran: Mapping[str, Mapping[str, Any]], ops: Mapping[str, Any],
             started: str, seconds: float) -> dict[str, Any]:
    """The whole record: every obligation there is, those that did not run as NOT_RUN."""
    entries = [dict(ran.get(o.id) or not_run(o)) for o in obligations]
    complete = all(e["verdict"] != Verdict.NOT_RUN for e in entries)
    return {"complete": complete, "versions": versions(), "started": started, "seconds": round(seconds, 2),
            "ops": dict(ops), "obligations": entries}


def write(report: Mapping[str, Any], out: Path) -> None:
    """Write report.json, index.html and, for what does not pass, script and query. No file is ever half there."""
    for entry in report["obligations"]:
        failed = entry["verdict"] not in PASSING and entry["verdict"] != Verdict.NOT_RUN
        for path, content in artefacts(entry).items():
            if failed and content:
                _write_atomically(out / path, content)
            else:
                (out / path).unlink(missing_ok=True)
    _write_atomically(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    write_page(report, out)


def write_page(report: Mapping[str, Any], out: Path) -> Path:
    """Make index.html from the record alone."""
    from .page import render

    path = out / "index.html"
    _write_atomically(path, render(report))
    return path


def artefacts(entry: Mapping[str, Any]) -> dict[str, str]:
    """The files of one entry, by path relative to the report: `adjoint/conv.py`, `adjoint/conv.smt2`."""
    name = "-".join(p for p in (entry["op"], entry["case"]) if p)
    stem = f"{file_name(entry['kind'])}/{file_name(name)}"
    return {f"{stem}.py": entry["replay"], f"{stem}.smt2": entry["smtlib"]}


def file_name(text: str) -> str:
    """The text as a name that is safe in every file system; names of obligations are left as they are."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip(".")[:150]
    return safe or "_"


def _write_atomically(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read(out: Path) -> dict[str, Any]:
    """The record in a report's folder; ReportError if there is none or it is not ours."""
    path = out / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReportError(f"{path} does not exist; `gradproof prove --out {out}` writes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ReportError(f"{path} is not JSON: {error}") from error
    check(report, str(path))
    return dict(report)


def check(report: Any, where: str) -> None:
    """Refuse a record whose parts have not the types that the page relies on."""
    types: dict[str, Any] = {"complete": bool, "versions": dict, "started": str, "seconds": (int, float), "ops": dict,
                             "obligations": list}
    for name, expected in types.items():
        if not isinstance(report, dict) or not isinstance(report.get(name), expected):
            raise ReportError(f"{where}: {name!r} is missing or of the wrong type")
    for number, entry in enumerate(report["obligations"]):
        if (not isinstance(entry, dict) or not all(isinstance(entry.get(n), str) for n in ENTRY_TEXTS)
                or not isinstance(entry.get("seconds"), (int, float)) or not isinstance(entry.get("data"), dict)
                or not isinstance(entry.get("holds"), bool)):
            raise ReportError(f"{where}: entry {number} of 'obligations' is not an entry of a report")
