"""How many requests the account may send, and when it may send the next one."""

from __future__ import annotations
