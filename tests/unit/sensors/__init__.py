"""Sensors tested in each of their modes."""

from __future__ import annotations
