"""Objects of Exchange Server and Exchange Online: as cmdlets print them, as ours, and as commands."""
