"""What administrators say in their own words: when it began, what was changed, who is hit. English and German here,
other languages in `doctor/phrases.toml`.

Law: words are weak evidence. A sentence gives a topic, never a cause; "our colleague says it is X" is an opinion.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from collections.abc import Iterator
from ipaddress import ip_address

from gatepost.doctor.evidence import Moment, NameSeen, ProseFact, Topic
from gatepost.doctor.moments import ANY_MOMENT, moment
from gatepost.doctor.page import Page, Paragraph
from gatepost.doctor.phrases import phrases
from gatepost.exchange.source import Fact

_CERT = r"(?:cert\w{0,20}|zertifikat\w{0,20}|ssl|tls cert\w{0,20}|pfx)"
_TOPICS: tuple[tuple[Topic, str], ...] = (
    (
        "renewed-certificate",
        rf"(?:renew|replac|reissu|rekey|new|updat|install|import|chang|rotat|swap|expir|erneuer|getauscht|ausgetauscht|neue[sn]?"
        rf"|gewechselt|verlängert|abgelaufen)\w{{0,20}}\b[^.!?]{{0,60}}\b{_CERT}"
        rf"|{_CERT}\b[^.!?]{{0,60}}\b(?:was|were|been|got|is|has|have|wurde|ist|worden)?\s*(?:just )?(?:renew|replac|reissu|"
        rf"rotat|updat|chang|swapp|expir|install|import|erneuer|getauscht|ausgetauscht|gewechselt|verlängert|abgelaufen)",
    ),
    (
        "changed-network",
        r"(?:new|chang|switch|mov|migrat|replac|add|second|additional|backup|failover|got|neue[rnsm]?|gewechselt|umgestellt|zweite)\w{0,60}\b"
        r"[^.!?]{0,50}\b(?:isp|internet provider|provider|firewall|line|uplink|wan|router|nat\b|public ip|ip address|proxy|"
        r"sd-?wan|load balancer|static ip|leitung|anschluss|internetanbieter|datacenter|data cent(?:er|re)|office|vpn|fib(?:er|re))"
        r"|(?:isp|firewall|line|uplink|wan|router|public ip|ip address|proxy|provider|sd-?wan|leitung)\b[^.!?]{0,50}\b(?:chang|"
        r"switch|replac|migrat|mov|got a|swapp|upgrad|updat|gewechselt|getauscht|umgestellt|ausgetauscht|second|failover)",
    ),
    (
        "changed-connector",
        r"(?:chang|edit|creat|add|modif|recreat|delet|remov|disabl|enabl|updat|set up|geändert|angelegt|gelöscht|deaktiviert)\w{0,60}\b"
        r"[^.!?]{0,60}\b(?:connector|konnektor|connektor)|(?:connector|konnektor|connektor)\w{0,60}\b[^.!?]{0,50}\b(?:chang|edit|creat|"
        r"add|modif|recreat|delet|remov|disabl|enabl|updat|geändert|angelegt|gelöscht|deaktiviert)",
    ),
    ("ran-hcw", r"\bHCW\b|hybrid (?:configuration )?wizard|hybridassistent|hybrid-?konfigurationsassistent"),
    (
        "migrated",
        r"migrat(?:ed|ion|ing)|\bmerger\b|merged|moved (?:to|the) [^.!?]{0,30}(?:server|cloud|azure|aws|tenant|datacenter|vm)"
        r"|migriert|umgezogen|acquired|acquisition|new server|neuer server",
    ),
    (
        "removed-domain",
        r"(?:remov|delet|clean|drop|moved|entfern|gelöscht|aufgeräumt)\w{0,60}\b[^.!?]{0,60}\b(?:domains?|accepted domains?|domäne\w*)\b"
        r"|\bdomains?\b[^.!?]{0,40}\b(?:remov|delet|cleaned|dropped|moved to|entfernt|gelöscht)",
    ),
    (
        "changed-mail-software",
        r"(?:upgrad|updat|patch|cumulative update|\bCU\d+|install|aktualisier)\w{0,60}\b[^.!?]{0,40}\b(?:exchange|postfix|exim|server|os\b|"
        r"windows|debian|ubuntu|firmware|openssl|printer|drucker)|\bafter (?:the )?(?:CU|SU|patch|update)",
    ),
    (
        "only-external",
        r"(?:only|just|all|nur)\b[^.!?]{0,30}\b(?:external|outside|extern\w*|internet)\b|external\w{0,60}[^.!?]{0,60}(?:bounc|fail|refus|"
        r"reject|return)|extern\w{0,60}[^.!?]{0,40}(?:unzustellbar|abgelehnt|zurück)|(?:to|for) (?:external|outside)[^.!?]{0,40}(?:fail|bounc|"
        r"reject|NDR)",
    ),
    (
        "internal-works",
        r"(?:internal|own[- ]tenant|same[- ]tenant|intern\w{0,60}|in-house|colleagues?|our (?:own )?(?:mailboxes|users|tenant|domain))\b[^.!?]{0,60}\b"
        r"(?:works?|fine|ok\b|okay|arriv|deliver|goes|get through|succeed|funktionier|kommt an|kommen an|geht)",
    ),
    (
        "only-internal",
        r"(?:only|just|nur)\b[^.!?]{0,30}\b(?:internal|intern\w*)\b|external\w{0,60}\b[^.!?]{0,40}\b(?:works?|fine|ok\b|arriv)",
    ),
    (
        "only-null-sender",
        r"(?:only|just|nur|all|alle)?\b[^.!?]{0,40}(?:\bNDRs?\b|\bOOF\b|out[- ]of[- ]office|automatic repl|auto-?repl|read receipt|journal|"
        r"non-delivery|abwesenheits|lesebestätigung|MAIL FROM:\s*<>|null sender|empty sender|leerer absender|bounces themselves)",
    ),
    (
        "only-forwarded",
        r"(?:(?<!-- )forwarded(?! (?:message|this|the thread|from|by)\b|, from)|redirected|forwarding|forwards\b|redirect|weiterleit|weitergeleitet|umgeleitet|auto-?forward|\ba forward\b|\bforward to)\w*",
    ),
    (
        "only-one-domain",
        r"(?:only|just|nur)\b[^.!?]{0,50}\b(?:one (?:sender )?domain|sub-?domain|new domain|the domain|from @|von @|domäne)"
        r"|(?:newly acquired|new) domain|neue domäne",
    ),
    (
        "only-one-server",
        r"(?:only|just|nur|one of)\b[^.!?]{0,50}\b(?:one|a single|second|new|other|einer?|EX\d+|of (?:the|our) \w+)\b[^.!?]{0,20}\b(?:servers?|"
        r"nodes?|edges?|hosts?)\b|other (?:server|node|edge)s?\b[^.!?]{0,30}\b(?:works?|fine|ok\b)|(?:server|node)\s?\d\b[^.!?]{0,40}(?:works?|fails?|fine)",
    ),
    (
        "only-one-destination",
        r"(?:only|just|nur)\b[^.!?]{0,40}\b(?:one|a single|certain|some|this|gmail|einem?)\b[^.!?]{0,20}\b(?:recipient|destination|domain|"
        r"partner|customer|empfänger)|all other (?:recipients|destinations|domains|customers)[^.!?]{0,30}(?:work|fine|ok)",
    ),
    (
        "one-application",
        r"\b(?:printer|scanner|copier|mfp|multifunction|app(?:lication)?|script|crm|erp|ticket\w*|monitoring|wordpress|php|drucker|"
        r"scan[- ]to[- ]mail|web ?site|jenkins|sap|nagios|zabbix|cron|ups)\b",
    ),
    (
        "intermittent",
        r"intermittent|random|sporadic|sometimes|(?:one|two|1|2) (?:in|out of|of) (?:two|three|four|five|ten|\d+)\b|some(?: of the)? (?:mails?|messages?)|every (?:second|third|other|few)|about (?:half|a third|\d+ ?%)"
        r"|\d{1,20} ?(?:%|percent|of \d+)\b[^.!?]{0,20}(?:fail|bounc|mail)|manchmal|gelegentlich|zufällig|jede (?:zweite|dritte)|teilweise|"
        r"now and then|on and off|occasional|half (?:of )?(?:the|our)",
    ),
    (
        "everything",
        r"\b(?:all|every|everything|alle|sämtliche|jede)\b[^.!?]{0,20}\b(?:outbound|outgoing|mails?|messages?|users?)\b[^.!?]{0,30}\b(?:fail|bounc|"
        r"reject|stuck|queue|stop|refus)",
    ),
    ("queues", r"\b(?:queue[sd]?|queuing|queueing|stuck|backlog|warteschlange|delayed|defer)\w*"),
    (
        "retry-works",
        r"(?:retry|retries|resend|second (?:try|attempt)|sending again|later|nochmal|erneut)\w{0,60}\b[^.!?]{0,40}\b(?:works?|goes|succeed|ok\b|fine|"
        r"deliver|klappt|funktionier|passes|get through)",
    ),
    (
        "never-worked",
        r"never (?:worked|relayed|got)|first (?:time )?set ?up|initial setup|just (?:set up|setting up|configured)|setting (?:this |it )?up|new(?:ly)? "
        r"(?:set ?up|installed|deployed|created tenant|tenant)|noch nie|nie funktioniert|neu eingerichtet|has never",
    ),
    (
        "worked-before",
        r"(?:worked|was working|has been working|had been fine|ran fine|used to work|lief|funktionierte|hat [^.!?]{0,30}funktioniert)\b"
        r"(?![^.!?]{0,10}never)",
    ),
    (
        "no-change",
        r"(?:nothing|no (?:config\w* )?changes?|didn'?t change|did not change|not changed|without any change|nichts)\b[^.!?]{0,30}"
        r"(?:chang|made|geändert|verändert|on our side|at all|$)",
    ),
    (
        "other-tenant",
        r"(?:other|another|second|different|wrong|old|former|sister|shared|anderen?|zweiter?) (?:\w+ )?(?:tenant|customer|client|mandant|kunde|"
        r"organi[sz]ation|company|subsidiary)|multi-?tenant|\bMSP\b",
    ),
    (
        "recipient-unknown",
        r"(?:recipient|user|mailbox|empfänger)\b[^.!?]{0,40}\b(?:not exist|unknown|deleted|left|gone|existiert nicht)",
    ),
    (
        "telnet-works",
        r"telnet\b[^.!?]{0,60}\b(?:works?|fine|ok\b|connect|answers|klappt)|port 25 (?:is )?(?:open|reachable|fine)|test-netconnection[^.!?]{0,40}true",
    ),
    ("blocklisted", r"block ?-?list|black ?-?list|spamhaus|barracuda list|RBL\b|DNSBL|delist"),
    (
        "cloud-to-on-premises",
        r"(?:from|aus|von) (?:the )?(?:cloud|o365|m365|office 365|microsoft 365|exchange online|EXO)\b[^.!?]{0,30}\b(?:to|nach|zu|into) (?:our |the )?(?:on[- ]?prem"
        r"|exchange server|local)|cloud to on-?prem|inbound from (?:EOP|EXO|office 365)|(?:validate|validation) (?:the )?(?:outbound )?connector",
    ),
    (
        "on-premises-to-cloud",
        r"(?:from|von) (?:our )?on[- ]?prem\w*[^.!?]{0,30}\b(?:to|nach|via|through|zu)\b[^.!?]{0,20}(?:cloud|o365|m365|office 365|EXO|EOP|exchange online)"
        r"|on-?prem\w{0,60} to (?:the )?(?:cloud|EXO|EOP|office|exchange online)",
    ),
    (
        "marked-external",
        r"(?:marked|shown|tagged|flagged|appear\w{0,60}|displayed)\b[^.!?]{0,30}\bexternal|\[EXTERNAL\]|als extern",
    ),
    (
        "imported-without-key",
        r"(?:import|install|cop(?:y|ied))\w{0,60}\b[^.!?]{0,60}(?:\.cer\b|\.crt\b|\.p7b\b|without (?:the )?(?:private )?key|public part)"
        r"|(?:no|without|missing) (?:the )?private key|ohne (?:privaten )?schlüssel|key icon",
    ),
    (
        "not-restarted",
        r"(?:not|never|n't|haven't|without|no|nicht)\b[^.!?]{0,25}\b(?:restart|reboot|recycl|neu ?gestartet)\w*",
    ),
    ("restarted", r"(?:restart|reboot|recycled|neugestartet|neu gestartet)\w*"),
    (
        "waiting-for-change",
        r"(?:minutes?|min|hour|an hour|minuten|just|moments?) (?:ago|now|earlier)|\bvor \d+ minuten|\d{1,20} ?min(?:utes?)? (?:ago|later|after)|just (?:now )?"
        r"(?:changed|saved|edited|updated|set|added)",
    ),
    (
        "upgraded-tls",
        r"(?:disabl|enforc|turned off|hardening|iis ?crypto|schannel|gpo|cipher|deaktiviert)\w{0,60}\b[^.!?]{0,40}\b(?:tls|ssl|cipher|schannel|protocol)|\btls ?1\.[0123]\b",
    ),
    (
        "clock",
        r"\b(?:clock|ntp|time (?:is|was) (?:wrong|off)|wrong (?:date|time)|uhrzeit|date is wrong|bios battery|time ?skew|in the future)\b",
    ),
    (
        "reported-cause",
        r"(?:colleague|support|vendor|microsoft|consultant|provider|boss|chatgpt|forum|someone|google|kollege|dienstleister|network team|firewall team|isp)"
        r"\w{0,60}\b[^.!?]{0,30}\b(?:says?|said|thinks?|claims?|suspects?|believes?|told|meint|sagt|blames?|suggest)|\b(?:i|we) (?:think|suspect|guess|believe|assume)|"
        r"(?:probably|maybe|perhaps|vermutlich|wahrscheinlich)\b",
    ),
    (
        "since",
        r"\b(?:since|starting|started|began|from|seit|ab|as of|after|yesterday|this morning|last (?:week|night|friday|monday|tuesday|wednesday|thursday|"
        r"saturday|sunday|weekend|month)|today|heute|gestern|letzte\w*)\b",
    ),
)


def _patterns() -> Iterator[tuple[Topic, str]]:
    """One pattern for a topic, so that a sentence that says it in two ways says it once."""
    told: dict[Topic, list[str]] = {}
    for topic, pattern in (*_TOPICS, *phrases().patterns):
        told.setdefault(topic, []).append(pattern)
    yield from ((topic, "|".join(patterns)) for topic, patterns in told.items())


_COMPILED: tuple[tuple[Topic, re.Pattern[str]], ...] = tuple(
    (topic, re.compile(rf"(?<![A-Za-zÀ-ÿ])(?:{pattern})", re.IGNORECASE)) for topic, pattern in _patterns()
)
_NOT = re.compile(
    r"\b(?:not|never|no|nothing|none|nobody|nichts|n't|nicht|kein\w*|without|haven't|hasn't|didn't|wasn't|neither|nor|ohne"
    rf"|{'|'.join(phrases().negations)})\b",
    re.IGNORECASE,
)
_NEGATABLE: frozenset[Topic] = frozenset(
    (
        "renewed-certificate",
        "changed-network",
        "changed-connector",
        "ran-hcw",
        "migrated",
        "removed-domain",
        "changed-mail-software",
        "internal-works",
        "worked-before",
        "retry-works",
        "telnet-works",
        "blocklisted",
        "queues",
    )
)
_ASKED = re.compile(
    r":\s*\?+\s*$|^\W{0,40}(?:could|can|is|are|was|were|did|does|do|might|should|would|what|which|when|whether|who|how|maybe|perhaps|ist|sind|kann|hat|wurde|wann|"
    r"welche\w{0,20}|est-ce|serait-ce|quand|\u00bf)\b[^.!]{0,2000}\?\s{0,40}$",
    re.IGNORECASE,
)
"""A form's empty line, or a question: nobody says that it is so."""
_SENTENCE = re.compile(r"(?<=[\u3002\uff01\uff1f])\s*|(?<=[.!?])\s+(?=[\"'(]?[A-ZÄÖÜ0-9])|\s[-*•]\s+|;\s+")
_MAILBOX = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DOMAIN = re.compile(
    r"(?<![\w@.-])(?:\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w@-])"
)
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?|[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){3,7})(?![\w.:])"
)
_FILE_NAME = re.compile(
    r"\.(?:log|txt|pem|cer|crt|pfx|cf|py|ps1|exe|dll|xml|json|csv|yaml|toml|md|html|conf|key|p7b)$", re.I
)


def read(page: Page) -> Iterator[Fact]:
    for paragraph in page.paragraphs():
        at, text = 0, _without_fields(paragraph)
        for sentence in _SENTENCE.split(text):
            at = max(text.find(sentence, at), 0)
            source = page.source(paragraph.index_at(at))
            if len(sentence) < 4000:
                yield from _facts(sentence, source)
        yield from _names(paragraph.text, lambda offset, of=paragraph: page.source(of.index_at(offset)))


def _facts(sentence: str, source) -> Iterator[Fact]:  # type: ignore[no-untyped-def]
    if not is_prose(sentence):
        return
    when = _when(sentence)
    asked = bool(_ASKED.search(sentence))
    known = False
    for topic, pattern in _COMPILED:
        if found := pattern.search(sentence):
            known = True
            around = sentence[max(0, found.start() - 30) : found.end()]
            yield ProseFact(
                source=source,
                quote=sentence.strip()[:400],
                topic=topic,
                detail=found[0].strip()[:200],
                at=when,
                negated=topic in _NEGATABLE and bool(_NOT.search(around) or asked),
            )
    if not known and len(_WORDS.findall(sentence)) >= (3 if _ADDRESS.search(sentence) else 5):
        yield ProseFact(source=source, quote=sentence.strip()[:400], topic="other", at=when)


def _without_fields(paragraph: Paragraph) -> str:
    """Header fields above a mail's words blanked, so that offsets stay; a subject is words."""
    text = paragraph.text
    for start, end in zip(paragraph.starts, [*paragraph.starts[1:], len(text) + 1], strict=True):
        line = text[start : end - 1]
        if match := _FIELD.match(line):
            text = f"{text[:start]}{'.'.rjust(len(line))}{text[end - 1 :]}"
        elif match := _SUBJECT.match(line):
            text = f"{text[:start]}{' ' * match.end()}{line[match.end() : -1]}.{text[end - 1 :]}"
    return text


_SUBJECT = re.compile(r"\s*(?:Subject|Betreff|Objet|Oggetto)\s?:", re.IGNORECASE)
_FIELD = re.compile(
    r"\s{0,40}(?:From|To|Cc|Date|Sent|Message-ID|Reply-To|Von|An|Gesendet|De|À|Envoyé|Thread-\w{1,40})\s?:",
    re.I,
)
_WORDS = re.compile(r"[^\W\d_\u3040-\u30ff\u4e00-\u9fff]{2,}|[\u3040-\u30ff\u4e00-\u9fff]{2}")
"""Of a language that writes no blanks, two letters count as one."""


def is_prose(sentence: str) -> bool:
    """Words of a person rather than of a program: few signs, several words."""
    words = _WORDS.findall(sentence)
    signs = sum(sentence.count(sign) for sign in "=<>{}[]|\\")
    return len(words) >= 3 and signs <= max(2, len(words) // 3)


def _when(sentence: str) -> Moment | None:
    found = ANY_MOMENT.search(sentence)
    return moment(found[0]) if found else None


def _names(text: str, source) -> Iterator[Fact]:  # type: ignore[no-untyped-def]
    seen: set[str] = set()
    for match in _MAILBOX.finditer(text):
        if match[0] not in seen:
            seen.add(match[0])
            yield NameSeen(source=source(match.start()), quote=match[0], kind="mailbox", value=match[0].casefold())
    for match in _DOMAIN.finditer(text):
        name = match[0].casefold()
        if name not in seen and not _FILE_NAME.search(name):
            seen.add(name)
            yield NameSeen(source=source(match.start()), quote=match[0], kind="domain", value=name)
    for match in _ADDRESS.finditer(text):
        try:
            value = str(ip_address(match[0].split("/")[0]))
        except ValueError:
            continue
        if value not in seen:
            seen.add(value)
            yield NameSeen(source=source(match.start()), quote=match[0], kind="address", value=value)
