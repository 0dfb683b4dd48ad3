"""For tests of your own DAGs: a local Claid, an Airflow connection to it, and what it would have charged.

pytest finds the fixtures by itself once ``airflow-claid[sandbox]`` is installed: ``claid_sandbox``,
``claid_connection``, ``claid_connect``, ``claid_ledger`` and ``claid_faults``. The classes here are for type hints.
"""

from __future__ import annotations

from airflow_claid.testing.faults import ClaidFaults
from airflow_claid.testing.ledger import ClaidLedger

__all__ = ["ClaidFaults", "ClaidLedger"]
