"""Triggers for Claid, and what they share with the sensors. A trigger only looks; nothing is ever paid in one."""

from __future__ import annotations
