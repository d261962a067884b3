"""Next hops that lie, stall and hang up, at every stage: mail is never lost, never bounced for it, and others go on."""

import asyncio
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery.post_office import CONTENT, RETRY, PostOffice, post_office, to_smart_host
from gatepost.smtp.client_settings import ClientTimeouts
from gatepost.tenancy.tenant import AddressSpace, TlsLevel
from pki import Pki
from sink import CLOSE, KEYWORDS, SILENCE, Action, Sink

BEHAVIOURS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("liars.toml").read_text("utf-8"))["behaviour"]
STAGES = ("GREETING", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "CONTENT", "END", "QUIT")
BY_DATA = tuple(word for word in KEYWORDS if word != "CHUNKING")

# Those of RFC 5321 4.5.3.2 are minutes; what follows them is the same.
IMPATIENT = ClientTimeouts(greeting_s=0.3, command_s=0.3, data_s=0.3, block_s=0.3, end_of_data_s=0.3, quit_s=0.3)

LARGE = CONTENT + (b"x" * 78 + b"\r\n") * 4000
"""More than goes with the commands in one write."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


def actions_of(behaviour: dict[str, Any]) -> tuple[Action, ...]:
    said = behaviour.get("says", "").encode("latin-1") * behaviour.get("repeat", 1)
    follows = {"close": (CLOSE,), "silence": (SILENCE,), None: ()}[behaviour.get("then")]
    return (*((said,) if said else ()), *follows)


def cases() -> Iterator[Any]:
    for stage in STAGES:
        for behaviour in BEHAVIOURS:
            says = behaviour.get("says", "")
            if (stage == "CONTENT" and "then" not in behaviour) or (stage == "DATA" and says.startswith("354 ")):
                # A reply amid the content is one to the content; and 354 to DATA is no lie.
                continue
            name = f"{stage.lower()}-{behaviour['name'].replace(' ', '-')}"
            yield pytest.param(stage, behaviour, CONTENT, id=name)
            if stage in ("MAIL", "RCPT", "DATA", "CONTENT", "END"):
                yield pytest.param(stage, behaviour, LARGE, id=f"{name}-large")


@pytest.mark.parametrize(("stage", "behaviour", "content"), list(cases()))
def test_a_liar_costs_an_attempt_and_no_mail(
    stage: str, behaviour: dict[str, Any], content: bytes, tmp_path: Path, pki: Pki
) -> None:
    server = pki.leaf("sink.example")

    async def scenario() -> None:
        keywords = BY_DATA if stage == "DATA" or content is LARGE else KEYWORDS
        async with Sink(keywords, certificate=(server.chain_file, server.key_file)) as liar, Sink() as honest:
            liar.answer(stage, *actions_of(behaviour))
            level = TlsLevel.OPPORTUNISTIC if stage == "STARTTLS" else TlsLevel.NONE
            to_liar = to_smart_host(liar.port, "liar", tls=level)
            to_honest = to_smart_host(
                honest.port, "honest", tenant="fabrikam", address_spaces=(AddressSpace(space="other.example"),)
            )
            how = {"timeouts": IMPATIENT, "retry": RETRY, "idle_s": 0.05, "handshake_s": 0.3}
            async with post_office(tmp_path, to_liar, to_honest, **how) as office:
                await office.send("bob@fabrikam.example", content=content)
                await office.send("eve@other.example", tenant="fabrikam")
                await office.until(lambda: len(office.told.delivered) == 2)
                await office.until_empty()
                if stage == "QUIT":
                    await office.until(lambda: any(line.startswith("QUIT") for line in liar.commands))
                check(office, liar, honest, stage, behaviour, content)

    asyncio.run(scenario())


def check(office: PostOffice, liar: Sink, honest: Sink, stage: str, behaviour: dict[str, Any], content: bytes) -> None:
    assert office.told.failed == []
    assert len(honest.messages) == 1
    # It arrived, whole, and twice at most: where the liar may have taken it and did not say so.
    assert {message.content for message in liar.messages} == {content}
    assert len(liar.messages) <= 2
    believed = stage in behaviour.get("believed", ()) or stage == "QUIT"
    deferred = [outcome for _, outcome, _ in office.told.deferred]
    if believed:
        assert deferred == [] or stage in ("EHLO", "GREETING")
    elif stage != "STARTTLS":
        # Without TLS the same host may do at once.
        assert deferred and all(outcome.why for outcome in deferred)
    whole_reply = "repeat" not in behaviour and behaviour.get("says", "").count("\r\n") == 1
    if whole_reply and behaviour["says"][:1] in "245" and behaviour["says"][3] == " ":
        # In the next hop's own words, in the protocol log and in what the queue shows.
        line = behaviour["says"].rstrip()
        assert any(line in data for _, data, _ in office.rows())
        for outcome in deferred:
            assert outcome.reply is None or str(outcome.reply) == line


@pytest.mark.parametrize("then", [(), (CLOSE,)], ids=["stays", "hangs-up"])
def test_who_accepts_and_drops_is_on_record_with_its_own_words(then: tuple[Action, ...], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Sink() as liar:
            liar.always("END", b"250 2.6.0 <4711@liar> Queued, trust me\r\n", *then)
            async with post_office(tmp_path, to_smart_host(liar.port)) as office:
                await office.send("bob@fabrikam.example")
                await office.until_empty()
                ((_, outcome),) = office.told.delivered
                assert str(outcome.reply) == "250 2.6.0 <4711@liar> Queued, trust me"
                assert any("<4711@liar> Queued, trust me" in data for _, data, _ in office.rows())

    asyncio.run(scenario())


def test_a_peer_that_is_gone_without_a_word_is_noticed_at_every_time_out(tmp_path: Path) -> None:
    """A half-open connection says nothing and closes nothing: each wait has its end, with its stage on record."""

    async def scenario() -> None:
        stages = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "END")
        async with Sink(BY_DATA) as liar:
            for stage in stages:
                liar.answer(stage, SILENCE)
            how = {"timeouts": IMPATIENT, "retry": RETRY}
            async with post_office(tmp_path, to_smart_host(liar.port), **how) as office:
                await office.send("bob@fabrikam.example")
                await office.until(lambda: len(office.told.delivered) == 1)
                whys = [outcome.why for _, outcome, _ in office.told.deferred]
        for awaited in ("the greeting", *(f"the reply to {word}" for word in ("EHLO", "MAIL", "RCPT", "DATA"))):
            assert any(f"did not send {awaited} in time" in why for why in whys), (awaited, whys)
        assert any("did not send the reply to the content in time" in why for why in whys), whys

    asyncio.run(scenario())


def test_a_peer_that_takes_no_more_content_is_left(tmp_path: Path) -> None:
    """Its window is closed and stays so: RFC 5321 4.5.3.2.5."""

    async def scenario() -> None:
        gone: list[asyncio.StreamWriter] = []

        async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            gone.append(writer)
            writer.write(b"220 stuck\r\n")
            for reply in (b"250 stuck\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
                await reader.readline()
                writer.write(reply)
            # Nothing is read from here on.
            writer.transport.pause_reading()  # type: ignore[attr-defined]

        server = await asyncio.start_server(stuck, "127.0.0.1", 0, limit=1024)
        port = server.sockets[0].getsockname()[1]
        async with post_office(tmp_path, to_smart_host(port), timeouts=IMPATIENT) as office:
            await office.send("bob@fabrikam.example", content=LARGE * 60)
            await office.until(lambda: office.told.deferred)
            ((_, outcome, _),) = office.told.deferred
            assert "took the content too slowly" in outcome.why
        for writer in gone:
            writer.close()
        server.close()

    asyncio.run(scenario())
