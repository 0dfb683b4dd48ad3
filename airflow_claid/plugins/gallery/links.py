"""The addresses of the gallery's pages."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from airflow_claid.gallery_addresses import file_path, gallery_path
from airflow_claid.plugins.gallery.listing import Wanted
from airflow_claid.plugins.gallery.pictures import Where


@dataclass(frozen=True)
class Scope:
    """What a gallery is of: a DAG run, one of its tasks, or one mapped task instance."""

    dag_id: str
    run_id: str
    task_id: str | None = None
    map_index: int | None = None


@dataclass(frozen=True)
class Links:
    """Makes the addresses.

    :param root: path of the application, as the browser knows it.
    """

    root: str

    @property
    def latest(self) -> str:
        """The latest runs."""
        return f"{self.root}/images"

    def static(self, name: str) -> str:
        """Return the address of a style sheet or script."""
        return f"{self.root}/static/{name}"

    def gallery(self, scope: Scope, wanted: Wanted | None = None, **changes: object) -> str:
        """Return the address of a page of pictures.

        :param wanted: which of them.
        :param changes: what is different from that.
        """
        address = self.root + gallery_path(scope.dag_id, scope.run_id, scope.task_id, scope.map_index)
        return address + _query(**{**(vars(wanted) if wanted else {}), **changes})

    def picture(self, where: Where, scope: Scope | None = None, wanted: Wanted | None = None) -> str:
        """Return the address of the page of one picture.

        :param scope: the gallery from which it is opened, to which its page leads back.
        """
        back = {} if scope is None or scope.task_id is not None else {"of": "run"}
        if scope is not None and scope.task_id is not None and scope.map_index is None:
            back = {"of": "task"}
        return self._of(where) + _query(**back, **(vars(wanted) if wanted else {}))

    def file(self, where: Where, which: int | str, size: str) -> str:
        """Return the address of a picture itself.

        :param which: its position among the row's pictures, from 0, or ``input``.
        :param size: ``thumbnail`` or ``large``.
        """
        return file_path(self._of(where), which, size)

    def _of(self, where: Where) -> str:
        scope = Scope(where.dag_id, where.run_id, where.task_id, where.map_index)
        return f"{self.gallery(scope)}/{where.row}"


def _query(**values: object) -> str:
    said = {name: value for name, value in values.items() if value and (name, value) != ("page", 1)}
    return "?" + urlencode(said) if said else ""
