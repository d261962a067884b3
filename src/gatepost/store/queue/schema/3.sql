-- Format 3: orders can choose by sender: an address, '@' and a domain, or empty for the null reverse-path.

ALTER TABLE operator_order ADD COLUMN sender TEXT;
