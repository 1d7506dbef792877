"""`amaro policy`: check the rules that edges follow, and ask what they mean for one URL."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from amaro.explaining import Question, ask_edges, parse_question, show
from amaro.stack import DEFAULT_DATA, StackError
from amaro.target import AdminOption, DataOption, TokenFileOption, find_target
from amaro.terminal import err, give_up, out, print_json

if TYPE_CHECKING:
    from cache_policies.load import PolicyFile

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

app = typer.Typer(help="The rules that edges cache by.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")],
    as_json: JsonOption = False,
) -> None:
    """Check a policy file; the exit status is 1 when it is wrong, 2 when it cannot be read.

    Example: amaro policy check configs/policies/amaro.yaml
    """
    from cache_policies.complaints import PolicyFileError  # noqa: PLC0415

    answer: dict[str, Any] = {"file": str(file), "ok": True, "errors": []}
    try:
        read = _read(file)
    except PolicyFileError as error:
        if as_json:
            print_json(answer | {"ok": False, "errors": error.to_list()})
        else:
            _complain(error)
        raise typer.Exit(1) from None
    if as_json:
        print_json(answer | {"epoch": read.epoch, "rules": len(read.lines)})
    else:
        count = len(read.lines)
        out.print(f"{escape(str(file))}: {count} rule{'s' * (count != 1)}, [green]no mistakes[/]")


@app.command()
def explain(
    url: Annotated[str, typer.Argument(metavar="URL", help="What a player asks for.")],
    policies: Annotated[
        Path | None,
        typer.Option("--policies", metavar="FILE", help="Rules to go by, instead of an edge's."),
    ] = None,
    method: Annotated[str, typer.Option(metavar="METHOD", help="Of the request.")] = "GET",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="'NAME: VALUE'", help="Of the request; may be repeated."),
    ] = None,
    status: Annotated[int, typer.Option(min=200, max=599, help="Of the response.")] = 200,
    response_header: Annotated[
        list[str] | None,
        typer.Option(
            "--response-header", metavar="'NAME: VALUE'", help="Of the response; may be repeated."
        ),
    ] = None,
    as_json: JsonOption = False,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Say what an edge does with a URL, and which rules say so.

    The rules are those of the running stack's edges, or of --policies FILE.

    Example: amaro policy explain http://localhost:8081/vod/a/seg1.m4s --policies my.yaml
    --response-header 'Cache-Control: max-age=60'
    """
    from cache_policies.complaints import PolicyFileError  # noqa: PLC0415

    question = parse_question(url, method, header or (), status, response_header or ())
    edges: tuple[str, ...] = ()
    if policies is not None:
        try:
            file: PolicyFile | None = _read(policies)
        except PolicyFileError as error:
            _complain(error)
            raise typer.Exit(1) from None
    else:
        try:
            target = find_target(data=data, admin=admin, token_file=token_file)
            edges, file = ask_edges(target)
        except StackError as error:
            give_up(str(error))
    _answer(question, file, edges, as_json=as_json)


def _answer(
    question: Question, file: PolicyFile | None, edges: tuple[str, ...], *, as_json: bool
) -> None:
    from cache_policies.explain import explain as explain_request  # noqa: PLC0415
    from cache_policies.policies import Policies, compile_policies  # noqa: PLC0415

    compiled = Policies.bare() if file is None else compile_policies(file)
    explanation = explain_request(compiled, question.request, question.response, time.time())
    if as_json:
        asked = {"url": question.url, "epoch": compiled.epoch, "edges": list(edges)}
        print_json(asked | explanation.to_mapping(compiled))
    else:
        show(explanation, compiled, edges)


def _read(file: Path) -> PolicyFile:
    from edge.policy_file import read_policy_file  # noqa: PLC0415

    try:
        return read_policy_file(file)
    except OSError as error:
        give_up(f"cannot read {file}: {error.strerror}", status=2)


def _complain(error: Exception) -> None:
    for line in str(error).splitlines():
        err.print(escape(line), soft_wrap=True)
