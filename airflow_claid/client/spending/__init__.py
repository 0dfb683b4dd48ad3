"""Spend limits across runs: how much may be spent in a day or a month, counted in a Redis."""

from __future__ import annotations
