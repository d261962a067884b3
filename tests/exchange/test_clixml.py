"""Export-Clixml's objects as plain values, whole documents and damaged ones."""

from gatepost.exchange.clixml import objects_in

HEAD = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">\n'
CONNECTOR = """<Obj RefId="0"><TN RefId="0"><T>Deserialized.TenantInboundConnector</T></TN>
<ToString>From HQ</ToString><Props>
<S N="Name">From HQ_x000D_</S><Nil N="Comment" />
<Obj N="SenderIPAddresses" RefId="2"><LST><S>198.51.100.10</S><S>203.0.113.0/24</S></LST></Obj>
</Props></Obj>
"""


def test_an_object_has_its_properties_and_its_line() -> None:
    ((line, values),) = objects_in(f"{HEAD}{CONNECTOR}</Objs>")
    assert line == 2
    assert values["Name"] == "From HQ\r" and values["Comment"] is None
    assert values["SenderIPAddresses"] == ["198.51.100.10", "203.0.113.0/24"]


def test_what_stands_before_the_damage_is_read() -> None:
    assert [values["Name"] for _, values in objects_in(f"{HEAD}{CONNECTOR}<Obj><")] == ["From HQ\r"]


def test_an_entity_ends_the_reading() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n'
    assert objects_in(f"{bomb}{HEAD}{CONNECTOR}</Objs>") == []
