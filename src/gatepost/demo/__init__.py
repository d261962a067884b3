"""The demo: a small mail world on this machine, and a story told in it.

Everything is real: `gatepost serve` for the relay and for the edge beside contoso's mail server, mailboxes that speak
SMTP, certificates of an authority made for the occasion, and the commands an administrator would type. `story` says
what happens, `stage` makes it happen, `console` shows it.

Laws: nothing leaves 127.0.0.0/8; nothing is written outside the demo's folder; whatever happens, no process outlives
the demo.
"""
