"""Connect and disconnect storages, with the keys of existing Airflow connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.log import mask_secret
from pydantic import SecretStr

from airflow_claid.client import ClaidAnswerLostError, ClaidError, ClaidRequestError, ClaidValidationError, Storage
from airflow_claid.client.models.base import UNKNOWN
from airflow_claid.client.models.storage import BucketType, StorageIn, StoragePatch
from airflow_claid.client.text import shortened
from airflow_claid.hooks.connection_form import DEFAULT_CONN_NAME
from airflow_claid.operators.bases.paying import failing_at_once
from airflow_claid.parameters import is_literal, known, refusing_at_once, truth
from airflow_claid.version_compat import AirflowFailException, AirflowNotFoundException

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

    from airflow_claid.hooks.claid import ClaidHook

_TEMPORARY_KEY = "ASIA"
"""Prefix of the ids of AWS's temporary (session) keys (AWS, IAM identifiers)."""


@dataclass(frozen=True)
class _BucketKeys:
    """The type of a bucket, and the keys that open it."""

    type: BucketType
    access_key: str
    secret: SecretStr


class ConnectStorageOperator(BaseOperator):
    """Connect a bucket to Claid, so that ``storage://NAME/…`` is its ``BUCKET/PATH/…``.

    The keys come from an Airflow connection of type ``aws`` or ``google_cloud_platform`` and go to Claid only. They
    appear in no log, error, XCom or rendered field. Costs nothing, changes nothing in the bucket, and can be run again
    at any time: if the account already has this storage with the same type, bucket, path and access key, nothing is
    sent; otherwise what differs is updated. What Claid does not tell is taken for the same.

    :param name: (templated) NAME in ``storage://NAME/…``: up to 50 characters, without ``/``.
    :param connection_id: (templated) the Airflow connection with the keys. ``aws``: access key id and secret as
        login and password, or any other source of a long-lived key pair that the Amazon provider supports; Claid
        accepts no session tokens, so neither a role nor a temporary key works. ``google_cloud_platform``: a Google HMAC
        key, with its access id and secret as ``hmac_access_key`` and ``hmac_secret`` in the extra (or as login and
        password); Claid cannot use a service account's key file.
    :param bucket: (templated) the bucket's name only.
    :param path: (templated) folder in the bucket that ``storage://NAME/`` is; default: the whole bucket.
    :param rotate: (templated) send the key pair even if nothing seems to differ. Claid never returns a secret, so a
        new secret of the same access key cannot be detected; nor can a new access key where Claid does not return
        that. Default: false.
    :param claid_conn_id: (templated) the Airflow connection to Claid; its key needs the scope *Storage* (or *Admin*).
    :returns: ``storage://NAME/``.
    :raises AirflowFailException: if a retry cannot help: a wrong parameter, a connection without a usable key pair,
        a storage of this name that is of another type. The message names the value and the remedy.
    """

    template_fields: Sequence[str] = ("name", "connection_id", "bucket", "path", "claid_conn_id", "rotate")
    ui_color = "#eef3ff"

    def __init__(
        self,
        *,
        name: str,
        connection_id: str,
        bucket: str,
        path: str = "",
        rotate: bool | str = False,
        claid_conn_id: str = DEFAULT_CONN_NAME,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.connection_id = connection_id
        self.bucket = bucket
        self.path = path
        self.rotate = rotate
        self.claid_conn_id = claid_conn_id
        with refusing_at_once():
            parameters = known(self, ("name", "bucket", "path"))
            StorageIn.check_bucket(parameters["name"], parameters["bucket"], parameters["path"])
            if is_literal(rotate):
                truth(rotate, "rotate")

    @cached_property
    def hook(self) -> ClaidHook:
        """The hook of the connection to Claid."""
        from airflow_claid.hooks.claid import ClaidHook

        return ClaidHook(self.claid_conn_id)

    def execute(self, context: Context) -> str:
        """Connect the storage, or update what differs, and return its address."""
        with failing_at_once(f"name={shortened(self.name)}"):
            rotate = truth(self.rotate, "rotate")
            StorageIn.check_bucket(self.name, self.bucket, self.path)
            wanted = self._wanted()
            existing = _storage_named(self.hook, wanted.name)
            if existing is None:
                self.hook.client.create_storage(wanted)
                self.log.info("Connected the storage %r to the bucket %r", wanted.name, self.bucket)
            else:
                self._update(existing, wanted, rotate=rotate)
        return f"storage://{wanted.name}/"

    def _wanted(self) -> StorageIn:
        keys = _bucket_keys(self.connection_id)
        mask_secret(keys.secret.get_secret_value())
        return StorageIn.of_bucket(
            self.name,
            type=keys.type,
            bucket=self.bucket,
            path=self.path or "",
            access_key=keys.access_key,
            secret_access_key=keys.secret,
        )

    def _update(self, existing: Storage, wanted: StorageIn, *, rotate: bool) -> None:
        if existing.type not in (None, wanted.type):
            raise ClaidValidationError(
                f"name={wanted.name!r}: the account has a storage of this name, of type {existing.type!r}, and the "
                f"connection {self.connection_id!r} is for {wanted.type!r}. Use another name, or remove the storage "
                "with DisconnectStorageOperator first"
            )
        there = self._looked_up(existing)
        changes = wanted.changes_to(there, rotate=rotate)
        if there.parameters.access_key is None and not rotate:
            self.log.info("Claid does not tell the access key of %r: a new one is sent with rotate=True", wanted.name)
        if not changes:
            self.log.info("The storage %r is already connected to the bucket %r", wanted.name, self.bucket)
            return
        self.hook.client.update_storage(_id_of(existing), StoragePatch.of(**changes))
        names = ["key pair" if name == "access_key" else name for name in changes if name != "secret_access_key"]
        self.log.info("Changed the storage %r: %s", wanted.name, ", ".join(names))

    def _looked_up(self, listed: Storage) -> Storage:
        """Return all that Claid tells of a storage; the list has no access key."""
        if listed.id is None:
            return listed
        try:
            return self.hook.client.get_storage(listed.id)
        except ClaidAnswerLostError as error:
            self.log.warning("The storage %r is compared as the list tells it: %s", listed.name, error)
            return listed


class DisconnectStorageOperator(BaseOperator):
    """Remove a storage from the account. The bucket keeps its contents. Costs nothing.

    From then on, requests that name the storage fail, and so do running jobs that use it.

    :param name: (templated) NAME in ``storage://NAME/…``.
    :param missing_ok: (templated) whether to succeed if there is no such storage, so that the task can be run again.
        Default: true.
    :param claid_conn_id: (templated) the Airflow connection to Claid; its key needs the scope *Storage* (or *Admin*).
    :raises AirflowFailException: if a retry cannot help: a wrong parameter, or, with ``missing_ok=False``, a missing
        storage.
    """

    template_fields: Sequence[str] = ("name", "missing_ok", "claid_conn_id")
    ui_color = "#eef3ff"

    def __init__(
        self,
        *,
        name: str,
        missing_ok: bool | str = True,
        claid_conn_id: str = DEFAULT_CONN_NAME,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.missing_ok = missing_ok
        self.claid_conn_id = claid_conn_id
        with refusing_at_once():
            if is_literal(name):
                StorageIn.check_bucket(name, UNKNOWN, UNKNOWN)
            if is_literal(missing_ok):
                truth(missing_ok, "missing_ok")

    @cached_property
    def hook(self) -> ClaidHook:
        """The hook of the connection to Claid."""
        from airflow_claid.hooks.claid import ClaidHook

        return ClaidHook(self.claid_conn_id)

    def execute(self, context: Context) -> None:
        """Remove the storage, if it is there."""
        with failing_at_once(f"name={shortened(self.name)}"):
            missing_ok = truth(self.missing_ok, "missing_ok")
            StorageIn.check_bucket(self.name, UNKNOWN, UNKNOWN)
            existing = _storage_named(self.hook, self.name)
            if existing is not None and self._remove(existing):
                self.log.info("Disconnected the storage %r; its bucket keeps its contents", self.name)
            elif missing_ok:
                self.log.info("There is no storage %r to disconnect", self.name)
            else:
                raise AirflowFailException(
                    f"name={self.name!r}: the account has no such storage (missing_ok=False). Nothing was changed."
                )

    def _remove(self, storage: Storage) -> bool:
        """Remove a storage; return whether it was there."""
        try:
            self.hook.client.delete_storage(_id_of(storage))
        except ClaidRequestError as error:
            if error.status != 404:
                raise
            return False
        return True


def _storage_named(hook: ClaidHook, name: str) -> Storage | None:
    return next((storage for storage in hook.client.list_storages() if storage.name == name), None)


def _id_of(storage: Storage) -> int:
    """Return the id of a storage.

    :raises ClaidValidationError: if Claid did not tell it.
    """
    if storage.id is None:
        raise ClaidValidationError(
            f"name={storage.name!r}: Claid's list does not tell this storage's id, so it can only be changed in "
            "Claid's dashboard"
        )
    return storage.id


def _bucket_keys(connection_id: str) -> _BucketKeys:
    """Return the key pair of an Airflow connection.

    :raises ClaidValidationError: if it has none that Claid can use.
    """
    try:
        connection = BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        raise _unusable(
            connection_id, "is not defined", "create the connection, or set the id of an existing one"
        ) from None
    if connection.conn_type == "aws":
        return _aws_keys(connection)
    if connection.conn_type == "google_cloud_platform":
        return _google_keys(connection)
    raise _unusable(
        connection_id,
        f"is of type {connection.conn_type!r}",
        "use one of type 'aws' or 'google_cloud_platform'",
    )


def _aws_keys(connection: Connection) -> _BucketKeys:
    remedy = (
        "use a connection with the long-lived key pair of an IAM user as login and password, without a session token "
        "or a role: Claid accepts only an access key and its secret"
    )
    extra: Mapping[str, Any] = connection.extra_dejson
    temporary = [name for name in ("role_arn", "aws_session_token") if extra.get(name)]
    if temporary:
        raise _unusable(connection.conn_id, f"has {' and '.join(temporary)}, so its keys are temporary", remedy)
    if connection.login and connection.password:
        access_key, secret, token = connection.login, connection.password, None
    else:
        access_key, secret, token = _keys_by_amazon_provider(connection.conn_id, remedy)
    if token or access_key.startswith(_TEMPORARY_KEY):
        raise _unusable(connection.conn_id, "has temporary keys (they come with a session token)", remedy)
    return _BucketKeys("s3", access_key, SecretStr(secret))


def _keys_by_amazon_provider(connection_id: str, remedy: str) -> tuple[str, str, str | None]:
    """Let the Amazon provider find the key pair, for example in a profile or on the machine."""
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError:
        raise _unusable(connection_id, "has no login and password", remedy) from None
    hook: AwsGenericHook[Any] = AwsGenericHook(aws_conn_id=connection_id, client_type="s3")
    if hook.get_session().get_credentials() is None:
        raise _unusable(connection_id, "has no login and password, and AWS finds no keys with it", remedy)
    keys = hook.get_credentials()
    return keys.access_key, keys.secret_key, keys.token


def _google_keys(connection: Connection) -> _BucketKeys:
    extra: Mapping[str, Any] = connection.extra_dejson
    access_key = extra.get("hmac_access_key") or connection.login
    secret = extra.get("hmac_secret") or connection.password
    if not access_key or not secret:
        raise _unusable(
            connection.conn_id,
            "has no HMAC key, which Claid needs to open Google Cloud Storage",
            "create one for a service account that may write to the bucket ('gcloud storage hmac create "
            "SERVICE_ACCOUNT_EMAIL', or Cloud Storage > Settings > Interoperability) and put it into the connection's "
            'extra: {"hmac_access_key": "GOOG…", "hmac_secret": "…"}',
        )
    return _BucketKeys("gcs", str(access_key), SecretStr(str(secret)))


def _unusable(connection_id: str, problem: str, remedy: str) -> ClaidError:
    return ClaidValidationError(f"connection_id={connection_id!r} {problem}: {remedy}")
