"""The sensor in a real Airflow, once in each mode, for a picture that comes during the wait."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from airflow_claid.sandbox import Sandbox
from tests.support.airflow import Airflow
from tests.support.pictures import noise, picture

DAG = """
import json
from pathlib import Path

from airflow.sdk import DAG, task
from airflow_claid.operators import ImageResizeOperator
from airflow_claid.sensors import ClaidImageSensor

FOLDER = Path("{folder}")

with DAG("waiting"):
    begun = task(lambda: (FOLDER / "begun").touch(), task_id="begun")()
    wait = ClaidImageSensor(
        task_id="wait", output="storage://shop/spring/", number_of_images=2, poke_interval=1, timeout=120, {mode}
    )
    resize = ImageResizeOperator(task_id="resize", input=wait.output, width=20, output="file://{folder}/small/")

    @task
    def tell(found, small):
        (FOLDER / "told.json").write_text(json.dumps([found, small]))

    begun >> wait
    tell(wait.output, resize.output)
"""


@pytest.mark.parametrize("mode", ["mode='poke'", "mode='reschedule'", "deferrable=True"])
def test_a_picture_that_comes_is_waited_for(mode: str, airflow: Airflow, own_sandbox: Sandbox, tmp_path: Path) -> None:
    dags, bucket = tmp_path / "dags", tmp_path / "bucket" / "spring"
    dags.mkdir()
    bucket.mkdir(parents=True)
    (dags / "waiting.py").write_text(DAG.format(folder=tmp_path, mode=mode))
    airflow.dags = dags
    own_sandbox.connect_storage("shop", bucket="pictures", where=bucket.parent)
    airflow.connections["claid_default"]["extra"] = {"storages": {"shop": f"file://{bucket.parent}"}}
    (bucket / "black.png").write_bytes(picture(1024, 1024, "black"))
    (bucket / "a.png").write_bytes(noise())
    stop = threading.Event()

    def bring() -> None:
        """Bring the second picture some seconds after the run began."""
        while not (tmp_path / "begun").exists():
            if stop.wait(0.1):
                return
        stop.wait(4)
        (bucket / "b.png").write_bytes(noise())

    bringing = threading.Thread(target=bring)
    bringing.start()
    try:
        status, log = airflow.run_dag("waiting")
    finally:
        stop.set()
        bringing.join()
    assert status == 0, log[-3000:]
    found, small = json.loads((tmp_path / "told.json").read_text())
    assert found == ["storage://shop/spring/a.png", "storage://shop/spring/b.png"]
    assert small == [f"file://{tmp_path}/small/{name}.jpg" for name in "ab"]
    assert "1 of 2 usable images at storage://shop/spring/ (and 1 blocked by the content filter)" in log
    assert ("deferred" in log.lower()) == ("deferrable=True" in mode)
    assert ("up_for_reschedule" in log.lower()) == ("reschedule" in mode)
    assert own_sandbox.api_key not in log
