"""Waiting tested: the decision alone, the looks over real storage, the trigger in a real event loop."""

from __future__ import annotations
