"""From an order to its pictures, paid for once."""

from __future__ import annotations
