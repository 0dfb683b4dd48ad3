"""Airflow hooks for Claid."""

from __future__ import annotations
