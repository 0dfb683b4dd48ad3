"""What is sent to Claid and what it answers, typed: one file per operation."""

from __future__ import annotations
