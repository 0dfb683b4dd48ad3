"""Waiting tested: the decision alone, the polls over real storage, the trigger in a real event loop."""

from __future__ import annotations
