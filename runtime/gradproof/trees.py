"""Nested structures: dicts, lists and tuples (named tuples too) of leaves. Everything else is a leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .errors import GraphError, describe


def is_leaf(tree: Any) -> bool:
    return not isinstance(tree, (dict, list, tuple))


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves, depth first, dicts in their own order."""
    if is_leaf(tree):
        yield tree
    else:
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(child)


def map_leaves(function: Callable[..., Any], tree: Any, *others: Any, op: str = "tree", path: str = "") -> Any:
    """`function` of each leaf and of what stands in the same place of the other trees, in the structure of `tree`.

    >>> map_leaves(lambda x, y: x + y, {"a": 1, "b": (2,)}, {"b": (20,), "a": 10})
    {'a': 11, 'b': (22,)}
    """
    if is_leaf(tree):
        return function(tree, *others)
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    for other in others:
        same_kind = isinstance(other, dict) if isinstance(tree, dict) else isinstance(other, (list, tuple))
        theirs = [] if not same_kind else list(other) if isinstance(other, dict) else list(range(len(other)))
        if not same_kind or len(theirs) != len(keys) or any(key not in theirs for key in keys):
            raise GraphError(
                describe(
                    op,
                    f"the structures differ at '{path or 'the top'}'",
                    "nest both in the same way",
                    expected=outline(tree),
                    given=outline(other),
                )
            )
    children = [
        map_leaves(function, tree[key], *(other[key] for other in others), op=op, path=f"{path}[{key!r}]")
        for key in keys
    ]
    if isinstance(tree, dict):
        return dict(zip(keys, children, strict=True))
    if isinstance(tree, list):
        return children
    return type(tree)(*children) if hasattr(tree, "_fields") else tuple(children)


class outline:
    """How one level of a structure looks in an error."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree

    def __repr__(self) -> str:
        if isinstance(self.tree, dict):
            return f"dict with keys {list(self.tree)}"
        if isinstance(self.tree, (list, tuple)):
            return f"{type(self.tree).__name__} of length {len(self.tree)}"
        return type(self.tree).__name__
