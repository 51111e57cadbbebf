"""check for functions of JAX and PyTorch: traced by the framework, run on symbols as NumPy functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..obligations import Verdict
from ..solver import Solver
from ..symbolic import Unsupported, symbols
from ..symbolic.comparison import Comparison, Different
from ..symbolic.user_code import UserArray
from ..terms import to_scalar
from . import CheckError, Result, check
from .all_shapes import extents_named
from .programs import ResultsDiffer, Undecided, run


def check_jax(f: Callable[..., Any], *, shapes: Mapping[str, tuple[int, ...]], **question: Any) -> Result:
    """Is the derivative that JAX takes of f, by a custom_vjp where it has one, that of f? For plain jax.numpy functions
    this proves JAX's own rules. Arguments as of `check`, without params; extents are numbers, else CheckError. Needs
    `pip install "gradproof[jax]"`.

    The value that a custom_vjp's fwd returns must be that of the function, too.
    """
    from ..jax_functions import numpy_functions

    return checked_functions(f, numpy_functions, shapes, question)


def check_torch(f: Any, *, shapes: Mapping[str, tuple[int, ...]], **question: Any) -> Result:
    """The same of a torch.autograd.Function or a function of tensors. Needs `pip install "gradproof[torch]"`."""
    from ..torch_functions import numpy_functions

    return checked_functions(f, numpy_functions, shapes, question)


def checked_functions(
    f: Any, numpy_functions: Any, shapes: Mapping[str, tuple[int, ...]], question: Mapping[str, Any]
) -> Result:
    name = getattr(f, "__name__", type(f).__name__)
    if named := extents_named(shapes):
        raise CheckError(f"{name} has named extents, {', '.join(named)}: they are for NumPy functions only")
    integers = question.get("integers") or {}
    dtypes = ["int64" if n in integers else "float64" for n in shapes]
    try:
        functions = numpy_functions(f, *shapes.values(), dtype=dtypes)
    except Unsupported as fault:
        text = f"{Verdict.UNSUPPORTED}  {name}\n\n  it cannot be traced: {fault}"
        return Result(Verdict.UNSUPPORTED, text)

    def forward(*xs: Any) -> Any:
        return functions.forward(*xs)

    def vjp(g: Any, *xs: Any) -> Any:
        return functions.vjp(g, *xs)

    forward.__name__ = name
    result = check(forward, vjp, shapes=shapes, **question)
    if result.verdict is Verdict.PROVED and not integers and not same_values(functions, shapes):
        text = "the value computed for differentiation is not shown to be that of the function: look at the custom rule"
        message = result.message.replace(f"PROVED  {name}", f"UNKNOWN  {name}\n\n  {text}", 1)
        return replace(result, verdict=Verdict.UNKNOWN, message=message)
    return result


def same_values(functions: Any, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    given = [symbols(n, shape, UserArray) for n, shape in shapes.items()]
    solver = Solver()

    def results(function: Callable[..., Any]) -> Any:
        found = function(*given)
        return list(found) if isinstance(found, (tuple, list)) else [found]

    try:
        ours, theirs = (run(lambda f=f: results(f), [], solver) for f in (functions.forward, functions.primal))  # type: ignore[misc]
        comparison = Comparison(solver, (), frozenset())
        for a, b in zip(ours.results, theirs.results, strict=True):
            if np.shape(a) != np.shape(b):
                return False
            for x, y in zip(np.ravel(a), np.ravel(b), strict=True):
                comparison.require_equal(to_scalar(x), to_scalar(y))
    except (Different, Unsupported, Undecided, ResultsDiffer, ValueError):
        return False
    return True
