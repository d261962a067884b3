"""How an edge begins that nobody has told anything."""

from gatepost.hybrid import edge_defaults


def test_an_edge_takes_mail_from_local_networks_alone() -> None:
    assert all(each.is_private for each in edge_defaults.LOCAL_NETWORKS)
    assert {each.version for each in edge_defaults.LOCAL_NETWORKS} == {4, 6}
