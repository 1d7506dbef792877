"""HTTP dates in their three forms (RFC 9110 §5.6.7)."""

import re
from datetime import UTC, datetime

_MONTHS = {
    name: number
    for number, name in enumerate(
        b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1
    )
}
_TIME = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)  # as a cache should (RFC 9111 §4.2)
    for form in (
        rb"[A-Z]{3}, (?P<day>\d\d) (?P<month>[A-Z]{3}) (?P<year>\d{4}) " + _TIME + rb" GMT",
        rb"[A-Z]{6,9}, (?P<day>\d\d)-(?P<month>[A-Z]{3})-(?P<year>\d\d) " + _TIME + rb" GMT",
        rb"[A-Z]{3} (?P<month>[A-Z]{3}) (?P<day>[ \d]\d) " + _TIME + rb" (?P<year>\d{4})",
    )
)


def parse_date(value: bytes | None, now_wall: float) -> float | None:
    """Return the Unix time of an HTTP date; None when it is missing or malformed.

    `now_wall` settles a two-digit year: never more than 50 years ahead. A weekday is not checked.
    """
    if value is None:
        return None
    for form in _FORMS:
        if match := form.fullmatch(value):
            return _unix_time(match, now_wall)
    return None


def _unix_time(match: re.Match[bytes], now_wall: float) -> float | None:
    month = _MONTHS.get(match["month"].lower(), 0)
    year = int(match["year"])
    if len(match["year"]) == 2:
        this_year = datetime.fromtimestamp(now_wall, UTC).year
        year += this_year - this_year % 100
        if year > this_year + 50:
            year -= 100
        elif year <= this_year - 50:
            year += 100
    second = int(match["second"])
    leap = second == 60  # datetime knows no leap seconds
    try:
        moment = datetime(
            year,
            month,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            second - leap,
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return moment.timestamp() + leap
