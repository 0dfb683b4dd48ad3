"""The crash table: real Airflow, real kills, and what they cost."""
