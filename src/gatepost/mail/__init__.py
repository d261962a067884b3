"""The words of mail: domains, paths, replies, trace fields and delivery status notifications."""
