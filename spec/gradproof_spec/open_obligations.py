"""Reading open.toml, the list of obligations known to be open, and holding every outcome against it."""
from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from .obligations import PASSING, Entry, Obligation, Verdict

OPEN_TOML = Path(__file__).with_name("open.toml")


class OpenListError(ValueError):
    """open.toml does not say what it must: the message names the entry and the remedy."""


@dataclass(frozen=True)
class OpenObligation:
    """An obligation that is expected to end with this verdict, which does not pass, and to leave this residual."""

    id: str
    verdict: Verdict
    residual: str
    reason: str


def read(path: Path = OPEN_TOML) -> dict[str, OpenObligation]:
    """The entries of open.toml by id."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise OpenListError(f"{path.name}: {error}") from error
    if unknown := sorted(set(content) - {"open"}):
        raise OpenListError(f"{path.name}: unknown table {', '.join(unknown)}; every entry is an [[open]]")
    found: dict[str, OpenObligation] = {}
    for number, table in enumerate(content.get("open", []), 1):
        entry = _entry(f"{path.name}, entry {number}", table)
        if entry.id in found:
            raise OpenListError(f"{path.name}: {entry.id} is listed twice")
        found[entry.id] = entry
    return found


def _entry(where: str, table: Mapping[str, object]) -> OpenObligation:
    expected = {f.name for f in fields(OpenObligation)}
    if set(table) != expected or not all(isinstance(v, str) for v in table.values()):
        raise OpenListError(f"{where}: has {', '.join(sorted(table))}; "
                            f"needs exactly the texts {', '.join(sorted(expected))}")
    texts = {name: str(value) for name, value in table.items()}
    verdicts = [str(v) for v in Verdict if v not in PASSING and v is not Verdict.NOT_RUN]
    if texts["verdict"] not in verdicts:
        raise OpenListError(f"{where}: verdict is {texts['verdict']!r}; must be one of {', '.join(verdicts)}")
    if not texts["reason"].strip():
        raise OpenListError(f"{where}: the reason is empty")
    return OpenObligation(texts["id"], Verdict(texts["verdict"]), texts["residual"], texts["reason"])


def unmatched(opened: Mapping[str, OpenObligation], obligations: Iterable[Obligation]) -> list[str]:
    """One error text per open entry that names no obligation."""
    known = {o.id for o in obligations}
    return [f"open.toml lists {i}, which names no obligation: remove or correct it" for i in opened if i not in known]


def problem(entry: Entry, opened: Mapping[str, OpenObligation]) -> str:
    """What is wrong with an outcome, as the user reads it; "" if it passes or is open exactly as listed."""
    listed = opened.get(entry.id)
    if listed is None:
        return "" if entry.passed else entry.outcome.message or f"{entry.verdict}  {entry.id}"
    if entry.passed:
        return (f"{entry.verdict}  {entry.id}\n\n  open.toml lists it as {listed.verdict}, but it passes now: "
                f"remove its entry.")
    residual = str(entry.outcome.data.get("residual", ""))
    if entry.verdict is not listed.verdict:
        difference = f"open.toml lists it as {listed.verdict}, but it ended with {entry.verdict}."
    elif residual != listed.residual:
        difference = f"open.toml lists the residual {listed.residual!r}, but it is {residual!r}."
    else:
        return ""
    return f"{entry.outcome.message or f'{entry.verdict}  {entry.id}'}\n\n  {difference}"
