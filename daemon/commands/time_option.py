"""Points in time as people write them: a date, a date and a time, or how long ago."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d+) *(s|min|h|d|w)", re.ASCII)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class PointInTime(click.ParamType[datetime]):
    """`2026-11-20`, `2026-11-20 14:30`, or a time ago: `90min`, `3d`.

    Args:
        end: whether a date without a time means the last moment of the day instead of the first.
    """

    name = "time"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment in local time; any other text is wrong usage."""
        text = str(value).strip()
        try:
            if ago := _AGO.fullmatch(text):
                return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            moment = datetime.fromisoformat(text).astimezone()
            if self._end and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
                moment = (moment.replace(tzinfo=None) + timedelta(days=1)).astimezone() - timedelta(microseconds=1)
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{value!r} is not a time. Write 2026-11-20, '2026-11-20 14:30', or 90min, 12h, 3d, 2w.", param, ctx
            )
        return moment
