"""Pictures fetched, checked and put in their place."""

from __future__ import annotations
