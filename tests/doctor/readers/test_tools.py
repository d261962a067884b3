"""What tools print: the address that a service outside sees."""

import pytest

from gatepost.doctor.reading import read_text


def own(text: str) -> list[str]:
    return [each.address for each in read_text(text, "evidence.txt").own_addresses]


@pytest.mark.parametrize(
    "text",
    [
        "$ curl -4 -s ifconfig.me\n198.51.100.7\n",
        "web1:~# curl -s https://api.ipify.org; echo\n198.51.100.7\n",
        "$ curl ipinfo.io/ip\n198.51.100.7 \n",
        "what's my ip says 198.51.100.7\n",
        "$ dig +short myip.opendns.com @resolver1.opendns.com\n198.51.100.7\n",
    ],
)
def test_what_a_service_outside_answers_is_the_own_address(text):
    assert own(text) == ["198.51.100.7"]


def test_several_answers_are_several_addresses():
    text = "for i in 1 2 3; do curl -s ifconfig.me; echo; done\n198.51.100.7\n203.0.113.9\n198.51.100.7\n"
    assert own(text) == ["198.51.100.7", "203.0.113.9", "198.51.100.7"]


def test_an_address_that_nobody_was_asked_for_is_none():
    assert own("$ host mx.example\nmx.example has address 198.51.100.7\n") == []
