"""What the Airflow UI shows of Claid: the pictures that tasks made."""
