"""Administrators write in their own language; the phrases file gives the topics of what they say."""

import pytest

from gatepost.doctor.phrases import phrases
from gatepost.doctor.reading import read_text
from gatepost.doctor.redaction import redacted


def topics(text: str) -> set[str]:
    return {each.topic for each in read_text(text).prose if not each.negated}


@pytest.mark.parametrize(
    ("topic", "sentence"),
    [
        ("renewed-certificate", "Das Zertifikat lief aus und wir haben ein verlängertes eingespielt."),
        ("renewed-certificate", "Nous avons renouvelé le certificat du serveur la semaine dernière."),
        ("renewed-certificate", "El certificado del servidor caducó y lo renovamos ayer."),
        ("renewed-certificate", "O certificado venceu ontem e foi trocado pela equipe."),
        ("renewed-certificate", "Abbiamo rinnovato il certificato SSL del server di posta."),
        ("renewed-certificate", "We hebben het verlopen certificaat vorige week vervangen."),
        ("changed-network", "Seit dem Umzug hat sich unsere öffentliche IP-Adresse geändert."),
        ("changed-network", "Notre adresse IP publique a changé depuis mardi."),
        ("changed-network", "La semana pasada cambiamos de proveedor de internet."),
        ("changed-network", "Mudamos de operadora e o endereço IP mudou."),
        ("changed-network", "Il provider ha cambiato il nostro indirizzo IP, anzi abbiamo un nuovo indirizzo IP."),
        ("changed-network", "Ons IP-adres is gisteren gewijzigd door de provider."),
        ("changed-connector", "Hemos modificado el conector de entrada."),
        ("only-external", "Seuls les destinataires externes ne reçoivent rien."),
        ("internal-works", "I messaggi interni funzionano bene."),
        ("blocklisted", "Nossa empresa está em uma lista negra."),
        ("renewed-certificate", "前日に社内CAの自動登録が動き、新しい証明書がサーバーに入りました。"),
        ("intermittent", "クラウド宛のメールが時々届きません。"),
        ("retry-works", "再送すると通ることもあります。"),
        ("renewed-certificate", "V pondělí jsme obnovili certifikát serveru."),
        ("renewed-certificate", "Vi fornyede certifikatet i fredags på serveren."),
        ("renewed-certificate", "Uusimme varmenteen maanantaina kaikille palvelimille."),
    ],
)  # fmt: skip
def test_a_sentence_in_the_administrators_language_gives_its_topic(topic, sentence):
    assert topic in topics(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Nous n'avons pas changé le certificat du serveur.",
        "No hemos cambiado nunca el certificado del servidor.",
        "We hebben het certificaat niet vervangen.",
    ],
)
def test_what_was_not_done_is_not_taken_for_done(sentence):
    assert "renewed-certificate" not in topics(sentence)


def test_the_words_of_a_language_survive_redaction_and_names_do_not():
    hidden = redacted(read_text("Hemos renovado el certificado de Zarzuela y el conector."), b"a key").prose[0].quote
    assert "renovado" in hidden
    assert "certificado" in hidden
    assert "Zarzuela" not in hidden


def test_every_phrase_says_its_topic_and_language():
    assert phrases().patterns
    assert all(pattern for _, pattern in phrases().patterns)
