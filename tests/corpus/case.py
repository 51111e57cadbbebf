"""One hand-written gradient: a forward, its claimed derivative, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

HIDDEN = ("", "tie", "far", "coincide", "small", "nan")


@dataclass(frozen=True)
class Case:
    """A gradient as somebody wrote it, right or wrong.

    name        kebab-case, unique
    forward     forward(*arguments, **params) -> array; in residual style (array, residuals)
    vjp         vjp(g, *arguments, **params), in residual style vjp(residuals, g): the cotangent, or a tuple with one
                per argument (None for an integer one)
    jvp         jvp(primals, tangents, **params) -> tangent of the output
    shapes      argument -> shape, in the order of the arguments
    params      keyword -> number, or "real" / "positive": any such number
    integers    argument -> (low, high): its entries i are integers with low <= i < high
    domain      domain(*arguments, **params) -> condition or list of conditions
    right       is it the derivative at every input of the domain at which the derivative exists?
                In floats it is then finite for |entries| between 1e-30 and 1e30, and 0.
    bug         what is wrong, one line
    hidden      what makes random normals miss it. tie: wrong only where two numbers are equal, or one is 0;
                far: only in a far region; coincide: only where indices are equal or at the boundary;
                small: off by about 1e-7 relative; nan: nan or inf where the true derivative is finite
    at          of a wrong one: argument -> value, and "g" or the tangents "dx", ...: the derivative exists there, and
                the claimed one is another. It names a param too where params leaves it open.
    """

    name: str
    forward: Callable[..., Any]
    _: KW_ONLY
    vjp: Callable[..., Any] | None = None
    jvp: Callable[..., Any] | None = None
    residuals: bool = False
    shapes: Mapping[str, tuple[int, ...]]
    params: Mapping[str, float | str] = field(default_factory=dict)
    integers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    domain: Callable[..., Any] | None = None
    right: bool
    bug: str = ""
    hidden: str = ""
    at: Mapping[str, Any] | None = None
