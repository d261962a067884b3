"""What it takes to run an SMTP machine on a socket, on either side: pipe, deadline, rows of the protocol log."""
