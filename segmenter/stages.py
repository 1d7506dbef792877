"""What each stage of a job does, one method a stage; the order and durability are the worker's."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from segmenter.encode import copy_video, encode_audio, encode_video, measure_audio
from segmenter.facts import Facts, Refusal, RefusedError
from segmenter.ladder import Ladder, Rung, choose_ladder
from segmenter.loudness import gain_db
from segmenter.package import (
    NoFrameError,
    NotIndependentError,
    PackageError,
    object_name,
    package,
)
from segmenter.playlist import published, resources
from segmenter.previews import (
    JPEG_TYPE,
    VTT_TYPE,
    draw_poster,
    draw_sprite,
    plan_sprite,
    thumbnails_vtt,
)
from segmenter.probe import probe
from segmenter.publication import Publication, Publisher, Resource
from segmenter.rendition import Label, Packaged
from segmenter.tools import CancelledWorkError, Limits, ToolError, ffmpeg, run

AUDIO_NAME = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """Limits of the work on one asset."""

    work_dir: Path
    duration_max_s: float = 4 * 3600.0
    limits: Limits = field(default_factory=Limits)  # of what a viewer waits for
    later_nice: int = 19  # of everything else


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What was found out about a source and decided for it."""

    facts: Facts
    ladder: Ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class Previews:
    """The stored pictures of an asset; the poster's bytes stay for its mutable name."""

    poster: str | None = None
    poster_base64: str = ""
    thumbnails_vtt: str = ""


class Stages:
    """The work on assets. Every method may run again after a crash and then does the same."""

    def __init__(self, publisher: Publisher, settings: StageSettings) -> None:
        self._publisher = publisher
        self._settings = settings

    def examine(self, asset_id: str, *, may_remux: bool = True) -> Plan:
        """Return the plan for an asset. Raises RefusedError when it cannot become watchable."""
        if self._publisher.is_cancelled(asset_id):
            raise CancelledWorkError
        self._publisher.progress(asset_id, "examining", 0.0)
        source = self._publisher.source(asset_id)
        facts = probe(source, duration_max_s=self._settings.duration_max_s)
        return Plan(facts=facts, ladder=choose_ladder(facts, may_remux=may_remux))

    def make_audio(self, asset_id: str, plan: Plan) -> Packaged:
        """Return the sound rendition: measured, brought to one loudness, encoded, stored."""
        source = self._publisher.source(asset_id)
        with self._room(asset_id, AUDIO_NAME) as room:
            out = room / "audio.mp4"
            measured = self._run(asset_id, measure_audio(source, plan.facts))
            gain = gain_db(measured)
            duration_s = plan.ladder.duration_s
            self._run(asset_id, encode_audio(source, plan.facts, gain, duration_s, out))
            store = self._store(asset_id)
            return package(out, plan.ladder.boundaries, store, Label(AUDIO_NAME))

    def make_rung(self, asset_id: str, plan: Plan, rung: Rung) -> Packaged:
        """Return one picture rendition, stored. Raises NotIndependentError for an unfit remux."""
        source = self._publisher.source(asset_id)
        with self._room(asset_id, rung.name) as room:
            out = room / "video.mp4"
            rate = float(Fraction(*plan.ladder.rate))
            label = Label(rung.name, rung.width, rung.height, rate)
            watch = _Watch(self._publisher, asset_id, plan.ladder, rung)
            try:
                if rung.is_remux:
                    self._run(asset_id, copy_video(source, out), watch)
                else:
                    command = encode_video(source, plan.facts, plan.ladder, rung, out)
                    self._run(asset_id, command, watch, later=rung != plan.ladder.first)
                return package(out, plan.ladder.boundaries, self._store(asset_id), label)
            except (ToolError, PackageError) as error:
                if rung.is_remux:  # whatever the container promised, encoding asks less of it
                    raise NotIndependentError(str(error)) from error
                if isinstance(error, NoFrameError):
                    raise RefusedError(Refusal.DAMAGED) from error
                raise PackageError(f"{rung.name}: {error}") from error

    def make_previews(self, asset_id: str, plan: Plan) -> Previews:
        """Return poster and thumbnails, stored. A picture that cannot be drawn is left out."""
        source = self._publisher.source(asset_id)
        facts, duration_s = plan.facts, plan.ladder.duration_s
        with self._room(asset_id, "previews") as room:
            poster = self._draw(
                asset_id, draw_poster(source, facts, room / "p.jpg"), room / "p.jpg"
            )
            poster_name = self._keep(asset_id, poster) if poster else None
            track = b""
            sprite = plan_sprite(facts, duration_s)
            if sprite is not None:
                out = room / "s.jpg"
                sheet = self._draw(asset_id, draw_sprite(source, facts, sprite, out), out)
                if sheet:
                    track = thumbnails_vtt(sprite, self._keep(asset_id, sheet), duration_s)
        return Previews(
            poster=poster_name,
            poster_base64=base64.b64encode(poster).decode(),
            thumbnails_vtt=track.decode(),
        )

    def publish(
        self,
        asset_id: str,
        plan: Plan,
        made: Sequence[Packaged],
        previews: Previews,
        *,
        complete: bool,
    ) -> None:
        """Make the renditions that are made so far what players get."""
        video = [rendition for rendition in made if rendition.width]
        audio = next((rendition for rendition in made if not rendition.width), None)
        poster = base64.b64decode(previews.poster_base64)
        track = previews.thumbnails_vtt.encode()
        pictures = [
            Resource(name=name, body=body, content_type=kind, may_grow=False)
            for name, body, kind in (
                ("poster.jpg", poster, JPEG_TYPE),
                ("thumbnails.vtt", track, VTT_TYPE),
            )
            if body
        ]
        sizes = [(rung.width, rung.height) for rung in plan.ladder.rungs] or [(0, 0)]
        width, height = max(sizes)
        self._publisher.publish(
            asset_id,
            Publication(
                resources=(*resources(video, audio, complete=complete), *pictures),
                renditions=tuple(
                    [published(rendition, audio) for rendition in video]
                    or [published(rendition, None) for rendition in made]
                ),
                duration_s=plan.ladder.duration_s,
                width=width,
                height=height,
                poster=previews.poster,
                complete=complete,
            ),
        )

    def forget(self, asset_id: str) -> None:
        """Remove the asset's scratch files."""
        shutil.rmtree(self._settings.work_dir / asset_id, ignore_errors=True)

    def _run(
        self,
        asset_id: str,
        command: Sequence[str],
        on_line: Callable[[str], None] | None = None,
        *,
        later: bool = False,
    ) -> str:
        """Run ffmpeg to its end and return what it logged."""
        limits = self._settings.limits
        if self._publisher.is_cancelled(asset_id):
            raise CancelledWorkError
        return run(
            [ffmpeg(), *command],
            replace(limits, nice=self._settings.later_nice, idle_io=True) if later else limits,
            is_cancelled=lambda: self._publisher.is_cancelled(asset_id),
            on_line=on_line,
        ).errors

    def _draw(self, asset_id: str, command: Sequence[str], out: Path) -> bytes:
        try:
            self._run(asset_id, command, later=True)
        except ToolError:
            return b""
        return out.read_bytes() if out.exists() else b""

    def _keep(self, asset_id: str, picture: bytes) -> str:
        name = object_name(picture, "jpg")
        self._publisher.store(asset_id, name, picture, JPEG_TYPE)
        return name

    def _store(self, asset_id: str) -> Callable[[str, bytes, str], None]:
        def store(name: str, body: bytes, content_type: str) -> None:
            self._publisher.store(asset_id, name, body, content_type)

        return store

    @contextmanager
    def _room(self, asset_id: str, stage: str) -> Iterator[Path]:
        """Lend an empty scratch directory that is gone afterwards, whatever an earlier run left."""
        room = self._settings.work_dir / asset_id / stage
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(parents=True)
        try:
            yield room
        finally:
            shutil.rmtree(room, ignore_errors=True)


class _Watch:
    """Turns ffmpeg's progress lines into the asset's progress: rungs weigh as their pixels do."""

    def __init__(self, publisher: Publisher, asset_id: str, ladder: Ladder, rung: Rung) -> None:
        weights = [r.width * r.height * (0.05 if r.is_remux else 1.0) for r in ladder.rungs]
        at = ladder.rungs.index(rung)
        self._before = sum(weights[:at]) / sum(weights)
        self._share = weights[at] / sum(weights)
        self._duration_s = ladder.duration_s
        self._publisher, self._asset_id, self._stage = publisher, asset_id, rung.name

    def __call__(self, line: str) -> None:
        key, _, value = line.partition("=")
        if key != "out_time_us" or not value.isdigit():
            return
        done = min(1.0, int(value) / 1e6 / self._duration_s) if self._duration_s else 1.0
        fraction = min(0.99, self._before + self._share * done)
        self._publisher.progress(self._asset_id, self._stage, fraction)
