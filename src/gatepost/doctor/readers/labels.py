"""Names of properties and columns as other languages, portals and people write them, in the cmdlet's own spelling.

Law: a name that is not here is left as it is; nothing is translated by likeness.
"""

# ruff: noqa: E501 - a pattern broken over lines reads worse

import re
from typing import Final

_WRITTEN: Final = {
    "Identity": "identidad identität identité identità identiteit",
    "Name": "nombre nom nome naam jméno název nimi navn namn 名前",
    "Enabled": "habilitado aktiviert activé abilitato ingeschakeld",
    "Status": "estado stato statut zustand",
    "MessageCount": "recuentomensajes recuentodemensajes nachrichtenanzahl anzahlnachrichten nombredemessages conteggiomessaggi",
    "DeliveryType": "tipoentrega tipodeentrega zustellungstyp typederemise tipodirecapito",
    "NextHopDomain": "dominiodelsiguientesalto dominiosiguientesalto domänedesnächstenhops",
    "LastError": "ultimoerror últimoerror letzterfehler dernièreerreur ultimoerrore laatstefout lasterrormessage",
    "Subject": "antragsteller sujeto sujet objet soggetto onderwerp předmět サブジェクト サブジェクト名 firmante",
    "Issuer": "aussteller emisor émetteur emittente verlener vystavitel 発行者",
    "Thumbprint": "fingerabdruck huelladigital empreinte empreintenumérique identificazionepersonale vingerafdruk otisk 拇印",
    "Services": "dienste servicios serviziassegnati services servizi assignedservices zugewiesenedienste",
    "NotAfter": "gültigbis válidohasta valableau expirationdate expireson expires expirydate ablaufdatum validto validuntil caduca scadenza 有効期限",
    "NotBefore": "gültigab válidodesde validfrom",
    "SerialNumber": "seriennummer númerodeserie numérodesérie numerodiserie serienummer sériovéčíslo",
    "Server": "servidor serveur servername computername machinename",
    "SenderIPAddresses": "senderipaddress ipaddressesofsenders",
    "Sender": "senderaddress absender remitente expéditeur mittente afzender odesílatel",
    "Recipient": "recipientaddress empfänger destinatario destinataire ontvanger příjemce recipients",
    "Received": "datereceived datetime date receiveddate fecha datum empfangen origintimestamputc date(utc) receivedtime timestamp",
    "EventId": "event id eventid ereignisid ereignis-id iddeevento idevento iddel'événement instanceid イベントid gebeurtenis-id",
    "Message": "nachricht mensaje messaggio meldung bericht",
    "ProviderName": "source quelle origen origine bron zdroj provider ソース",
    "TimeCreated": "dateandtime datumunduhrzeit fechayhora dateetheure timegenerated dataeora",
    "LevelDisplayName": "level ebene nivel niveau livello entrytype レベル",
}
_ENGLISH: Final = {each: name for name, written in _WRITTEN.items() for each in written.split()}


def english(label: str) -> str:
    """A label in the cmdlet's spelling; blanks within it and case do not count."""
    return _ENGLISH.get(re.sub(r"\s+", "", label).casefold(), label)
