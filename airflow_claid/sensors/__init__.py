"""Sensors for Claid."""

from __future__ import annotations

from airflow_claid.sensors.image import ClaidImageSensor

__all__ = ["ClaidImageSensor"]
