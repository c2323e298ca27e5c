"""
The step of the schema that gives lanes to one worker at a time, and knows who is at work.

Whatever is said here counts for what somebody sends, so it is as durable as a line: a renewal that a crash
of the server took back would leave its holder sending while another one, who saw no renewal, takes over.
"""

from typing import Final

_DURABLE: Final = """IF current_setting('synchronous_commit') IN ('off', 'local', 'remote_write') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;"""

_COLUMNS: Final = """ALTER TABLE batchconnect.lane
    ADD COLUMN ttl_s double precision NOT NULL DEFAULT 30,
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    ADD COLUMN run bigint"""

_WORKERS: Final = """CREATE TABLE batchconnect.worker (
    name text PRIMARY KEY,
    run bigint NOT NULL,
    wants boolean NOT NULL,
    ttl_s double precision NOT NULL,
    seen_at timestamptz NOT NULL
)"""

_MAKE: Final = """CREATE FUNCTION batchconnect.make_lanes(
    p_hosts text[], p_org_ids text[], p_client_ids text[]
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO batchconnect.lane (host, org_id, client_id)
        SELECT * FROM unnest(p_hosts, p_org_ids, p_client_ids) ON CONFLICT DO NOTHING
$$"""

# All lanes of one org are one right, for their rows have the same markers whoever's client sends them. They are
# locked in the order of their numbers, as `renew_leases` does.
_TAKE: Final = f"""CREATE FUNCTION batchconnect.take_lease(
    p_host text, p_org_id text, p_client_id text, p_run_id text, p_holder text,
    p_ttl_s double precision, p_run bigint,
    p_over bigint[], p_epochs bigint[], p_beats bigint[],
    OUT id bigint, OUT epoch bigint, OUT n bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lane record;
BEGIN
    {_DURABLE}
    INSERT INTO batchconnect.lane (host, org_id, client_id, run_id)
        VALUES (p_host, p_org_id, p_client_id, p_run_id) ON CONFLICT DO NOTHING;
    FOR v_lane IN
        SELECT s.* FROM batchconnect.lane AS s
            WHERE (s.host, s.org_id, s.run_id) = (p_host, p_org_id, p_run_id)
            ORDER BY s.id FOR UPDATE
    LOOP
        IF v_lane.holder NOT IN ('', p_holder) AND NOT EXISTS (
            SELECT FROM unnest(p_over, p_epochs, p_beats) AS o(lane, epoch, beat)
                WHERE (o.lane, o.epoch, o.beat) = (v_lane.id, v_lane.epoch, v_lane.beat)
        ) THEN
            RETURN;
        END IF;
        IF v_lane.client_id = p_client_id AND v_lane.not_before > clock_timestamp() THEN
            RETURN;
        END IF;
    END LOOP;
    UPDATE batchconnect.lane AS l
        SET epoch = l.epoch + 1, holder = ''
        WHERE (l.host, l.org_id, l.run_id) = (p_host, p_org_id, p_run_id)
            AND l.client_id <> p_client_id AND l.holder NOT IN ('', p_holder);
    UPDATE batchconnect.lane AS l
        SET epoch = l.epoch + 1, beat = l.beat + 1, holder = p_holder, ttl_s = p_ttl_s,
            run = p_run, taken_at = clock_timestamp(), beat_at = clock_timestamp(),
            not_before = NULL
        WHERE (l.host, l.org_id, l.client_id, l.run_id)
            = (p_host, p_org_id, p_client_id, p_run_id)
        RETURNING l.id, l.epoch INTO id, epoch;
    SELECT coalesce(max(e.n), 0) + 1 INTO n FROM batchconnect.entry AS e WHERE e.lane = take_lease.id;
END $$"""

_RENEW: Final = f"""CREATE FUNCTION batchconnect.renew_leases(
    p_holder text, p_lanes bigint[], p_epochs bigint[]
) RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_still bigint[];
BEGIN
    {_DURABLE}
    PERFORM FROM batchconnect.lane AS l WHERE l.id = ANY (p_lanes) ORDER BY l.id FOR UPDATE;
    WITH renewed AS (
        UPDATE batchconnect.lane AS l
            SET beat = l.beat + 1, beat_at = clock_timestamp()
            FROM unnest(p_lanes, p_epochs) AS u(lane, epoch)
            WHERE l.id = u.lane AND l.epoch = u.epoch AND l.holder = p_holder
            RETURNING l.id
    )
    SELECT coalesce(array_agg(renewed.id), '{{}}') INTO v_still FROM renewed;
    RETURN v_still;
END $$"""

# Under the old epoch nothing is written any more, not by the one who handed it back either.
_HAND_BACK: Final = f"""CREATE FUNCTION batchconnect.hand_back(
    p_lane bigint, p_epoch bigint, p_back_off_s double precision
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    {_DURABLE}
    UPDATE batchconnect.lane
        SET epoch = epoch + 1, holder = '', taken_at = clock_timestamp(),
            failures = CASE WHEN p_back_off_s IS NULL THEN 0 ELSE failures + 1 END,
            not_before = clock_timestamp() + make_interval(secs => p_back_off_s)
        WHERE id = p_lane AND epoch = p_epoch;
END $$"""

_RELEASE: Final = f"""CREATE FUNCTION batchconnect.release(p_lane bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    {_DURABLE}
    UPDATE batchconnect.lane
        SET epoch = epoch + 1, holder = '', taken_at = clock_timestamp(), failures = 0,
            not_before = NULL
        WHERE id = p_lane;
END $$"""

_HERE: Final = """CREATE FUNCTION batchconnect.worker_is_here(
    p_name text, p_run bigint, p_wants boolean, p_ttl_s double precision
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO batchconnect.worker VALUES (p_name, p_run, p_wants, p_ttl_s, clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET run = excluded.run, wants = excluded.wants,
            ttl_s = excluded.ttl_s, seen_at = excluded.seen_at
$$"""

# Whoever was not heard of for days will not be; a machine that was taken away never says that it left.
_GONE: Final = """CREATE FUNCTION batchconnect.worker_is_gone(p_name text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM batchconnect.worker
        WHERE name = p_name OR seen_at < clock_timestamp() - interval '7 days'
$$"""

LEASES: Final = (
    _COLUMNS,
    _WORKERS,
    _MAKE,
    _TAKE,
    _RENEW,
    _HAND_BACK,
    _RELEASE,
    _HERE,
    _GONE,
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA batchconnect FROM PUBLIC",
)
"""The statements, in order."""

# Who is pinned to lanes says to which, so that others leave them to it.
PINS: Final = (
    "ALTER TABLE batchconnect.worker ADD COLUMN pins bigint[]",
    "DROP FUNCTION batchconnect.worker_is_here(text, bigint, boolean, double precision)",
    """CREATE FUNCTION batchconnect.worker_is_here(
    p_name text, p_run bigint, p_wants boolean, p_ttl_s double precision, p_pins bigint[]
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO batchconnect.worker (name, run, wants, ttl_s, seen_at, pins)
        VALUES (p_name, p_run, p_wants, p_ttl_s, clock_timestamp(), p_pins)
        ON CONFLICT (name) DO UPDATE SET run = excluded.run, wants = excluded.wants,
            ttl_s = excluded.ttl_s, seen_at = excluded.seen_at, pins = excluded.pins
$$""",
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA batchconnect FROM PUBLIC",
)
"""The statements of a later step, in order."""
