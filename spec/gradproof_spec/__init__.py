"""What each op of gradproof means, and the engine that proves it. Importing this package loads neither z3 nor sympy."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gradient_check import CheckError, Result, check, checked
    from .gradient_check.foreign import check_jax, check_torch
    from .link.graphs import Certificate, verify
    from .link.plans import verify_plan

PLACES = {
    "Certificate": "link.graphs",
    "CheckError": "gradient_check",
    "Result": "gradient_check",
    "check": "gradient_check",
    "check_jax": "gradient_check.foreign",
    "check_torch": "gradient_check.foreign",
    "checked": "gradient_check",
    "verify": "link.graphs",
    "verify_plan": "link.plans",
}
__all__ = ["Certificate", "CheckError", "Result", "check", "check_jax", "check_torch", "checked", "verify",
           "verify_plan"]


def __getattr__(name: str) -> Any:
    if name in PLACES:
        return getattr(import_module(f".{PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
