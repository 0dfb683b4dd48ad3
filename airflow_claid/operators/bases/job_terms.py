"""How long the jobs of an operator are waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_claid.configuration import defaults
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.parameters import is_literal, refusing_at_once, seconds


class JobTermsOperator(ClaidPayingOperator):
    """Base of the operators, single and batch, that wait for jobs.

    :param poll_interval: (templated) the longest time, in seconds, between two polls of a job; default:
        ``[claid] poll_interval`` of Airflow's configuration, 10 without it. The first polls come sooner, and jitter
        only shortens it. Many jobs together are polled less often, so that their polls do not
        eat the quota.
    :param timeout: (templated) seconds, 3600 by default, that each job may take, counted from its own submission (or,
        if that was in an earlier try, from the start of this one); then its picture fails, the other jobs are waited
        for, and a retry waits for the same job.
    """

    job_terms_fields: tuple[str, ...] = ("poll_interval", "timeout")

    def __init__(
        self,
        *,
        poll_interval: float | str = defaults.poll_interval(),
        timeout: float | str = 3600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_interval = poll_interval
        self.timeout = timeout
        with refusing_at_once():
            if is_literal([poll_interval, timeout]):
                seconds(poll_interval, "poll_interval")
                seconds(timeout, "timeout")

    def _terms(self) -> Terms:
        return replace(
            super()._terms(),
            poll_interval=seconds(self.poll_interval, "poll_interval"),
            timeout=seconds(self.timeout, "timeout"),
        )
