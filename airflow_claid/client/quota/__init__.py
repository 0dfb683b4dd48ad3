"""How many requests the account may send in a time, and when the next one may go."""

from __future__ import annotations
