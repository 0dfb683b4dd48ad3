"""The inputs of operators that work on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.parameters import is_literal, optional, paths, refusing_at_once

if TYPE_CHECKING:
    from airflow_claid.orders.order import Order
    from airflow_claid.orders.source import Source
    from airflow_claid.storage.places import Place


class InputOperator(ClaidPayingOperator):
    """Base of the operators that work on pictures.

    :param ignored_query_parameters: (templated) names of parts of an input link's query that do not say which picture
        is meant, such as the ``session`` of a picture service: links that differ in them only are the same request,
        paid once. Claid gets the whole link. Signatures that are known (S3, Google Cloud Storage, Azure, CloudFront,
        Akamai, Bunny, imgix, Alibaba, and names such as ``access_token``) are ignored in any case. Default: none.
    """

    input_template_fields: tuple[str, ...] = ("ignored_query_parameters",)

    def __init__(self, *, ignored_query_parameters: str | Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignored_query_parameters = ignored_query_parameters
        self._shared_sources: dict[str, Source] = {}
        with refusing_at_once():
            if is_literal(ignored_query_parameters):
                self._ignored()

    def _source(self, path: str, parameter: str = "input", version: str | None = None) -> Source:
        """Return a picture that can be uploaded where Claid cannot reach it.

        :param version: what tells its content from another, where that is known already.
        """
        from airflow_claid.orders.source import source

        return source(
            path, self.hook.storages, parameter, version=version, removed=self._removed, ignored=self._ignored()
        )

    def _reachable(self, path: str, parameter: str = "input", version: str | None = None) -> Source:
        """Return a picture that Claid must reach."""
        from airflow_claid.orders.source import reachable

        return reachable(self._source(path, parameter, version), parameter)

    def _shared(self, path: str, parameter: str) -> Source:
        """Return a picture that Claid must reach and that many requests have in common; it is looked at once."""
        if path not in self._shared_sources:
            self._shared_sources[path] = self._reachable(path, parameter)
        return self._shared_sources[path]

    def _refuse_overwriting(self, order: Order, sources: Sequence[Source]) -> None:
        """Refuse an order whose pictures would be written over those that it starts from."""
        storages = self.hook.storages
        there = {storages.plain_uri(source.path): source.shown for source in sources}
        for target in map(storages.plain_uri, order.files):
            if target in there:
                raise ClaidValidationError(
                    f"output={order.place.folder!r}, name={order.name!r} would overwrite the input {there[target]!r}: "
                    "give another folder or name"
                )

    def _ignored(self) -> tuple[str, ...]:
        if optional(self.ignored_query_parameters) is None:
            return ()
        return tuple(paths(self.ignored_query_parameters, "ignored_query_parameters"))


def inputs_of(value: object, place: Place, name: object) -> list[str]:
    """Return the paths of an ``input``, each once; one name or file does not do for several.

    :raises ClaidValidationError: naming the parameter, its value and the remedy.
    """
    inputs = list(dict.fromkeys(paths(value, "input")))
    if len(inputs) > 1 and (place.file or optional(name) is not None):
        named = f"output={place.folder + place.file!r}" if place.file else f"name={name!r}"
        raise ClaidValidationError(
            f"{named} names one file for {len(inputs)} inputs: leave it out, give a folder that ends with '/', or map "
            "over the inputs with a name each (.expand_kwargs)"
        )
    return inputs


def one_path(value: object, name: str) -> str | None:
    """Return the path of a parameter that takes one, or none; a list of one, as upstream tasks give it, will do.

    :raises ClaidValidationError: if there are several.
    """
    addresses = [] if optional(value) is None else paths(value, name)
    if len(addresses) > 1:
        raise ClaidValidationError(
            f"{name}={shortened(value)} must be one path, not {len(addresses)}: map over them (.expand)"
        )
    return addresses[0] if addresses else None


def check_inputs(value: object, name: str = "input") -> None:
    """Check, when the DAG is parsed, paths that are known then.

    :raises ClaidValidationError: if there is none.
    """
    if is_literal(value) and not paths(value, name):
        raise ClaidValidationError(f"{name}={shortened(value)} must be one path or a list of paths, not empty")
