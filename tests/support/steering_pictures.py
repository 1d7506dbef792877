"""Films of viewers side by side: as a strip of frames, and as curves."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from tests.support.steering_film import FRAME_HEIGHT, FRAME_WIDTH, Film
from tests.support.svg_frame import Frame, document, text

PATHWAYS: Final = {"one": "#1f77b4", "two": "#d95f02", "here": "#2a9d55", "gone": "#9467bd"}
ERROR: Final = "#c22"
FAILING, WELL, PAPER, INK = "#c22", "#2a9d55", "#fff", "#333"
EVERY_S: Final = 2.0  # a frame
TITLE, BELOW, GAP = 112, 26, 4
WIDTH, ROW, LEFT, TOP = 980, 150, 120, 46
PARTS: Final = (380, 180, 200)  # widths
AHEAD_MOST_S: Final = 14.0


def strip(films: Sequence[Film]) -> Image.Image:
    """A row for each fault: frames, the pathway in use and the playhead below each."""
    columns = max(int(each.end_s / EVERY_S) for each in films)
    row = FRAME_HEIGHT + BELOW + 2 * GAP
    size = (TITLE + columns * (FRAME_WIDTH + GAP), row * len(films) + GAP)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for number, film in enumerate(films):
        y = GAP + number * row
        pen.text((GAP, y + 4), film.fault, INK, ImageFont.load_default(13))
        for column in range(columns):
            second = column * EVERY_S
            picture = min(film.pictures, key=lambda each: abs(each.second - second))
            x = TITLE + column * (FRAME_WIDTH + GAP)
            fails = film.struck_s <= picture.second < film.recovered_s
            edge = (x, y, x + FRAME_WIDTH - 1, y + FRAME_HEIGHT + 3)
            pen.rectangle(edge, FAILING if fails else WELL)
            sheet.paste(Image.open(io.BytesIO(picture.jpeg)), (x, y))
            below = y + FRAME_HEIGHT + 8
            pen.rectangle((x, below + 2, x + 7, below + 9), PATHWAYS.get(picture.pathway, INK))
            says = f"{picture.pathway}  {picture.playhead_s:.1f} s"
            pen.text((x + 12, below - 1), says, INK, font)
    return sheet


def plot(films: Sequence[Film]) -> str:
    """A row for each fault: what is buffered, the playhead, and what is asked of whom."""
    lines = []
    for number, (name, colour) in enumerate([*PATHWAYS.items(), ("errors", ERROR)]):
        x = LEFT + 80 * number
        lines.append(f'<rect x="{x}" y="12" width="12" height="4" fill="{colour}"/>')
        lines.append(text(x + 16, 18, name))
    lines.append(text(LEFT + 440, 18, "shaded: the fault · dashed: steering away, and back"))
    titles = ("seconds ahead of the playhead, and the pathway", "playhead, s", "requests a second")
    for title, x in zip(titles, _lefts(), strict=True):
        lines.append(text(x, 36, title))
    for number, film in enumerate(films):
        y = TOP + ROW * number
        lines.append(text(4, y + 20, film.fault))
        for draw, x, wide in zip((_ahead, _playhead, _asked), _lefts(), PARTS, strict=True):
            frame = Frame(x, y, wide, ROW - 30, film.end_s)
            lines += frame.ground(film.struck_s, film.recovered_s)
            for second in (film.ordered_s, film.returned_s):
                lines.append(_upright(frame, second))
            lines += draw(frame, film)
    return document(WIDTH, TOP + ROW * len(films) + 10, lines)


def _lefts() -> list[float]:
    return [LEFT + sum(PARTS[:number]) + 40.0 * number for number in range(len(PARTS))]


def _upright(frame: Frame, second: float) -> str:
    x = frame.at(second)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{frame.y}" y2="{frame.y + frame.height}" '
        'stroke="#777" stroke-dasharray="3 3"/>'
    )


def _ahead(frame: Frame, film: Film) -> list[str]:
    lines = [text(frame.x - 18, frame.y + 10, f"{AHEAD_MOST_S:.0f}")]
    lines.append(text(frame.x - 12, frame.y + frame.height, "0"))
    points = [(at, ahead) for at, _, ahead, _ in film.samples]
    lines += frame.curve(_thinned(points), AHEAD_MOST_S, "#333")
    begin, on = 0.0, film.samples[0][3]
    for at, _, _, now in [*film.samples, (film.end_s, 0.0, 0.0, "")]:
        if now != on:
            lines.append(
                f'<rect x="{frame.at(begin):.1f}" y="{frame.y + frame.height - 6:.1f}" height="6" '
                f'width="{frame.at(at) - frame.at(begin):.1f}" fill="{PATHWAYS.get(on, INK)}"/>'
            )
            begin, on = at, now
    return lines


def _playhead(frame: Frame, film: Film) -> list[str]:
    points = [(at, playhead) for at, playhead, _, _ in film.samples]
    most = points[-1][1]
    lines = [text(frame.x - 24, frame.y + 10, f"{most:.0f}")]
    return [*lines, *frame.curve(_thinned(points), most, "#333")]


def _asked(frame: Frame, film: Film) -> list[str]:
    told: dict[str, Counter[int]] = {name: Counter() for name in PATHWAYS}
    for at, name in film.asked:
        told[name][int(at)] += 1
    errors = Counter(int(at) for at in film.errors)
    most = max((sum(each[second] for each in told.values()) for second in range(99)), default=1)
    lines = [text(frame.x - 20, frame.y + 10, str(most))]
    for second in range(int(film.end_s) + 1):
        lines += _column(frame, second, {name: each[second] for name, each in told.items()}, most)
        if errors[second]:
            x = frame.at(second + 0.5)
            lines.append(f'<circle cx="{x:.1f}" cy="{frame.y + 6}" r="3" fill="{ERROR}"/>')
            lines.append(text(x + 5, frame.y + 10, str(errors[second]), ERROR))
    return lines


def _column(frame: Frame, second: int, counts: Mapping[str, int], most: int) -> list[str]:
    lines, below = [], frame.y + frame.height
    wide = frame.width / frame.last_s - 1.0
    for name, count in counts.items():
        if count:
            high = frame.height * count / most
            below -= high
            lines.append(
                f'<rect x="{frame.at(second):.1f}" y="{below:.1f}" width="{wide:.1f}" '
                f'height="{high:.1f}" fill="{PATHWAYS[name]}"/>'
            )
    return lines


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Every third, which a curve of this width does not show."""
    return [each for number, each in enumerate(points) if number % 3 == 0 or number == len(points)]
