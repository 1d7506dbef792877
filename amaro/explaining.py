"""What `amaro policy explain` asks edges, and how it says what they would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from rich.markup import escape

from amaro.stack import StackError
from amaro.terminal import give_up, out, print_rows
from cache_policies.durations import render_duration
from cache_policies.message import Fields, RequestHead, ResponseHead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amaro.target import Target
    from cache_policies.explain import Explanation
    from cache_policies.load import PolicyFile
    from cache_policies.policies import Policies

PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request, and the response that an origin would give to it."""

    url: str
    request: RequestHead
    response: ResponseHead


def parse_question(
    url: str, method: str, fields: Sequence[str], status: int, response_fields: Sequence[str]
) -> Question:
    """Return the question that the options ask; give up on one that is none."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and url.isascii()
    except ValueError:
        is_whole = False
    if not is_whole:
        give_up(f"{url!r} is not a URL; write http://HOST/PATH", status=2)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = RequestHead(
        method.upper().encode(),
        parts.scheme.encode(),
        parts.netloc.rpartition("@")[2].encode(),
        target.encode(),
        _fields("--header", fields),
    )
    response = ResponseHead(status, _fields("--response-header", response_fields))
    return Question(url=url, request=request, response=response)


def _fields(option: str, lines: Sequence[str]) -> Fields:
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            give_up(f"{option} {line!r}: write 'Name: value'", status=2)
        fields.append((name.strip().lower().encode(), value.strip().encode()))
    return tuple(fields)


def ask_edges(target: Target) -> tuple[tuple[str, ...], PolicyFile | None]:
    """Return the edges' names and the policy file that they all follow, None without one.

    Raises StackError when there is no edge, one does not answer, or they do not agree.
    """
    from httpx import Client, HTTPError, InvalidURL  # noqa: PLC0415

    from cache_policies.load import PolicyFile  # noqa: PLC0415

    edges = target.edges
    if not edges:
        raise StackError("the running stack has no edge with an admin listener")
    said: dict[str, dict[str, Any]] = {}
    with Client(headers=target.headers, timeout=PATIENCE_S, trust_env=False) as client:
        for name, url in edges:
            try:
                response = client.get(f"{url}/policies")
                answer = response.json()
            except (HTTPError, InvalidURL, ValueError) as error:
                raise StackError(f"{name} does not answer: {error}") from error
            if not response.is_success:
                raise StackError(f"{name}: {answer.get('error', response.status_code)}")
            said[name] = answer
    epochs = {answer["epoch"] for answer in said.values()}
    if len(epochs) > 1:
        listed = ", ".join(f"{name} {answer['epoch']:x}" for name, answer in said.items())
        raise StackError(f"the edges follow different policies ({listed}); choose one with --admin")
    rules = next(iter(said.values()))["policies"]
    return tuple(said), None if rules is None else PolicyFile.from_mapping(rules)


def show(explanation: Explanation, policies: Policies, edges: Sequence[str]) -> None:
    """Print an explanation for a person."""
    if edges:
        out.print(f"as {escape(', '.join(edges))} would", soft_wrap=True)
    rules = [
        ((f"{policies.name}:{rule.line}", "dim"), (rule.name, "")) for rule in explanation.rules
    ]
    out.print("Rules that match" if rules else "No rule matches: a plain cache (RFC 9111)")
    if rules:
        print_rows(rules)
    if explanation.choices:
        out.print("What they set")
        print_rows(
            [
                (
                    (setting, ""),
                    (_words(setting, each.value), "bold"),
                    (_names(each.rules, policies), "dim"),
                )
                for setting, each in explanation.choices.items()
            ]
        )
    out.print("Decision")
    print_rows([((name, ""), (value, "bold")) for name, value in _decision(explanation)])


def _decision(explanation: Explanation) -> list[tuple[str, str]]:
    asked = explanation.asked.decode("latin-1")
    rows = []
    if explanation.forwarded is not None:
        rows.append(("answered by", f"the origin ({explanation.forwarded})"))
    else:
        rows.append(("key", explanation.key.decode("latin-1")))
    rows.append(("asked of origin", asked))
    if explanation.limits:
        rows.append(("counts in the limits", ", ".join(explanation.limits)))
    if explanation.origin:
        rows.append(("origin group", explanation.origin))
    if explanation.why_not_stored is not None:
        return [*rows, ("stored", f"no ({explanation.why_not_stored})")]
    return [
        *rows,
        ("stored", f"yes, in {' and '.join(explanation.tiers) or 'no tier'}"),
        ("fresh for", render_duration(round(explanation.lifetime_s, 3))),
        ("stale while revalidate", render_duration(explanation.stale_while_revalidate_s)),
        ("stale if error", render_duration(explanation.stale_if_error_s)),
        *[("tags", b" ".join(explanation.tags).decode("latin-1"))][: len(explanation.tags)],
        *[("varies by", b", ".join(explanation.vary).decode("latin-1"))][: len(explanation.vary)],
    ]


def _names(numbers: Sequence[int], policies: Policies) -> str:
    return ", ".join(policies.rules[no].name for no in numbers)


def _words(setting: str, value: object) -> str:
    """A setting's value, nearly as a policy file has it."""
    from cache_policies.load import written  # noqa: PLC0415

    match written(setting, value):
        case bool(said):
            return str(said).lower()
        case list(members):
            return ", ".join(members) or "none"
        case dict(parts):
            return ", ".join(f"{name} {each}" for name, each in parts.items()) or "all"
        case said:
            return str(said)
