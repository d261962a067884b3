"""CPU time of the server machine alone, per message: EHLO to QUIT, one write per command, content of 10 KB.

python bench/server_machine.py [MESSAGES]
"""

import sys
import time

from gatepost.mail.reply import reply
from gatepost.smtp.server_session import ServerSession
from gatepost.smtp.server_settings import ServerSettings

SETTINGS = ServerSettings(hostname="relay.example.net")
GREETING = reply(220, None, "relay.example.net ESMTP")
OK = reply(250, "0.0", "OK")
CONTENT = b"Subject: hello\r\n\r\n" + (b"x" * 76 + b"\r\n") * 128


def one_message() -> None:
    session = ServerSession(SETTINGS)
    session.connected(GREETING)
    session.receive(b"EHLO mail.tenant.example\r\n")
    session.receive(b"MAIL FROM:<ann@tenant.example> SIZE=10240\r\n")
    session.answer(OK)
    session.receive(b"RCPT TO:<bob@partner.example>\r\n")
    session.answer(OK)
    session.receive(b"DATA\r\n")
    session.receive(CONTENT + b".\r\n")
    session.answer(OK)
    session.receive(b"QUIT\r\n")


def main(messages: int) -> None:
    one_message()
    rounds = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(messages):
            one_message()
        rounds.append((time.process_time() - started) / messages * 1e6)
    print(f"{min(rounds):.1f} us per message (best of {len(rounds)} rounds of {messages})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
