"""The errors. Each text says which op, what is wrong, the values that show it, and what to do."""

from typing import Any


class GradproofError(Exception):
    """Base of every error that gradproof raises on purpose."""


class ShapeError(GradproofError, ValueError):
    """Ranks or extents that do not fit together."""


class DtypeError(GradproofError, TypeError):
    """Data, or an attribute, of a type that the op does not take."""


class DomainError(GradproofError, ValueError):
    """An attribute outside its domain: a stride of 0, an eps <= 0, an axis that does not exist."""


class GraphError(GradproofError, ValueError):
    """A traced value used where it has no meaning, a graph or a file that is none, or nested structures that do not
    match."""


class NodeError(GraphError):
    """A node of a graph or of an IR program that is not well formed. `node` is its id."""

    def __init__(self, node: int, text: str) -> None:
        super().__init__(text)
        self.node = node

    def __reduce__(self) -> Any:
        return type(self), (self.node, str(self))


class IndexRangeError(GradproofError, IndexError):
    """An index outside its axis."""


def describe(op: str, what: str, remedy: str, /, **values: Any) -> str:
    """The text of an error.

    >>> print(describe("conv", "stride must be at least 1", "pass a positive stride", stride=(0, 1)))
    conv: stride must be at least 1: stride = (0, 1); pass a positive stride.
    """
    shown = ", ".join(f"{name} = {as_text(value)}" for name, value in values.items())
    return f"{op}: {what}{': ' + shown if shown else ''}; {remedy}."


LONGEST = 160


def as_text(value: Any) -> str:
    """repr, cut where it is long; the type of what cannot be printed, such as an integer of 5,000 digits."""
    try:
        text = repr(value)
    except Exception:  # also an object's own fault
        return f"<{type(value).__name__}>"
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
