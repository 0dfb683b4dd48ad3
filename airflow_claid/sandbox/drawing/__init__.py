"""Draw and edit pictures."""

from __future__ import annotations
