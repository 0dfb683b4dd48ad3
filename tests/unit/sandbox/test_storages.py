from __future__ import annotations

import io
from pathlib import Path

import boto3
import pytest
import requests
from PIL import Image

from airflow_claid.sandbox import Sandbox, SandboxSettings, StorageSettings
from tests.support.sandbox_client import Client, png


@pytest.mark.usefixtures("full_size")
def test_generated_pictures_go_to_a_folder_under_unpredictable_names(client: Client, folder: Path) -> None:
    output = client.generate(output="storage://shop/bikes/red/").json()["data"]["output"]
    assert len({image["object_key"] for image in output}) == 4
    for image in output:
        name = image["object_key"].removeprefix("catalogue/bikes/red/")
        assert name.startswith("Claid_")
        assert image["tmp_url"] is None
        assert image["object_bucket"] == "pictures"
        assert image["object_uri"] == f"s3://pictures/catalogue/bikes/red/{name}"
        assert image["claid_storage_uri"] == f"storage://shop/bikes/red/{name}"
        assert Image.open(folder / "bikes" / "red" / name).size == (1024, 1024)


def test_an_edit_names_its_file_after_the_input_or_exactly_as_told(client: Client, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "photo.one.png").write_bytes(png())
    address = "storage://shop/photo.one.png"
    chosen = client.edit(address, output={"destination": "storage://shop/out/", "format": "webp"})
    assert chosen.json()["data"]["output"]["object_key"] == "catalogue/out/photo.one.webp"
    exact = client.edit(address, output="storage://shop/out/deep/b.png").json()["data"]["output"]
    assert (exact["object_key"], exact["format"]) == ("catalogue/out/deep/b.png", "PNG")
    assert Image.open(folder / "out" / "deep" / "b.png").format == "PNG"


def test_a_folders_files_appear_whole(client: Client, folder: Path) -> None:
    client.generate(output="storage://shop/x/")
    assert all(path.suffix == ".png" for path in folder.rglob("*") if path.is_file())
    assert not list(folder.rglob(".claid-*"))


@pytest.mark.parametrize("path", ["../../outside/", "a/%2e%2e/%2E%2e/%2e%2e/outside/"])
def test_no_path_leads_out_of_a_bucket(client: Client, folder: Path, path: str) -> None:
    assert client.generate(output=f"storage://shop/{path}").status_code == 400
    assert client.edit(f"storage://shop/{path}x.png").status_code == 400
    assert not (folder.parent.parent / "outside").exists()


@pytest.mark.parametrize("output", ["storage://unknown/a/", "storage:///a/"])
def test_an_unknown_storage_is_400(client: Client, sandbox: Sandbox, output: str) -> None:
    assert client.generate(output=output).status_code == 400
    assert sandbox.charged() == 0


def test_a_bucket_that_is_nowhere_cannot_be_reached(client: Client, sandbox: Sandbox) -> None:
    sandbox.connect_storage("lost", bucket="nowhere")
    answer = client.generate(output="storage://lost/a/")
    assert answer.status_code == 400
    assert answer.json()["error_message"] == "Bucket 'nowhere' cannot be reached."


def test_all_other_buckets_can_lie_in_one_folder(tmp_path: Path) -> None:
    storage = StorageSettings.parse("shop=gcs://any-bucket/pre/fix")
    with Sandbox(SandboxSettings(buckets={"*": str(tmp_path)}, storages=(storage,))) as sandbox:
        answer = Client(sandbox).generate(output="storage://shop/a/", options={"number_of_images": 1})
    (image,) = answer.json()["data"]["output"]
    assert image["object_uri"].startswith("gs://any-bucket/pre/fix/a/Claid_")
    assert len(list((tmp_path / "any-bucket" / "pre" / "fix" / "a").iterdir())) == 1


@pytest.mark.usefixtures("full_size")
def test_a_web_folder_is_read_and_not_written(client: Client, sandbox: Sandbox) -> None:
    address = client.picture_address()
    base, _, name = address.rpartition("/")
    sandbox.connect_storage("web", bucket=base, type="web_folder")
    data = client.edit(f"storage://web/{name}").json()["data"]
    assert data["input"]["width"] == 1024
    refused = client.edit(f"storage://web/{name}", output="storage://web/out/")
    assert refused.status_code == 400
    assert "only be read" in refused.json()["error_message"]


def test_percent_signs_in_storage_addresses_are_decoded(client: Client, folder: Path) -> None:
    (image,) = client.generate(output="storage://shop/Sch%C3%B6ne%20Stiefel/", options={"number_of_images": 1}).json()[
        "data"
    ]["output"]
    assert image["object_key"].startswith("catalogue/Schöne Stiefel/Claid_")
    assert (folder / "Schöne Stiefel").is_dir()


@pytest.mark.usefixtures("full_size")
def test_s3_at_an_endpoint_is_written_and_read(client: Client, sandbox: Sandbox, s3_endpoint: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIA",
        aws_secret_access_key="secret",
    )
    s3.create_bucket(Bucket="real-bucket")
    sandbox.connect_storage("cloud", bucket="real-bucket", path="pre/fix", where=s3_endpoint)
    output = client.generate(output="storage://cloud/%C3%BCn%C3%AF%20code/")
    image = output.json()["data"]["output"][0]
    assert image["object_key"].startswith("pre/fix/ünï code/Claid_")
    found = s3.get_object(Bucket="real-bucket", Key=image["object_key"])
    assert found["ContentType"] == "image/png"
    assert Image.open(io.BytesIO(found["Body"].read())).size == (1024, 1024)
    address = image["claid_storage_uri"].replace(" ", "%20").replace("ü", "%C3%BC").replace("ï", "%C3%AF")
    assert client.edit(address, output="storage://cloud/o/").status_code == 200
    assert client.edit("storage://cloud/none.png").status_code == 400


def test_an_s3_bucket_that_does_not_exist_is_400(client: Client, sandbox: Sandbox, s3_endpoint: str) -> None:
    sandbox.connect_storage("cloud", bucket="no-such-bucket", where=s3_endpoint)
    answer = client.generate(output="storage://cloud/a/")
    assert answer.status_code == 400
    assert "NoSuchBucket" in answer.json()["error_message"]
    assert sandbox.charged() == 0


def test_gcs_at_an_endpoint_is_written_and_read(client: Client, sandbox: Sandbox, gcs_endpoint: str) -> None:
    sandbox.connect_storage("cloud", bucket="pictures", type="gcs", path="pre", where=gcs_endpoint)
    (image,) = client.generate(output="storage://cloud/a%20b/", options={"number_of_images": 1}).json()["data"][
        "output"
    ]
    assert image["object_uri"].startswith("gs://pictures/pre/a b/Claid_")
    edited = client.edit(image["claid_storage_uri"].replace(" ", "%20"), output="storage://cloud/edited/")
    key = edited.json()["data"]["output"]["object_key"]
    found = requests.get(
        f"{gcs_endpoint}/storage/v1/b/pictures/o/{key.replace('/', '%2F')}", params={"alt": "media"}, timeout=10
    )
    assert Image.open(io.BytesIO(found.content)).format == "JPEG"
    assert client.edit("storage://cloud/none.png").status_code == 400
