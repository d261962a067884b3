"""Writes a folder of Exchange send logs of any size, for measuring how fast the doctor reads.

    python bench/doctor_logs.py FOLDER [--megabytes 1024]
    time gatepost doctor FOLDER

Sessions interleave as they do on a busy server; one egress address of three is refused, and half-way the certificate
is renewed.
"""

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

HEADER = (
    "#Software: Microsoft Exchange Server\r\n#Version: 15.02.1544.004\r\n#Log-Type: SMTP Send Protocol Log\r\n"
    "#Date: 2026-03-01T00:00:00.000Z\r\n"
    "#Fields: date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,data,context\r\n"
)
ADDRESSES = ("198.51.100.17", "198.51.100.18", "198.51.100.121")
LABELS = "Sending certificate Subject Issuer name Serial number Thumbprint Not before Not after Subject alternate names"
FILE_MEGABYTES = 64


def session(chance: random.Random, begin: datetime, renewed: bool) -> list[str]:
    """The rows of one session, without their line ends."""
    identifier = f"08DE{chance.getrandbits(48):012X}"
    address = chance.choice(ADDRESSES)
    host = f"AM{chance.randrange(10)}EUR05FT{chance.randrange(100):03d}.mail.protection.outlook.com"
    ends = f"10.7.0.4:{chance.randrange(1024, 65535)},203.0.113.{chance.randrange(30, 40)}:25"
    thumbprint = ("6F" if renewed else "A0") + "1B2C3D4E5F60718293A4B5C6D7E8F901234567"
    certificate = (
        f'" CN=mail.contoso.example, O=""Contoso, Ltd."", C=GB CN=Example CA, O=Example, C=US 0A1B2C3D {thumbprint} '
        f'2026-01-01T00:00:00.000Z 2027-01-01T00:00:00.000Z mail.contoso.example;contoso.example",{LABELS}'
    )
    refusal = (
        f"550 5.7.64 TenantAttribution; Relay Access Denied [{host.replace('.mail.', '.eop-eur05.prod.')} "
        f"{begin:%Y-%m-%dT%H:%M:%S}.000Z {identifier}],"
    )
    said = [
        "+,,",
        f'<,"220 {host} Microsoft ESMTP MAIL Service ready at Sun, 1 Mar 2026 00:00:00 +0000",',
        ">,EHLO mail.contoso.example,",
        f"<,250  {host} Hello [{address}] SIZE 157286400 PIPELINING DSN ENHANCEDSTATUSCODES STARTTLS CHUNKING,",
        ">,STARTTLS,",
        "<,220 2.0.0 SMTP server ready,",
        f"*,{certificate}",
        "*,,TLS protocol SP_PROT_TLS1_2_CLIENT negotiation succeeded using bulk encryption algorithm CALG_AES_256",
        ">,EHLO mail.contoso.example,",
        f"<,250  {host} Hello [{address}] SIZE 157286400 PIPELINING DSN ENHANCEDSTATUSCODES 8BITMIME CHUNKING,",
        f">,MAIL FROM:<user{chance.randrange(500)}@contoso.example> SIZE={chance.randrange(900, 90000)},",
        f">,RCPT TO:<someone{chance.randrange(5000)}@far.example>,",
        "<,250 2.1.0 Sender OK,",
        f"<,{refusal}" if address == ADDRESSES[2] else "<,250 2.1.5 Recipient OK,",
        ">,QUIT,",
        "<,221 2.0.0 Service closing transmission channel,",
        "-,,Local",
    ]
    rows = []
    for number, text in enumerate(said):
        at = begin + timedelta(milliseconds=17 * number)
        rows.append(
            f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z,Out to EOP,{identifier},{number},{ends},{text}"
        )
    return rows


def rows(chance: random.Random, enough: int) -> Iterator[str]:
    """Rows of eight sessions at a time, taken in turn."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    written = 0
    while written < enough:
        at += timedelta(milliseconds=700)
        group = [session(chance, at + timedelta(milliseconds=40 * n), written > enough // 2) for n in range(8)]
        for turn in zip(*group, strict=True):
            for row in turn:
                written += len(row) + 2
                yield row


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes send logs for measuring the doctor.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    number = total = 0
    file = None
    left = 0
    for row in rows(random.Random(wanted.seed), wanted.megabytes * 1_000_000):
        if left <= 0:
            if file:
                file.close()
            number += 1
            file = (wanted.folder / f"SEND20260301-{number}.log").open("w", newline="")
            file.write(HEADER)
            left = FILE_MEGABYTES * 1_000_000
        assert file is not None
        file.write(row + "\r\n")
        left -= len(row) + 2
        total += 1
    if file:
        file.close()
    print(f"{total} rows in {number} files")


if __name__ == "__main__":
    main()
