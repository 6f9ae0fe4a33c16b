"""The command line, each error a sentence."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lakes import BIN, PROJECT, Lake

from datalake.cli import main

ORDER = (
    b'{"order_id":"A","customer_id":"c","product_id":"p","quantity":1,"price":2,"discount":0,'
    b'"created_at":"2024-01-15T10:00:00Z"}\n'
)
FOLDER = "raw/orders/year=2024/month=01/day=15/hour=10/"


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> str:
        """What a command that did its work printed."""
        assert (self.code, self.err) == (0, "")
        return self.out

    @property
    def refusal(self) -> str:
        """What a command that could not do its work said."""
        assert self.code == 1
        assert self.err.startswith("datalake: ")
        assert "Traceback" not in self.err
        return self.err.removeprefix("datalake: ")


Run = Callable[..., Done]


def run_apart(lake: Lake, *arguments: str) -> Done:
    """Run the installed program in a process of its own."""
    done = subprocess.run(
        [BIN / "datalake", *arguments], cwd=PROJECT, env=lake.environment, capture_output=True, text=True
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the program's main function as the installed program does, without its second of starting."""

    def run_here(lake: Lake, *arguments: str) -> Done:
        monkeypatch.chdir(PROJECT)
        monkeypatch.setenv("DATALAKE_ROOT", str(lake.root))
        monkeypatch.setattr(sys, "argv", ["datalake", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run_here


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with one order that was checked. Tests leave it as it is."""
    lake = Lake(tmp_path_factory.mktemp("checked") / "lake")
    lake.put(FOLDER + "a.json", ORDER)
    lake.check()
    return lake


@contextmanager
def held(lake: Lake, read_only: bool = False) -> Iterator[None]:
    """Hold the lake's database open from this process."""
    lake.root.mkdir(exist_ok=True)
    with closing(duckdb.connect(str(lake.root / "lake.duckdb"), read_only=read_only)):
        yield


def test_installed_program_answers_a_query(checked: Lake) -> None:
    assert "42" in run_apart(checked, "query", "select rows + 41 from curated_db.raw_files").answer


def test_installed_program_ends_with_one_sentence_where_it_fails(checked: Lake) -> None:
    done = run_apart(checked, "query", "selec 1")
    assert done.out == ""
    assert done.refusal.startswith('The query failed: Parser Error: syntax error at or near "selec"')


def test_query_prints_names_and_values(run: Run, checked: Lake) -> None:
    said = run(checked, "query", "select dataset, rows + 41 as answer from curated_db.raw_files").answer
    assert "dataset" in said
    assert "answer" in said
    assert "orders" in said
    assert "42" in said


VALUES = """
select
    'a "b", c' as text, '' as empty, null as nothing, 1.10::decimal(10, 2) as price, true as yes,
    date '2024-02-29' as day, [1, null] as list, {'at': time '10:00:00'} as row,
    170141183460469231731::hugeint as huge, 'nan'::double as nan, 'hi'::blob as bytes,
    map {date '2024-01-01': 1.5::decimal(3, 1)} as map
"""


def test_query_prints_json_that_keeps_every_digit(run: Run, checked: Lake) -> None:
    assert json.loads(run(checked, "query", VALUES, "--format", "json").answer) == [
        {
            "text": 'a "b", c',
            "empty": "",
            "nothing": None,
            "price": "1.10",
            "yes": True,
            "day": "2024-02-29",
            "list": [1, None],
            "row": {"at": "10:00:00"},
            "huge": 170141183460469231731,
            "nan": "nan",
            "bytes": "6869",
            "map": {"2024-01-01": "1.5"},
        }
    ]
    assert run(checked, "query", "select 1 as a where false", "--format", "json").answer == "[]\n"


def test_query_prints_csv_that_tells_null_from_an_empty_text(run: Run, checked: Lake) -> None:
    header, row = run(checked, "query", VALUES, "--format", "csv").answer.splitlines()
    assert header.startswith('"text","empty","nothing","price",')
    assert row == (
        '"a ""b"", c","",,"1.10","true","2024-02-29","[1, null]","{""at"": ""10:00:00""}",'
        '"170141183460469231731","nan","6869","{""2024-01-01"": ""1.5""}"'
    )


def test_query_prints_all_rows_but_in_a_table(run: Run, checked: Lake) -> None:
    sql = "select range as n from range(101)"
    assert "Only the first 100 rows are shown" in run(checked, "query", sql).answer
    assert len(run(checked, "query", sql, "--format", "csv").answer.splitlines()) == 102
    assert len(json.loads(run(checked, "query", sql, "--format", "json").answer)) == 101


def test_json_of_two_columns_of_one_name_is_refused(run: Run, checked: Lake) -> None:
    said = run(checked, "query", "select 1 as a, 2 as a", "--format", "json").refusal
    assert said.startswith("Two columns are named a. Give one of them another name with `as`.")


def test_times_of_a_query_are_utc(run: Run, checked: Lake) -> None:
    assert "2024-01-15 10:00:00+00" in run(checked, "query", "select timestamptz '2024-01-15 12:00:00+02' as at").answer


@pytest.mark.parametrize("name", ["a.json", "a.ndjson.gz", "a.csv", "a.parquet"])
def test_file_of_records_is_landed_once_and_checked(run: Run, lake: Lake, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    record = {"order_id": "A", "price": "2"}
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist([record]), file)
    else:
        text = b"order_id,price\nA,2\n" if name.endswith("csv") else b'{"order_id": "A", "price": "2"}\n\n'
        file.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    said = run(lake, "ingest", str(file), "--dataset", "orders", "--batch", "night").answer
    assert "Landed 1 records of orders as batch night in 1 files.\n" in said
    assert "there already" in run(lake, "ingest", str(file), "--dataset", "orders", "--batch", "night").answer
    (landed,) = lake.root.glob("raw/orders/*/*/*/*/*-night-00001.json.gz")
    assert json.loads(gzip.decompress(landed.read_bytes())) == record


def test_records_of_standard_input_are_landed(lake: Lake) -> None:
    done = subprocess.run(
        [BIN / "datalake", "ingest", "-", "--dataset", "orders"],
        cwd=PROJECT,
        env=lake.environment,
        input=ORDER.decode(),
        capture_output=True,
        text=True,
    )
    assert "Landed 1 records of orders" in done.stdout


def test_unfit_records_of_a_file_are_told_and_kept_aside(run: Run, lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(ORDER + b"[1]\n")
    refused = run(lake, "ingest", str(file), "--dataset", "orders").refusal
    assert refused == "Record 2 is a list, not an object. Nothing was written.\n"
    assert not list(lake.root.glob("raw/**/*.gz"))
    said = run(lake, "ingest", str(file), "--dataset", "orders", "--unfit", "reject").answer
    assert "Rejected 1 records:" in said
    assert len(list(lake.root.glob("raw/**/*.gz"))) == len(list(lake.root.glob("rejects/**/*.gz"))) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.json", "--dataset", "order"], "No source YAML declares the data set order; declared are "),
        (["no-such-file.json", "--dataset", "orders"], "no-such-file.json can't be read: No such file or directory."),
        (["README.md", "--dataset", "orders"], "The name of README.md tells no format. Give --format json, csv"),
        (["README.md", "--dataset", "orders", "--format", "xml"], "There is no format xml. Give --format json, csv"),
        (["README.md", "--dataset", "orders", "--format", "parquet"], "The file is not whole Parquet: "),
        (["README.md", "--dataset", "orders", "--format", "csv"], "Line "),
        (["README.md", "--dataset", "orders", "--format", "json"], "Record 1 is not JSON: "),
        (
            ["README.md", "--dataset", "orders", "--format", "json", "--source", "a"],
            "The data set orders has no `source`",
        ),
    ],
)
def test_file_that_cannot_be_ingested_says_why(run: Run, lake: Lake, arguments: list[str], said: str) -> None:
    assert run(lake, "ingest", *arguments).refusal.startswith(said)
    assert not list(lake.root.glob("raw/**/*"))


def test_root_can_be_an_option(run: Run, checked: Lake, lake: Lake) -> None:
    sql = "select count(*) + 41 from curated_db.raw_files"
    assert "42" in run(lake, "query", sql, "--root", str(checked.root)).answer
    assert not lake.root.exists()


def test_query_of_a_missing_table_says_so(run: Run, checked: Lake) -> None:
    assert "Table with name nothing does not exist" in run(checked, "query", "from nothing").refusal


def test_query_that_fails_while_it_runs_says_what_is_wrong(run: Run, checked: Lake) -> None:
    said = run(checked, "query", "select cast(dataset as integer) from curated_db.raw_files").refusal
    assert said.startswith("The query failed: Conversion Error: Could not convert string 'orders' to INT32")


@pytest.mark.parametrize("text", ["[/orders]", "[red]"], ids=["closing_tag", "colour"])
def test_brackets_of_a_query_are_shown_as_they_are(run: Run, checked: Lake, text: str) -> None:
    assert text in run(checked, "query", f"selec 1 as {text}").refusal


def test_query_cannot_write(run: Run, checked: Lake) -> None:
    assert "read-only mode" in run(checked, "query", "delete from curated_db.raw_files").refusal
    assert checked.rows("select count(*) from curated_db.raw_files") == [(1,)]


@pytest.mark.parametrize(
    "command", [("query", "select 1"), ("summary",), ("replay", "orders")], ids=lambda command: command[0]
)
def test_lake_that_is_not_there_yet_is_told_with_what_to_do(run: Run, lake: Lake, command: tuple[str, ...]) -> None:
    said = run(lake, *command).refusal
    assert said == f"There is no lake in {lake.root} yet. Run `datalake check`, then `dbt build`.\n"


@pytest.mark.parametrize(
    "command",
    [("query", "select 1"), ("summary",), ("check",), ("example",), ("replay", "orders")],
    ids=lambda command: command[0],
)
def test_root_that_is_a_file_is_told_with_what_to_do(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    lake = Lake(tmp_path / "lake")
    lake.root.write_bytes(b"kept")
    said = run(lake, *command).refusal
    assert said.startswith(f"The lake's root {lake.root} can't be used: ")
    assert said.endswith("Set DATALAKE_ROOT to a folder that you may read and write.\n")
    assert lake.root.read_bytes() == b"kept"


@pytest.mark.parametrize("command", [("query", "select 1"), ("check",)], ids=lambda command: command[0])
def test_lake_that_another_process_holds_is_told_with_what_to_do(lake: Lake, command: tuple[str, ...]) -> None:
    with held(lake):
        done = run_apart(lake, *command)
    assert done.refusal == (
        f"Another process has {lake.root / 'lake.duckdb'} open. Wait for its end, or close the shell that holds it.\n"
    )


def test_readers_do_not_shut_each_other_out(checked: Lake) -> None:
    with held(checked, read_only=True):
        assert "42" in run_apart(checked, "query", "select 42").answer


@pytest.mark.parametrize("name", ["lake", "blocks"])
def test_file_that_is_no_database_is_not_taken_for_a_busy_one(run: Run, tmp_path: Path, name: str) -> None:
    lake = Lake(tmp_path / name)
    lake.put("lake.duckdb", b"no database")
    assert run(lake, "query", "select 1").refusal.startswith(f"{lake.root / 'lake.duckdb'} can't be opened: ")


def test_check_names_the_broken_file_and_goes_on(run: Run, lake: Lake) -> None:
    lake.put(FOLDER + "a.json", ORDER * 2)
    lake.put(FOLDER + "b.json", b"{}\n\xff\n")
    said = run(lake, "check").answer
    assert "Checked 2 new files with 3 rows." in said
    assert f"broken {FOLDER}b.json: Line 2 is not UTF-8 (byte 0xff)." in said
    assert "Checked 0 new files with 0 rows." in run(lake, "check").answer


def test_check_names_a_file_with_brackets_as_it_is(run: Run, lake: Lake) -> None:
    lake.put(FOLDER + "part[red].json", b"\xff")
    assert f"broken {FOLDER}part[red].json: " in run(lake, "check").answer


def test_check_outside_the_project_says_where_to_run_it(run: Run, lake: Lake, tmp_path: Path) -> None:
    assert run(lake, "check", "--project", str(tmp_path)).refusal == (
        f"No source YAML in {tmp_path / 'models' / 'raw'}. Run the command in the dbt project's folder.\n"
    )


def test_check_of_a_changed_file_is_told_in_a_sentence(run: Run, lake: Lake) -> None:
    lake.put(FOLDER + "a.json", ORDER)
    assert "Checked 1 new files with 1 rows." in run(lake, "check").answer
    lake.put(FOLDER + "a.json", ORDER * 2)
    said = run(lake, "check").refusal
    assert said.startswith(f"{FOLDER}a.json had {len(ORDER)} bytes when it was checked and has {2 * len(ORDER)} now.")


def test_replay_says_what_it_took_in_and_what_is_broken(run: Run, lake: Lake) -> None:
    lake.put(FOLDER + "a[red].json", b"\xff\n")
    lake.put(FOLDER + "b.json", b"\xff\n")
    lake.put(FOLDER + "c.json", ORDER)
    run(lake, "check")
    lake.put(FOLDER + "b.json", ORDER)
    said = run(lake, "replay", "orders").answer
    assert "Took 1 files of orders back in, with 1 quarantined rows" in said
    assert f"broken {FOLDER}a[red].json: " in said
    assert "Run `dbt build` (or `dbt run`) now" in said


def test_replay_without_a_match_says_so(run: Run, checked: Lake) -> None:
    said = run(checked, "replay", "orders").answer
    assert "Nothing to replay: the quarantine holds nothing of orders." in said
    said = run(checked, "replay", "orders", "--reason", "bad_price").answer
    assert "Nothing to replay: the quarantine holds nothing of orders that was asked for." in said


def test_replay_of_an_unknown_data_set_or_file_is_told_in_a_sentence(run: Run, checked: Lake) -> None:
    assert run(checked, "replay", "order").refusal == (
        "The ledger holds no file of a data set order; it holds orders.\n"
    )
    said = run(checked, "replay", "orders", "--file", "a.json").refusal
    assert said.startswith(f"The ledger holds no file a.json of orders. Name it by its key, such as {FOLDER}a.json;")


def test_summary_before_the_models_are_built_says_what_to_do(run: Run, checked: Lake) -> None:
    assert run(checked, "summary").refusal == (
        "The lake's models are not built yet. Run `dbt build`, or `make build`.\n"
    )


def test_program_without_a_command_shows_its_commands(run: Run, lake: Lake) -> None:
    done = run(lake)
    for command in ("example", "check", "replay", "query", "summary"):
        assert f" {command} " in done.out
