-- The yardstick, version 1, on PostgreSQL: the facts of one booking, and nothing that anybody's program needs besides.
--
-- It is fixed. Who wants another one adds a version 2 beside it, and reports both. Words in capitals that are no SQL stand for values of
-- the booking, and `:first` for its first night, a number of days.

CREATE TABLE request (principal text NOT NULL, request_id text NOT NULL, fingerprint bytea NOT NULL, case_id uuid NOT NULL, answer bytea, PRIMARY KEY (principal, request_id));
CREATE TABLE night (room uuid NOT NULL, night int NOT NULL, capacity int NOT NULL, taken int NOT NULL, PRIMARY KEY (room, night), CHECK (taken >= 0 AND taken <= capacity));
CREATE TABLE booking (id uuid PRIMARY KEY, version bigint NOT NULL, state text NOT NULL, guest text NOT NULL, host text NOT NULL, room uuid NOT NULL, check_in int NOT NULL, check_out int NOT NULL, total bigint NOT NULL, next_look bigint, body bytea NOT NULL);
CREATE INDEX booking_guest ON booking (guest, id);
CREATE TABLE outbox (seq bigserial PRIMARY KEY, id uuid NOT NULL, subject text NOT NULL, version bigint NOT NULL, body bytea NOT NULL, UNIQUE (subject, version));
CREATE TABLE payment (id uuid PRIMARY KEY, case_id uuid NOT NULL, payer text NOT NULL, payee text NOT NULL, amount bigint NOT NULL, state text NOT NULL, reference text);
CREATE TABLE ledger (id uuid NOT NULL, side smallint NOT NULL, payment uuid NOT NULL, account text NOT NULL, amount bigint NOT NULL, PRIMARY KEY (id, side));
CREATE TABLE payment_outbox (seq bigserial PRIMARY KEY, id uuid NOT NULL, subject text NOT NULL, version bigint NOT NULL, body bytea NOT NULL, UNIQUE (subject, version));
CREATE TABLE view (case_id uuid PRIMARY KEY, guest text NOT NULL, version bigint NOT NULL, state text NOT NULL, body bytea NOT NULL);

-- A hundred rooms, each with room for everybody: nobody waits for a unit.
INSERT INTO night SELECT lpad(to_hex(room), 32, '0')::uuid, night, 1000000, 0 FROM generate_series(0, 99) AS room, generate_series(0, 27) AS night;

-- The hold.
BEGIN;
INSERT INTO request (principal, request_id, fingerprint, case_id) VALUES (GUEST, CASE_NAME, BYTES(32), CASE_ID) ON CONFLICT DO NOTHING;
UPDATE night SET taken = taken + 1 WHERE room = ROOM AND night >= :first AND night < :first + 2 AND taken + 1 <= capacity;
INSERT INTO booking VALUES (CASE_ID, 1, 'PENDING', GUEST, HOST, ROOM, :first, :first + 2, 160000, 1, BYTES(256));
INSERT INTO outbox (id, subject, version, body) VALUES (EVENT_1, CASE_NAME, 1, BYTES(412));
COMMIT;

-- The payment.
BEGIN;
INSERT INTO payment VALUES (PAYMENT_ID, CASE_ID, GUEST, HOST, 160000, 'APPROVED', 'ref') ON CONFLICT DO NOTHING;
INSERT INTO ledger VALUES (TX, 1, PAYMENT_ID, 'provider', 160000), (TX, 2, PAYMENT_ID, 'payable/users/host', 160000);
INSERT INTO payment_outbox (id, subject, version, body) VALUES (EVENT_2, PAYMENT_NAME, 2, BYTES(311));
COMMIT;

-- It is confirmed, answered, told, and shown to its guest.
BEGIN;
UPDATE booking SET version = 2, state = 'CONFIRMED', next_look = NULL WHERE id = CASE_ID AND version = 1 AND state = 'PENDING';
UPDATE request SET answer = BYTES(499) WHERE principal = GUEST AND request_id = CASE_NAME;
INSERT INTO outbox (id, subject, version, body) VALUES (EVENT_3, CASE_NAME, 2, BYTES(489));
INSERT INTO view VALUES (CASE_ID, GUEST, 2, 'CONFIRMED', BYTES(85)) ON CONFLICT (case_id) DO UPDATE SET version = excluded.version, state = excluded.state, body = excluded.body WHERE view.version < excluded.version;
COMMIT;
