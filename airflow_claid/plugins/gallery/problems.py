"""Why something is not shown."""

from __future__ import annotations


class NotShownError(Exception):
    """A picture or a manifest cannot be shown.

    :param reason: a sentence for the person who looks at the page: what is wrong, and the remedy.
    :param status: of the HTTP answer.
    :param state: of the picture, where that is the reason: ``gone`` or ``expired``.
    :param lacking: what the API server lacks, the same for all pictures that lack it; empty where it lacks nothing.
    """

    def __init__(self, reason: str, *, status: int = 502, state: str = "", lacking: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.state = state
        self.lacking = lacking
