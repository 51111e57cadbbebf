"""The commands of `gradproof`: prove, list, show, explain, verify, check, report."""
from __future__ import annotations

import difflib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import click

from . import cache, open_obligations
from .execution import run_all
from .obligations import KINDS, PASSING, Entry, Obligation, Verdict
from .report import record

INTERRUPTED = 130  # as a shell reports SIGINT


def find_obligations() -> Sequence[Obligation]:
    from .prove import all_obligations

    return all_obligations()


def default_out() -> Path:
    """proofs/report in a checkout, else ./gradproof-report."""
    in_checkout = Path("proofs/test_inventory.py").is_file() and Path("spec/gradproof_spec").is_dir()
    return Path("proofs/report" if in_checkout else "gradproof-report")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradproof", message="gradproof %(version)s")
def gradproof() -> None:
    """Prove every gradient rule of gradproof, for all shapes and all real inputs."""


op_names = click.argument("ops", nargs=-1, metavar="[OP]...")
kind_names = click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), metavar="KIND",
                          help=f"Only this kind; may be repeated. One of {', '.join(KINDS)}.")


@gradproof.command()
@op_names
@kind_names
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of the report; by default proofs/report in a checkout, else gradproof-report.")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes; by default one per core.")
@click.option("--no-cache", is_flag=True, help="Neither use nor keep results of other runs.")
def prove(ops: tuple[str, ...], kinds: tuple[str, ...], out: Path | None, jobs: int | None, no_cache: bool) -> None:
    """Prove the obligations of the given ops (of all, lemmas included, if none is given) and write the report.

    What passed in an earlier run of the very same sources and libraries is not done again. An interrupted run goes on
    where it stopped.

    Exit status: 0 if all of them pass or are open exactly as open.toml lists them, 1 if not, 2 on wrong usage, 130 if
    interrupted; the report then holds what was done.
    """
    from .report.describe import describe_all

    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.perf_counter()
    out = out or default_out()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        remedy = "name one that you may write to"
        raise click.UsageError(f"--out {out}: the folder cannot be made ({e.strerror}); {remedy}") from e
    everything = find_obligations()
    chosen = select(everything, ops, kinds)
    opened = open_obligations.read()
    described = describe_all()
    results = cache.Cache(None) if no_cache else cache.opened()
    known = [entry for o in chosen if (entry := results.get(o))]
    done = {entry.id for entry in known}
    to_run = [o for o in chosen if o.id not in done]
    ran: dict[str, dict[str, Any]] = {}
    problems: dict[str, str] = {}
    interrupted = False
    try:
        with show_progress(chosen) as progress:
            for entry in chain(known, run_all(find_obligations, to_run, jobs or os.cpu_count() or 1)):
                results.put(entry)
                ran[entry.id] = record.entry_json(entry, opened)
                if problem := open_obligations.problem(entry, opened):
                    problems[entry.id] = problem
                progress.show(entry, "(open)" if entry.id in opened and not problem else "")
    except KeyboardInterrupt:
        interrupted = True
    results.tidy()
    seconds = time.perf_counter() - clock
    record.write(record.assemble(everything, ran, described, started, seconds), out)

    errors = [problems[o.id] for o in chosen if o.id in problems] + open_obligations.unmatched(opened, everything)
    for error in errors:
        click.echo(f"\n{error.rstrip()}")
    click.echo(f"\n{summary(ran, len(chosen), seconds)}\nreport: {out / 'index.html'}")
    if interrupted:
        click.echo("interrupted: the report holds what was done", err=True)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)  # the workers are ended: do not wait for the pool's own threads
    sys.exit(1 if errors else 0)


def select(everything: Sequence[Obligation], ops: Sequence[str], kinds: Sequence[str]) -> list[Obligation]:
    for op in ops:
        require_op(op, {o.op for o in everything if o.op})
    chosen = [o for o in everything if (not ops or o.op in ops) and (not kinds or o.kind in kinds)]
    if not chosen:
        raise click.UsageError(f"no obligation of kind {', '.join(kinds)} for {', '.join(ops) or 'any op'}")
    return chosen


def require_op(op: str, known: Collection[str]) -> None:
    if op not in known:
        close = difflib.get_close_matches(op, known)
        remedy = f"close matches: {', '.join(close)}" if close else f"the ops are {', '.join(sorted(known))}"
        raise click.UsageError(f"no op is named {op!r}; {remedy}")


def summary(ran: Mapping[str, Mapping[str, Any]], chosen: int, seconds: float) -> str:
    counts = Counter(e["verdict"] for e in ran.values())
    parts = [f"{counts[v]} {v}" for v in map(str, Verdict) if counts[v]]
    if len(ran) < chosen:
        parts.append(f"{chosen - len(ran)} {Verdict.NOT_RUN}")
    cached = sum(bool(e["cached"]) for e in ran.values())
    known = f"; {cached} from the cache" if cached else ""
    return f"{', '.join(parts) or 'nothing ran'}{known}; {seconds:.1f} s"


class Progress(Protocol):
    def show(self, entry: Entry, note: str) -> None: ...


@contextmanager
def show_progress(obligations: Sequence[Obligation]) -> Iterator[Progress]:
    """A bar on a terminal, one line per obligation elsewhere."""
    width = max((len(o.id) for o in obligations), default=0)
    if not sys.stdout.isatty():
        yield Lines(width)
        return
    from rich import progress

    columns = (progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeElapsedColumn(),
               progress.TextColumn("{task.description}", markup=False))
    with progress.Progress(*columns) as bar:
        yield Bar(bar, bar.add_task("", total=len(obligations)), width)


def line(entry: Entry, width: int, note: str) -> str:
    return f"{entry.verdict:<14}  {entry.id:<{width}}  {entry.seconds:7.2f} s  {note}".rstrip()


class Lines:
    def __init__(self, width: int) -> None:
        self.width = width

    def show(self, entry: Entry, note: str) -> None:
        click.echo(line(entry, self.width, note))


class Bar:
    """The bar names what was decided last; what does not pass stays on the screen above it."""

    def __init__(self, bar: Any, task: Any, width: int) -> None:
        self.bar, self.task, self.width = bar, task, width

    def show(self, entry: Entry, note: str) -> None:
        if entry.verdict not in PASSING:
            self.bar.console.print(line(entry, self.width, note), markup=False, highlight=False, soft_wrap=True)
        self.bar.update(self.task, advance=1, description=f"{entry.verdict} {entry.id}")


@gradproof.command("list")
@op_names
@kind_names
def list_(ops: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    """List obligations: what each claims, and over what."""
    for obligation in select(find_obligations(), ops, kinds):
        click.echo(f"{obligation.id}\n    {obligation.claim}\n    over {obligation.over}")


@gradproof.command()
@click.argument("op")
def show(op: str) -> None:
    """Print an op's signature, formulas, hypotheses and kinks."""
    from .report.describe import as_text, describe_all

    described = describe_all()
    require_op(op, described)
    click.echo(as_text(op, described[op]))


@gradproof.command()
@click.argument("name", metavar="ID")
@click.option("--queries", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.smt2",
              help="Write all queries to this file, each with its answer.")
def explain(name: str, queries: Path | None) -> None:
    """Decide one obligation, such as "adjoint[matmul]", and say how: the statement, the formulas, the hypotheses, the
    equalities and the queries, and what the verdict rests on.

    Exit status: 0 if it passes, 1 if not, 2 on wrong usage.
    """
    everything = {o.id: o for o in find_obligations()}
    if name not in everything:
        close = difflib.get_close_matches(name, everything, n=5)
        remedy = f"close matches: {', '.join(close)}" if close else "`gradproof list` names them all"
        raise click.UsageError(f"no obligation is named {name!r}; {remedy}")
    from .report.explain import explain as watched

    entry, text, asked = watched(everything[name])
    click.echo(text)
    if queries:
        queries.write_text("\n\n".join(f"; {answer}\n{query}" for query, answer in asked) + "\n", encoding="utf-8")
    sys.exit(0 if entry.passed else 1)


@gradproof.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="GRAPH.json")
def verify(file: Path) -> None:
    """Prove of a saved graph, at its own shapes, that it computes what it denotes, forward, JVP and VJP.

    Exit status: 0 proved, 1 refuted, 2 not decided, 3 wrong usage.
    """
    from .link.graphs import verify_file

    certificate = verify_file(file)
    click.echo(str(certificate))
    sys.exit({Verdict.PROVED: 0, Verdict.REFUTED: 1}.get(certificate.verdict, 2))


UNDECIDED, WRONG_USAGE = 2, 3


@gradproof.command("check")
@click.argument("target", metavar="FILE.py[:FUNCTION]")
@click.option("--vjp", help="The backward function: vjp(g, *args) -> cotangents.")
@click.option("--jvp", help="The tangent function: jvp(primals, tangents) -> tangents.")
@click.option("--shapes", help="Shapes of the arguments, in order: x=2x3,w=3; s= is a scalar.")
@click.option("--param", "params", multiple=True, help="A keyword argument: eps=1e-5, or scale=real for all reals.")
@click.option("--integers", multiple=True, help="An argument of integers low <= i < high: labels=0:3.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per check.")
def check_command(target: str, vjp: str | None, jvp: str | None, shapes: str | None, params: tuple[str, ...],
                  integers: tuple[str, ...], as_json: bool) -> None:  # fmt: skip
    """Prove that a gradient is the derivative of its forward: of the FUNCTION with --vjp and --shapes, else of all
    functions of the file that are marked with @gradproof_spec.checked or listed in CHECKS.

    Exit status: 0 all proved, 1 one refuted, 2 one not decided, 3 wrong usage.
    """
    from .gradient_check import CheckError, check
    from .gradient_check.files import Named, checks_in, function_of, loaded, read_numbers, read_ranges, read_shapes

    file, _, name = target.partition(":")
    try:
        path = Path(file)
        if not path.is_file():
            raise CheckError(f"there is no file {file}")
        module = loaded(path)
        if name:
            if not shapes:
                raise CheckError("--shapes is needed, such as --shapes x=2x3,w=3")
            given = {"jvp": jvp and function_of(module, jvp), "shapes": read_shapes(shapes),
                     "params": read_numbers(params), "integers": read_ranges(integers)}  # fmt: skip
            question = {**given, "vjp": vjp and function_of(module, vjp)}
            found = [Named(name, function_of(module, name), question)]
        else:
            found = checks_in(module)
        if not found:
            raise CheckError(f"{file} has no function marked with @gradproof_spec.checked, and no list CHECKS")
        verdicts = []
        for one in found:
            result = check(one.forward, **one.question)
            verdicts.append(result.verdict)
            click.echo(json.dumps(as_record(one.name, result)) if as_json else f"{result.message}\n")
    except CheckError as error:
        click.echo(f"gradproof check: {error}", err=True)
        sys.exit(WRONG_USAGE)
    sys.exit(0 if set(verdicts) == {Verdict.PROVED} else 1 if Verdict.REFUTED in verdicts else UNDECIDED)


def as_record(name: str, result: Any) -> dict[str, Any]:
    return {
        "name": name,
        "verdict": str(result.verdict),
        "over": result.over,
        "assumptions": list(result.assumptions),
        "counterexample": {key: value.tolist() for key, value in result.counterexample.items()},
        "message": result.message,
        "script": result.script,
    }


@gradproof.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
def report(folder: Path) -> None:
    """Make DIR/index.html again, from DIR/report.json alone."""
    try:
        path = record.write_page(record.read(folder), folder)
    except record.ReportError as error:
        raise click.UsageError(str(error)) from error
    click.echo(path)
