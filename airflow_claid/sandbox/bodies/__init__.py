"""The contract's request bodies as strict models: what they accept is what Claid accepts."""

from __future__ import annotations
