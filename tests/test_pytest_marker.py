"""`@pytest.mark.gradient(...)`: a forward function that is a test of its gradient."""
import tomllib
from pathlib import Path

import pytest

from gradproof_spec import check

pytest_plugins = "pytester"
PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
LAYERS = """
    import numpy as np

    def softsign(x):
        return x / (1 + np.abs(x))

    def softsign_backward(g, x):
        return g / (1 + np.abs(x)) ** 2

    def wrong_backward(g, x):
        return g / (1 + np.abs(x))
"""


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """What pytester finds loaded it leaves so: NumPy cannot be loaded twice."""
    backwards = (lambda g, x: 2 * g * x, lambda g, x: g)
    assert [bool(check(lambda x: x * x, vjp, shapes={"x": (1,)})) for vjp in backwards] == [True, False]


@pytest.fixture
def run(pytester):
    def run(test, *arguments):
        pytester.makepyfile(layers=LAYERS, test_layers=f"import pytest\nfrom layers import *\n{test}")
        return pytester.runpytest_inprocess("-p", "gradproof_spec.pytest_marker", "-p", "no:hypothesispytest",
                                            "--strict-markers", *arguments)

    return run


def test_the_plugin_is_there_once_gradproof_is_installed():
    assert PROJECT["project"]["entry-points"]["pytest11"] == dict.fromkeys(["gradproof_spec.pytest_marker"] * 2,
                                                                           "gradproof_spec.pytest_marker")


def test_a_marked_function_is_a_test_of_its_gradient_under_any_name(run):
    result = run("""
@pytest.mark.gradient(vjp=lambda g, x: 2 * g * x, shapes={"x": (3,)})
def square(x):
    return x * x
""", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_layers.py::square PASSED*"])


def test_a_wrong_gradient_fails_with_the_message_and_nothing_else(run):
    result = run('test_softsign = pytest.mark.gradient(vjp=wrong_backward, shapes={"x": (1,)})(softsign)')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_softsign*", "REFUTED*"])
    assert "Traceback" not in result.stdout.str() and "pytest_marker.py" not in result.stdout.str()


def test_several_marks_are_several_tests_and_imported_names_are_not_tests(run):
    result = run("""
for shape in ((1,), (2,)):
    pytest.mark.gradient(vjp=softsign_backward, shapes={"x": shape})(softsign)
test_softsign = softsign
def test_of_the_usual_kind(): pass
""", "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*::test_softsign?0? PASSED*", "*::test_softsign?1? PASSED*"])


def test_other_marks_and_selection_work(run):
    marked = """
@pytest.mark.xfail(strict=True)
@pytest.mark.gradient(vjp=lambda g, x: g, shapes={"x": (1,)})
def square(x):
    return x * x

@pytest.mark.skip
@pytest.mark.gradient(vjp=lambda g, x: g, shapes={"x": (1,)})
def cube(x):
    return x * x * x
def test_of_the_usual_kind(): pass
"""
    run(marked).assert_outcomes(xfailed=1, skipped=1, passed=1)
    run(marked, "-m", "gradient").assert_outcomes(xfailed=1, skipped=1, deselected=1)


@pytest.mark.parametrize(("mark", "message"), [
    ("vjp=softsign_backward", "required keyword-only argument: 'shapes'"),
    ("vjp=softsign_backward, shapes={}", "shapes must be a dict")])
def test_a_mark_that_makes_no_sense_fails(run, mark, message):
    result = run(f"test_softsign = pytest.mark.gradient({mark})(softsign)")
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()


@pytest.mark.parametrize(("test", "message"), [
    ("test_a = pytest.mark.gradient(softsign_backward, shapes={})(softsign)", "keywords only"),
    ("class TestA:\n    @pytest.mark.gradient(shapes={})\n    def test_a(self, x): return x", "functions of a module")])
def test_a_mark_in_the_wrong_form_is_an_error(run, test, message):
    result = run(test)
    result.assert_outcomes(errors=1)
    assert message in result.stdout.str()
