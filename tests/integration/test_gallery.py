"""The gallery in a whole Airflow: mounted, behind its permissions, fed by its database."""

from __future__ import annotations

from pathlib import Path

from tests.integration.standalone import standalone
from tests.support.airflow import Airflow
from tests.support.pictures import picture

DAG = """
from airflow.sdk import DAG, task

with DAG("shop"):
    @task
    def generate(ti=None):
        ti.xcom_push(key="images", value=[
            {{"path": "file://{folder}/a.png", "prompt": "<script>alert(1)</script>", "credits": 1.0}}
        ])

    generate()
"""


def test_airflow_serves_the_pictures_of_a_task_to_whom_it_may_concern(tmp_path: Path) -> None:
    home, dags, folder = tmp_path / "airflow", tmp_path / "dags", tmp_path / "pictures"
    for directory in (home, dags, folder):
        directory.mkdir()
    (dags / "shop.py").write_text(DAG.format(folder=folder))
    (folder / "a.png").write_bytes(picture())
    users = {"admin": "admin", "nobody": ""}
    with standalone(Airflow(home, dags), path="/airflow", users=users) as running:
        run_id = running.trigger("shop")
        assert running.ended("shop", run_id) == "success"
        run = f"claid/images/dags/shop/runs/{run_id}"
        task = f"{run}/tasks/generate/-1"
        admin, nobody = running.token("admin"), running.token("nobody")
        for path in (run, task, f"{task}/0", f"{task}/0/0/thumbnail", f"{task}/0/0/large", "claid/images"):
            answer = running.get(path, admin)
            assert answer.status_code == 200, (path, answer.text)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "<script>alert" not in answer.text
            assert running.get(path).status_code == 401
            if path != "claid/images":
                assert running.get(path, nobody).status_code == 403
        assert run_id not in running.get("claid/images", nobody).text
        assert "/airflow/claid/static/gallery.css" in running.get(run, admin).text
        assert running.get("claid/static/gallery.css").status_code == 200
        for path in (f"{task}/1", f"{task}/0/1/large", f"{task}/0/input/large", f"{run}/tasks/other/-1/0"):
            assert running.get(path, admin).status_code == 404
        plugins = running.call("GET", "plugins")["plugins"]
        names = {view["name"] for plugin in plugins for view in plugin["external_views"]}
        assert {"Images", "Claid images"} <= names
