-- The yardstick, version 1, on SQLite: the facts of one booking, and nothing that anybody's program needs besides.
--
-- It is fixed. Who wants another one adds a version 2 beside it, and reports both. Words in capitals that are no SQL stand for values of
-- the booking, and `:first` for its first night, a number of days.

CREATE TABLE request (principal TEXT NOT NULL, request_id TEXT NOT NULL, fingerprint BLOB NOT NULL, case_id BLOB NOT NULL, answer BLOB, PRIMARY KEY (principal, request_id));
CREATE TABLE night (room BLOB NOT NULL, night INT NOT NULL, capacity INT NOT NULL, taken INT NOT NULL, PRIMARY KEY (room, night), CHECK (taken >= 0 AND taken <= capacity));
CREATE TABLE booking (id BLOB PRIMARY KEY, version INT NOT NULL, state TEXT NOT NULL, guest TEXT NOT NULL, host TEXT NOT NULL, room BLOB NOT NULL, check_in INT NOT NULL, check_out INT NOT NULL, total INT NOT NULL, next_look INT, body BLOB NOT NULL);
CREATE INDEX booking_guest ON booking (guest, id);
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, version INT NOT NULL, body BLOB NOT NULL, UNIQUE (subject, version));
CREATE TABLE payment (id BLOB PRIMARY KEY, case_id BLOB NOT NULL, payer TEXT NOT NULL, payee TEXT NOT NULL, amount INT NOT NULL, state TEXT NOT NULL, reference TEXT);
CREATE TABLE ledger (id BLOB NOT NULL, side INT NOT NULL, payment BLOB NOT NULL, account TEXT NOT NULL, amount INT NOT NULL, PRIMARY KEY (id, side));
CREATE TABLE payment_outbox (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, version INT NOT NULL, body BLOB NOT NULL, UNIQUE (subject, version));
CREATE TABLE view (case_id BLOB PRIMARY KEY, guest TEXT NOT NULL, version INT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL);

-- A hundred rooms, each with room for everybody: nobody waits for a unit.
INSERT INTO night WITH RECURSIVE days (day) AS (SELECT 0 UNION ALL SELECT day + 1 FROM days WHERE day < 99) SELECT unhex(printf('%032x', room.day)), night.day, 1000000, 0 FROM days AS room, days AS night WHERE night.day < 28;

-- The hold.
BEGIN IMMEDIATE;
INSERT INTO request (principal, request_id, fingerprint, case_id) VALUES (GUEST, CASE_NAME, BYTES(32), CASE_ID) ON CONFLICT DO NOTHING;
UPDATE night SET taken = taken + 1 WHERE room = ROOM AND night >= :first AND night < :first + 2 AND taken + 1 <= capacity;
INSERT INTO booking VALUES (CASE_ID, 1, 'PENDING', GUEST, HOST, ROOM, :first, :first + 2, 160000, 1, BYTES(256));
INSERT INTO outbox (id, subject, version, body) VALUES (EVENT_1, CASE_NAME, 1, BYTES(412));
COMMIT;

-- The payment.
BEGIN IMMEDIATE;
INSERT INTO payment VALUES (PAYMENT_ID, CASE_ID, GUEST, HOST, 160000, 'APPROVED', 'ref') ON CONFLICT DO NOTHING;
INSERT INTO ledger VALUES (TX, 1, PAYMENT_ID, 'provider', 160000), (TX, 2, PAYMENT_ID, 'payable/users/host', 160000);
INSERT INTO payment_outbox (id, subject, version, body) VALUES (EVENT_2, PAYMENT_NAME, 2, BYTES(311));
COMMIT;

-- It is confirmed, answered, told, and shown to its guest.
BEGIN IMMEDIATE;
UPDATE booking SET version = 2, state = 'CONFIRMED', next_look = NULL WHERE id = CASE_ID AND version = 1 AND state = 'PENDING';
UPDATE request SET answer = BYTES(499) WHERE principal = GUEST AND request_id = CASE_NAME;
INSERT INTO outbox (id, subject, version, body) VALUES (EVENT_3, CASE_NAME, 2, BYTES(489));
INSERT INTO view VALUES (CASE_ID, GUEST, 2, 'CONFIRMED', BYTES(85)) ON CONFLICT (case_id) DO UPDATE SET version = excluded.version, state = excluded.state, body = excluded.body WHERE view.version < excluded.version;
COMMIT;
