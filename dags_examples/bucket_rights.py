"""Try which rights Airflow's workers have in a folder of a bucket, and say what each is needed for.

Lists the folder, writes one small file, reads it, writes it again and removes it. Nothing is asked of Claid, and
nothing is paid. The task's log has a line for each right; it fails where one that is needed is missing.

Parameters: ``folder`` is any folder that Airflow can write to, such as ``s3://aws_default@shop-pictures/spring/``.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

import pendulum
from airflow.sdk import ObjectStoragePath, Param, dag, task

log = logging.getLogger(__name__)

WITHOUT = {
    "overwrite": "Not needed: each state of a receipt becomes a file of its own",
    "delete": "Not needed: what Claid wrote into _claid/landing/ stays there",
}
"""What follows where a right is missing; the others are needed."""


def rights_in(folder: str) -> dict[str, str]:
    """Return, for each right, why it is refused; an empty text where it is allowed."""
    file = ObjectStoragePath(folder) / "_claid" / f"rights-{uuid.uuid4()}.txt"

    def list_folder() -> None:
        # S3 answers 403, not 404, to a file that is not there where the bucket may not be listed.
        if file.exists():
            raise RuntimeError(f"{file} is there already")
        if file.parent.exists():
            list(file.parent.iterdir())

    def create() -> None:
        if file.protocol == "file":  # in a bucket there are no folders to make
            file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("created by bucket_rights")

    def read() -> None:
        if file.read_text() != "created by bucket_rights":
            raise RuntimeError("what was read is not what was written")

    tries: dict[str, Callable[[], object]] = {
        "list": list_folder,
        "create": create,
        "read": read,
        "overwrite": lambda: file.write_text("overwritten by bucket_rights"),
        "delete": file.unlink,
    }
    return {name: refusal(attempt) for name, attempt in tries.items()}


def refusal(attempt: Callable[[], object]) -> str:
    """Return why something is refused; an empty text where it is allowed."""
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - each provider has its own errors, and each is an answer here
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return ""


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={"folder": Param("file:///tmp/bucket_rights/", type="string", pattern="/$", title="Folder to try")},
    tags=["claid", "example"],
    doc_md=__doc__,
)
def bucket_rights() -> None:
    @task
    def try_them(folder: str) -> dict[str, str]:
        rights = rights_in(folder)
        for name, why in rights.items():
            log.info("%s: %s", name, f"refused ({why}). {WITHOUT.get(name, 'Needed')}" if why else "allowed")
        missing = [name for name, why in rights.items() if why and name not in WITHOUT]
        if missing:
            raise RuntimeError(f"The connection of {folder} lacks rights that are needed: {', '.join(missing)}")
        return rights

    try_them("{{ params.folder }}")


bucket_rights()
