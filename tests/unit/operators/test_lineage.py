"""What tasks report to Airflow's lineage."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import HookLineageCollector
from airflow.sdk import ObjectStoragePath

from airflow_claid.operators import (
    ImageGenerationBatchOperator,
    ImageGenerationOperator,
    ImageResizeOperator,
)
from airflow_claid.operators.bases.lineage import report_lineage
from airflow_claid.sandbox import Sandbox
from airflow_claid.storage.object_storage import write_whole
from tests.conftest import Connect
from tests.support.pictures import noise
from tests.unit.operators.conftest import NewTry

COLLECTOR = f"{HookLineageCollector.__module__}.get_hook_lineage_collector"


@dataclass
class Reported:
    """A collector, as with OpenLineage installed, and what it was told."""

    collector: HookLineageCollector = field(default_factory=HookLineageCollector)

    @property
    def inputs(self) -> list[str]:
        return sorted(one.asset.uri for one in self.collector.collected_assets.inputs)

    @property
    def outputs(self) -> list[str]:
        return sorted(one.asset.uri for one in self.collector.collected_assets.outputs)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Reported:
    reported = Reported()
    monkeypatch.setattr(COLLECTOR, lambda: reported.collector)
    return reported


def plain(uri: str) -> str:
    return uri.replace("moto@", "")


def test_pictures_are_outputs_and_receipts_are_nothing(
    sandbox: Sandbox, new_try: NewTry, s3: str, reported: Reported
) -> None:
    operator = ImageGenerationOperator(
        task_id="lamps", prompt="A lamp", name="椅子", number_of_images=2, output=f"{s3}/out/"
    )
    new_try()(operator)
    assert reported.outputs == [f"{plain(s3)}/out/椅子_{number}.png" for number in (1, 2)]
    assert reported.inputs == []


def test_the_pictures_that_an_edit_starts_from_are_inputs_whoever_reads_them(
    sandbox: Sandbox, new_try: NewTry, s3: str, tmp_path: Path, connect: Connect, reported: Reported
) -> None:
    write_whole(f"{s3}/in/chair.png", noise())
    new_try()
    sandbox.connect_storage("shop", bucket="pictures", where=tmp_path)
    extra = {"storages": {"shop": f"file://{tmp_path}"}}
    connect("claid_default", conn_type="claid", password=sandbox.api_key, host=sandbox.url, extra=extra)
    (tmp_path / "table.png").write_bytes(noise())
    for path in (f"{s3}/in/chair.png", "storage://shop/table.png"):
        new_try()(ImageResizeOperator(task_id="small", input=path, width=20, output="storage://shop/out/"))
    assert reported.inputs == [f"file://{tmp_path}/table.png", f"{plain(s3)}/in/chair.png"]
    assert all(uri.startswith(f"file://{tmp_path}/out/") and "_claid" not in uri for uri in reported.outputs)
    assert len(reported.outputs) == 2


def test_of_a_batch_the_file_is_an_input_and_manifest_and_pictures_are_outputs(
    sandbox: Sandbox, new_try: NewTry, s3: str, reported: Reported
) -> None:
    write_whole(f"{s3}/lamps.csv", b"prompt,name\nA lamp,L-1\nA chair,L-2\n")
    summary = new_try()(ImageGenerationBatchOperator(task_id="lamps", prompts=f"{s3}/lamps.csv", output=f"{s3}/out/"))
    assert reported.inputs == [plain(f"{s3}/lamps.csv")]
    assert reported.outputs == sorted(
        plain(uri) for uri in (summary["manifest"], f"{s3}/out/L-1_1.png", f"{s3}/out/L-2_1.png")
    )


def test_the_manifest_of_a_long_batch_is_among_what_airflow_takes(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, reported: Reported, caplog: pytest.LogCaptureFixture
) -> None:
    prompts = [f"Lamp number {number}" for number in range(120)]
    summary = new_try()(
        ImageGenerationBatchOperator(task_id="lamps", prompts=prompts, output=f"file://{tmp_path}/out/")
    )
    assert len(reported.outputs) == 100
    assert summary["manifest"] in reported.outputs
    assert not any("_claid" in uri for uri in reported.outputs)


def test_temporary_links_are_no_outputs_and_of_a_link_that_is_an_input_no_secret_is_reported(
    sandbox: Sandbox, new_try: NewTry, reported: Reported, tmp_path: Path
) -> None:
    run = new_try()
    operator = ImageGenerationOperator(task_id="lamp", prompt="A lamp")
    assert run(operator)[0].startswith("http")
    assert reported.outputs == []
    report_lineage(operator.hook, inputs=["https://user:word@cdn.example/a.png?token=secret#top"], outputs=[])
    assert reported.inputs == ["https://cdn.example/a.png"]


def test_a_collector_that_fails_fails_no_paid_task(
    sandbox: Sandbox, new_try: NewTry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no lineage today")

    monkeypatch.setattr(COLLECTOR, Failing)
    operator = ImageGenerationOperator(task_id="lamp", prompt="A lamp", output=f"file://{tmp_path}/")
    assert len(new_try()(operator)) == 1


def test_airflow_reports_what_is_written_by_its_own_path(s3: str, reported: Reported) -> None:
    """If this fails, Airflow reports in another way, and the tests above look at the wrong collector."""
    with ObjectStoragePath(f"{s3}/a.txt").open("wb") as file:
        file.write(b"text")
    assert [plain(uri) for uri in reported.outputs] == [plain(f"{s3}/a.txt")]
