"""Objects of Exchange Server and Exchange Online: as their cmdlets print them, as ours, and as commands."""
