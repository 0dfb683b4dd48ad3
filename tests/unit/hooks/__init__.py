"""Tests of ``airflow_claid.hooks``."""

from __future__ import annotations
