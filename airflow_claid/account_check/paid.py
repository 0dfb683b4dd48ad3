"""The paid part: one generation and one edit, fulfilled as a task fulfils them, and so never paid twice."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from airflow_claid import __version__
from airflow_claid.account_check.editing import WIDTH
from airflow_claid.account_check.evidence import Evidence, Step
from airflow_claid.account_check.generation import PROMPT
from airflow_claid.client import ClaidClient, ClaidError, ClaidValidationError, EditRequest, GenerateRequest, JobKind
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.redaction import without_queries
from airflow_claid.delivery.delivery import Delivery
from airflow_claid.delivery.downloads import Downloader
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.delivery.inspection import inspect
from airflow_claid.errors import (
    AirflowClaidError,
    CreditCeilingError,
    JobFailedError,
    LinkNotAllowedError,
    PictureError,
    SpendLimitError,
    SpendStoreError,
)
from airflow_claid.fulfilment.budget import Budget
from airflow_claid.fulfilment.fulfilment import Begun, Fulfilment
from airflow_claid.fulfilment.liveness import this_process
from airflow_claid.fulfilment.proof import Proof, ProofRecords
from airflow_claid.fulfilment.proof_records import FolderProof, QuotaStoreProof
from airflow_claid.fulfilment.receipt import Author, ReceiptState
from airflow_claid.fulfilment.receipt_stores import FolderReceipts
from airflow_claid.fulfilment.resources import utc_now
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.orders.edit import EditOrder
from airflow_claid.orders.generate import GenerateOrder
from airflow_claid.orders.order import Order
from airflow_claid.orders.source import source
from airflow_claid.storage.connected import ConnectedStorages
from airflow_claid.storage.object_storage import latest, read_if_there, write_beside
from airflow_claid.storage.places import Place, edit_place, generation_place

log = logging.getLogger(__name__)

_FOLDER = "claid check"
"""Where pictures go in a connected storage; the blank shows whether Claid decodes ``%20``."""

_NAME = "claid-check"
_OPERATIONS = {"resizing": {"width": WIDTH, "fit": "bounds"}}
_AGAIN = "No setting: Claid's reason is in the receipt. Another `--output` requests, and pays for, both again."
_STATUSES_OF_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(kw_only=True)
class PaidPart:
    """Requests one picture, edits it, and notes what became of both.

    Receipts, and the notes of what was seen, are kept in the folder ``_claid/`` of the output: a second check with the
    same output reads them and pays nothing. An operation whose answer was read and whose picture was opened is proven,
    by the same records that batches read.

    :param evidence: what is noted.
    :param client: calls Claid.
    :param storages: the connected storages.
    :param downloader: follows links.
    :param budget: what the check may spend.
    :param output: a folder that Airflow can write to, ending with ``/``.
    :param storage: the name of a connected storage that Claid is to write the pictures to; ``None`` for links.
    """

    evidence: Evidence
    client: ClaidClient
    storages: ConnectedStorages
    downloader: Downloader
    budget: Budget
    output: str
    storage: str | None = None
    _receipts: str = field(init=False, repr=False)
    _place: Place = field(init=False, repr=False)

    def __post_init__(self) -> None:
        own = generation_place(self.output)
        if not own.is_written_by_airflow:
            raise ClaidValidationError(
                f"output={self.output!r} must be a folder that Airflow can write to, for the receipts: file:///…/, "
                "s3://…/ or gs://…/. A connected storage goes into storage"
            )
        self._receipts = own.receipts
        place = own
        if self.storage is not None:
            self.storages.check_writable(self.storage)
            place = edit_place(f"storage://{quote(self.storage)}/{quote(_FOLDER)}/")
        self._place = place

    def run(self) -> None:
        """Request, edit, look; what fails is noted, and nothing is requested twice."""
        self._restore()
        if self._step(Step.GENERATION, self._generation()) and (order := self._edit()) is not None:
            self._step(Step.EDIT, order)

    def _step(self, step: str, order: Order) -> bool:
        """Fulfil one order and note what became of it; return whether its picture can be worked on."""
        facts = self.evidence.paid.get(step, {})
        if facts.get("done"):
            return not facts.get("blocked")
        facts = self.evidence.paid[step] = {**facts, "storage": self.storage}
        for name in ("error", "error_type", "cure"):
            facts.pop(name, None)
        if self._has_failed(order):
            facts |= {"error_type": "JobFailedError", "error": "Claid ended the job without a picture", "cure": _AGAIN}
            return False
        started = time.monotonic()
        with self.evidence.step(step):
            try:
                begun = self._fulfilment.begin(order)
                if step == Step.GENERATION:
                    self._look_at_links(facts, begun.receipt.images)
                fulfilled = self._fulfilment.complete(begun)
                facts["seconds"] = round(time.monotonic() - started, 3)
                self._look_at_result(facts, order, begun, fulfilled.images)
                facts["done"] = True
            except CreditCeilingError:
                self.evidence.why_unpaid[step] = f"it costs {order.credits:g} credit more than the check may spend"
            except (SpendLimitError, SpendStoreError) as error:
                self.evidence.why_unpaid[step] = f"it was not sent ({type(error).__name__})"
                log.warning("%s", error)
            except AirflowClaidError as error:
                facts |= _told(error)
            except Exception as error:  # noqa: BLE001 - each storage has errors of its own
                facts |= {"error_type": type(error).__name__, "error": without_queries(str(error))[:500]}
            finally:
                self._keep()
        return bool(facts.get("done")) and not facts.get("blocked")

    def _has_failed(self, order: Order) -> bool:
        """Return whether an earlier check paid for a job that failed; a task would send it again, a check does not."""
        kept = FolderReceipts(self._receipts).read(order.fingerprint)
        return kept is not None and kept.state is ReceiptState.FAILED

    @property
    def _fulfilment(self) -> Fulfilment:
        return Fulfilment(
            client=self.client,
            delivery=Delivery(self.downloader, self.storages, utc_now),
            receipts=lambda _: FolderReceipts(self._receipts),
            author=Author(task_id="claid check", process=this_process()),
            proof=Proof(self.client, self._proof_records),
            terms=Terms(on_lost_response="fail", timeout=self.evidence.job_timeout),
            budget=self.budget,
        )

    def _proof_records(self, _: Order) -> tuple[ProofRecords, ...]:
        return FolderProof(self._receipts), QuotaStoreProof(self.client)

    def _generation(self) -> GenerateOrder:
        request = GenerateRequest.of(PROMPT, number_of_images=1)
        return GenerateOrder(base_url=self.client.base_url, place=self._place, name=_NAME, request=request)

    def _edit(self) -> EditOrder | None:
        """Return the edit of the generated picture; ``None`` if Claid can no longer reach that."""
        address = self.evidence.paid[Step.GENERATION].get("edited")
        if not isinstance(address, str):
            self.evidence.why_unpaid[Step.EDIT] = "Claid gave no address of the generated picture"
            return None
        request = EditRequest.of(address, _OPERATIONS, {"format": "png"})
        return EditOrder(
            base_url=self.client.base_url,
            place=self._place,
            name=f"{_NAME}-edit",
            source=source(address, self.storages),
            operations=request.operations,
            output=request.output if isinstance(request.output, ImageOutput) else ImageOutput(),
        )

    def _look_at_links(self, facts: dict[str, Any], images: tuple[DeliveredImage, ...]) -> None:
        links = [image.tmp_url for image in images if image.tmp_url]
        if links:
            facts["links"] = [_link_facts(self.downloader, link) for link in links]
            facts["edited"] = links[0]
        for image in images[:1]:
            facts["announced"] = {"width": image.width, "height": image.height}

    def _look_at_result(
        self, facts: dict[str, Any], order: Order, begun: Begun, images: tuple[DeliveredImage, ...]
    ) -> None:
        facts["blocked"] = any(image.blocked for image in images)
        path = images[0].path if images else None
        if begun.receipt.job_id is not None:
            self._look_at_job(facts, begun.receipt.job_id)
        if self.storage is not None:
            facts["edited"] = path
            self._look_into_storage(facts, order, begun.receipt.edition)
        content = self._content(path)
        if content is not None:
            seen = inspect(content, max_pixels=self.downloader.rules.max_pixels)
            facts["picture"] = {"width": seen.width, "height": seen.height, "mime": seen.mime, "bytes": seen.bytes}

    def _look_at_job(self, facts: dict[str, Any], job_id: int | str) -> None:
        """Look at the links of a job that is done; polling it once more costs nothing."""
        for image in self.client.get_job(JobKind.EDIT, job_id).outputs[:1]:
            facts["announced"] = {"width": image.width, "height": image.height}
            if image.tmp_url:
                facts["links"] = [_link_facts(self.downloader, image.tmp_url)]

    def _look_into_storage(self, facts: dict[str, Any], order: Order, edition: int) -> None:
        """Note where the picture is, and whether a lost answer would be found."""
        destination = order.destination(edition) or ""
        facts["own_folder"] = PurePosixPath(unquote(destination).rstrip("/")).name
        readable = self.storages.readable_uris(destination)
        facts["is_mapped"] = bool(readable)
        facts["looked_at"] = " or ".join(readable)
        found = Delivery(self.downloader, self.storages, utc_now).at_destination(destination)
        facts["number_found"] = len(found or ())
        for form, uri in zip(("decoded", "as sent"), readable, strict=False):
            if found and self._is_there(uri, found[0]):
                facts.setdefault("found_at", form)

    def _is_there(self, folder: str, image: DeliveredImage) -> bool:
        name = (image.claid_storage_uri or "").rpartition("/")[2]
        return read_if_there(folder + unquote(name) if folder.endswith("/") else folder) is not None

    def _content(self, path: str | None) -> bytes | None:
        for uri in self.storages.readable_uris(path) if path else ():
            content = read_if_there(uri)
            if content is not None:
                return content
        return None

    @property
    def _notes(self) -> str:
        facts = [self.client.base_url, self.client.account, self.storage or "", __version__]
        return f"{self._receipts}account-check-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]}.json"

    def _restore(self) -> None:
        """Read what an earlier check with this output has seen; where there is nothing, the receipts still count."""
        content = read_if_there(latest(self._notes))
        try:
            notes = json.loads(content) if content is not None else {}
        except ValueError:
            notes = {}
        if isinstance(notes, dict) and isinstance(notes.get("paid"), dict):
            self.evidence.paid.update(notes["paid"])
            self.evidence.restore(notes.get("exchanges"))

    def _keep(self) -> None:
        paid = {step: _without_signatures(facts) for step, facts in self.evidence.paid.items()}
        try:
            notes = {"paid": paid, "exchanges": self.evidence.kept()}
            write_beside(self._notes, json.dumps(notes, ensure_ascii=False, indent=1).encode("utf-8", "replace"))
        except Exception as error:  # noqa: BLE001 - the receipts are what keeps the next check from paying
            log.warning("What was seen could not be kept in %s (%s)", self._notes, type(error).__name__)


def _link_facts(downloader: Downloader, link: str) -> dict[str, Any]:
    """Return what there is to know of a link, without the link."""
    rules, parts = downloader.rules, urlsplit(link)
    base = urlsplit(rules.base_url)
    facts: dict[str, Any] = {
        "host": parts.hostname or "",
        "scheme": parts.scheme,
        "own": parts.netloc == base.netloc,
        "signed": bool(parts.query),
        "allowed": True,
        "status": None,
    }
    try:
        status, headers = downloader.look_at(link)
    except LinkNotAllowedError:
        return {**facts, "allowed": False}
    except PictureError:
        return facts
    facts |= {"status": status, "content_type": headers.get("Content-Type", "").partition(";")[0].strip().lower()}
    if status in _STATUSES_OF_REDIRECTS and headers.get("Location"):
        target = urljoin(link, headers["Location"])
        facts["redirects_to"] = urlsplit(target).hostname or ""
        try:
            rules.check(target)
            facts["redirect_allowed"] = True
        except LinkNotAllowedError:
            facts["redirect_allowed"] = False
    return facts


def _told(error: AirflowClaidError) -> dict[str, Any]:
    """Return what to note of an error, and the cure that it names by its kind."""
    facts: dict[str, Any] = {"error_type": type(error).__name__, "error": without_queries(str(error))[:500]}
    if isinstance(error, JobFailedError):
        facts["cure"] = _AGAIN
    elif isinstance(error, LinkNotAllowedError):
        facts["cure"] = "Add the host to `download_hosts` in the connection's extra: see the rows about links."
    elif isinstance(error, ClaidError) and not error.may_have_been_charged:
        facts["cure"] = "See errors.md for this error; it was not charged."
    return facts


def _without_signatures(facts: dict[str, Any]) -> dict[str, Any]:
    """Return facts that may be kept: a signed link is kept nowhere."""
    link = facts.get("edited")
    return {**facts, "edited": None} if isinstance(link, str) and link.startswith("http") and "?" in link else facts
