"""TLS towards next hops: what each level demands, and whose certificate is shown to whom."""

from collections.abc import Coroutine
from pathlib import Path

import pytest
import uvloop

from delivery.post_office import post_office, to_smart_host
from gatepost.tenancy.tenant import AddressSpace, SendConnector, TlsLevel
from pki import Issued, Pki
from sink import CLOSE, Sink


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


def files(issued: Issued) -> tuple[Path, Path]:
    return issued.chain_file, issued.key_file


def run(test: Coroutine[None, None, None]) -> None:
    uvloop.run(test)


@pytest.mark.parametrize("level", [TlsLevel.OPPORTUNISTIC, TlsLevel.ENCRYPT])
def test_tls_is_used_where_it_is_offered_whatever_the_certificate(tmp_path: Path, pki: Pki, level: TlsLevel) -> None:
    async def story() -> None:
        async with (
            Sink(certificate=files(pki.self_signed("whatever.example"))) as sink,
            post_office(tmp_path, to_smart_host(sink.port, tls=level)) as office,
        ):
            await office.send()
            await office.until(lambda: office.told.delivered)
            assert sink.messages[0].tls
            assert sink.messages[0].client_certificate is None

    run(story())


def test_level_none_never_asks_for_tls(tmp_path: Path, pki: Pki) -> None:
    async def story() -> None:
        async with (
            Sink(certificate=files(pki.leaf("relay.example"))) as sink,
            post_office(tmp_path, to_smart_host(sink.port, tls=TlsLevel.NONE)) as office,
        ):
            await office.send()
            await office.until(lambda: office.told.delivered)
            assert not sink.messages[0].tls

    run(story())


def test_large_content_goes_over_tls_octet_for_octet(tmp_path: Path, pki: Pki) -> None:
    content = b"Subject: x\r\n\r\n" + bytes(range(32, 127)) * 30_000 + b"\r\n"

    async def story() -> None:
        async with (
            Sink(certificate=files(pki.leaf("relay.example"))) as sink,
            post_office(tmp_path, to_smart_host(sink.port, tls=TlsLevel.ENCRYPT)) as office,
        ):
            await office.send(content=content)
            await office.send()
            await office.until(lambda: len(office.told.delivered) == 2)
            assert content in sink.content

    run(story())


def test_a_broken_handshake_goes_on_in_plain_where_tls_is_only_welcome(tmp_path: Path, pki: Pki) -> None:
    async def story() -> None:
        async with Sink(certificate=files(pki.leaf("relay.example"))) as sink:
            sink.answer("STARTTLS", b"220 go\r\n", b"this is no TLS\r\n", CLOSE)
            async with post_office(tmp_path, to_smart_host(sink.port, tls=TlsLevel.OPPORTUNISTIC)) as office:
                await office.send()
                await office.until(lambda: office.told.delivered)
                assert not sink.messages[0].tls
                assert not office.told.deferred
                assert any("TLS negotiation failed" in context for _, _, context in office.rows())

    run(story())


@pytest.mark.parametrize("level", [TlsLevel.ENCRYPT, TlsLevel.VERIFY])
def test_a_broken_handshake_defers_where_tls_is_demanded(tmp_path: Path, pki: Pki, level: TlsLevel) -> None:
    async def story() -> None:
        async with Sink(certificate=files(pki.leaf("relay.example"))) as sink:
            sink.always("STARTTLS", b"220 go\r\n", CLOSE)
            async with post_office(tmp_path, to_smart_host(sink.port, tls=level)) as office:
                await office.send()
                await office.until(lambda: office.told.deferred)
                assert office.told.deferred[0][1].status == "4.7.5"
                assert sink.count == 0

    run(story())


def test_a_host_without_starttls_gets_no_mail_where_tls_is_demanded(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink, post_office(tmp_path, to_smart_host(sink.port, tls=TlsLevel.ENCRYPT)) as office:
            await office.send()
            await office.until(lambda: office.told.deferred)
            assert office.told.deferred[0][1].status == "4.7.4"
            assert not any(command.startswith("MAIL") for command in sink.commands)

    run(story())


def verified(port: int, tls_domain: str = "relay.example") -> SendConnector:
    return to_smart_host(port, tls=TlsLevel.VERIFY, tls_domain=tls_domain)


def test_level_verify_takes_a_trusted_certificate_of_the_right_name(tmp_path: Path, pki: Pki) -> None:
    async def story() -> None:
        async with (
            Sink(certificate=files(pki.leaf("relay.example"))) as sink,
            post_office(tmp_path, verified(sink.port), roots=pki.roots_file) as office,
        ):
            await office.send()
            await office.until(lambda: office.told.delivered)

    run(story())


@pytest.mark.parametrize("fault", ["other name", "self-signed", "missing intermediate"])
def test_level_verify_gives_no_mail_to_a_host_that_does_not_prove_itself(tmp_path: Path, pki: Pki, fault: str) -> None:
    certificate = {
        "other name": files(pki.leaf("other.example")),
        "self-signed": files(pki.self_signed("relay.example")),
        "missing intermediate": (lambda leaf: (leaf.certificate_file, leaf.key_file))(pki.leaf("relay.example")),
    }[fault]

    async def story() -> None:
        async with (
            Sink(certificate=certificate) as sink,
            post_office(tmp_path, verified(sink.port), roots=pki.roots_file) as office,
        ):
            await office.send()
            await office.until(lambda: office.told.deferred)
            outcome = office.told.deferred[0][1]
            assert outcome.status == "4.7.5"
            assert "could not be verified" in outcome.why
            assert not any(command.startswith("MAIL") for command in sink.commands)

    run(story())


def test_a_connectors_certificate_is_shown_by_that_connector_only(tmp_path: Path, pki: Pki) -> None:
    own = pki.leaf("edge.contoso.example")

    async def story() -> None:
        async with Sink(certificate=files(pki.leaf("relay.example")), client_roots=pki.roots_file) as sink:
            with_certificate = to_smart_host(
                sink.port,
                "with",
                tenant="contoso",
                tls=TlsLevel.ENCRYPT,
                certificate=str(own.chain_file),
                key=str(own.key_file),
            )
            without = to_smart_host(sink.port, "without", tls=TlsLevel.ENCRYPT)
            async with post_office(tmp_path, with_certificate, without) as office:
                await office.send(tenant="contoso")
                await office.send(tenant="fabrikam")
                await office.until(lambda: len(office.told.delivered) == 2)
                shown = {message.client_certificate for message in sink.messages}
                assert shown == {own.der, None}
                sending = [row for row in office.log if row.context.startswith("Sending certificate Subject")]
                assert [row.connector_id for row in sending] == ["contoso/with"]
                assert "CN=edge.contoso.example" in sending[0].data
                remote = [row for row in office.log if row.context.startswith("Remote certificate Subject")]
                assert len(remote) == 2
                assert any(row.context.startswith("TLS protocol SP_PROT_TLS1_3_CLIENT") for row in office.log)

    run(story())


def test_a_renewed_certificate_is_shown_by_the_next_message(tmp_path: Path, pki: Pki) -> None:
    old, renewed = pki.leaf("edge.contoso.example"), pki.leaf("smtp.contoso.example")
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"

    def install(issued: Issued) -> None:
        certificate.write_bytes(issued.chain_file.read_bytes())
        key.write_bytes(issued.key_file.read_bytes())

    async def story() -> None:
        async with Sink(certificate=files(pki.leaf("relay.example")), client_roots=pki.roots_file) as sink:
            connector = to_smart_host(sink.port, tls=TlsLevel.ENCRYPT, certificate=str(certificate), key=str(key))
            install(old)
            async with post_office(tmp_path, connector) as office:
                for issued in (old, old, renewed):
                    install(issued)
                    office.tls.refresh()
                    already = len(office.told.delivered)
                    await office.send()
                    await office.until(lambda already=already: len(office.told.delivered) > already)
                assert [message.client_certificate for message in sink.messages] == [old.der, old.der, renewed.der]
                assert [message.session for message in sink.messages] == [1, 1, 2], "an idle session is used again"

    run(story())


def test_the_log_says_when_the_peer_did_not_ask_for_the_certificate(tmp_path: Path, pki: Pki) -> None:
    own = pki.leaf("edge.contoso.example")

    async def story() -> None:
        async with Sink(certificate=files(pki.leaf("relay.example"))) as sink:
            connector = to_smart_host(
                sink.port, tls=TlsLevel.ENCRYPT, certificate=str(own.chain_file), key=str(own.key_file)
            )
            async with post_office(tmp_path, connector) as office:
                await office.send()
                await office.until(lambda: office.told.delivered)
                assert ("*", "", "no certificate sent: the remote host did not ask for one") in office.rows()

    run(story())


@pytest.mark.parametrize("level", [TlsLevel.OPPORTUNISTIC, TlsLevel.ENCRYPT])
def test_a_certificate_file_that_cannot_be_read_defers_and_says_so(tmp_path: Path, pki: Pki, level: TlsLevel) -> None:
    async def story() -> None:
        async with Sink(certificate=files(pki.leaf("relay.example"))) as sink:
            connector = to_smart_host(sink.port, tls=level, certificate="/nowhere.pem", key="/nowhere.key")
            async with post_office(tmp_path, connector) as office:
                await office.send()
                await office.until(lambda: office.told.deferred)
                assert "/nowhere.pem" in office.told.deferred[0][1].why
                assert sink.count == 0

    run(story())


def test_two_connectors_to_one_host_never_share_a_session(tmp_path: Path) -> None:
    async def story() -> None:
        async with Sink() as sink:
            space = (AddressSpace(space="*"),)
            connectors = [to_smart_host(sink.port, name, tenant=name, address_spaces=space) for name in ("a", "b")]
            async with post_office(tmp_path, *connectors, per_destination=1) as office:
                for tenant in ("a", "b", "a", "b"):
                    await office.send(tenant=tenant)
                await office.until(lambda: len(office.told.delivered) == 4)
                assert sink.sessions == 2

    run(story())
