"""Where files lie, and how they are read, listed and written."""

from __future__ import annotations
