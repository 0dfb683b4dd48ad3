"""What an answer says of a picture."""

from __future__ import annotations

from airflow_claid.client.models.base import AnswerModel


class InputImage(AnswerModel):
    """The picture that an edit was given; for a video also the prompt that Claid wrote itself."""

    ext: str | None = None
    mps: float | None = None
    mime: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    generated_prompt: str | None = None


class OutputImage(InputImage):
    """A picture that Claid made.

    Without a destination ``tmp_url`` holds a public link that lives 24 hours; with one, the other four say
    where Claid wrote it (docs.claid.ai). The form of ``object_uri`` is not documented: take it as it is.
    """

    tmp_url: str | None = None
    object_key: str | None = None
    object_bucket: str | None = None
    object_uri: str | None = None
    claid_storage_uri: str | None = None
