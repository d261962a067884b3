-- From format 2: orders can choose by sender.
ALTER TABLE operator_order ADD COLUMN sender TEXT;
