"""Running real NumPy code on symbols: the arrays, the ledger of side conditions, the path explorer."""
from .array import ObjectArray, SymbolicArray, as_terms, elementwise, intercepting, shares_memory_with_input, symbols
from .explorer import Exploration, Path, explore
from .integer import SymbolicInteger
from .ledger import Ledger, SideCondition, undischarged
from .meanings import Meanings, SymbolicMeanings, Unsupported

__all__ = [
    "Exploration", "Ledger", "Meanings", "ObjectArray", "Path", "SideCondition", "SymbolicArray", "SymbolicInteger",
    "SymbolicMeanings",
    "Unsupported", "as_terms", "elementwise", "explore", "intercepting", "shares_memory_with_input", "symbols",
    "undischarged",
]
