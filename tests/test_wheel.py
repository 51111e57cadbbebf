"""The built wheel, tried in an environment outside the checkout: NumPy alone first, then with the prover."""
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy
import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


class Installed:
    """A fresh virtual environment that holds the wheel and nothing else."""

    def __init__(self, folder, wheel):
        self.folder = folder
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.python = folder / "venv" / "bin" / "python"
        site = self.run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        self.site = Path(site.stdout.strip())
        installed = self.run(sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check",
                             "install", "--quiet", "--no-deps", "--no-index", wheel)
        assert installed.returncode == 0, installed.stderr

    def run(self, *command):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "COV"))}
        return subprocess.run([str(c) for c in command], cwd=self.folder, env=environment, capture_output=True,
                              text=True, timeout=300, check=False)

    def gradproof(self, *arguments):
        return self.run(self.python.with_name("gradproof"), *arguments)

    def add_numpy_alone(self):
        packages = Path(numpy.__file__).parents[1]
        for path in (packages / "numpy", packages / "numpy.libs", *packages.glob("numpy-*.dist-info")):
            if path.exists():
                (self.site / path.name).symlink_to(path)

    def add_everything_else(self):
        """What the development environment has, but not its editable gradproof: that one's .pth file is not read."""
        (self.site / "others.pth").write_text(f"{Path(numpy.__file__).parents[1]}\n", encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT],
                           capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("gradproof-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("outside"), wheel)


def test_the_wheel_holds_everything_that_a_proof_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"gradproof/__init__.py", "gradproof_spec/open.toml", "gradproof_spec/prove.py",
            "gradproof_spec/ops/linalg.py", "gradproof_spec/report/page.html.j2",
            "gradproof_spec/report/page.css"} <= names
    assert {n.split("/")[0].split("-")[0] for n in names} == {"gradproof", "gradproof_spec"}
    assert any(n.endswith("licenses/LICENSE") for n in names)


def test_an_installed_gradproof(installed):
    """One story, in order: the steps share the environment."""
    installed.add_numpy_alone()
    where = installed.run(installed.python, "-c", "import gradproof; print(gradproof.__file__)")
    assert where.stdout.startswith(str(installed.site)), where.stderr

    refused = installed.gradproof("prove", "add")
    assert refused.returncode == 3
    assert refused.stdout == ""
    assert refused.stderr == (
        "gradproof: the command needs the prover, which is not installed "
        "(missing: z3, sympy, mpmath, hypothesis, pytest, click, rich, jinja2)\n\n"
        '  pip install "gradproof[prove]"\n')

    installed.add_everything_else()
    where = installed.run(installed.python, "-c", "import gradproof_spec; print(gradproof_spec.__file__)")
    assert where.stdout.startswith(str(installed.site)), where.stderr
    proved = installed.gradproof("prove", "add", "--jobs", "2")
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "adjoint[add]" in proved.stdout
    assert (installed.folder / "gradproof-report" / "index.html").is_file()
    assert installed.gradproof("prove", "ad").returncode == 2
