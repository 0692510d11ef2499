import json

import numpy as np
import orjson
import pytest

from api.responses import bodies
from services.market.types import Series

VALUES = [60_000.0, 0.1, 1 / 3, 1e-300, 5e-324, 1e16, 1.7976931348623157e308, 123456789.123]


@pytest.mark.parametrize("widths", [[60] * 8, [60, 300, 60, 900, 60, 60, 60, 300], [300] * 8])
def test_encoding_a_series_equals_encoding_its_rows(widths: list[int]) -> None:
    times = np.arange(1_772_366_400, 1_772_366_400 + 60 * len(VALUES), 60)
    series = Series(times, np.array(VALUES), np.array(widths))
    rows = [
        {"price": value, "createdAt": moment} | ({"width": width} if width > 60 else {})
        for value, moment, width in zip(VALUES, bodies.iso_each(times), widths, strict=True)
    ]

    assert bodies.series_body(series, "prices", "price", 60) == orjson.dumps({"prices": rows})
    assert json.loads(bodies.series_body(series, "volumes", "volume", 60))["volumes"][1]["volume"] == 0.1


def test_a_slice_of_a_series_and_an_empty_one_are_encoded_too() -> None:
    columns = np.arange(120, 1200, 60), np.linspace(1, 2, 18), np.full(18, 60)
    part = Series(*(column[3:4] for column in columns))

    body = json.loads(bodies.series_body(part, "prices", "price", 60))
    assert body == {"prices": [{"price": float(columns[1][3]), "createdAt": "1970-01-01T00:05:00Z"}]}
    assert bodies.series_body(Series(*(column[:0] for column in columns)), "prices", "price", 60) == b'{"prices":[]}'
