"""Notifiers: somebody is told."""

from __future__ import annotations
