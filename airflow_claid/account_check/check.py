"""The check: ask, pay if allowed, and examine every assumption."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_claid.account_check import access, editing, generation, links, quota, refusals, storages, stored_pictures
from airflow_claid.account_check.access import is_known, is_reached
from airflow_claid.account_check.assumption import Assumption, Finding, Group, Outcome
from airflow_claid.account_check.evidence import Evidence, Step
from airflow_claid.account_check.paid import PaidPart
from airflow_claid.account_check.probes import ask_for_free
from airflow_claid.client import ClaidClient
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.storage.connected import ConnectedStorages

GROUPS: tuple[Group, ...] = (
    access.GROUP,
    quota.GROUP,
    refusals.GROUP,
    storages.GROUP,
    generation.GROUP,
    links.GROUP,
    editing.GROUP,
    stored_pictures.GROUP,
)
"""All that is assumed of an account."""

AGREES, DIFFERS, NOT_REACHED = 0, 1, 3
"""The exit statuses of a check; 2 is that of wrong arguments."""


@dataclass(frozen=True)
class Result:
    """The finding of each assumption.

    :param findings: in the order of the groups.
    :param evidence: what they rest on.
    :param spent: credits that this check spent.
    :param in_doubt: credits of a request whose answer is lost.
    """

    findings: tuple[tuple[Group, Assumption, Finding], ...]
    evidence: Evidence
    spent: float
    in_doubt: float = 0.0

    @property
    def exit_status(self) -> int:
        """0 if nothing differs, 1 if something does, 3 if Claid was not reached."""
        if not is_reached(self.evidence):
            return NOT_REACHED
        return DIFFERS if self.number(Outcome.DIFFERS) else AGREES

    def number(self, outcome: Outcome) -> int:
        """Return how many assumptions have an outcome."""
        return sum(finding.outcome is outcome for _, _, finding in self.findings)

    def finding(self, name: str) -> Finding:
        """Return the finding of one assumption."""
        return next(finding for _, assumption, finding in self.findings if assumption.name == name)


@dataclass(kw_only=True)
class AccountCheck:
    """Checks one account.

    :param client: one whose ``on_answer`` is the evidence's ``record``.
    :param storages: the connected storages.
    :param downloader: follows links by the connection's rules.
    :param evidence: what is seen.
    :param budget: what may be spent; ``None`` (default) for the free part only.
    :param output: folder of the receipts, and of the pictures; needed for the paid part.
    :param storage: the connected storage that Claid is to write the pictures to; default: none, but links.
    """

    client: ClaidClient
    storages: ConnectedStorages
    downloader: Downloader
    evidence: Evidence = field(default_factory=Evidence)
    budget: Budget | None = None
    output: str = ""
    storage: str | None = None

    def run(self) -> Result:
        """Ask, and examine the answers.

        :raises ClaidValidationError: if the output, or the storage, cannot be used; nothing was charged.
        """
        evidence = self.evidence
        evidence.read_timeout = self.client.read_timeout
        ask_for_free(evidence, self.client, self.storages)
        self._pay()
        findings = tuple((group, one, one.examine(evidence)) for group in GROUPS for one in group.assumptions)
        budget = self.budget
        return Result(findings, evidence, budget.spent if budget else 0.0, budget.in_doubt if budget else 0.0)

    def _pay(self) -> None:
        why = self._why_unpaid()
        if why is None and self.budget is not None:
            PaidPart(
                evidence=self.evidence,
                client=self.client,
                storages=self.storages,
                downloader=self.downloader,
                budget=self.budget,
                output=self.output,
                storage=self.storage,
            ).run()
            if Step.EDIT not in self.evidence.paid:
                self.evidence.why_unpaid.setdefault(Step.EDIT, "the generation was not delivered")
        elif why is not None:
            self.evidence.why_unpaid = {Step.GENERATION: why, Step.EDIT: why}

    def _why_unpaid(self) -> str | None:
        if not is_known(self.evidence):
            return "Claid did not answer, or does not know the key"
        if self.budget is None:
            return "give --spend 2 to try it"
        answer = self.evidence.last(Step.NO_JOB)
        return "the key may not generate or edit" if answer is not None and answer.status == 403 else None
