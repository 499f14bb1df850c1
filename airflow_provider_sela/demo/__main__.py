"""``python -m airflow_provider_sela.demo``."""

from __future__ import annotations

import sys

from airflow_provider_sela.demo import main

if __name__ == "__main__":
    sys.exit(main())
