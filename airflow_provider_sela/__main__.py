"""``python -m airflow_provider_sela``: the commands of :mod:`airflow_provider_sela.cli` on every Airflow."""

from airflow_provider_sela.cli import main

if __name__ == "__main__":
    main()
