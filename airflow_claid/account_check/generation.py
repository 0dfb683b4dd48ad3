"""Assumptions about the answer to a generation."""

from __future__ import annotations

from typing import Any

from airflow_claid.account_check.answered_pictures import (
    at,
    delivered,
    in_time,
    needs,
    picture_as_asked,
    unlike_the_contract,
)
from airflow_claid.account_check.assumption import Assumption, Finding, Group, agrees, differs, verdict
from airflow_claid.account_check.evidence import Evidence, Step
from airflow_claid.client.reading import is_same_prompt

PROMPT = "A red apple on a white table, plain product photo"
SIDE = 1024
_CONTRACT = "the contract: `GenerateResponse`; no real answer has been seen"
_COPES = "Nothing: a link is found wherever it stands, and what does not fit is dropped."


def _body(evidence: Evidence) -> Any:
    answer = evidence.last(Step.GENERATION, "generate_image")
    return answer.body if answer else None


def _fields(evidence: Evidence, _: dict[str, Any]) -> Finding:
    answer = evidence.last(Step.GENERATION, "generate_image")
    if answer is None:
        return differs("there was no answer")
    problems = [] if answer.status == 200 else [f"it was answered {answer.status}"]
    data = at(answer.body, "data")
    if not isinstance(data, dict):
        problems.append(f"there is no data (the body is {answer.kind})")
    else:
        unknown = sorted(data.keys() - {"input", "output", "profiling"})
        problems += [f"there are fields that we do not know: {', '.join(unknown)[:200]}"] if unknown else []
        problems += [] if isinstance(data.get("output"), list) else ["data.output is no list"]
        problems += [] if isinstance(data.get("input"), dict) else ["data.input is no object"]
    return verdict(problems, "data.input and data.output")


def _types(evidence: Evidence, _: dict[str, Any]) -> Finding:
    pictures = at(_body(evidence), "data", "output")
    if not isinstance(pictures, list) or not pictures:
        return differs("data.output holds no picture")
    return verdict(unlike_the_contract(pictures), "all are there, of the types of the contract")


def _number(evidence: Evidence, _: dict[str, Any]) -> Finding:
    pictures = at(_body(evidence), "data", "output")
    number = len(pictures) if isinstance(pictures, list) else 0
    return agrees("1 of 1") if number == 1 else differs(f"data.output holds {number} for 1 asked for")


def _echo(evidence: Evidence, _: dict[str, Any]) -> Finding:
    text = at(_body(evidence), "data", "input", "text")
    if not isinstance(text, str):
        return differs("data.input.text is not there")
    return agrees("it does") if is_same_prompt(PROMPT, text) else differs("it repeats another prompt")


def _seconds(evidence: Evidence, _: dict[str, Any]) -> Finding:
    answer = evidence.last(Step.GENERATION, "generate_image")
    return in_time(answer.seconds if answer else 0.0, evidence.read_timeout)


GROUP = Group(
    "Generation",
    (
        Assumption(
            name="generation-read",
            says="This version reads the answer to a generation, and opens its picture.",
            source="all that follows",
            tried="one picture is generated, as a task would",
            cure="No setting: it is paid and kept in the receipt. Send us the report, and upgrade airflow-claid.",
            examine=needs(Step.GENERATION, delivered, answer=False),
        ),
        Assumption(
            name="generation-fields",
            says="A generation is answered 200, with `data.input` and `data.output`.",
            source=_CONTRACT,
            tried="the answer's fields",
            cure=_COPES,
            examine=needs(Step.GENERATION, _fields),
        ),
        Assumption(
            name="generation-types",
            says="Each picture has `ext`, `mps`, `mime`, `format`, `width` and `height`, as texts and numbers.",
            source=_CONTRACT,
            tried="the types in `data.output`",
            cure=_COPES,
            examine=needs(Step.GENERATION, _types),
        ),
        Assumption(
            name="generation-number",
            says="An answer has as many pictures as were asked for.",
            source="docs.claid.ai: `number_of_images`",
            tried="the length of `data.output`",
            cure="Nothing: fewer are delivered with a warning; more are left alone.",
            examine=needs(Step.GENERATION, _number),
        ),
        Assumption(
            name="generation-prompt",
            says="The answer repeats the prompt, in `data.input.text`.",
            source="a captured answer in public code",
            tried="the prompt is compared",
            cure="Nothing: an answer to another request is then recognised by its addresses.",
            examine=needs(Step.GENERATION, _echo),
        ),
        Assumption(
            name="generation-picture",
            says=f"A generated picture is a PNG of {SIDE}x{SIDE} pixels, as announced.",
            source="docs.claid.ai",
            tried="the picture is opened",
            cure="Nothing: the bytes tell the format and the size.",
            examine=needs(Step.GENERATION, picture_as_asked(SIDE, SIDE, "image/png")),
        ),
        Assumption(
            name="generation-seconds",
            says="A generation is answered within half of `read_timeout`.",
            source="our default of 120 s; no public figure",
            tried="the seconds from sending to answer",
            cure="Raise `read_timeout` in the connection's extra: an answer that comes too late is paid and lost.",
            examine=needs(Step.GENERATION, _seconds),
        ),
    ),
    paid=True,
)
