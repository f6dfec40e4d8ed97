"""Understand a date as cameras, phones and programs write it, and leave out what is no photo's date."""

import re
from datetime import UTC, datetime, timedelta

FIRST_YEAR = 1826
"""The year of the oldest photograph that survives; scans of old photos bear such dates."""
_SLACK = timedelta(days=1)
"""A photo bears its camera's local time, which may be up to 14 hours ahead of UTC."""

_DAY = r"(?P<year>\d{4})(?:[:/.\-]\s?|\s)(?P<month>\d{1,2})(?:[:/.\-]\s?|\s)(?P<day>\d{1,2})"
_TIME = r"(?P<hour>\d{1,2})[:.]\s?(?P<minute>\d{1,2})(?:[:.]\s?(?P<second>\d{1,2}))?"
_HALF = r"(?:[.,:]\d+)?\s*(?:(?P<half>[AaPp])\.?[Mm]\b)?"
_WRITTEN = re.compile(rf"{_DAY}(?!\d)(?:[T_,\s]+{_TIME}{_HALF})?")
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    r"(?:[T_\s]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?)?(?P<half>[ap]m)?(?!\d)"
)

_CLOCK_DAYS = frozenset(((1969, 12, 31), (1970, 1, 1), (1980, 1, 1)))
"""Days on which clocks begin that were never set, and run on: Unix, also west of Greenwich, and FAT."""
_UNSET = frozenset(
    (
        datetime(2002, 12, 8, 12, 0, 0, tzinfo=UTC),  # the firmware of many phones writes it into each photo
        datetime(1904, 1, 1, tzinfo=UTC),  # the zero of Mac and QuickTime
        datetime(1899, 12, 30, tzinfo=UTC),  # the zero of spreadsheets
        datetime(1899, 12, 31, tzinfo=UTC),
    )
)


def parse_date(text: str, latest: datetime) -> datetime | None:
    """Return the local time that a text gives, as if it were UTC, or None if it gives none that a photo can have.

    The year comes first. Blanks, a zone, fractions of a second, and whatever follows do not matter. A time that no
    clock shows leaves the day. Phones that count hours from 1 to 24 write midnight as hour 24 of the same day.

    Args:
        text: such as `2019:07:14 10:11:12`, `2019-07-14T10:11+02:00` or `2019/7/4`.
        latest: the time now; a later day than tomorrow is no photo's.
    """
    text = text.strip("\0 \t\r\n\"'")
    match = _WRITTEN.match(text) or _COMPACT.match(text)
    if match is None:
        return None
    try:
        day = datetime(int(match["year"]), int(match["month"]), int(match["day"]), tzinfo=UTC)
        taken = day + _time_of_day(match)
        is_possible = taken <= latest + _SLACK
    except (OverflowError, ValueError):
        return None
    is_unset = taken in _UNSET or (taken.year, taken.month, taken.day) in _CLOCK_DAYS
    return taken if is_possible and taken.year >= FIRST_YEAR and not is_unset else None


def _time_of_day(match: re.Match[str]) -> timedelta:
    if match["hour"] is None:
        return timedelta()
    hour, minute, second = int(match["hour"]), int(match["minute"]), min(59, int(match["second"] or 0))
    if hour > 24 or minute > 59 or int(match["second"] or 0) > 60:
        return timedelta()
    hour %= 24
    if match["half"] and hour <= 12:
        hour = hour % 12 + (12 if match["half"][0] in "Pp" else 0)
    return timedelta(hours=hour, minutes=minute, seconds=second)
