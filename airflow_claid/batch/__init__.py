"""Batches of very many orders: items in, a manifest out."""

from __future__ import annotations
