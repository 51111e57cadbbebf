"""Running real NumPy code on symbols: the arrays, the ledger of side conditions, the path explorer."""
from .array import ObjectArray, SymbolicArray, as_terms, elementwise, intercepting, shares_memory_with_input, symbols
from .explorer import Exploration, Path, explore
from .integer import SymbolicInteger
from .ledger import Ledger, SideCondition, undischarged
from .meanings import Meanings, SymbolicMeanings, Unsupported
from .user_code import UserArray, scalar_symbol, users_code

__all__ = [
    "Exploration", "Ledger", "Meanings", "ObjectArray", "Path", "SideCondition", "SymbolicArray", "SymbolicInteger",
    "SymbolicMeanings",
    "Unsupported", "UserArray", "as_terms", "elementwise", "explore", "intercepting", "scalar_symbol",
    "shares_memory_with_input", "symbols", "undischarged", "users_code",
]
