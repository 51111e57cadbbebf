"""Gradient checkers on the corpus of tests/corpus: which right gradients they accept, which wrong ones they refuse.

Run as `python benchmarks/compare_checkers.py`; with --write the table replaces the one in docs/check.md. The numerical
checkers run at their defaults, once per case, at random normals moved into the domain, with integer arguments at random
and 0.7 for an open param. A case with a JVP alone goes to their forward mode.

`check_torch` and `check_jax` are not among them: they trace tensors, and the cases, NumPy functions wrapped for the
numerical checkers, are opaque to that."""

import argparse
import sys
import warnings
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import jax
import jax.test_util
import numpy as np
import torch
from torch.autograd.gradcheck import GradcheckError

from gradproof_spec.gradient_check import check

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from corpus import CASES, HIDDEN, WRONG_ONLY_IN_FLOATS, Case  # noqa: E402

SEED, OPEN_PARAM = 5, 0.7
DOCUMENT, BEGIN, END = ROOT / "docs" / "check.md", "<!-- corpus table -->", "<!-- end -->"
FLOAT32 = ("The defaults of gradcheck are meant for float64; its differences in float32 are noise, "
           "and it refuses nearly all.")
KINDS = [kind for kind in HIDDEN if kind]
ACCEPTED, REFUSED = "accepted", "refused"  # any other answer says why there is no verdict

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(1)  # the arrays are tiny


class Sample:
    """A case at a random point of its domain, as functions of its float arguments alone; always the same point."""

    def __init__(self, case: Case, dtype: type[np.floating[Any]]) -> None:
        rng = np.random.default_rng([SEED, zlib.crc32(case.name.encode())])
        self.case, self.dtype = case, dtype
        self.params = {n: OPEN_PARAM if isinstance(p, str) else p for n, p in case.params.items()}
        self.floats = [n for n in case.shapes if n not in case.integers]
        self.point = next(p for p in self.points(rng) if self.allowed(p))
        self.primals = [self.point[n].astype(dtype) for n in self.floats]
        self.output_shape = self.value(*self.primals).shape

    def points(self, rng: np.random.Generator) -> Iterable[dict[str, np.ndarray]]:
        into: list[Callable[[np.ndarray], Any]] = [lambda x: x, np.abs, lambda x: 1 / (1 + np.exp(-x))]
        for _ in range(100):
            drawn = {n: np.array(rng.integers(low, high, size=self.case.shapes[n]))
                     for n, (low, high) in self.case.integers.items()}
            raw = {n: rng.normal(size=self.case.shapes[n]) for n in self.floats}
            yield from (drawn | {n: np.array(f(x)) for n, x in raw.items()} for f in into)

    def allowed(self, point: dict[str, np.ndarray]) -> bool:
        domain = self.case.domain
        conditions = True if domain is None else domain(*(point[n] for n in self.case.shapes), **self.params)
        return all(np.all(c) for c in (conditions if isinstance(conditions, list) else [conditions]))

    def arguments(self, floats: Sequence[Any]) -> list[np.ndarray]:
        given = dict(zip(self.floats, floats, strict=True))
        return [np.array(given.get(n, self.point[n])) for n in self.case.shapes]  # copies: a case may write to them

    def run(self, *floats: Any) -> Any:
        return self.case.forward(*self.arguments(floats), **self.params)

    @np.errstate(all="ignore")
    def value(self, *floats: Any) -> np.ndarray:
        y = self.run(*floats)
        return np.array(y[0] if self.case.residuals else y, dtype=self.dtype, order="C")

    @np.errstate(all="ignore")
    def cotangents(self, g: Any, *floats: Any) -> tuple[np.ndarray, ...]:
        assert self.case.vjp is not None
        if self.case.residuals:
            found = self.case.vjp(self.run(*floats)[1], np.array(g))
        else:
            found = self.case.vjp(np.array(g), *self.arguments(floats), **self.params)
        per_argument = zip(self.case.shapes, found if isinstance(found, tuple) else (found,), strict=True)
        return tuple(np.array(gx, dtype=self.dtype, order="C") for n, gx in per_argument if n in self.floats)

    @np.errstate(all="ignore")
    def tangent(self, floats: Sequence[Any], tangents: Sequence[Any]) -> np.ndarray:
        assert self.case.jvp is not None
        dx = dict(zip(self.floats, map(np.array, tangents), strict=True))
        dy = self.case.jvp(tuple(self.arguments(floats)), tuple(dx.get(n) for n in self.case.shapes), **self.params)
        return np.array(dy, dtype=self.dtype, order="C")


def by_gradproof(case: Case) -> str:
    verdict = check(case.forward, case.vjp, jvp=case.jvp, shapes=case.shapes, params=case.params,
                    integers=case.integers, domain=case.domain, residuals=case.residuals).verdict.name
    return {"PROVED": ACCEPTED, "REFUTED": REFUSED}.get(verdict, verdict)


def torch_function(sample: Sample) -> Callable[..., Any]:
    def arrays(tensors: Iterable[Any]) -> list[np.ndarray]:
        return [t.detach().numpy() for t in tensors]

    class Written(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            ctx.save_for_backward(*xs)
            ctx.save_for_forward(*xs)
            return torch.from_numpy(sample.value(*arrays(xs)))

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return tuple(map(torch.from_numpy, sample.cotangents(*arrays([g, *ctx.saved_tensors]))))

        @staticmethod
        def jvp(ctx: Any, *dxs: Any) -> Any:
            xs = ctx.saved_tensors
            given = [torch.zeros_like(x) if dx is None else dx for x, dx in zip(xs, dxs, strict=True)]
            return torch.from_numpy(sample.tangent(arrays(xs), arrays(given)))

    return Written.apply  # type: ignore[no-any-return]


def by_torch(case: Case, dtype: type[np.floating[Any]]) -> str:
    sample = Sample(case, dtype)
    tensors = tuple(torch.from_numpy(x).requires_grad_() for x in sample.primals)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not a double precision")
        try:
            torch.autograd.gradcheck(torch_function(sample), tensors, check_forward_ad=case.jvp is not None,
                                     check_backward_ad=case.vjp is not None)
        except GradcheckError:
            return REFUSED
    return ACCEPTED


def jax_function(sample: Sample) -> Callable[..., Any]:
    output = jax.ShapeDtypeStruct(sample.output_shape, sample.dtype)
    inputs = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in sample.primals)

    def forward(*xs: Any) -> Any:
        return jax.pure_callback(sample.value, output, *xs)

    if sample.case.vjp is not None:
        f: Any = jax.custom_vjp(forward)
        f.defvjp(lambda *xs: (forward(*xs), xs), lambda xs, g: jax.pure_callback(sample.cotangents, inputs, g, *xs))
    else:
        f = jax.custom_jvp(forward)
        f.defjvp(lambda xs, dxs: (forward(*xs), jax.pure_callback(sample.tangent, output, xs, dxs)))
    return f  # type: ignore[no-any-return]


def by_jax(case: Case, dtype: type[np.floating[Any]]) -> str:
    sample = Sample(case, dtype)
    inputs = tuple(map(jax.numpy.asarray, sample.primals))
    try:
        jax.test_util.check_grads(jax_function(sample), inputs, order=1, modes=["rev" if case.vjp else "fwd"])
    except AssertionError:
        return REFUSED
    return ACCEPTED


CHECKERS: dict[str, Callable[[Case], str]] = {
    "gradproof.check": by_gradproof,
    "torch gradcheck, float64": partial(by_torch, dtype=np.float64),
    "torch gradcheck, float32": partial(by_torch, dtype=np.float32),
    "jax check_grads, float64": partial(by_jax, dtype=np.float64),
    "jax check_grads, float32": partial(by_jax, dtype=np.float32),
}


@dataclass(frozen=True)
class Outcome:
    case: Case
    answer: str  # ACCEPTED, REFUSED, or why not
    seconds: float


def outcome(checker: Callable[[Case], str], case: Case) -> Outcome:
    start = perf_counter()
    try:
        answer = checker(case)
    except Exception as fault:  # a checker that fails on one case is counted as without a verdict, and shown
        answer = f"{type(fault).__name__}: {str(fault).strip().partition(chr(10))[0][:100]}"
    return Outcome(case, answer, perf_counter() - start)


def time_text(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def row(name: str, outcomes: Sequence[Outcome]) -> str:
    def count(right: bool, answer: str) -> int:
        return sum(o.case.right == right and o.answer == answer for o in outcomes)

    missed = [o.case for o in outcomes if not o.case.right and o.answer == ACCEPTED]
    times = [o.seconds for o in outcomes]
    cells: list[Any] = [name, count(True, ACCEPTED), count(True, REFUSED), count(False, REFUSED), len(missed)]
    cells += [sum(case.hidden == kind for case in missed) for kind in KINDS]
    cells += [sum(o.answer not in (ACCEPTED, REFUSED) for o in outcomes)]
    cells += [f"{time_text(median(times))}, {time_text(max(times))}"]
    return "| " + " | ".join(map(str, cells)) + " |"


def notes(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    """The names: what it misses, by the way it is hidden, and what it could not decide."""
    wrong = [o for o in outcomes if not o.case.right]
    parts = []
    for kind in (*KINDS, ""):
        all_names = [o.case.name for o in wrong if o.case.hidden == kind]
        names = [o.case.name for o in wrong if o.case.hidden == kind and o.answer == ACCEPTED]
        others = [n for n in all_names if n not in names]
        if len(names) > 1 and not others:
            parts.append(f"all of {kind or 'the plain ones'}")
        elif len(others) <= 3 < len(names):
            parts.append(f"of {kind or 'the plain ones'} all but {', '.join(others)}")
        elif names:
            parts.append(f"of {kind or 'the plain ones'} {', '.join(names)}")
    text = [f"- **{name}** misses " + ("; ".join(parts) or "none") + "."]
    undecided = [f"{o.case.name} ({o.answer})" for o in outcomes if o.answer not in (ACCEPTED, REFUSED)]
    return [*text, *([f"  Without a verdict: {', '.join(undecided)}."] if undecided else [])]


def table(results: dict[str, list[Outcome]], cases: Sequence[Case]) -> str:
    right, wrong = (sum(case.right == r for case in cases) for r in (True, False))
    head = ["checker", f"right ones accepted (of {right})", "right ones refused (cries wolf)",
            f"wrong ones refused (of {wrong})", "wrong ones accepted (missed)"]
    head += [f"missed {kind} (of {sum(case.hidden == kind for case in cases)})" for kind in KINDS]
    head += ["undecided or not applicable", "median and worst time"]
    lines = ["| " + " | ".join(head) + " |", "|:--" + "|--:" * (len(head) - 1) + "|"]
    lines += [row(name, outcomes) for name, outcomes in results.items()] + [""]
    for name, outcomes in results.items():
        lines += notes(name, outcomes)
    lines += ["", FLOAT32, ""]
    lines += ["The hidden ones (\\*: right over the reals, wrong in floats by overflow or cancellation):", ""]
    for kind in KINDS:
        names = [case.name + "\\*" * (case.name in WRONG_ONLY_IN_FLOATS) for case in cases if case.hidden == kind]
        lines += [f"- {kind}: {', '.join(names)}"] if names else []
    return "\n".join(lines) + "\n"


def compared(cases: Sequence[Case], checkers: dict[str, Callable[[Case], str]] = CHECKERS) -> dict[str, list[Outcome]]:
    results = {}
    for name, checker in checkers.items():
        outcome(checker, cases[0])  # imports and caches belong to no case
        results[name] = [outcome(checker, case) for case in cases]
    return results


def replaced(document: str, new: str) -> str:
    """The document with `new` between the markers."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{DOCUMENT.name} has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{new}{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Gradient checkers on the corpus of right and wrong gradients.")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{DOCUMENT.name}")
    arguments = parser.parse_args()
    if arguments.write and not DOCUMENT.exists():
        raise SystemExit(f"docs/{DOCUMENT.name} does not exist")
    text = table(compared(CASES), CASES)
    print(text, end="")
    if arguments.write:
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
