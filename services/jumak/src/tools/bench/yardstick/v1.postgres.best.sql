-- The yardstick, version 1, at its best on PostgreSQL: the same facts, one statement a transaction, each of which fails as a whole.

WITH asked AS (INSERT INTO request (principal, request_id, fingerprint, case_id) VALUES (GUEST, CASE_NAME, BYTES(32), CASE_ID) ON CONFLICT DO NOTHING RETURNING 1),
taken AS (UPDATE night SET taken = taken + 1 WHERE room = ROOM AND night >= :first AND night < :first + 2 AND taken + 1 <= capacity AND EXISTS (SELECT 1 FROM asked) RETURNING 1),
held AS (INSERT INTO booking VALUES (CASE_ID, 1, 'PENDING', GUEST, HOST, ROOM, :first, :first + 2, 160000, 1, BYTES(256))),
told AS (INSERT INTO outbox (id, subject, version, body) VALUES (EVENT_1, CASE_NAME, 1, BYTES(412)))
SELECT 1 / (CASE WHEN (SELECT count(*) FROM taken) = 2 THEN 1 ELSE 0 END);

WITH paid AS (INSERT INTO payment VALUES (PAYMENT_ID, CASE_ID, GUEST, HOST, 160000, 'APPROVED', 'ref') ON CONFLICT DO NOTHING RETURNING 1),
booked AS (INSERT INTO ledger VALUES (TX, 1, PAYMENT_ID, 'provider', 160000), (TX, 2, PAYMENT_ID, 'payable/users/host', 160000)),
told AS (INSERT INTO payment_outbox (id, subject, version, body) VALUES (EVENT_2, PAYMENT_NAME, 2, BYTES(311)))
SELECT 1 / (CASE WHEN (SELECT count(*) FROM paid) = 1 THEN 1 ELSE 0 END);

WITH confirmed AS (UPDATE booking SET version = 2, state = 'CONFIRMED', next_look = NULL WHERE id = CASE_ID AND version = 1 AND state = 'PENDING' RETURNING 1),
answered AS (UPDATE request SET answer = BYTES(499) WHERE principal = GUEST AND request_id = CASE_NAME),
told AS (INSERT INTO outbox (id, subject, version, body) VALUES (EVENT_3, CASE_NAME, 2, BYTES(489))),
shown AS (INSERT INTO view VALUES (CASE_ID, GUEST, 2, 'CONFIRMED', BYTES(85)) ON CONFLICT (case_id) DO UPDATE SET version = excluded.version, state = excluded.state, body = excluded.body WHERE view.version < excluded.version)
SELECT 1 / (CASE WHEN (SELECT count(*) FROM confirmed) = 1 THEN 1 ELSE 0 END);
