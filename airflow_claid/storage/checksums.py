"""Whether a file has the content that it had."""

from __future__ import annotations

import base64
import hashlib

from airflow_claid.storage.addresses import scheme_of, without_connection
from airflow_claid.storage.object_storage import find, located, read, read_if_there
from airflow_claid.storage.stored_files import StoredFile


def checksum_if_there(uri: str, parameter: str = "output") -> str | None:
    """Return what :func:`content_version` returns for the file of an address; ``None`` only where there truly is none.

    :param parameter: the parameter that the address came from, for the error.
    """
    file = find(uri, parameter)
    try:
        return content_version(file) if file else None
    except FileNotFoundError:
        return None


def content_version(file: StoredFile) -> str:
    """Return what tells one content of a file from another, in whichever way it was written.

    The bucket's own checksum where that is one of the content, else a digest of the bytes. For a file that was found
    or listed in Google Cloud Storage that takes no request, in S3 one for its header. Files that were uploaded to S3 in
    parts, or with an encryption of KMS or the customer, are read, and local ones.

    :raises FileNotFoundError: if it is there no more.
    """
    if file.checksum and is_of_content(file):
        return file.checksum
    content = read(file.uri)
    return _as_s3_tells(content) if file.checksum else hashlib.sha256(content).hexdigest()


def version_in_folder(file: StoredFile) -> str:
    """Return what tells one content of a file among many from another; only one that was uploaded in parts is read."""
    if file.checksum and "-" in file.checksum and scheme_of(without_connection(file.uri)) == "s3":
        return _as_s3_tells(read(file.uri))
    return file.checksum or file.state


def is_of_content(file: StoredFile) -> bool:
    """Tell whether a file's checksum is one of its content.

    An ETag of S3 is not, where the file was uploaded in parts or is encrypted with a key of KMS or of the customer.
    """
    if file.checksum is None or scheme_of(without_connection(file.uri)) != "s3":
        return file.checksum is not None
    path = located(file.uri)
    if "-" in file.checksum or not hasattr(path.fs, "call_s3"):
        return "-" not in file.checksum
    bucket, key, _ = path.fs.split_path(path.path)
    head = path.fs.call_s3("head_object", Bucket=bucket, Key=key)
    return head.get("ServerSideEncryption", "AES256") == "AES256" and not head.get("SSECustomerAlgorithm")


def is_unchanged(uri: str, *, checksum: str | None, size: int | None, sha256: str | None) -> bool:
    """Tell whether the file of an address has the content that it had: by its checksum, else by its bytes.

    :param checksum: what its bucket told, or a digest of its bytes.
    """
    file = find(uri)
    if file is None or (file.checksum is not None and file.checksum == checksum):
        return file is not None
    if size is not None and file.size != size:
        return False
    content = read_if_there(uri)
    if content is None:
        return False
    digest = hashlib.sha256(content).hexdigest()
    return digest == sha256 or checksum in (digest, _as_s3_tells(content), _as_google_tells(content))


def _as_s3_tells(content: bytes) -> str:
    """Return the checksum that S3 tells of a file that was uploaded as a whole."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _as_google_tells(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
