"""Tests of ``airflow_claid.client``."""

from __future__ import annotations
