"""What one poll of a job or a place means, and when to poll again."""

from __future__ import annotations
