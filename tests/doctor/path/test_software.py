"""Which programs the evidence shows to send, so that a repair speaks of them."""

from gatepost.doctor.path.software import programs_of
from gatepost.doctor.reading import read_text


def test_a_program_is_there_by_what_it_wrote():
    assert programs_of(read_text("# postconf -n\nrelayhost = [smtp.provider.example]:587\n")) == {"Postfix"}
    assert programs_of(read_text("javax.mail.MessagingException: Could not convert socket to TLS\n")) == {"Java"}


def test_words_about_a_program_are_no_sign_of_it():
    assert programs_of(read_text("We thought of replacing it by Postfix or Exim next year.\n")) == frozenset()


def test_the_service_of_that_name_is_no_server():
    assert programs_of(read_text("We relay through Exchange Online, and it refuses us.\n")) == frozenset()
    assert programs_of(read_text("Our Exchange 2019 relays through Exchange Online.\n")) == {"Exchange"}
