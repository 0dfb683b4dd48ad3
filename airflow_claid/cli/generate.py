"""``claid generate``: the picture of one prompt, paid for once."""

from __future__ import annotations

import argparse
import os
import socket
from typing import TYPE_CHECKING

from airflow_claid.cli.addresses import file_address
from airflow_claid.cli.command import CONNECTION, Command, ExitCode, UsageError, argument
from airflow_claid.cli.connecting import claid_hook
from airflow_claid.cli.output import Output

if TYPE_CHECKING:
    from airflow_claid.fulfilment.fulfilment import Fulfilled, Fulfilment
    from airflow_claid.hooks.claid import ClaidHook
    from airflow_claid.orders.generate import GenerateOrder

_WHO = "claid generate"


def _generate(arguments: argparse.Namespace, output: Output) -> ExitCode:
    hook = claid_hook(arguments)
    order, receipts = _order(arguments, hook)
    fulfilment = _fulfilment(arguments, hook, receipts)
    if arguments.dry_run:
        forecast = fulfilment.forecast(order)
        output.facts(
            {
                "credits": forecast.credits,
                "credits_in_doubt": forecast.in_doubt,
                "requests": forecast.requests,
                "reused": forecast.reused,
                "reason": forecast.reason,
                "fingerprint": order.fingerprint,
            }
        )
        return ExitCode.OK if forecast.requests or forecast.reused else ExitCode.PROBLEM
    result = fulfilment.fulfil(order)
    return _show(result, receipts, output)


def _order(arguments: argparse.Namespace, hook: ClaidHook) -> tuple[GenerateOrder, str]:
    """Return the order, checked, and the folder of its receipt."""
    from airflow_claid.client import GenerateRequest
    from airflow_claid.orders.generate import GenerateOrder
    from airflow_claid.storage.places import checked_name, generation_place

    request = GenerateRequest.of(
        arguments.prompt, number_of_images=arguments.number_of_images, guidance_scale=arguments.guidance_scale
    )
    place = generation_place(file_address(arguments.output).rstrip("/") + "/")
    if place.is_temporary:
        raise UsageError(f"--output {arguments.output!r} is no folder where a receipt can be kept")
    if place.is_written_by_claid:
        hook.storages.check_writable(place.storage_name)
    order = GenerateOrder(
        base_url=hook.client.base_url,
        place=place,
        name=checked_name(arguments.name) if arguments.name is not None else None,
        landing=hook.storages.covering(place.folder) if place.is_written_by_airflow else None,
        request=request,
    )
    return order, hook.storages.readable_uri(place.receipts)


def _fulfilment(arguments: argparse.Namespace, hook: ClaidHook, receipts: str) -> Fulfilment:
    from airflow_claid.delivery.delivery import Delivery
    from airflow_claid.fulfilment.budget import Budget
    from airflow_claid.fulfilment.fulfilment import Fulfilment
    from airflow_claid.fulfilment.liveness import this_process
    from airflow_claid.fulfilment.receipt import Author
    from airflow_claid.fulfilment.receipt_stores import FolderReceipts
    from airflow_claid.fulfilment.resources import utc_now
    from airflow_claid.fulfilment.spare_receipts import SparedReceipts, SpareReceipts, SpoolSpare
    from airflow_claid.fulfilment.terms import Terms

    store = SparedReceipts(FolderReceipts(receipts), SpareReceipts([SpoolSpare.of_this_machine()]))
    spending = hook.spending((), _WHO, lambda *_: None)
    return Fulfilment(
        client=hook.client,
        delivery=Delivery(hook.downloader, hook.storages, utc_now),
        receipts=lambda _: store,
        author=Author(_WHO, f"{socket.gethostname()} {os.getpid()}", "generate", process=this_process()),
        terms=Terms(on_lost_response=arguments.on_lost_response),
        budget=Budget(arguments.max_credits, spending=spending),
    )


def _show(result: Fulfilled, receipts: str, output: Output) -> ExitCode:
    from airflow_claid.storage.signed_links import shown

    usable = [image.path for image in result.images if image.usable and image.path]
    blocked = sum(image.blocked is True for image in result.images)
    output.facts(
        {
            "paths": [shown(path) for path in usable],
            "credits": result.credits,
            "credits_in_doubt": result.in_doubt,
            "blocked": blocked,
            "receipt": f"{receipts}{result.order.fingerprint}.json",
            "request_id": result.request_id,
        }
    )
    if blocked:
        output.note(f"Claid's content filter blocked {blocked} of {len(result.images)} pictures: change the prompt")
    return ExitCode.PROBLEM if blocked or not usable else ExitCode.OK


COMMAND = Command(
    "generate",
    "generate the picture of one prompt, paid for once",
    _generate,
    (
        argument("prompt", metavar="PROMPT", help="3 to 1024 characters"),
        argument(
            "--output",
            required=True,
            metavar="FOLDER",
            help="where the picture and its receipt go: an address as for an operator, or a path",
        ),
        argument("--name", help="of the picture's file (default: the beginning of the request's fingerprint)"),
        argument("--number-of-images", type=int, default=1, metavar="N", help="1 to 4 (default: %(default)s)"),
        argument(
            "--guidance-scale",
            type=float,
            default=5.0,
            metavar="SCALE",
            help="1 to below 50: how closely to follow the prompt (default: %(default)s)",
        ),
        argument("--max-credits", type=float, metavar="CREDITS", help="send nothing that costs more"),
        argument(
            "--on-lost-response",
            choices=("fail", "resubmit"),
            default="fail",
            help="what to do if an answer was lost and its pictures are not found (default: %(default)s)",
        ),
        argument("--dry-run", action="store_true", help="only say what it would cost; nothing is sent that is charged"),
        *CONNECTION,
    ),
)
