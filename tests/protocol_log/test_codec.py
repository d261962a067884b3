"""Protocol log text: what is written is read back, and nothing a peer or a damaged file holds can upset either way."""

import csv

from hypothesis import given
from hypothesis import strategies as st

from gatepost.mail.visible import is_plain
from gatepost.protocol_log.codec import FIELDS, RecordReader, RecordWriter, Side, header, read_protocol_log
from gatepost.protocol_log.record import Event, ProtocolLogRecord

ROW = "2023-01-11T16:00:00.123Z,Outbound,08DD34FA3086278D,0,10.0.0.1:5000,192.0.2.1:25,<,220 ready,"

values = st.text().filter(is_plain)
names = st.text(st.characters(categories=["L", "N"], include_characters=" -,\"\\'"), max_size=20)
records = st.builds(
    ProtocolLogRecord,
    at=st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000),
    connector_id=names,
    session_id=st.integers(0, 2**64 - 1).map("{:016X}".format),
    sequence_number=st.integers(0, 100_000),
    local_endpoint=st.sampled_from(["", "10.0.0.1:25", "[2001:db8::1]:25"]),
    remote_endpoint=st.sampled_from(["", "192.0.2.7:50123", "[::1]:1"]),
    event=st.sampled_from(Event),
    data=values,
    context=values,
)


def read_one(text: str | bytes) -> ProtocolLogRecord:
    log = read_protocol_log(text.encode() if isinstance(text, str) else text)
    assert not log.damaged
    return log.records[0].record


@given(st.lists(records, max_size=8))
def test_what_is_written_is_read_back(rows: list[ProtocolLogRecord]) -> None:
    text = header(Side.SEND, 0.0) + RecordWriter().text(rows)
    log = read_protocol_log(text.encode())
    assert [row for _, row in log.records] == rows
    assert log.damaged == []
    assert log.side is Side.SEND


@given(data=st.text(), context=st.text())
def test_no_octet_of_a_peer_can_begin_a_second_row(data: str, context: str) -> None:
    record = ProtocolLogRecord(0.0, "c", "0" * 16, 0, "", "", Event.RECEIVE, data, context)
    line = RecordWriter().text([record])
    assert line.endswith("\r\n")
    assert len(line.splitlines()) == 1
    octets = line.encode("utf-8", "backslashreplace")
    assert len(read_protocol_log(octets).records) == 1


@given(st.lists(records, max_size=8))
def test_rows_that_are_written_together_are_the_rows_written_one_by_one(rows: list[ProtocolLogRecord]) -> None:
    assert RecordWriter().text(rows) == "".join([RecordWriter().text([row]) for row in rows])


def test_rows_are_quoted_as_other_csv_readers_expect() -> None:
    record = ProtocolLogRecord(0.0, "a,b", "0" * 16, 7, "", "", Event.SEND, 'say "hi", twice', "x,y")
    [row] = csv.reader([RecordWriter().text([record])])
    assert row == ["1970-01-01T00:00:00.000Z", "a,b", "0" * 16, "7", "", "", ">", 'say "hi", twice', "x,y"]


@given(st.binary(max_size=400))
def test_no_octets_make_the_reader_raise(octets: bytes) -> None:
    read_protocol_log(octets)
    read_protocol_log(ROW.encode() + b"\r\n" + octets + b"\n" + ROW.encode())


@given(st.text(alphabet='",\r\n#2023-01T:Z<>* \ufeff', max_size=200))
def test_no_arrangement_of_quotes_and_line_ends_makes_the_reader_raise(text: str) -> None:
    read_protocol_log(text.encode())


def test_a_byte_order_mark_and_repeated_headers_are_no_rows() -> None:
    text = f"\ufeff#Software: Microsoft Exchange Server\r\n{ROW}\r\n\ufeff#Version: 15.0.0.0\r\n#Date: x\r\n{ROW}\r\n"
    log = read_protocol_log(text.encode())
    assert [line for line, _ in log.records] == [2, 5]
    assert log.headers["software"] == "Microsoft Exchange Server"
    assert log.headers["version"] == "15.0.0.0"
    assert log.damaged == []


def test_columns_are_found_by_the_names_in_the_fields_line() -> None:
    text = "#Fields: event,date-time,session-id,data,new-column\r\n<,2023-01-11T16:00:00Z,ABC,220 hi,later\r\n"
    record = read_one(text)
    assert (record.event, record.session_id, record.data, record.context) == (Event.RECEIVE, "ABC", "220 hi", "")


def test_octets_that_are_not_utf_8_are_read_as_latin_1_in_their_line_only() -> None:
    octets = ROW.replace("Outbound", "Büro").encode("latin-1") + b"\n" + ROW.replace("Outbound", "Büro").encode()
    assert {record.connector_id for _, record in read_protocol_log(octets).records} == {"Büro"}


def test_what_a_powershell_redirection_wrote_is_read() -> None:
    assert read_one(f"{ROW}\r\n".encode("utf-16")).data == "220 ready"


def test_a_truncated_last_line_is_counted_and_the_rest_is_read() -> None:
    log = read_protocol_log(f"{ROW}\r\n{ROW[:70]}".encode())
    assert len(log.records) == 1
    assert log.damaged == [2]


def test_a_quote_that_never_closes_costs_one_row() -> None:
    broken = ROW.replace("220 ready", '"220 ready')
    log = read_protocol_log(f"{ROW}\r\n{broken}\r\n{ROW}\r\n".encode())
    assert [line for line, _ in log.records] == [1, 3]
    assert log.damaged == [2]


def test_a_quoted_value_with_a_line_end_of_another_writer_is_one_row() -> None:
    record = read_one(ROW.replace("220 ready", '"250-one\r\n250 two"') + "\r\n")
    assert record.data == "250-one\r\n250 two"


def test_rows_that_are_no_rows_are_counted() -> None:
    for damaged in ("hello", ROW.replace("2023", "023"), ROW.replace("<", "?"), ROW + ",", ROW.replace("D,0,", "D,x,")):
        log = read_protocol_log(damaged.encode())
        assert (log.records, log.damaged) == ([], [1]), damaged


def test_a_certificate_row_of_exchange_keeps_its_leading_blank_and_inner_quotes() -> None:
    row = ROW.replace("<,220 ready,", '*," CN=*, O=""Some CA, Inc."", C=US 01 02",Sending certificate')
    assert read_one(row).data == ' CN=*, O="Some CA, Inc.", C=US 01 02'


def test_the_fields_are_exchanges_nine_in_order() -> None:
    assert header(Side.RECEIVE, 1673452800.1234).split("\r\n") == [
        "#Software: Gatepost",
        header(Side.RECEIVE, 0).split("\r\n")[1],
        "#Log-type: SMTP Receive Protocol Log",
        "#Date: 2023-01-11T16:00:00.123Z",
        "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context",
        "",
    ]
    assert len(FIELDS) == len(ProtocolLogRecord._fields)


def test_an_unfinished_row_is_damaged_only_at_the_end() -> None:
    reader = RecordReader()
    assert reader.feed(ROW.replace("220 ready", '"220')) is None
    assert reader.log.damaged == []
    assert reader.finish().damaged == [1]
