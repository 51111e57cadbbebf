"""The `gradproof` command. It needs the prover; without it, it says how to install it and exits with 3."""
from __future__ import annotations

import importlib.util
import sys

NEEDED = ("z3", "sympy", "mpmath", "hypothesis", "pytest", "click", "rich", "jinja2")


def main() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(f"gradproof: the command needs the prover, which is not installed "
                         f"(missing: {', '.join(missing)})\n\n  pip install \"gradproof[prove]\"\n")
        sys.exit(3)
    from .commands import gradproof

    gradproof()
