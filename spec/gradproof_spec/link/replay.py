"""Replaying a counterexample on the runtime in floats: who is the odd one out."""
from __future__ import annotations

from typing import Any


def replay(found: Any) -> str:
    return ""
