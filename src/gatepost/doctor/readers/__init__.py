"""One module a kind of evidence: text in, facts out; none ever raises."""
