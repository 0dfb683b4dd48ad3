"""Triggers for Claid. A trigger only polls; nothing is ever paid in one."""

from __future__ import annotations
