"""Tests of the sandbox's operations, a file for each."""

from __future__ import annotations
