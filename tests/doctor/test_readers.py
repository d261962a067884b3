

def test_a_wizards_table_with_long_blanks_costs_no_more_than_others():
    head = "Name Equals Expected Actual\n"
    assert not read(head + ("Requ   " + " " * 40 + "x  " * 300 + "\n") * 30).hcw
