"""Whatever Claid repeats of the key and of a proxy's password: no receipt, no XCom, no result and no log has it."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image

from airflow_claid.client.quota.quota import AccountQuota, Quota
from airflow_claid.operators import ImageGenerationOperator
from tests.conftest import Connect
from tests.support.secret_forms import FORMS, gives_away
from tests.support.socket_server import Caller, SocketServer, answer
from tests.unit.operators.conftest import TaskInstance, TaskRun

KEY = "cl-0123456789-never-to-be-seen"
PASSWORD = "Pr0xy:pass-word/of%the+company"


def png() -> bytes:
    target = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(target, "PNG")
    return target.getvalue()


def body(**facts: object) -> bytes:
    return json.dumps({"data": facts}).encode()


ANSWERS: dict[str, Callable[[str, str], bytes]] = {
    "a picture": lambda url, said: answer(
        body(output=[{"tmp_url": f"{url}/{quote(said)}.png", "mime": said, "format": said, "note": {said: said}}])
    ),
    "a picture and a request id": lambda url, said: answer(
        body(output=[{"tmp_url": f"{url}/a.png"}], input={"text": None, "other": said}),
        "200 OK",
        f"x-request-id: {said}",
    ),
    "nothing to be read": lambda _, said: answer(body(output=said)),
    "no JSON": lambda _, said: answer(f"<p>{said}".encode()),
    "a refusal": lambda _, said: answer(json.dumps({"error_message": said, "error_type": said}).encode(), "422 No"),
    "a failure": lambda _, said: answer(f"<p>{said}</p>".encode(), f"502 {said}"),
}


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("secret", [KEY, PASSWORD], ids=["key", "password"])
def test_nothing_that_is_kept_or_passed_on_has_a_secret(
    kind: str,
    secret: str,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said = ""
    picture = answer(png(), "200 OK", "Content-Type: image/png")

    def talk(caller: Caller) -> None:
        request = caller.request()
        if request is not None:
            caller.say(ANSWERS[kind](url, said) if request.startswith(b"POST") else picture)

    with SocketServer(talk) as server:
        url = server.url
        unpaced = AccountQuota.of_one(Quota(()))
        monkeypatch.setattr("airflow_claid.client.account.AccountQuota", lambda store: unpaced)
        monkeypatch.setenv("http_proxy", f"http://user:{quote(PASSWORD, safe='')}@{urlsplit(url).netloc}")
        connect("claid_default", conn_type="claid", password=KEY, host=url, extra={"max_wait": 0})
        told: list[str] = []
        for number, form in enumerate(FORMS.values()):
            said = form(secret)
            run = TaskRun(TaskInstance(), None)
            operator = ImageGenerationOperator(
                task_id="pictures", prompt=f"Lamp {number}", output=f"file://{tmp_path}/out/"
            )
            try:
                told.append(json.dumps(run(operator)))
            except Exception as error:  # noqa: BLE001 - whatever comes out must be clean
                told.append("".join(traceback.format_exception(error)))
            told.append(json.dumps(run.ti.pushed))
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len([file for file in kept if file.suffix == ".json"]) >= len(FORMS)
    for text in [*told, caplog.text, *(f"{file.name} {file.read_bytes()!r}" for file in kept if file.suffix != ".png")]:
        assert not gives_away(text, secret), text
    assert not any(gives_away(str(file), secret) for file in kept)
