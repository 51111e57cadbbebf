"""Audit the VJP and JVP rules of HIPS autograd: run gradproof_spec.check over each, as installed and unmodified.

    python examples/audit_autograd.py                # table and summary; auditing.py says what the options are
    python examples/audit_autograd.py norm sort      # configurations whose text contains one of these
    python examples/audit_autograd.py --write        # and docs/audit_autograd.md

The forward is the NumPy function that autograd wraps; the rules are called as autograd's two passes call them:
primitive_vjps[f](argnums, ans, args, kwargs)(g) and primitive_jvps[f](argnums, tangents, ans, args, kwargs). Only
ArrayVSpace.register(UserArray) is told to autograd, its own way to make a type of array known. Needs
`gradproof[prove]` and autograd.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import autograd_configurations
from auditing import DOCUMENTS, Audit, Case, Found, main, shown
from autograd.core import add_outgrads, primitive_jvps, primitive_vjps
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace

from gradproof_spec.symbolic.user_code import PlainUserArray, UserArray

ArrayVSpace.register(UserArray)
ArrayVSpace.register(PlainUserArray)


class AutogradCase(Case):
    def original(self, args: tuple[Any, ...]) -> Any:
        return self.primitive.fun(*args, **self.kwargs)

    def cotangents(self, args: tuple[Any, ...], g: Any, argnums: tuple[int, ...]) -> Sequence[Any]:
        found = primitive_vjps[self.primitive](argnums, self.answer(args), args, dict(self.kwargs))(g)
        return [add_outgrads(None, part)[0] for part in found]  # what reads an index gives a sparse gradient

    def tangents(self, args: tuple[Any, ...], given: Mapping[int, Any]) -> Any:
        rule = primitive_jvps[self.primitive]
        return rule(tuple(given), list(given.values()), self.answer(args), args, dict(self.kwargs))

    def function(self) -> str:
        if self.primitive is ArrayBox.__getitem__:
            return "getitem"
        if self.spelled is not None:
            return self.spelled.split("(")[0]
        function = self.primitive.fun
        prefix = "linalg." if "linalg" in str(getattr(function, "__module__", "")) else ""
        return prefix + str(function.__name__)

    def call(self) -> str:
        if self.primitive is ArrayBox.__getitem__:
            x, index = (self.names.get(n) or shown(a) for n, a in enumerate(self.args))
            return f"{x}[{index}]"
        return super().call()

    def program(self, wrong: str, several: bool) -> tuple[str, str]:
        call = self.call()
        imports = "import autograd, autograd.numpy as anp, numpy as np"
        if call.startswith("scipy."):
            call = f"autograd.{call}"
            imports = f"import {call.split('(')[0].rpartition('.')[0]}, autograd.numpy as anp, numpy as np"
        elif self.primitive is not ArrayBox.__getitem__:
            call = f"anp.{call}"
        if self.mode == "jvp":
            return imports, f"print(autograd.make_jvp(lambda {wrong}: {call})({wrong})(d{wrong})[1])"
        loss = f"sum(anp.sum(a * b) for a, b in zip(g, {call}))" if several else f"anp.sum(g * {call})"
        return imports, f"print(autograd.grad(lambda {wrong}: {loss})({wrong}))"


def case(primitive: Callable[..., Any], *args: Any, domain: str = "", plain: Callable[..., Any] | None = None,
         spelled: str | None = None, **kwargs: Any) -> AutogradCase:  # fmt: skip
    return AutogradCase(primitive, args, kwargs, domain, plain, spelled)


def forward_mode(c: Case) -> Case:
    return replace(c, mode="jvp")


def table() -> list[Case]:
    found = list({c.text(): c for c in autograd_configurations.table(case)}.values())
    return [*found, *(forward_mode(c) for c in found if c.primitive in primitive_jvps)]


def untried(found: Sequence[Found]) -> str:
    def of(rules: Mapping[Any, Any], mode: str) -> str:
        covered = {f.case.primitive for f in found if f.case.mode == mode}
        left = [f.fun for f in rules if f not in covered and not f.fun.__name__.startswith("_")]
        return ", ".join(sorted({full_name(f) for f in left}))

    return f"of the VJPs {of(primitive_vjps, 'vjp')}; of the JVPs {of(primitive_jvps, 'jvp')}"


def full_name(function: Any) -> str:
    """pdf is that of several distributions."""
    owner = getattr(function, "__self__", None)
    prefix = f"{type(owner).__name__.removesuffix('_gen')}." if type(owner).__module__.startswith("scipy") else ""
    return prefix + str(function.__name__)


NOTES = {
    # another value (and what goes with it)
    "sum|mean|prod|var|std: where=": "the rule takes `where=` into **kwargs and ignores it.",
    "var|std: (correction|mean)=": "the rule takes `correction=` and `mean=` into **kwargs and ignores them.",
    "max|min: initial=": "`initial=` and `where=` are ignored: where x is not chosen, 0 is divided by 0.",
    "sum: initial=.*JVP": "the rule is the function of the tangent, and adds `initial=` to that.",
    "diff: (prepend|append)=.*JVP": "`prepend=` and `append=` are joined to the tangent as if it were x.",
    "pad: JVP": "the rule drops the keywords of the mode.",
    r"max|min|scipy\.special\.logsumexp: axis=\(.*JVP":
        "a tuple of axes is sorted as signed numbers and put back: wrong if one is negative.",
    "transpose": "argsort(axes) is the inverse permutation only if no axis is negative.",
    r"tile: , 0\)": "0 repetitions: a division by zero.",
    "tile": "fewer reps than axes mean the last axes; the rule sums over the first.",
    "repeat: axis=-": "the rule cuts the shape at axis + 1, which is wrong for a negative axis.",
    r"repeat: array|\(2,\)\)": "repeats that are no single integer: the rule sums blocks of one length.",
    r"repeat: x \(\)": "of a number: the product of its empty shape is a float.",
    "kron": "the rule interleaves one pair of axes only: wrong for more than two.",
    "scipy.stats.chi2.*": "0 where the degrees of freedom are no integer.",
    # another shape
    "clip|cross|where": "the cotangent of an argument that was broadcast is not summed.",
    "triu|tril": "of a vector they make a matrix; the rule does not sum its rows.",
    "diag|diagonal": "the rule takes every matrix for a square one.",
    "full": "the cotangent of an array is summed to a number.",
    "linspace: JVP": "the tangents of two ends of unlike shapes are added before they are broadcast.",
    "linspace": "the rule knows only two ends of one shape with at most one axis.",
    "broadcast_to": "no sum over an axis of length 1 that became 0.",
    "outer": "what is no vector is flattened, and the rules do not undo that.",
    r"linalg\.solve": "the cotangent of a batch that was broadcast is not summed, or the batch taken for a matrix.",
    r"linalg\.norm: keepdims=True": "the rule takes `keepdims=` into **kwargs and ignores it.",
    r"linalg\.norm: axis=\(": "the axes of a tuple are compared as signed numbers: wrong if one is negative.",
    # nan
    "sinc": "0 divided by 0 at x = 0.",
    "prod": "the rule divides by x: nan where an entry is 0.",
    r"linalg\.det": "the rule inverts x: it raises at a singular matrix, where the derivative is the adjugate.",
    r"linalg\.norm: ord=np.inf": "the formula of the p-norms is used with p = inf: nan everywhere.",
    r"linalg\.norm: ord=": "|x|^(p-2) for p < 2: nan where an entry is 0.",
    # an exception
    "roll": "shift is negated: a tuple of shifts raises.",
    "hsplit": "the rule joins along axis 1, which a vector does not have.",
    "gradient": "the rule reads the first and last three entries: it raises where there are fewer than 4.",
    "concatenate": "axis=None: the rule uses it as an index.",
    r"scipy\.signal\.convolve": "two arrays of one size, neither the longer along every axis: swapped without end.",
    "array": "ndmin= that adds an axis: the rule indexes the new one.",
    r"einsum: \[": "subscripts as lists: an index that is summed away, or an Ellipsis that is not in the result.",
    "einsum": "an index that occurs twice in one operand: the rule asks einsum for it twice in the result.",
    "var: axis=.*JVP": "axis= a tuple: a NameError, as numpy_jvps.py imports NumPy as onp and says np.",
    "sort: JVP": "more than one axis: the tangent is indexed by the permutation, as if it were a vector.",
}
AUDIT = Audit(
    library="HIPS autograd", script="examples/audit_autograd.py", document=DOCUMENTS / "audit_autograd.md",
    packages=("autograd", "numpy", "z3-solver"), table=table, untried=untried,
    notes=NOTES,
    preface="""\
Rules as installed from PyPI and unmodified, each against the NumPy function that it belongs to. They are called as
autograd's passes call them: `primitive_vjps[f](argnums, ans, args, kwargs)(g)` and
`primitive_jvps[f](argnums, tangents, ans, args, kwargs)`.""",
)

if __name__ == "__main__":
    sys.exit(main(AUDIT, sys.argv[1:]))
