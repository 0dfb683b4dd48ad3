"""What Airflow's page shows of Claid: the pictures that tasks made."""
