"""Request bodies as strict models, one file per operation: they accept what the contract allows, and nothing else."""

from __future__ import annotations
