"""What is written beside the mail: the operator's log, protocol logs, session records and what was seen of servers."""
