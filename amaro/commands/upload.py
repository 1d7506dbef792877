"""`amaro upload`: a file from this machine to a URL that plays."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from amaro.stack import DEFAULT_DATA, StackError
from amaro.target import AdminOption, DataOption, TokenFileOption, find_target
from amaro.terminal import err, give_up, out, print_json

if TYPE_CHECKING:
    from amaro.destination import Destination
    from amaro.processing import Asset

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells say it


def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A video.", show_default=False)],
    region: Annotated[
        str | None, typer.Option(metavar="CODE", help="Region whose feed shows it.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Default: the file's name.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until the best quality is ready.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data: DataOption = DEFAULT_DATA,
    admin: AdminOption = None,
    token_file: TokenFileOption = None,
) -> None:
    """Upload a video, resumably, and say where it plays.

    Interrupted, the same command goes on where it ended.

    Example: amaro upload holiday.mp4 --region north --wait
    """
    from amaro.destination import find_destination  # noqa: PLC0415
    from amaro.processing import ProcessingError, base_of  # noqa: PLC0415
    from amaro.sending import SendingError  # noqa: PLC0415

    try:
        check_readable(file)
        target = find_target(data=data, admin=admin, token_file=token_file)
        destination = find_destination(target, region)
        asset_id = send_with_bar(file, destination, title or file.stem)
        asset = wait_with_bar(destination, asset_id) if wait else None
        base = asset.base if asset else base_of(destination.state_url(asset_id), asset_id)
    except (StackError, SendingError, ProcessingError) as error:
        give_up(str(error))
    if as_json:
        print_json(answer(destination, asset_id, asset, base))
    else:
        show(destination, asset_id, asset, base)


def check_readable(file: Path) -> None:
    """Raise StackError when there is nothing to upload."""
    if file.is_dir():
        raise StackError(f"{file} is a directory; name a video file.")
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise StackError(f"Cannot read {file}: {error.strerror}.") from error


def send_with_bar(file: Path, destination: Destination, title: str) -> str:
    """Upload with a progress bar and return the asset id."""
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from amaro.remembered import forget_old  # noqa: PLC0415
    from amaro.sending import Persistence, send  # noqa: PLC0415

    forget_old()
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Uploading", total=max(file.stat().st_size, 1))
        try:
            return send(
                file,
                destination=destination,
                title=title,
                on_offset=lambda offset: progress.update(task, completed=offset),
                persistence=Persistence(),
            )
        except KeyboardInterrupt:
            progress.stop()
            err.print("Interrupted. Run the same command again: it goes on where it ended.")
            raise typer.Exit(INTERRUPTED) from None


def wait_with_bar(destination: Destination, asset_id: str) -> Asset:
    """Follow the processing with a progress bar and return the asset when it is complete."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415

    from amaro.processing import base_of, follow  # noqa: PLC0415

    columns = (TextColumn("{task.description:<10}"), BarColumn(), TaskProgressColumn())
    stage = TextColumn("[dim]{task.fields[stage]}[/]")
    is_announced = False
    with Progress(*columns, stage, console=err, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Processing", total=1.0, stage="")
        try:
            for asset in follow(destination.state_url(asset_id)):
                progress.update(task, completed=asset.fraction, stage=asset.stage)
                if asset.is_watchable and not is_announced:
                    is_announced = True
                    err.print(
                        f"Watchable now: {best_url(destination, asset_id, asset.base)}",
                        soft_wrap=True,
                    )
        except KeyboardInterrupt:
            progress.stop()
            err.print("No longer waiting. The upload is safe, and the work goes on:")
            base = base_of(destination.state_url(asset_id), asset_id)
            err.print(best_url(destination, asset_id, base), soft_wrap=True)
            raise typer.Exit(INTERRUPTED) from None
    return asset


def best_url(destination: Destination, asset_id: str, base: str) -> str:
    """Return the page for people, or the playlist when no page is known."""
    return destination.watch_url(asset_id) or destination.playback_url(base)


def answer(
    destination: Destination, asset_id: str, asset: Asset | None, base: str
) -> dict[str, object]:
    """Return what `--json` prints; scripts depend on its shape. Times are None without --wait."""
    return {
        "asset_id": asset_id,
        "playback_url": destination.playback_url(base),
        "watch_url": destination.watch_url(asset_id),
        "first_playable_s": asset.first_playable_s if asset else None,
        "complete_s": asset.complete_s if asset else None,
    }


def show(destination: Destination, asset_id: str, asset: Asset | None, base: str) -> None:
    """Print where the video plays, for a person."""
    if asset is None:
        err.print("Uploaded; it is being processed.")
    else:
        err.print(
            f"Playable after {asset.first_playable_s} s, best quality after {asset.complete_s} s."
        )
    if watch_url := destination.watch_url(asset_id):
        out.print(f"watch     {watch_url}", soft_wrap=True)
    out.print(f"playback  {destination.playback_url(base)}", soft_wrap=True)
