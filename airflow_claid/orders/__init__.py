"""What is asked of Claid: one file per operation."""

from __future__ import annotations
