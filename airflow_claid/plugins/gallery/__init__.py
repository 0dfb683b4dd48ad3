"""The gallery: pages with the pictures of a task or a DAG run, served through Airflow with its permissions."""
