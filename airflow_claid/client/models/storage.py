"""Connected storages: buckets that Claid reads and writes by name (``storage://NAME/PATH``).

The secret half of a key pair is held in pydantic's ``SecretStr`` from the moment it is given. Only the body of a
request shows it; no ``repr``, no error, no log and no answer of Claid does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from airflow_claid.client.errors import ClaidError, ClaidValidationError
from airflow_claid.client.models.base import UNKNOWN, AnswerModel, RequestModel, check_known, checked, wrong

STORAGE_NAME_MAX_CHARACTERS = 50
BucketType = Literal["s3", "gcs"]

_NOT_IN_NAMES = "/\\?#@%[]"
_NOT_SHOWN = "***"


def _name(value: object) -> object:
    if not isinstance(value, str):
        raise wrong("must be a text such as 'shop'")
    if not value.strip() or value != value.strip():
        raise wrong("must be a text such as 'shop', without blanks around it: it stands in storage://NAME/PATH")
    if len(value) > STORAGE_NAME_MAX_CHARACTERS:
        raise wrong(
            f"has {len(value)} characters; Claid takes {STORAGE_NAME_MAX_CHARACTERS}: "
            f"shorten it by {len(value) - STORAGE_NAME_MAX_CHARACTERS}"
        )
    unfit = "".join(sign for sign in _NOT_IN_NAMES if sign in value)
    if unfit or not value.isprintable():
        raise wrong(
            f"holds {unfit or 'signs that cannot be printed'!r}, which an address storage://NAME/PATH cannot have in "
            "NAME: use letters, digits, '-' and '_'; folders belong in path"
        )
    return value


def _bucket(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        raise wrong("must name the bucket, such as 'my-bucket'")
    scheme, separator, rest = value.partition("://")
    name, slash, folder = (rest if separator else value).partition("/")
    if separator or slash or "@" in name or value != value.strip():
        remedy = f"use bucket={name.rpartition('@')[2].strip()!r}"
        remedy += f" and path={folder.strip('/ ')!r}" if folder.strip("/ ") else ""
        raise wrong(f"must be the bucket's name alone, without {scheme + '://' if separator else '/'}: {remedy}")
    return value


def _path(value: object) -> object:
    if not isinstance(value, str):
        raise wrong("must be a text such as 'catalogue/2026', or '' for the whole bucket")
    if "://" in value:
        raise wrong("must be the folder in the bucket alone, such as 'catalogue/2026'; the bucket belongs in bucket")
    if ".." in value.split("/"):
        raise wrong("must not climb with '..': name the folder itself")
    return value.strip("/")


def _not_empty(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value():
        raise wrong("is empty: give the secret half of the key pair")
    return secret


def _base_url(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise wrong("must be the folder's address, https://…")
    return value


StorageName = Annotated[str, BeforeValidator(_name)]
BucketName = Annotated[str, BeforeValidator(_bucket)]
FolderPath = Annotated[str, BeforeValidator(_path)]
AccessKey = Annotated[str, Field(min_length=1)]
SecretKey = Annotated[SecretStr, AfterValidator(_not_empty)]
WebAddress = Annotated[str, AfterValidator(_base_url)]


class KeyPair(RequestModel):
    """Keys that open a bucket: an S3 access key, or a Google HMAC key."""

    access_key: AccessKey
    secret_access_key: SecretKey


class BucketParameters(RequestModel):
    """A bucket, the folder in it that is the storage's root, and the keys that open it."""

    bucket: BucketName
    credentials: KeyPair
    path: FolderPath = ""


class WebFolderParameters(RequestModel):
    """A folder on the web; it can only be read."""

    base_url: WebAddress


class BucketChanges(RequestModel):
    """What changes about a bucket; what is not set stays."""

    bucket: BucketName | None = None
    path: FolderPath | None = None
    credentials: KeyPair | None = None


class _WithSecret(RequestModel):
    """A request of which some other JSON than its body hides the secret."""

    @property
    def _keys(self) -> KeyPair | None:
        parameters = getattr(self, "parameters", None)
        return getattr(parameters, "credentials", None)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON body, with the secret. Its ``repr`` hides it."""
        body = super().to_json()
        keys = self._keys
        if keys is not None:
            body["parameters"]["credentials"] = _Unshown(
                access_key=keys.access_key, secret_access_key=keys.secret_access_key.get_secret_value()
            )
        return body

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the secret out of an error that quotes what was sent."""
        try:
            yield
        except ClaidError as error:
            secret = self._keys.secret_access_key.get_secret_value() if self._keys else ""
            if secret:
                error.args = (str(error).replace(secret, _NOT_SHOWN),)
                error.details = {
                    name.replace(secret, _NOT_SHOWN): [text.replace(secret, _NOT_SHOWN) for text in messages]
                    for name, messages in error.details.items()
                }
            raise


class StorageIn(_WithSecret):
    """A storage to connect."""

    name: StorageName
    type: Literal["s3", "gcs", "web_folder"]
    parameters: BucketParameters | WebFolderParameters

    @classmethod
    def of_bucket(
        cls,
        name: str,
        *,
        type: BucketType = "s3",  # noqa: A002 - Claid's own name
        bucket: str,
        access_key: str,
        secret_access_key: str | SecretStr,
        path: str = "",
    ) -> StorageIn:
        """Check and build a storage that is a bucket, or a folder of one.

        :param name: NAME in ``storage://NAME/PATH``: up to 50 characters, without ``/``.
        :param type: ``"s3"`` or ``"gcs"`` (Google Cloud Storage).
        :param bucket: the bucket's name alone.
        :param access_key: S3 access key id, or the access id of a Google HMAC key.
        :param secret_access_key: its secret. Temporary (session) keys cannot be used: Claid takes no session token.
        :param path: folder in the bucket that ``storage://NAME/`` is; default: the whole bucket.
        :raises ClaidValidationError: naming the parameter, its value (never the secret) and the remedy.
        """
        if type not in ("s3", "gcs"):
            raise ClaidValidationError(f"type={type!r} must be 's3' or 'gcs' for a bucket")
        parameters = checked(
            BucketParameters,
            {"bucket": bucket, "path": path, "credentials": _key_pair(access_key, secret_access_key)},
        )
        return checked(cls, {"name": name, "type": type, "parameters": parameters})

    @classmethod
    def check_bucket(cls, name: object, bucket: object, path: object) -> None:
        """Check what is known of a bucket before its keys are; the rest is ``UNKNOWN``.

        :raises ClaidValidationError: as :meth:`of_bucket`.
        """
        check_known(BucketParameters, {"bucket": bucket, "path": "" if path is None else path, "credentials": UNKNOWN})
        check_known(cls, {"name": name, "type": UNKNOWN, "parameters": UNKNOWN})

    @classmethod
    def of_web_folder(cls, name: str, base_url: str) -> StorageIn:
        """Check and build a storage that is a folder on the web, which can only be read.

        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        parameters = checked(WebFolderParameters, {"base_url": base_url})
        return checked(cls, {"name": name, "type": "web_folder", "parameters": parameters})

    def is_same_place(self, storage: Storage) -> bool:
        """Return whether a connected storage is this one as far as Claid tells: all but the secret."""
        return storage.type in (None, self.type) and storage.name == self.name and not self.changes_to(storage)

    def changes_to(self, storage: Storage, *, rotate: bool = False) -> dict[str, Any]:
        """Return what a connected storage of the same type has otherwise, as parameters of :meth:`StoragePatch.of`.

        What Claid does not tell is taken for the same.

        :param storage: as Claid's answer about this one storage tells it, with its access key.
        :param rotate: return the key pair in any case, because its secret may be another one.
        """
        wanted, there = self.parameters, storage.parameters
        if isinstance(wanted, WebFolderParameters):
            return {} if there.base_url in (None, wanted.base_url) else {"base_url": wanted.base_url}
        changes: dict[str, Any] = {}
        if there.bucket is not None and there.bucket != wanted.bucket:
            changes["bucket"] = wanted.bucket
        if there.bucket is not None and there.path.strip("/") != wanted.path:
            changes["path"] = wanted.path
        if rotate or there.access_key not in (None, wanted.credentials.access_key):
            changes["access_key"] = wanted.credentials.access_key
            changes["secret_access_key"] = wanted.credentials.secret_access_key
        return changes


class StoragePatch(_WithSecret):
    """Changes to a connected storage; what is not set stays as it is."""

    name: StorageName | None = None
    parameters: BucketChanges | WebFolderParameters | None = None

    @classmethod
    def of(
        cls,
        *,
        name: str | None = None,
        bucket: str | None = None,
        path: str | None = None,
        access_key: str | None = None,
        secret_access_key: str | SecretStr | None = None,
        base_url: str | None = None,
    ) -> StoragePatch:
        """Check and build changes; the parameters are those of :meth:`StorageIn.of_bucket`, ``None`` for no change.

        A key pair is changed as a whole. ``base_url`` is for a web folder, and goes with ``name`` only.

        :raises ClaidValidationError: naming the parameter, its value (never the secret) and the remedy.
        """
        parameters: BucketChanges | WebFolderParameters | None = None
        if (access_key is None) != (secret_access_key is None):
            raise ClaidValidationError(
                "access_key and secret_access_key go together: give both halves of the new key pair"
            )
        changes: dict[str, Any] = {"bucket": bucket, "path": path}
        if access_key is not None and secret_access_key is not None:
            changes["credentials"] = _key_pair(access_key, secret_access_key)
        changes = {name: value for name, value in changes.items() if value is not None}
        if base_url is not None and changes:
            raise ClaidValidationError(
                f"base_url={base_url!r} is for a web folder, which has no {' or '.join(changes)}: give one or the other"
            )
        if base_url is not None:
            parameters = checked(WebFolderParameters, {"base_url": base_url})
        elif changes:
            parameters = checked(BucketChanges, changes)
        if name is None and parameters is None:
            raise ClaidValidationError("There is nothing to change: give at least one parameter")
        return checked(cls, {"name": name, "parameters": parameters})


class AnsweredKey(AnswerModel):
    """The half of a key pair that Claid tells."""

    access_key: str | None = None


class StorageParameters(AnswerModel):
    """Where a storage points: a bucket and the prefix put before every path, or a web folder's address.

    ``credentials`` is there in answers about one storage, not in the list of all.
    """

    bucket: str | None = None
    path: str = ""
    base_url: str | None = None
    credentials: AnsweredKey | None = None

    @property
    def access_key(self) -> str | None:
        """The access key, where the answer tells it. The secret is in no answer."""
        return self.credentials.access_key if self.credentials else None


class Storage(AnswerModel):
    """A connected storage, as far as Claid tells.

    ``type`` is ``s3``, ``gcs`` or ``web_folder``; a web folder cannot be written.
    """

    id: int | None = None
    name: str
    type: str | None = None
    parameters: StorageParameters = Field(default_factory=lambda: StorageParameters())
    created_at: str | None = None

    @property
    def writable(self) -> bool:
        """Whether Claid can put pictures there, as far as is known."""
        return self.type != "web_folder"


def _key_pair(access_key: str, secret_access_key: str | SecretStr) -> KeyPair:
    """Build a key pair; the secret is hidden before anything could complain of it."""
    if isinstance(secret_access_key, str):
        secret_access_key = SecretStr(secret_access_key)
    elif not isinstance(secret_access_key, SecretStr):
        raise ClaidValidationError("secret_access_key must be a text")
    return checked(KeyPair, {"access_key": access_key, "secret_access_key": secret_access_key})


class _Unshown(dict[str, str]):
    """A part of a body that no ``repr`` shows."""

    def __repr__(self) -> str:
        return _NOT_SHOWN
