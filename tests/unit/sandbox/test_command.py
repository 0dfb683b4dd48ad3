from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from airflow_claid.sandbox import Dialect, KeySettings, Latency, SandboxSettings, StorageSettings
from airflow_claid.sandbox.__main__ import read_settings, serve
from airflow_claid.sandbox.settings import all_quotas

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.commands
def test_the_command_tells_where_it_serves_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "airflow_claid.sandbox", "--port=0", "--key=abc", "--storage=shop=s3://b/p"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        rest = "".join(process.stdout.readline() for _ in range(4))
        assert "abc" in rest
        assert "storage://shop/" in rest
        assert "/sandbox/ledger" in rest
        headers = {"Authorization": "Bearer abc"}
        answer = requests.post(
            f"{found[0]}/v1/image/generate", json={"input": "a red bicycle"}, headers=headers, timeout=10
        )
        assert answer.json()["data"]["output"][0]["tmp_url"].startswith(found[0])
        process.send_signal(number)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_ends_the_command_with_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve(SandboxSettings(port=port), lambda *_: pytest.fail("it serves")) == 1
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Another port: --port" in capsys.readouterr().err


def test_the_command_line_names_files_of_dialects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text('[{"status": 201}, {"without": "data.input"}]')
    (tmp_path / "b.json").write_text('[{"compress": "gzip"}]')
    settings = read_settings([f"--dialect={tmp_path}/a.json", f"--dialect={tmp_path}/b.json"])
    assert settings.dialects == (Dialect(status=201), Dialect(without="data.input"), Dialect(compress="gzip"))
    (tmp_path / "b.json").write_text('[{"compres": "gzip"}]')
    with pytest.raises(SystemExit):
        read_settings([f"--dialect={tmp_path}/b.json"])
    assert f"{tmp_path}/b.json, dialect 1: compres: Extra inputs are not permitted" in capsys.readouterr().err


def test_the_command_line_becomes_settings() -> None:
    line = (
        "--key=a:storage=5 --key=b --latency=5+-2 --quota=9/3 --blocked-word=cat --ttl=60 --image-size=64 "
        "--storage=web=https://example.com/x --storage=g=gcs://b/p/q --bucket=b=/data "
        "--public-url=https://claid.example/ --host=0.0.0.0"
    )
    settings = read_settings(line.split())
    assert settings.keys == (KeySettings("a", frozenset({"storage"}), 5), KeySettings("b"))
    assert settings.latency == Latency(5, 2)
    assert settings.storages == (
        StorageSettings("web", "https://example.com/x", "web_folder"),
        StorageSettings("g", "b", "gcs", "p/q"),
    )
    assert settings.buckets == {"b": "/data"}
    assert (settings.quota, settings.blocked_words, settings.ttl, settings.image_size) == ("9/3", ("cat",), 60, 64)
    assert (settings.public_url, settings.host) == ("https://claid.example", "0.0.0.0")


def test_each_quota_has_an_option() -> None:
    options = [f"--{setting.replace('_', '-')}=7/1" for setting in all_quotas("7/1")]
    assert read_settings(options) == replace(read_settings([]), **all_quotas("7/1"))


@pytest.mark.parametrize("argument", ["--key=:x", "--key=a:nonsense", "--storage=shop", "--bucket=b", "--latency=soon"])
def test_a_wrong_argument_ends_the_command_with_a_message(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_settings([argument])
    assert ended.value.code == 2
    assert argument.partition("=")[0] in capsys.readouterr().err
