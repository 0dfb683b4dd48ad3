"""The plugin as a user has it: pytest finds it by its entry point, in a process of its own."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.commands

OPERATOR_TESTS = """
import pytest
from airflow_claid.operators import ImageGenerationOperator

class TaskInstance:
    dag_id, run_id, task_id, map_index, try_number, max_tries = "shop", "monday", "sofa", -1, 1, 0
    def xcom_push(self, key, value): pass

def run(prompt, output, conn_id="claid_default"):
    task = ImageGenerationOperator(task_id="sofa", prompt=prompt, output=f"file://{output}/", claid_conn_id=conn_id)
    return task.execute({"ti": TaskInstance()})
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of a user's own tests; nothing of ours is in it."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("AIRFLOW_CONN_CLAID_DEFAULT", raising=False)
    return pytester


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    (found,) = entry_points(group="pytest11", name="claid")
    assert found.value == "airflow_claid.testing.plugin"


def test_a_start_of_pytest_imports_neither_airflow_nor_the_sandbox(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_loaded():
            ours = {name for name in sys.modules if name.startswith("airflow_claid")}
            parts = {f"airflow_claid.testing.{name}" for name in ("faults", "ledger", "plugin")}
            assert ours == {"airflow_claid", "airflow_claid.testing", *parts}
            assert not sys.modules.keys() & {"airflow", "fastapi", "uvicorn", "requests", "pydantic", "PIL"}
        """
    )
    others = ("schemathesis", "anyio", "hypothesispytest")
    without = [option for name in others for option in ("-p", f"no:{name}")]
    run.runpytest_subprocess(*without).assert_outcomes(passed=1)


def test_the_fixtures_run_an_operator_and_say_what_it_cost(run: pytest.Pytester) -> None:
    run.makepyfile(
        OPERATOR_TESTS
        + """
def test_a_picture_is_paid_once(claid_connection, claid_ledger, tmp_path):
    assert claid_connection == "claid_default"
    for _ in range(2):
        (path,) = run("A linen sofa", tmp_path)
    claid_ledger.charged(1, prompt="sofa")
    claid_ledger.nothing_paid_twice()

def test_each_test_has_a_ledger_of_its_own(claid_ledger):
    claid_ledger.charged(0)
    assert claid_ledger.requests == []

def test_a_connection_of_another_name(claid_connect, claid_ledger, tmp_path):
    run("A linen sofa", tmp_path, claid_connect("claid_shop", max_wait=5))
    claid_ledger.charged(1)

def test_a_blocked_picture(claid_connection, claid_faults, tmp_path):
    claid_faults.blocked("linen")
    with pytest.raises(Exception, match="blocked"):
        run("A linen sofa", tmp_path)
"""
    )
    run.runpytest_subprocess("--strict-markers").assert_outcomes(passed=4)


def test_a_failed_assertion_shows_the_ledger_and_the_users_own_line(run: pytest.Pytester) -> None:
    run.makepyfile(
        OPERATOR_TESTS
        + """
def test_too_dear(claid_connection, claid_ledger, tmp_path):
    run("A linen sofa", tmp_path)
    claid_ledger.charged(0)
"""
    )
    result = run.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*claid_ledger.charged(0)",
            "E*AssertionError: Claid charged 1 credit, not 0 credits.",
            "E*#1 generate_image: 1 credit for 'A linen sofa'",
        ]
    )
    result.stdout.no_fnmatch_line("*ledger.py:*")


def test_settings_come_from_markers_and_the_nearest_wins(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest
        from airflow_claid.sandbox import KeySettings

        pytestmark = pytest.mark.claid_sandbox(image_size=64, ttl=60)

        @pytest.mark.claid_sandbox(image_size=32, keys=(KeySettings("mine", credits=3),))
        def test_of_both(claid_sandbox):
            settings = claid_sandbox.settings
            assert (settings.image_size, settings.ttl, claid_sandbox.api_key) == (32, 60, "mine")

        def test_of_the_module(claid_sandbox):
            assert claid_sandbox.settings.image_size == 64

        @pytest.mark.claid_sandbox(64)
        def test_without_a_name(claid_sandbox):
            pass

        @pytest.mark.claid_sandbox(picture_size=64)
        def test_of_a_setting_that_is_none(claid_sandbox):
            pass
        """
    )
    result = run.runpytest_subprocess("--strict-markers")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        ["*takes settings by name, such as image_size=64*", "*unexpected keyword argument 'picture_size'*"]
    )


def test_tests_run_in_several_processes(run: pytest.Pytester) -> None:
    run.makepyfile(
        """
        import pytest
        import requests

        @pytest.mark.parametrize("number", range(4))
        def test_a_sandbox_of_its_own(claid_sandbox, claid_ledger, number):
            answer = requests.post(f"{claid_sandbox.url}/v1/image/generate", timeout=10, json={"input": "A sofa"},
                                   headers={"Authorization": f"Bearer {claid_sandbox.api_key}"})
            assert answer.ok
            claid_ledger.charged(4)
        """
    )
    run.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)


def test_a_missing_sandbox_is_named_with_its_remedy(run: pytest.Pytester) -> None:
    run.makeconftest("import sys\nsys.modules['uvicorn'] = None\n")
    run.makepyfile("def test_a_sandbox(claid_sandbox): pass")
    result = run.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pip install 'airflow-claid[[]sandbox]'*"])
