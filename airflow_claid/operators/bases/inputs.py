"""The inputs of operators that work on pictures."""

from __future__ import annotations

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.parameters import is_literal, optional, paths
from airflow_claid.storage.places import Place


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
