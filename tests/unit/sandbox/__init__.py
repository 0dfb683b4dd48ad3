"""Tests of the local Claid, over real HTTP on loopback."""

from __future__ import annotations
