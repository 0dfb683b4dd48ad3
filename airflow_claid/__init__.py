"""Apache Airflow provider for Claid: images from prompts, edited and delivered, without paying again on a retry."""

from __future__ import annotations

__version__ = "0.1.0"
