"""The command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.commands

CLAID = str(Path(sys.executable).with_name("claid"))
HEAVY = ("airflow", "pydantic", "requests", "rich", "PIL", "fastapi")


@pytest.mark.parametrize("words", ["['--help']", "['receipts', '--help']", "['receipts', 'list', '--help']"])
def test_help_loads_nothing_heavy(words: str) -> None:
    script = (
        "import sys\n"
        "from airflow_claid.cli.__main__ import main\n"
        "try:\n"
        f"    main({words})\n"
        "except SystemExit:\n"
        "    print(sorted({name.split('.')[0] for name in sys.modules} & set(sys.argv[1:])))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *HEAVY], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "_claid").mkdir()
    for count in range(3000):
        (tmp_path / f"_claid/{count:064x}.json").write_text("{}")
    command = f"{CLAID} receipts list {tmp_path} --json | head -1"
    environment = {**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout.count("\n"), done.returncode) == (1, 0)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_stdout_has_results_alone_whatever_libraries_log(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    (tmp_path / "_claid").mkdir()
    command = [CLAID, "receipts", "sum", str(tmp_path), "--json", "--debug"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert done.stdout.startswith('{"total": ')
    assert done.stdout.count("\n") == 1
