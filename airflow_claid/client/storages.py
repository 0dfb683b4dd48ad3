"""The operations on connected storages; they cost nothing, so that whatever is lost of them can be asked again."""

from __future__ import annotations

from abc import ABC, abstractmethod

from airflow_claid.client.answer import Answer
from airflow_claid.client.call import Call
from airflow_claid.client.calls import STORAGE, storage_path
from airflow_claid.client.errors import ClaidAnswerLostError, ClaidServerError
from airflow_claid.client.finding import data_of
from airflow_claid.client.models.storage import Storage, StorageIn, StoragePatch
from airflow_claid.client.quota.rate_limits import Group
from airflow_claid.client.reading import body_of, read_each, read_free, read_rows

_NOTHING: tuple[object, ...] = (None, {}, {"data": None}, {"data": {}})


class StorageOperations(ABC):
    """Connect, list, change and disconnect storages.

    The key needs the scope *Storage*, or *Admin*. Any answer of success is one, also an empty one: what it should have
    told is looked up.
    """

    @abstractmethod
    def send(self, call: Call) -> Answer:
        """Send a request and return its answer as it came."""

    def list_storage_types(self) -> list[str]:
        """List the types of storage that can be connected. Costs nothing. Needs the scope *Storage* (or *Admin*)."""
        answer = self.send(_call("list_storage_types", "GET", "storage/storage-types"))
        return [] if _is_empty(answer) else [str(kind) for kind in read_rows(answer)]

    def list_storages(self) -> list[Storage]:
        """List the connected storages. Costs nothing. Needs the scope *Storage* (or *Admin*).

        A row without a name is left out, with a warning; of the others, whatever can be read is there.
        """
        answer = self.send(_call("list_storages", "GET", "storage/storages"))
        return [] if _is_empty(answer) else read_each(answer, Storage)

    def get_storage(self, storage_id: int) -> Storage:
        """Return one connected storage. Costs nothing. Needs the scope *Storage* (or *Admin*)."""
        return read_free(self.send(_call("get_storage", "GET", storage_path(storage_id))), Storage)

    def create_storage(self, storage: StorageIn) -> Storage:
        """Connect a storage. Costs nothing; the bucket is not touched. Needs the scope *Storage* (or *Admin*).

        If the answer is lost, or does not hold the storage, the storages are listed; if the new one is among them, it
        is returned.

        :param storage: :meth:`StorageIn.of_bucket` or :meth:`StorageIn.of_web_folder`.
        :raises ClaidError: if Claid refused or failed; no message shows the secret.
        """
        call = _call("create_storage", "POST", "storage/storages", storage)
        with storage.hidden():
            try:
                made = _storage_in(self._send_for_free(call))
            except (ClaidAnswerLostError, ClaidServerError):
                made = self._storage_named(storage.name)
                if made is None or not storage.is_same_place(made):
                    raise
            made = made or self._storage_named(storage.name)
            if made is None:
                raise _lost(call.operation)
            return made

    def update_storage(self, storage_id: int, changes: StoragePatch) -> Storage:
        """Change a connected storage. Costs nothing; no bucket is touched. Needs the scope *Storage* (or *Admin*).

        Safe to repeat.

        :param storage_id: Claid's number, :attr:`Storage.id`.
        :param changes: :meth:`StoragePatch.of`; everything else stays as it is.
        :raises ClaidError: if Claid refused or failed; no message shows the secret.
        """
        with changes.hidden():
            answer = self._send_for_free(_call("update_storage", "PATCH", storage_path(storage_id), changes))
            return _storage_in(answer) or self.get_storage(storage_id)

    def delete_storage(self, storage_id: int) -> None:
        """Disconnect a storage. Costs nothing; the bucket keeps its contents. Needs the scope *Storage* (or *Admin*).

        :param storage_id: Claid's number, :attr:`Storage.id`.
        :raises ClaidRequestError: with ``status`` 404 if there is no such storage.
        """
        self._send_for_free(_call("delete_storage", "DELETE", storage_path(storage_id)))

    def _storage_named(self, name: str) -> Storage | None:
        """Find a storage by name; fetch it alone if that is possible, because the list does not hold its access key."""
        listed = next((storage for storage in self.list_storages() if storage.name == name), None)
        if listed is None or listed.id is None:
            return listed
        try:
            return self.get_storage(listed.id)
        except ClaidAnswerLostError:
            return listed

    def _send_for_free(self, call: Call) -> Answer:
        """Send a call that changes something but costs nothing; its errors never mention charges."""
        try:
            return self.send(call)
        except ClaidAnswerLostError as error:
            lost = _lost(call.operation, error)
        except ClaidServerError as error:
            error.may_have_been_charged = False
            raise
        raise lost


def _call(operation: str, method: str, path: str, body: StorageIn | StoragePatch | None = None) -> Call:
    return Call(
        operation, method, path, STORAGE, group=Group.STORAGE, json=body.to_json() if body else None, may_be_empty=True
    )


def _is_empty(answer: Answer) -> bool:
    """Tell whether an answer of success holds nothing (204, ``null``)."""
    return not answer.content.strip() or body_of(answer) in _NOTHING


def _storage_in(answer: Answer) -> Storage | None:
    """Return the storage in an answer of success; ``None`` if it does not hold one."""
    try:
        return None if data_of(body_of(answer)) is None else read_free(answer, Storage)
    except ClaidAnswerLostError:
        return None


def _lost(operation: str, error: ClaidAnswerLostError | None = None) -> ClaidAnswerLostError:
    lost = ClaidAnswerLostError(
        f"{operation} was sent, but its answer did not arrive whole. It may have been done; it costs nothing and is "
        "safe to repeat.",
        status=error.status if error else None,
        request_id=error.request_id if error else None,
    )
    lost.may_have_been_charged = False
    return lost
