"""The SMTP dialogue in Exchange's nine fields: one record, its text form both ways, and conversations."""
