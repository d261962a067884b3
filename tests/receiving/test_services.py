"""What a listener decides about accepting where nobody said otherwise."""

from gatepost.receiving.services import AcceptanceSettings


def test_a_listener_refuses_at_rcpt_and_takes_nothing_special_of_strangers() -> None:
    settings = AcceptanceSettings(hostname="relay.example", listener="main")
    assert not settings.refuse_at_end and not settings.irregular_paths_of_strangers
    assert (settings.postmaster, settings.require_tls) == (None, False)
