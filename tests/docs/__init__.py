"""The README and the documentation: every code block runs, every table and link is true."""

from __future__ import annotations
