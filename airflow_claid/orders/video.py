"""Orders of videos: one picture set in motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.client import Call, JobKind, VideoRequest, prices
from airflow_claid.client.calls import submission
from airflow_claid.client.models.video import VideoOptions, VideoPrompt
from airflow_claid.orders.order import LANDING_FOLDER, Order
from airflow_claid.orders.source import Source
from airflow_claid.storage.places import VIDEO_SUFFIX


@dataclass(frozen=True, kw_only=True)
class VideoOrder(Order):
    """One picture set in motion.

    :param source: the picture.
    :param options: prompt, duration and the rest.
    """

    source: Source
    options: VideoOptions

    operation = "submit_video"
    job_kind = JobKind.VIDEO
    filtered = False
    video = True
    number_of_images = 1

    @property
    def body(self) -> dict[str, Any]:
        """The picture and what is to move."""
        return {"input": self.source.facts, "options": self.options.to_json()}

    @property
    def subject(self) -> str:
        """The input's address, as it may be shown."""
        return self.source.shown

    @property
    def input(self) -> str:
        """The input's address."""
        return self.subject

    @property
    def version(self) -> str | None:
        """Which content the input has."""
        return self.source.version

    @property
    def prompt(self) -> str | None:
        """The prompt, or what Claid is to write one by."""
        prompt = self.options.prompt
        return (prompt.text or prompt.guidelines) if isinstance(prompt, VideoPrompt) else prompt

    @property
    def repeated_prompt(self) -> str | None:
        """The prompt, unless Claid is to write it."""
        prompt = self.options.prompt
        return prompt.text if isinstance(prompt, VideoPrompt) else prompt

    @property
    def credits(self) -> float:
        """The price by the video's seconds."""
        return prices.VIDEO[self.options.seconds]

    @property
    def label(self) -> str:
        """The user's name, or the input's with the start of the fingerprint: so two requests share no file."""
        return self.name or f"{self.source.stem}-{super().label}"

    def file_name(self, position: int) -> str:
        """The file that ``output`` names, or the name with ``.mp4``."""
        return self.place.file or f"{self.label}{VIDEO_SUFFIX}"

    def destination(self, edition: int) -> str | None:
        """Return the exact file, so that a lost answer can be looked up."""
        if self.place.is_written_by_claid:
            return self.place.folder + self.file_name(1)
        return f"{self.landing}{LANDING_FOLDER}{self._own_name(edition)}{VIDEO_SUFFIX}" if self.landing else None

    def prepared(self, edition: int) -> Call:
        """Return the call that submits the job."""
        request = VideoRequest.of(self.source.reached(), self.options, self.destination(edition))
        return submission(self.job_kind, request.to_json())
