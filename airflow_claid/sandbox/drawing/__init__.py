"""The pictures that the sandbox draws and edits."""

from __future__ import annotations
