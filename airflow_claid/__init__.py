"""Apache Airflow provider for Claid: images from prompts, edited and delivered, each paid for once."""

from __future__ import annotations

__version__ = "0.1.0"
