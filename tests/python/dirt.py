"""Dirty raw folders, made from a seed: `python tests/python/dirt.py --seed 1 --case 17 FOLDER` writes one to look at.

A case is a handful of files of every data set for a few hours, with the dirt that sources are known for. All its keys
and file names begin with the case's name (`k17-`), so that many cases fit into one lake without meeting.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Files = dict[str, bytes]
Members = dict[str, str]
"""A JSON object to be: the literal of each member by its name, which need not be JSON."""

CSV_COLUMNS = ("product_id", "name", "category", "department", "brand", "price", "updated_at")
CUSTOMER_COLUMNS = (
    "customer_id",
    "name",
    "segment",
    "region",
    "email",
    "phone",
    "address",
    "age",
    "income",
)
EVENT_COLUMNS = ("event_id", "customer_id", "event_type", "product_id", "occurred_at", "session_id", "properties")

INTEGERS = (
    *("2", "3.0", '"4"', '"+5"', '"007"', '"2.000"', "2147483647", "0", '"0"', "-0", '"-0.0"'),
    *("-3", '"-3"', "2147483648", "-2147483649", "99999999999999999999", "1e2", '"1e2"', "1.5", "1.0e0"),
    *('"1_000"', '"1 000"', '"1,000"', '" 5"', '"5 "', '"5\\n"', '"5."', '".5"', '"+"', '"--1"', '"0x10"', '"two"'),
    *('"NaN"', '"Infinity"', '"٣"', '"\\uff13"', '""', '"  "', "null", "true", "{}", "[1]", '"null"', '"5\\u0000"'),
)
DECIMALS = (
    *("3.50", '"3.5"', "12", '"12"', "12.345", "12.005", "0.005", "0.004", '"+1.5"', '"0012.50"', "1.0"),
    *("99999999.99", "99999999.994", "99999999.995", "100000000", "-4", '"-0.005"', "12345678901234567890.5"),
    *("0.00000000000000000000000000000000000000000001", "1.99999999999999999999999999999999999999999999999"),
    *("1e2", '"1E2"', "1.5e0", "1E-2", '".5"', '"5."', '"1_0.0"', '" 1.5"', '"1.5 "', '"1.5\\t"', '"1,5"', '"$5"'),
    *('"1 000.00"', '"NaN"', '"-Infinity"', '"\\uff19.5"', '""', '"  "', "null", "false", '{"usd":5}', "[5]", '"free"'),
)
MOMENTS = (
    *("2024-02-30T10:00:00Z", "2023-02-29T10:00:00Z", "2024-13-01T10:00:00Z", "2024-00-10T10:00:00Z"),
    *("2024-01-15T24:00:00Z", "2024-01-15T25:00:00Z", "2024-01-15T10:60:00Z", "2024-01-15T10:59:60Z"),
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-01:00", "10000-01-01T00:00:00Z", "1000-01-01T00:00:00Z"),
    *("2024-1-5T10:00:00Z", "20240115T100000Z", "2024-W03-1", "2024-015", "2024-01", "2024", "24-01-15"),
    *("yesterday", "now", "epoch", "infinity", "", "  ", "1705312800", "2024/01/15 10:00:00", "15.01.2024"),
    *(" 2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z ", "2024-01-15T10:00:00 Z", "2024-01-15T10:00:00.Z"),
    *("2024-01-15T10:00:00,5Z", "2024-01-15T10Z", "2024-01-15T10:00:00+15:00", "2024-01-15T10:00:00+14:30"),
    *("2024-01-15T10:00:00+5:00", "2024-01-15T10:00:00+05:60", "2024-01-15 10:00:00 UTC", "2024-01-15T"),
    *("2024-01-15  10:00:00", "2024-01-15T1:00:00Z", "2024-01-15T10:00:00Z\u0000", "\uff12024-01-15", "2024-01-15 BC"),
    *("2024-01-15T10:00:00.1234567890Z", "2024-01-15T10:00:00ZZ", "2024-01-15T10:00:00+00:00Z", "2024-01-15Z"),
    *("2024-01-15T10:00:00.999999999Z", "2024-01-15T10:00:00.0000005Z", "2024-01-15+02:00"),
)
TEXTS = (
    *('"Bread, sliced"', '"5\' 3\\""', '"schön"', '"\\u00e9\\u0301"', '"👩\u200d👩\u200d👧"', '"\\ud83d\\ude00"'),
    *(
        '"שלום"',
        '"\u202eabc"',
        '"a\\u0000b"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"a\\nb"',
        '"a\\tb\\r"',
        '"\\\\"',
        '"{}"',
    ),
    *('"\\u0001\\u001f\\u007f"', '""', '"  "', '" x "', "null", "5", "-1.25", "1e2", "true", '{"a" : ["b", {}]}'),
    *('[ "x" ]', '"null"', '"NULL"', '"\\N"', "123456789012345678901234", "12345678901234567890.123"),
)
BOOLEANS = (
    "true",
    "false",
    "null",
    '"true"',
    '"False"',
    '"TRUE"',
    '"yes"',
    "1",
    "0",
    '""',
    '" "',
    '" true"',
    "[]",
    "1.0",
)
EXTRAS = (
    *('"note":"schön {}"', '"Order_ID":"x"', '"a":{"b":[1,2,{"c":null}]}', '"":1', '"reasons":"none"'),
    *('"price ":1', '"note":1e2', '"order_id.x":1'),
)

MALFORMED: tuple[Callable[[str], str], ...] = (
    lambda line: line[: len(line) // 2],
    lambda line: line[:-1],
    lambda line: line[:-1] + ",}",
    lambda line: line + "}",
    lambda line: line + line,
    lambda line: line + " x",
    lambda line: "[" + line,
    lambda line: "[" + line + "]",
    lambda line: line.replace('"', "'"),
    lambda line: line[:-1] + ',"x":NaN}',
    lambda line: line[:-1] + ',"x":-Infinity}',
    lambda line: line[:-1] + ',"x":007}',
    lambda line: line[:-1] + ',"x":+1}',
    lambda line: line[:-1] + ',"x":.5}',
    lambda line: line[:-1] + ',"x":5.}',
    lambda line: line[:-1] + ',"x":"tab\there"}',
    lambda line: line[:-1] + ',"x":"\\x41"}',
    lambda line: line[:-1] + ',"x":"\\u12"}',
    lambda line: line[:-1] + ',"x":True}',
    lambda line: line[:-1] + ',"x":[1,]}',
    lambda line: line[:-1] + ',"x":{1:2}}',
    lambda line: line[:-1] + ',"x"}',
    lambda line: line[:-1] + ',x:1}',
    lambda line: line[:-1] + ' "x":1}',
    lambda line: line[:-1] + '/* c */}',
    lambda line: "\u00a0" + line,
    lambda line: "\ufeff" + line,
    lambda line: "\x0c" + line,
    lambda line: line + "\x00",
    lambda line: "null",
    lambda line: "5",
    lambda line: '"text"',
    lambda line: "true",
    lambda line: "[]",
    lambda line: "[1]",
    lambda line: "{",
    lambda line: ",",
    lambda line: "order_id,price",
    lambda line: "\u2028",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A dirty folder: its name, and its files in the order in which they arrive."""

    name: str
    arrivals: tuple[Files, ...]


def make_case(seed: int, number: int) -> Case:
    """Return case `number` of the seed, the same one every time."""
    return _CaseMaker(random.Random(f"{seed}/{number}"), number).make()


MOST_ARRIVALS = 4
KEY = "KEY"
"""Stands in `dirty_lines` where a row's own key is."""


def dirty_lines(chance: random.Random, dataset: str, count: int) -> list[str]:
    """Return lines of JSON of orders or users, about half of them dirty, with `KEY` for a key of one's own."""
    maker = _CaseMaker(chance, 0)
    record, letter, key = (maker.order, "o", "order_id") if dataset == "orders" else (maker.user, "u", "user_id")
    return [re.sub(rf"k0-({letter}\d|twice)", KEY, maker.line(record(), key)) for _ in range(count)]


class _CaseMaker:
    """One case in the making. Keys and times come from small pools, so that versions, ties and references occur."""

    def __init__(self, chance: random.Random, number: int) -> None:
        self.chance = chance
        self.number = number
        self.name = f"k{number}"
        last_days = [datetime(year, 12, 31) for year in (2019, 2023, 2029)]
        month_ends = [datetime(2024, 2, 28), datetime(2024, 2, 29), datetime(2023, 10, 31), datetime(2025, 2, 28)]
        self.day = (
            chance.choice(last_days + month_ends)
            if chance.random() < 0.4
            else datetime(2020, 1, 2) + timedelta(days=chance.randrange(3640))
        )
        self.moments = [
            self.day
            + timedelta(hours=chance.choice([-30, -2, 0, 9, 22, 23, 24, 30]), minutes=chance.choice([0, 0, 59]))
            for _ in range(5)
        ] + [self.day + timedelta(hours=10, seconds=59, microseconds=chance.randrange(1_000_000))]
        self.files_made = 0

    def make(self) -> Case:
        first = self.sound_files()
        rest: Files = {}
        for maker in (self.orders, self.users, self.products, self.customers, self.events, self.api_events):
            for _ in range(self.chance.choice([1, 2, 2, 3]) if maker != self.orders else self.chance.choice([2, 3, 4])):
                rest.update(maker())
        rest.update(self.strays())
        arrivals: list[Files] = [first, *({} for _ in range(self.chance.randrange(MOST_ARRIVALS)))]
        for key in self.chance.sample(sorted(rest), len(rest)):
            self.chance.choice(arrivals)[key] = rest[key]
        return Case(self.name, tuple(arrivals))

    # -- keys, times and places

    def key(self, letter: str, of: int) -> str:
        return f"{self.name}-{letter}{self.chance.randrange(of)}"

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def moment(self) -> str:
        """Return a moment of the case in one of the forms of ISO 8601."""
        moment = self.chance.choice(self.moments)
        offset = self.chance.choice([0, 0, 0, 60, -120, 330, 840, -720, -570])
        local = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=offset)))
        sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
        endings = [f"{sign}{hours:02}:{minutes:02}"]
        if offset == 0:
            endings += ["Z"] * 4 + ["", "", "+00:00", "-00:00"]
        if self.maybe(0.1):
            endings = [f"{sign}{hours:02}{minutes:02}"] + [f"{sign}{hours:02}"] * (minutes == 0) + ["z"] * (offset == 0)
        second = f":{local:%S}"
        if local.second == 0 and self.maybe(0.1):
            second = ""
        elif local.microsecond or self.maybe(0.1):
            second += self.chance.choice([f".{local:%f}", f".{local:%f}", f".{local:%f}789", f".{local:%f}"[:4]])
        return f"{local:%Y-%m-%d}{self.chance.choice('TTTTTTTT t')}{local:%H:%M}{second}{self.chance.choice(endings)}"

    def time(self, dirt: float = 0.08) -> str:
        return self.chance.choice(MOMENTS) if self.maybe(dirt) else self.moment()

    def folder(self, dataset: str, source: str = "") -> str:
        when = self.day + timedelta(hours=self.chance.choice([-48, -1, 0, 5, 10, 23, 24, 9000, -20000]))
        hour = "" if self.maybe(0.03) else f"hour={when:%H}/"
        return f"raw/{dataset}/{source}year={when:%Y}/month={when:%m}/day={when:%d}/{hour}"

    def place(self, dataset: str, ending: str, source: str = "") -> str:
        self.files_made += 1
        odd = self.chance.choice([" b", "é", "'", "%20", "#1", "&=", ";", "(1)", "👍", '"']) if self.maybe(0.06) else ""
        return f"{self.folder(dataset, source)}{self.name}-{dataset}{odd}-{self.files_made}{ending}"

    # -- what every case begins with: a sound file of each data set

    def sound_files(self) -> Files:
        at = f"{self.moments[0]:%Y-%m-%dT%H:%M:%SZ}"
        name = self.name
        order = {
            "order_id": f"{name}-o0",
            "customer_id": f"{name}-c0",
            "product_id": f"{name}-p0",
            "quantity": 2,
            "price": 3.5,
            "discount": 1,
            "created_at": at,
        }
        user = {
            "user_id": f"{name}-u0",
            "customer_id": f"{name}-c0",
            "email": "a@example.com",
            "phone": "1",
            "newsletter": True,
            "created_at": at,
            "updated_at": at,
        }
        event = {
            "event_id": f"{name}-e0",
            "customer_id": f"{name}-c0",
            "event_type": "coupon_redeemed",
            "product_id": f"{name}-p0",
            "occurred_at": at,
            "properties": {"coupon": 7},
        }
        rows: list[list[str | None]] = [[f"{name}-c{number}", *["x"] * 8] for number in range(3)]
        customers = {column: [row[n] for row in rows] for n, column in enumerate(CUSTOMER_COLUMNS)}
        return {
            self.place("orders", ".json"): _lines([json.dumps(order)]),
            self.place("users", ".json"): _lines([json.dumps(user)]),
            self.place("api_events", ".json", "source=coupons/"): _lines([json.dumps(event)]),
            self.place("products", ".csv"): _lines(
                [",".join(CSV_COLUMNS), f"{name}-p0,Bread,Bakery,Food,Private,3.50,{at}"]
            ),
            self.place("customers", ".parquet"): _parquet({"commit_ts": [at] * 3, **customers}),
            self.place("events", ".parquet"): _parquet(
                {column: [f"{name}-e1" if column == "event_id" else at] for column in EVENT_COLUMNS}
            ),
        }

    # -- lines of JSON

    def orders(self) -> Files:
        lines = [self.line(self.order(), "order_id") for _ in range(self.chance.randrange(1, 10))]
        return self.text_file("orders", ".json", lines)

    def users(self) -> Files:
        lines = [self.line(self.user(), "user_id") for _ in range(self.chance.randrange(1, 6))]
        return self.text_file("users", ".json", lines)

    def api_events(self) -> Files:
        lines = [self.line(self.event(), "event_id") for _ in range(self.chance.randrange(1, 6))]
        source = self.chance.choice(["source=coupons/", "source=partner-2/", "source=Ä b/"])
        return self.text_file("api_events", ".json", lines, source)

    def order(self) -> Members:
        clean = {
            "order_id": self.quoted(self.key("o", 6)),
            "customer_id": self.quoted(self.key("c", 5)),
            "product_id": self.quoted(self.key("p", 4)),
            "quantity": str(self.chance.randrange(1, 4)),
            "price": self.chance.choice(["3.50", "7", "12.05", '"10.005"']),
            "discount": self.chance.choice(["0", "1", "0.25"]),
            "created_at": self.quoted(self.moment()),
        }
        if self.maybe(0.6):
            clean["updated_at"] = self.quoted(self.time(0.05))
        return self.soiled(
            clean,
            {"quantity": INTEGERS, "price": DECIMALS, "discount": DECIMALS, "created_at": None, "updated_at": None},
        )

    def user(self) -> Members:
        clean = {
            "user_id": self.quoted(self.key("u", 4)),
            "customer_id": self.quoted(self.key("c", 5)),
            "email": '"a@example.com"',
            "phone": '"1"',
            "newsletter": self.chance.choice(["true", "false"]),
            "created_at": self.quoted(self.moment()),
            "updated_at": self.quoted(self.moment()),
        }
        return self.soiled(clean, {"newsletter": BOOLEANS, "created_at": None, "updated_at": None})

    def event(self) -> Members:
        clean = {
            "event_id": self.quoted(self.key("e", 6)),
            "customer_id": self.quoted(self.key("c", 5)),
            "event_type": self.chance.choice(['"checkout"', '"coupon_redeemed"']),
            "product_id": self.quoted(self.key("p", 4)),
            "occurred_at": self.quoted(self.moment()),
            "properties": self.chance.choice(
                (
                    *('{"coupon": 7}', '{"c": ["1e2", null]}', '{"n": [1E2, 0.00001, 1234567890123456.5]}'),
                    *("{}", '"{}"', "[1,2]", '"text"', "5"),
                )
            ),
        }
        if self.maybe(0.5):
            clean["session_id"] = '"s1"'
        return self.soiled(clean, {"occurred_at": None})

    def quoted(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.maybe(0.5))

    def soiled(self, clean: Members, pools: dict[str, Sequence[str] | None]) -> Members:
        """Return the record, in half of all cases with a member or two missing or replaced (None: by a moment)."""
        record = dict(clean)
        for _ in range(self.chance.choice([0, 0, 0, 1, 1, 2])):
            name = self.chance.choice(sorted(clean))
            if self.maybe(0.2):
                record.pop(name, None)
            elif name in pools:
                pool = pools[name] or [*map(self.quoted, MOMENTS), "1705312800", "null", "true", "{}"]
                record[name] = self.chance.choice(pool)
            elif name.endswith("_id") and self.maybe(0.6):
                record[name] = self.chance.choice(['""', '" "', "null", f"{self.number}0", f'{{"id":{clean[name]}}}'])
            else:
                record[name] = self.chance.choice(TEXTS)
        return record

    def line(self, record: Members, key: str) -> str:
        members = [f'"{name}":{value}' for name, value in record.items()]
        if self.maybe(0.1):
            members.append(self.chance.choice(EXTRAS))
        if self.maybe(0.1):
            self.chance.shuffle(members)
        if self.maybe(0.03):
            members.append(self.chance.choice(members))
        if self.maybe(0.02):
            members.append(f'"{key}":"{self.name}-twice"')
        glue = " \t, " if self.maybe(0.05) else ","
        line = "{" + glue.join(members) + "}"
        if self.maybe(0.05):
            line = f" \t{line}  "
        return self.chance.choice(MALFORMED)(line) if self.maybe(0.1) else line

    # -- files of text

    def text_file(self, dataset: str, ending: str, lines: list[str], source: str = "") -> Files:
        if self.maybe(0.1):
            lines.insert(self.chance.randrange(len(lines) + 1), self.chance.choice(["", "  ", "\t", "\x0b", "\u00a0"]))
        breaks = self.chance.choice([["\n"]] * 8 + [["\r\n"], ["\n", "\r\n"]])
        body = "".join(line + self.chance.choice(breaks) for line in lines).encode()
        if self.maybe(0.2):
            body = body.removesuffix(b"\n").removesuffix(b"\r")
        if self.maybe(0.04):
            body = b"\xef\xbb\xbf" + body
        spoiled = self.maybe(0.15)
        if spoiled:
            body = self.spoiled_text(body)
        if self.maybe(0.5):
            return {self.place(dataset, ending, source): body}
        zipped = gzip.compress(body, mtime=0) if spoiled else self.zipped(body)
        return {self.place(dataset, ending + ".gz", source): zipped}

    def spoiled_text(self, body: bytes) -> bytes:
        cut = self.chance.randrange(len(body) + 1)
        return self.chance.choice(
            [
                b"",
                b"\n",
                b"\n  \n\r\n\n",
                b"\r",
                b"\xef\xbb\xbf",
                gzip.compress(body, mtime=0).replace(b"\r", b"\0"),  # one fault a file, so that there is one reason
                body[:cut] + b"\r" + body[cut:],
                body[:cut] + b"\xff" + body[cut:],
                body + b"\xc3",
                body.decode().encode("utf-16").replace(b"\r", b"\0"),
                body + b"\x00\x00\n",
                bytes(self.chance.randrange(128, 256) for _ in range(100)),
                body.replace(b"\n", b"\r"),
            ]
        )

    def zipped(self, body: bytes) -> bytes:
        cut = self.chance.randrange(len(body) + 1)
        whole = gzip.compress(body, mtime=0)
        members = gzip.compress(body[:cut], mtime=0) + gzip.compress(body[cut:], mtime=0)
        if self.maybe(0.8):
            return self.chance.choice([whole, members, gzip.compress(b"", mtime=0) + members])
        return self.chance.choice(
            [
                whole[: self.chance.randrange(1, len(whole))],
                members[:-1],
                whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:],
                body,
                b"",
                whole + b"\0\0\0",
                whole + b"text",
                b"PK\x03\x04" + body,
                members + whole[:9],
            ]
        )

    # -- CSV

    def products(self) -> Files:
        columns = list(CSV_COLUMNS)
        rows = [self.product() for _ in range(self.chance.randrange(0, 6))]
        header = ",".join(columns)
        if self.maybe(0.15):
            swapped = [columns[0], columns[2], columns[1], *columns[3:]]
            header = self.chance.choice(
                [
                    ",".join(swapped),
                    ",".join(columns[:-1]),
                    ",".join([*columns, "extra"]),
                    header.upper(),
                    header.replace(",", ";"),
                    header.replace(",", ", "),
                    ",".join(f'"{column}"' for column in columns),
                    "",
                    header + ",",
                    rows[0] if rows else "a",
                ]
            )
        return self.text_file("products", ".csv", [header, *rows])

    def product(self) -> str:
        texts = [
            "Bread",
            "Bread, sliced",
            '5" nail',
            "",
            "  ",
            "schön",
            "👍",
            "null",
            "NULL",
            "\\N",
            " x ",
            "a\tb",
            "'",
        ]
        values = [
            self.key("p", 5),
            *(self.chance.choice(texts) for _ in range(4)),
            self.chance.choice(["3.50", "9", "", "12.005", "0"]),
            self.time(0.05),
        ]
        if self.maybe(0.1):
            values[0] = self.chance.choice(["", " ", f" {values[0]}"])
        if self.maybe(0.2):
            values[5] = _unquoted(self.chance.choice(DECIMALS))
        if self.maybe(0.1):
            values[6] = ""
        cells = [self.cell(value) for value in values]
        if self.maybe(0.04):
            cells = self.chance.choice([cells[:-1], [*cells, "more"], [*cells, ""], cells[:2]])
        if self.maybe(0.03):
            cells[1] = self.chance.choice(['"a\nb"', '"a\r\nb"', '"open', '"a"b', 'a"b', ' "a, b"', '"a" ', '""""'])
        return ",".join(cells)

    def cell(self, value: str) -> str:
        if set(value) & set(',"\n\r') or self.maybe(0.1):
            return '"' + value.replace('"', '""') + '"'
        return value

    # -- Parquet

    def customers(self) -> Files:
        """A piece of the change log, or another full load; its events may be older than those of other files."""
        count = self.chance.randrange(0, 7)
        columns: dict[str, list[str | None]] = {
            "Op": [self.chance.choice(["I", "U", "U", "D", "D"]) for _ in range(count)],
            "commit_ts": [self.commit() for _ in range(count)],
            **{column: [self.word() for _ in range(count)] for column in CUSTOMER_COLUMNS},
            "customer_id": [self.key("c", 4) for _ in range(count)],
        }
        self.soil_column(columns["Op"], ["X", "i", "", None, " I", "DELETE"], 0.08)
        self.soil_column(columns["customer_id"], ["", " ", None, f" {self.name}-c1"], 0.06)
        if count and self.maybe(0.2):  # the same event twice
            for values in columns.values():
                values.append(values[0])
        if self.maybe(0.15):
            del columns["Op"]
        return self.parquet_file("customers", columns)

    def commit(self) -> str | None:
        if self.maybe(0.06):
            return self.chance.choice([None, *MOMENTS])
        if self.maybe(0.5):
            return f"{self.chance.choice(self.moments):%Y-%m-%d %H:%M:%S.%f}"
        return self.moment()

    def word(self) -> str | None:
        return self.chance.choice(["new", "loyal", "North", "x", None, "", " ", "שלום", "a\nb", "a\x00b", '"', "👍"])

    def events(self) -> Files:
        count = self.chance.randrange(0, 7)
        columns: dict[str, list[str | None]] = {
            column: [self.word() for _ in range(count)] for column in EVENT_COLUMNS
        } | {
            "event_id": [self.key("e", 6) for _ in range(count)],
            "customer_id": [self.key("c", 5) for _ in range(count)],
            "event_type": [self.chance.choice(["checkout", "coupon_redeemed"]) for _ in range(count)],
            "occurred_at": [self.moment() for _ in range(count)],
        }
        self.soil_column(columns["event_id"], ["", " ", None], 0.08)
        self.soil_column(columns["event_type"], ["", " ", None, "odd"], 0.08)
        self.soil_column(columns["customer_id"], ["", " ", None], 0.08)
        self.soil_column(columns["occurred_at"], [None, *MOMENTS], 0.1)
        return self.parquet_file("events", columns)

    def soil_column(self, values: list[str | None], pool: Sequence[str | None], share: float) -> None:
        for place in range(len(values)):
            if self.maybe(share):
                values[place] = self.chance.choice(pool)

    def parquet_file(self, dataset: str, columns: dict[str, list[str | None]]) -> Files:
        names = sorted(columns)
        types: dict[str, pa.DataType] = {}
        if self.maybe(0.1):
            columns[self.chance.choice(["note", "extra", "É"])] = ["x"] * len(columns[names[0]])
        if self.maybe(0.06):
            del columns[self.chance.choice([name for name in names if name != "customer_id"])]
        if self.maybe(0.08):
            columns = {(name.upper() if self.maybe(0.5) else name): values for name, values in columns.items()}
        if self.maybe(0.08):
            name = self.chance.choice(sorted(columns))
            columns[name] = [None] * len(columns[name])
            types[name] = self.chance.choice([pa.int64(), pa.bool_(), pa.timestamp("us"), pa.binary(), pa.null()])
        if self.maybe(0.1):
            types |= {name: pa.large_string() for name in columns if name not in types}
        if self.maybe(0.2):
            columns = dict(self.chance.sample(sorted(columns.items(), key=lambda item: item[0]), len(columns)))
        body = _parquet(columns, types, row_group_size=self.chance.choice([1, 2, 1000]))
        if self.maybe(0.08) and not types:  # one fault a file, so that there is one reason
            body = self.chance.choice(
                [body[:-1], body[: len(body) // 2], b"", b"event_id,customer_id\n", b"PAR1", body[4:]]
            )
        return {self.place(dataset, ".parquet"): body}

    # -- files in the wrong place

    def strays(self) -> Files:
        day = f"year={self.day:%Y}/month={self.day:%m}"
        line = _lines([self.line(self.order(), "order_id")])
        name = f"{self.name}-stray"
        keys = [
            f"raw/orders/{name}.json",
            f"raw/orders/{day}/{name}.json",
            f"raw/orders/year=2024/month=13/day=01/hour=10/{name}.json",
            f"raw/orders/{day}/day=01/hour=24/{name}.json",
            f"raw/orders/{day}/day=1/hour=1/{name}.json",
            f"raw/orders/{day}/day=01/hour=10/deeper/{name}.json",
            f"raw/orders/source=web/{day}/day=01/hour=10/{name}.json",
            f"raw/api_events/{day}/day=01/hour=10/{name}.json",
            f"raw/api_events/source=/{day}/day=01/hour=10/{name}.json",
            f"raw/returns/{day}/day=01/hour=10/{name}.json",
            f"raw/Orders/{day}/day=01/hour=10/{name}.json",
            f"raw/{name}.json",
            f"raw/orders/{day}/day=01/hour=10/{name}*.json",
            f"raw/orders/{day}/day=01/hour=10/{name}[1].json",
            f"raw/orders/{day}/day=01/hour=10/{name}\udcff.json",
            f"raw/orders/{day}/day=01/hour=10/.{name}.json",
            f"raw/orders/{day}/day=01/hour=10/_{name}",
            f"raw/orders/{day}/day=01/hour=10/{name}",
            f"raw/orders/{day}/day=01/hour=10/{name}.txt",
            f"raw/orders/{day}/day=01/hour=10/{name}.gz.json",
            f"raw/orders/year=2024/month=02/day=31/hour=10/{name}.json",
        ]
        return dict.fromkeys(self.chance.sample(keys, self.chance.choice([0, 1, 2, 3])), line)


def _lines(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _unquoted(literal: str) -> str:
    return str(json.loads(literal)) if literal.startswith('"') else literal


def _parquet(
    columns: dict[str, list[str | None]], types: dict[str, pa.DataType] | None = None, row_group_size: int = 1000
) -> bytes:
    body = BytesIO()
    arrays = {name: pa.array(values, (types or {}).get(name, pa.string())) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), body, row_group_size=row_group_size)
    return body.getvalue()


def main() -> None:
    """Write one case into a folder, all of its arrivals."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--case", type=int, required=True)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    for number, files in enumerate(make_case(arguments.seed, arguments.case).arrivals, start=1):
        for key, body in files.items():
            path: Path = arguments.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            print(f"arrival {number}: {key!r}, {len(body)} bytes")


if __name__ == "__main__":
    main()
