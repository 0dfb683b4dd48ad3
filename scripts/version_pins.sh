#!/usr/bin/env bash
# tests/versions/*.txt: what pip would have installed with each Airflow when it was released, and the lowest versions.
# Airflow publishes constraints of its own; these are resolved from PyPI as it was a day after the release.
set -euo pipefail
cd "$(dirname "$0")/.."

EXTRAS=(--extra amazon --extra google --extra parquet --extra redis --extra review --extra sandbox)
# The extra review needs a release of these two that is a few weeks younger than Airflow 3.1.8.
YOUNGER=(apache-airflow-providers-standard apache-airflow-providers-common-compat)

pin() { # FILE AIRFLOW DAY [OPTION…]
    local file="tests/versions/$1.txt" wanted="apache-airflow$2" day="$3"
    shift 3
    echo "==> $file: $wanted as of $day"
    echo "$wanted" | .venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.10 \
        --exclude-newer "${day}T00:00:00Z" "${EXTRAS[@]}" "$@" \
        --no-header --no-annotate --no-emit-index-url pyproject.toml - --output-file "$file"
}

younger=()
for package in "${YOUNGER[@]}"; do
    younger+=(--exclude-newer-package "$package=2026-04-15T00:00:00Z")
done
pin airflow-3.1.8 ==3.1.8 2026-03-12 "${younger[@]}"
pin airflow-3.2.2 ==3.2.2 2026-05-30
pin airflow-3.3.2 ==3.3.2 2026-09-18
# Airflow 3.1.1 does not start with structlog 25.5. The extra google needs a release that is younger than Airflow 3.1.1.
for package in apache-airflow-providers-google apache-airflow-providers-common-sql; do
    younger+=(--exclude-newer-package "$package=2026-03-12T00:00:00Z")
done
pin lowest '>=3.1.1' 2025-11-05 "${younger[@]}" --resolution lowest-direct --constraint <(echo 'structlog<25.5')
