"""Who may import whom, read from the sources."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gradproof
import gradproof_spec

RUNTIME, SPEC = Path(gradproof.__file__).parent, Path(gradproof_spec.__file__).parent
FILES = {p: package for package in (RUNTIME, SPEC) for p in sorted(package.rglob("*.py"))}
SOLVERS = {"z3", "cvc5"}


def name_of(path):
    parts = path.relative_to(FILES[path].parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path, only_at_load=False):
    """Absolute names of the modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    found = set()
    for node in at_load(tree.body) if only_at_load else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{a.name}" for a in node.names}
    return found


def at_load(body):
    """The statements that run when the module is imported: not those in functions, nor under TYPE_CHECKING."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        for block in ("body", "orelse", "finalbody"):
            yield from at_load(getattr(node, block, []))


def roots(path):
    return {name.split(".")[0] for name in imports(path)}


def test_the_files_are_found_and_read():
    assert {"gradproof", "gradproof_spec.prove", "gradproof_spec.report.page"} <= {name_of(p) for p in FILES}
    assert "gradproof_spec.obligations" in imports(SPEC / "prove.py")


@pytest.mark.parametrize("path", [p for p in FILES if FILES[p] == RUNTIME], ids=name_of)
def test_the_runtime_imports_only_numpy_and_the_standard_library(path):
    assert roots(path) <= {"gradproof", "numpy"} | sys.stdlib_module_names


@pytest.mark.parametrize("path", [p for p in FILES if FILES[p] == SPEC], ids=name_of)
def test_only_the_solver_imports_a_solver_and_only_the_link_the_runtime(path):
    if path != SPEC / "solver.py":
        assert roots(path).isdisjoint(SOLVERS)
    if SPEC / "link" not in path.parents and path != SPEC / "gradient_check.py":
        assert "gradproof" not in roots(path)


def test_no_modules_import_each_other_in_a_circle():
    """Between files, when they are loaded; a part may name its own package."""
    names = {name_of(p) for p in FILES}
    graph = {name_of(p): {n for n in imports(p, only_at_load=True) if n in names} for p in FILES}
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name):], name])
        if name in done:
            return
        path.append(name)
        for other in sorted(graph[name]):
            if not name.startswith(f"{other}.") and other != name:
                visit(other)
        done.add(path.pop())

    for name in sorted(graph):
        visit(name)


def test_every_family_has_one_file_of_the_same_name_on_every_side():
    families = {p.name for p in (SPEC / "ops").glob("*.py")}
    assert {p.name for p in (SPEC / "link/ops").glob("*.py")} == families
    assert {p.name for p in (SPEC / "planted").glob("*.py")} == families | {"fault.py"}
    assert {p.name for p in (RUNTIME / "ops").glob("*.py")} >= families


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_the_runtime_works_without_the_prover():
    blocked = ["z3", "cvc5", "sympy", "mpmath", "hypothesis", "pytest", "click", "rich", "jinja2", "gradproof_spec"]
    result = run(f"import sys; sys.modules.update(dict.fromkeys({blocked})); import gradproof; print('imported')")
    assert (result.stdout, result.stderr) == ("imported\n", "")


def test_the_specification_package_is_lazy():
    result = run("import sys, gradproof_spec; print(sorted({'z3', 'sympy', 'numpy', 'click'} & set(sys.modules)))")
    assert (result.stdout, result.stderr) == ("[]\n", "")
