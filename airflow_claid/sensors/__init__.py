"""Sensors for Claid."""

from __future__ import annotations

from airflow_claid.sensors.image import ClaidImageSensor
from airflow_claid.sensors.job import ClaidJobSensor

__all__ = ["ClaidImageSensor", "ClaidJobSensor"]
