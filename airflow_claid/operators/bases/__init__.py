"""What several operators have in common."""

from __future__ import annotations
