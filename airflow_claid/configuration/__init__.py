"""The section ``[claid]`` of Airflow's configuration."""
