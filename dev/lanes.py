"""Set up and run what `make` names, on a machine with nothing but python.

Two lanes run the tests. *without conda*: a virtual environment with py-rattler and what
else we depend on, for all tests that need no code of conda's. *with conda*: one made by
the python of a conda that was found, in which that conda can be imported too, for the
whole suite. The conda that was found is only read: tests act on throw-away roots.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from find_conda import BadConda, Conda, NoConda, find_conda

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / ".venvs"
PACKAGE = "conda_s3_sync_plugin"

# Not for what we start: it could bring another conda, or another python's packages.
LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True)
class Venv:
    """A virtual environment under .venvs, made again when what it rests on changed."""

    name: str
    maker: str  # the python that makes it
    group: str  # the dependency group installed into it
    extra: str = ""  # the extra of ours that is installed as well
    conda: Conda | None = None

    @property
    def path(self) -> Path:
        """Where it is."""
        return VENVS / self.name

    @property
    def python(self) -> str:
        """Its python."""
        return str(self.path / "bin" / "python")

    def prepare(self) -> None:
        """Make it, unless it is there as it should be."""
        VENVS.mkdir(exist_ok=True)
        # Two terminals, one checkout: the second waits until the first has made it.
        with (VENVS / f"{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stamp = self.path / "stamp"
            if not stamp.exists() or stamp.read_text() != self.stamp():
                say(f"setting up {self.path.relative_to(ROOT)}")
                self.make()
                stamp.write_text(self.stamp())  # last: half a venv has none

    def stamp(self) -> str:
        """Return what it rests on: another text, another virtual environment."""
        pyproject = (ROOT / "pyproject.toml").read_text()
        rests_on = (pyproject, version_of(self.maker), str(ROOT), repr(self))
        return hashlib.sha256("\0".join(rests_on).encode()).hexdigest()

    def make(self) -> None:
        """Make it, with our dependencies and, last, the way to conda."""
        shutil.rmtree(self.path, ignore_errors=True)
        make_venv(self.maker, self.path)
        pip = (self.python, "-m", "pip", "install", "-qq")
        call(*pip, "--upgrade", "pip >=25.1")  # the first to know groups
        ours = f".[{self.extra}]" if self.extra else "."
        call(*pip, "--editable", ours, "--group", self.group)
        call(self.python, "-m", "compileall", "-q", PACKAGE)
        if self.conda:
            # Behind our own packages, and only now: pip never saw the conda that was
            # found, so it neither counted on its packages nor touched them.
            site = output(
                self.python, "-c", "import sysconfig as s; print(s.get_path('purelib'))"
            )
            lines = "".join(f"{folder}\n" for folder in self.conda.folders)
            Path(site, "zz_conda.pth").write_text(lines)
        check = "import importlib.util as u, sys; sys.exit(bool(u.find_spec('conda')))"
        if run(self.python, "-c", check) != bool(self.conda):
            sys.exit(f"{self.path}: conda can be imported only in the lane with conda")


def make_venv(maker: str, path: Path) -> None:
    """Make an empty virtual environment with a pip in it."""
    if run(maker, "-c", "import ensurepip", quiet=True) == 0:
        call(maker, "-m", "venv", str(path))
        return
    # Debian's python comes without ensurepip, but may have a pip that helps out.
    call(maker, "-m", "venv", "--without-pip", str(path))
    python = str(path / "bin" / "python")
    if run(maker, "-m", "pip", "-qq", "--python", python, "install", "pip"):
        sys.exit(f"{maker} has neither ensurepip nor pip: install its venv package")


@dataclass(frozen=True)
class Outcome:
    """What became of one lane: a line for people, and whether all is well."""

    line: str
    good: bool = True


def run_lane(venv: Venv, arguments: list[str]) -> Outcome:
    """Run the tests in *venv* and count."""
    title = f"with {venv.conda}" if venv.conda else "without conda"
    venv.prepare()
    say(f"tests {title}")
    results = VENVS / f"{venv.name}.xml"
    results.unlink(missing_ok=True)
    command = ("-m", "pytest", f"--junit-xml={results}", *arguments)
    status = run(venv.python, *command, env=lane_environment(venv))
    counts = count(results) if results.exists() else "nothing counted"
    if status:
        what = "no test found" if status == 5 else f"pytest exits with {status}"
        return Outcome(f"{title}: FAILED, {counts} ({what})", good=False)
    return Outcome(f"{title}: {counts}")


def lane_environment(venv: Venv) -> dict[str, str]:
    """Return the environment variables for what runs in *venv*."""
    path = f"{venv.path / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**cleared_environment(), "VIRTUAL_ENV": str(venv.path), "PATH": path}
    # For tests of two machines, one of which has no conda.
    environment["PYTHON_WITHOUT_CONDA"] = without_conda().python
    if venv.conda:
        # Its python must not leave a __pycache__ behind in the conda that was found.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment


def count(results: Path) -> str:
    """Return in words how many tests did what, from pytest's report."""
    suite = ET.parse(results).getroot().find("testsuite")  # noqa: S314 - our own file
    if suite is None:
        return "nothing counted"
    number = {
        "failed": int(suite.get("failures", 0)),
        "broken": int(suite.get("errors", 0)),
        "skipped": int(suite.get("skipped", 0)),
    }
    passed = int(suite.get("tests", 0)) - sum(number.values())
    others = [f"{n} {word}" for word, n in number.items() if n]
    return ", ".join([f"{passed} passed", *others])


def test(arguments: list[str]) -> int:
    """Run each lane that can run here; say at the end which ones, and how it went."""
    outcomes = [run_lane(without_conda(), arguments)]
    try:
        outcomes.append(run_lane(with_conda(find_conda()), arguments))
    except NoConda as reason:
        # No conda is no failure, unless one was asked for.
        good = not isinstance(reason, BadConda)
        outcomes.append(Outcome(f"with conda: not run, {reason}", good))
    say("; ".join(outcome.line for outcome in outcomes))
    return 0 if all(outcome.good for outcome in outcomes) else 1


def test_long(arguments: list[str]) -> int:
    """Run only the tests that try random examples, with many times as many."""
    os.environ["S3_SYNC_TESTS"] = "long"
    return test(["-m", "long", *arguments])


def demo() -> int:
    """Run the demo, which needs no conda."""
    venv = without_conda()
    venv.prepare()
    return run(venv.python, "dev/demo.py", env=lane_environment(venv))


def package() -> int:
    """Build the conda package, which needs no conda."""
    venv = Venv("package", sys.executable, "package")
    venv.prepare()
    return run(venv.python, "dev/package.py", env=lane_environment(venv))


def bench(arguments: list[str]) -> int:
    """Measure what there is; beside conda, and in it."""
    try:
        venv = with_conda(find_conda())
    except NoConda as reason:
        sys.exit(f"lanes: {reason}")
    for each in (without_conda(), venv):
        each.prepare()
    script = "benchmarks/bench.py"
    return run(venv.python, script, *arguments, env=lane_environment(venv))


def lint() -> int:
    """Check style, format and types; run all three, whatever the first ones say."""
    python = lint_python()
    checks = (
        ("-m", "ruff", "check", "."),
        ("-m", "ruff", "format", "--check", "."),
        ("-m", "mypy"),
    )
    return max([run(python, *check) for check in checks])


def format_code() -> int:
    """Sort imports and format."""
    python = lint_python()
    sorted_ = run(python, "-m", "ruff", "check", "--quiet", "--select=I", "--fix", ".")
    return run(python, "-m", "ruff", "format", ".") or sorted_


def clean() -> int:
    """Remove everything that was made here."""
    made = ("dist", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis")
    for folder in (VENVS, *(ROOT / name for name in made)):
        shutil.rmtree(folder, ignore_errors=True)
    for part in (PACKAGE, "tests", "dev", "benchmarks"):
        for cache in list((ROOT / part).rglob("__pycache__")):
            shutil.rmtree(cache, ignore_errors=True)
    return 0


def without_conda() -> Venv:
    """Return the virtual environment of a machine that has no conda."""
    return Venv("without-conda", sys.executable, "test", extra="standalone")


def with_conda(conda: Conda) -> Venv:
    """Return the virtual environment beside *conda*."""
    return Venv("with-conda", str(conda.python), "test", conda=conda)


def lint_python() -> str:
    """Return a python that has ruff and mypy."""
    venv = Venv("lint", sys.executable, "lint")
    venv.prepare()
    return venv.python


def cleared_environment() -> dict[str, str]:
    """Return our environment variables without those that lead python astray."""
    return {name: text for name, text in os.environ.items() if name not in LEFT_OUT}


def run(*command: str, env: dict[str, str] | None = None, quiet: bool = False) -> int:
    """Run a command in the checkout and return its exit status."""
    environment = cleared_environment() if env is None else env
    stderr = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, cwd=ROOT, env=environment, stderr=stderr).returncode


def call(*command: str) -> None:
    """Run a command that must succeed."""
    if status := run(*command):
        sys.exit(f"failed with {status}: {' '.join(command)}")


def output(*command: str) -> str:
    """Return what a command prints."""
    env = cleared_environment()
    return subprocess.check_output(command, cwd=ROOT, env=env, text=True).strip()


def version_of(python: str) -> str:
    """Return which python this is: the same path may hold another one tomorrow."""
    return output(python, "-c", "import sys; print(sys.version, sys.base_prefix)")


def say(line: str) -> None:
    """Print a line that stands out in the output of pip and pytest."""
    print(f"\nlanes: {line}", flush=True)


def main() -> int:
    """Do what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    with_arguments = {"test": test, "test-long": test_long, "bench": bench}
    actions = {
        "demo": demo,
        "package": package,
        "lint": lint,
        "format": format_code,
        "clean": clean,
    }
    parser.add_argument("word", choices=(*with_arguments, *actions))
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="for pytest, or the benchmarks"
    )
    options = parser.parse_args()
    if options.word in with_arguments:
        return with_arguments[options.word](options.arguments)
    return actions[options.word]()


if __name__ == "__main__":
    sys.exit(main())
