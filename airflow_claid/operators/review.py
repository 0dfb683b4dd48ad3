"""A person looks at pictures, and only those that he approves go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from airflow_claid.batch.approval import Rejection, approved_address, write_approved
from airflow_claid.batch.manifest import check_address
from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import counted
from airflow_claid.operators.bases.review_answer import DEFAULTS, SELECT, Question, Verdict
from airflow_claid.operators.bases.review_pictures import (
    MOST,
    Image,
    Shown,
    body_of,
    labels_of,
    manifest_of,
    pictures_of_list,
    pictures_of_manifest,
)
from airflow_claid.parameters import choice, is_literal, none_means_default, number, optional, refusing_at_once
from airflow_claid.version_compat import hitl_operator

if TYPE_CHECKING:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk import Context
else:
    HITLOperator = hitl_operator()

COMMENT = "comment"


class ImageReviewOperator(HITLOperator):
    """Show pictures to a person in the Airflow UI, under *Required Actions*, and let only the approved ones go on.

    It waits without a worker slot, and pays nothing. The pictures are shown through the gallery, with Airflow's
    permissions; where ``[claid] gallery`` is off, their paths are listed.

    A retry or a clear asks again.

    :param input: (templated) the pictures: paths (``generate.output``), the dicts of a task's XCom ``images``
        (``generate.output["images"]``), by which names and prompts are known too, or the address of a manifest
        (``batch.output["manifest"]``). Blocked pictures are left out. At most 200; of a manifest a sample.
    :param sample: (templated) how many of a manifest's rows are shown, 1 to 200, spread evenly over it; the same ones
        as long as the manifest is the same.
    :param select: (templated) ``"all"``: one answer for all pictures, *Approve* or *Reject*. ``"rejected"`` or
        ``"approved"``: the reviewer names those, or chooses *Approve all* or *Reject all*. Rows of a manifest that are
        not in the sample are rejected by *Reject* and *Reject all* only.
    :param default: (templated) the answer if nobody answers within ``response_timeout``: ``"approve"`` or
        ``"reject"``. Without it the task fails then.
    :param response_timeout: how long to wait for the answer; default: for ever.
    :param subject: (templated) the question.
    :param instructions: (templated) Markdown above the pictures: what to look for.
    :param approvers: (templated) who may answer, ``[{"id": "1", "name": "anna"}]``, or their ids where these are their
        names; default: everybody who may answer for this DAG.
    :param manifest: (templated) address of the approved manifest; default: beside the other, with ``-approved`` in its
        name. An existing one is replaced.
    :param notifiers: told when the task begins to wait, such as :class:`.ReviewNotifier`.
    :param params: what else to ask, as Airflow's ``HITLOperator`` takes it; a comment is always asked for.
    :param claid_conn_id: (templated) the Airflow connection to Claid by which the gallery opens pictures in
        ``storage://`` and temporary ones.
    :returns: the approved paths. For a manifest: a list with the address of the approved one, in which rejected rows
        have the status ``"rejected"``, no paths, the reviewer and the comment; the XCom ``manifest`` holds the address
        alone. XCom ``rejected`` has a dict for each rejected picture that was shown: ``path``, ``name``, ``prompt``,
        ``reviewer`` (``None`` where nobody answered) and ``comment``; XCom ``images`` all that were shown.
    :raises AirflowFailException: if a parameter is wrong, or if the manifest was written anew during the review.
    """

    template_fields: Sequence[str] = (
        "subject",
        "instructions",
        "input",
        "sample",
        "select",
        "default",
        "approvers",
        "manifest",
        "claid_conn_id",
    )
    ui_color = "#e6f0ff"

    @none_means_default
    def __init__(
        self,
        *,
        input: Any,  # noqa: A002 - what all operators call their pictures
        sample: int | str = 20,
        select: str = "all",
        default: str | None = None,
        response_timeout: timedelta | None = None,
        subject: str = "May these pictures be used?",
        instructions: str | None = None,
        approvers: Sequence[str | Mapping[str, str]] | str | None = None,
        manifest: str | None = None,
        params: Mapping[str, Any] | None = None,
        claid_conn_id: str = "claid_default",
        **kwargs: Any,
    ) -> None:
        asked = ParamsDict()
        asked.update(params or {})
        asked[COMMENT] = Param(None, type=["null", "string"], format="multiline", title="Comment")
        super().__init__(
            subject=subject,
            options=Question("all", ()).options,
            params=asked,
            response_timeout=response_timeout and timedelta(seconds=response_timeout.total_seconds()),
            **kwargs,
        )
        self.input = input
        self.sample = sample
        self.select = select
        self.default = default
        self.instructions = instructions
        self.approvers = approvers
        self.manifest = manifest
        self.claid_conn_id = claid_conn_id
        self.number_of_pictures: int = 0
        """How many are shown, once the task runs; for notifiers."""
        with refusing_at_once():
            if is_literal([sample, select, default, approvers]):
                self._check()

    def execute(self, context: Context) -> Any:
        """Show the pictures and wait for the answer; if there are none, nobody is asked."""
        ti = context["ti"]
        with refusing_at_once():
            self._check()
            images = self._pictures()
            ti.xcom_push(key="images", value=images)
            if not images:
                self.log.info("There are no pictures to review")
                return self._end(context, images, Verdict(), Rejection(None, None))
        self._ask(images)
        index = ti.map_index if ti.map_index is not None else -1
        self.body: str = body_of(optional(self.instructions), images, Shown(ti.dag_id, ti.run_id, ti.task_id, index))
        self.log.info("Waiting for a person's answer about %s", counted(len(images), "picture"))
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[str]:
        """Hand on what was approved."""
        ti = context["ti"]
        images = ti.xcom_pull(task_ids=ti.task_id, key="images", map_indexes=ti.map_index)
        with refusing_at_once():
            question = self._ask(images)
            answer = super().execute_complete(context, event)
            user = answer["responded_by_user"]
            comment = str(answer["params_input"].get(COMMENT) or "").strip() or None
            rejection = Rejection((user["name"] or user["id"]) if user else None, comment)
            return self._end(context, images, question.verdict(answer["chosen_options"]), rejection)

    def _check(self) -> None:
        choice(self.select, "select", SELECT)
        if optional(self.default) is not None:
            choice(self.default, "default", DEFAULTS)
        if self._sample() not in range(1, MOST + 1):
            raise ClaidValidationError(f"sample={self.sample!r} must be a whole number, 1 to {MOST}")
        if optional(self.approvers) is not None:
            self.assigned_users: list[Any] = _users(self.approvers)

    def _sample(self) -> Any:
        return number(self.sample)

    def _pictures(self) -> list[Image]:
        """Return the pictures to show."""
        manifest = manifest_of(self.input)
        if manifest is None:
            return pictures_of_list(self.input)
        check_address(self._target(manifest))
        return pictures_of_manifest(manifest, self._sample())

    def _target(self, manifest: str) -> str:
        """Return where the approved manifest is written."""
        target = str(self.manifest) if optional(self.manifest) is not None else approved_address(manifest)
        if target == manifest:
            raise ClaidValidationError(f"manifest={target!r} is the one that is reviewed: give another address")
        return target

    def _ask(self, images: Sequence[Image]) -> Question:
        """Set what Airflow's operator asks, and by what it checks the answer."""
        question = Question(self.select, labels_of(images))
        self.options: list[str] = question.options
        self.multiple: bool = question.several
        self.defaults: list[str] | None = question.default(optional(self.default))
        self.number_of_pictures = len(images)
        return question

    def _end(self, context: Context, images: Sequence[Image], verdict: Verdict, rejection: Rejection) -> list[str]:
        """Push what was decided, and return what goes on."""
        ti = context["ti"]
        approved = [image for image in images if not verdict.rejects(image["label"])]
        rejected = [image for image in images if verdict.rejects(image["label"])]
        who = {"reviewer": rejection.reviewer, "comment": rejection.comment}
        told = [{fact: image.get(fact) for fact in ("path", "name", "prompt")} | who for image in rejected]
        decided = [image | ({"rejected": rejection.text} if image in rejected else {}) for image in images]
        ti.xcom_push(key="images", value=decided)
        ti.xcom_push(key="rejected", value=told)
        self.log.info("%s: %d approved, %d rejected", counted(len(images), "picture"), len(approved), len(rejected))
        manifest = manifest_of(self.input)
        if manifest is None:
            return [image["path"] for image in approved]
        address = self._write_approved(manifest, images, verdict, rejection)
        ti.xcom_push(key="manifest", value=address)
        return [address]

    def _write_approved(self, manifest: str, images: Sequence[Image], verdict: Verdict, rejection: Rejection) -> str:
        labels = {image["row"]: image["label"] for image in images}
        reviewed: dict[int, list[str]] = {}
        for image in images:
            reviewed.setdefault(image["row"], []).append(image["path"])
        return write_approved(
            manifest,
            self._target(manifest),
            lambda row: rejection if verdict.rejects(labels.get(row["row"])) else None,
            reviewed,
        )


def _users(approvers: object) -> list[Any]:
    """Return approvers as Airflow's operator takes them.

    :raises ClaidValidationError: if they are neither ids nor dicts with id and name.
    """
    users = [approvers] if isinstance(approvers, (str, Mapping)) else approvers
    if not isinstance(users, (list, tuple)) or not users:
        raise ClaidValidationError(f"approvers={approvers!r} must be ids of users, or dicts with 'id' and 'name'")
    return [_user(user) for user in users]


def _user(user: object) -> dict[str, str]:
    if isinstance(user, str) and user:
        return {"id": user, "name": user}
    if isinstance(user, Mapping) and {"id", "name"} <= user.keys():
        return {"id": str(user["id"]), "name": str(user["name"])}
    raise ClaidValidationError(f"approvers={user!r} must be the id of a user, or a dict with 'id' and 'name'")
