"""What each op of gradproof means, and the engine that proves it. Importing this package loads neither z3 nor sympy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .link.graphs import Certificate, verify

__all__ = ["Certificate", "verify"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from .link import graphs

        return getattr(graphs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
