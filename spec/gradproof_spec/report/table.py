"""The table of what is proved, as Markdown: `python -m gradproof_spec.report.table`. A test compares the README's.

It is made from the list of obligations, not from a run: what stands here is what `gradproof prove` has to discharge.
"""
from __future__ import annotations

from collections import Counter

from ..any_shape import has_kink
from ..obligations import KINDS
from ..op import OPS


def markdown() -> str:
    """Ops by kinds; a cell is the number of obligations, – where the kind does not apply (itself an obligation)."""
    from ..prove import all_obligations

    obligations = all_obligations()
    counts = Counter((o.op, o.kind) for o in obligations)
    rows = [*OPS, *([""] if any(not o.op for o in obligations) else [])]
    lines = [_line(["op", *KINDS]), _line(["---", *("---:" for _ in KINDS)])]
    lines += [_line([f"`{op}`" if op else "(no single op)", *(_cell(op, kind, counts) for kind in KINDS)])
              for op in rows]
    totals = Counter(o.kind for o in obligations)
    return "\n".join([*lines, _line(["**all**", *(str(totals[kind]) for kind in KINDS)])]) + "\n"


def _cell(op: str, kind: str, counts: Counter[tuple[str, str]]) -> str:
    if kind == "kink" and op and not any(map(has_kink, OPS[op].cases)):
        return "–"
    return str(counts[op, kind]) if counts[op, kind] else ""


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(markdown(), end="")
