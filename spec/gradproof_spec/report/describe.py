"""What the report and `gradproof show` say about an op: its signature, formulas, hypotheses, domain and kinks."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..any_shape import kinks
from ..op import OPS, Case, Op, Selection
from ..printing import to_latex, to_text
from ..terms import Index, Scalar, Term, replace, variable

PACKAGE = Path(__file__).resolve().parents[1]
RANK = 4  # of input and output together: the form shown of an op with a form per rank
FORM = "2 spatial axes"  # the form shown of convolutions and pools


def shown_case(op: Op) -> Case:
    """The case whose formulas are shown: images, the fewest batch axes, the most inputs, a middling rank."""
    def preference(case: Case) -> tuple[bool, int, int, int, int]:
        rank, rank_out = len(case.inputs[0].axes), len(case.output.axes)
        return case.label != FORM, case.batch, -len(case.inputs), abs(rank + rank_out - RANK), abs(rank - rank_out)

    return min(op.cases, key=preference)


def describe_all() -> dict[str, dict[str, Any]]:
    """Every registered op."""
    from .. import ops  # noqa: F401  registers them

    return {name: describe(op) for name, op in OPS.items()}


def describe(op: Op) -> dict[str, Any]:
    """JSON-ready facts about an op."""
    case = shown_case(op)
    output = case.output.name
    o = case.indices(output)
    formulas = {"forward": _formula(case, output, o, case.forward(o)),
                "jvp": _formula(case, "d" + output, o, case.jvp(o)),
                "vjp": {name: _formula(case, "g" + name, i, case.vjp(name, i))
                        for name in case.differentiable for i in [case.indices(name)]}}
    return {"signature": op.signatures[case.label], "forms": [s for s in op.signatures if s], "over": op.over(),
            "attributes": list(op.attributes), "reals": list(op.reals), "formulas": formulas,
            "where": [*(f"{name} = {to_text(extent)}" for name, extent in _computed_extents(case).items()),
                      *(_selection(case, s) for s in op.selections.values()), *_index_functions(op)],
            "hypotheses": [to_text(c) for c in case.hypotheses()] + [to_text(c) for c in case.element_hypotheses()],
            "domain": [to_text(c) for c in op.domain(case.size())] if op.domain else [],
            "kinks": _kinks(case),
            "code": "\n".join(inspect.getsource(r) for r in (op.forward_rule, op.jvp_rule, *op.vjps.values()) if r),
            "source": op.source, "defined": _place(op.forward_rule)}


def _kinks(case: Case) -> dict[str, str]:
    """What the JVP is where two branches meet."""
    op = case.op
    found = {k.name: f"{op.kinks[k.name]} of the slope where {to_text(k.guard)}, "
                     f"{1 - op.kinks[k.name]} of that on the other side"
             for k in (kinks(case) if op.kinks else ()) if k.name in op.kinks}
    tied = {"first": "the slope of the first of the best", "shared": "the mean of the slopes of the best"}
    return found | {f"a tie of {name}": tied[op.ties] for name in op.selections}


def _formula(case: Case, name: str, indices: Sequence[Index], value: Scalar) -> dict[str, str]:
    value = _with_named_extents(case, value)
    left = f"{name}[{','.join(map(to_text, indices))}]" if indices else name
    left_latex = rf"\mathit{{{name}}}" + (f"_{{{','.join(map(to_latex, indices))}}}" if indices else "")
    return {"text": f"{left} = {to_text(value)}", "latex": f"{left_latex} = {to_latex(value)}"}


def _computed_extents(case: Case) -> dict[str, Index]:
    """The op's own extents. One that is a constant belongs to an axis that this form lacks."""
    extents = {name: rule(case.size()) for name, rule in case.op.extents.items()}
    return {name: extent for name, extent in extents.items() if extent.op != "constant"}


def _with_named_extents(case: Case, value: Scalar) -> Scalar:
    """The same formula with P for the op's own extent P = (H + ...) // stride + 1."""
    names = {extent: name for name, extent in _computed_extents(case).items()}

    def step(t: Term) -> Term | None:
        return variable(names[t]) if isinstance(t, Index) and t in names else None

    return replace(value, step)


def _selection(case: Case, selection: Selection) -> str:
    arguments = [variable(n) for n in case.selection_arguments(selection)]
    cell = [variable(c) for c in selection.candidates]
    real, value = case.candidate(selection, arguments, cell)
    candidates = ", ".join(selection.candidates)
    among = f" with {to_text(real)}" if to_text(real) != "true" else ""
    where = f"[{','.join(map(to_text, arguments))}]" if arguments else ""
    return f"{selection.name}{where} = the first ({candidates}){among} at which {to_text(value)} is largest"


def _index_functions(op: Op) -> list[str]:
    if op.index_functions is None:
        return []
    names, lemma = ", ".join(op.index_functions.names), op.index_functions.lemma
    return [f"{names}: index functions known by the lemma {lemma} alone"]


def _place(rule: Callable[..., Any] | None) -> str:
    if rule is None:
        return ""
    path, line = Path(inspect.getsourcefile(rule) or "").resolve(), inspect.getsourcelines(rule)[1]
    inside = path.relative_to(PACKAGE.parent).as_posix() if path.is_relative_to(PACKAGE) else path.name
    return f"{inside}:{line}"


def as_text(name: str, facts: dict[str, Any]) -> str:
    """The op as `gradproof show` prints it."""
    formulas = facts["formulas"]
    items = [("forward", formulas["forward"]["text"]), ("jvp", formulas["jvp"]["text"])]
    items += [(f"vjp {x}", f["text"]) for x, f in formulas["vjp"].items()]
    items += [("where", text) for text in facts["where"]]
    items += [("hypotheses", ", ".join(facts["hypotheses"]))] if facts["hypotheses"] else []
    items += [("kinks", f"at {where}: {slope}") for where, slope in facts["kinks"].items()]
    items += [("over", facts["over"])]
    items += [(title, facts[key]) for title, key in (("source", "source"), ("defined in", "defined")) if facts[key]]
    width = max(len(title) for title, _ in items) + 2
    lines, previous = [], ""
    for title, text in items:
        lines.append(f"  {'' if title == previous else title:<{width}}{text}")
        previous = title
    return "\n".join([f"{name}    {facts['signature']}", "", *lines])
