"""
How the schema came to be what it is, step by step.

A new ledger goes the whole way and an old one the rest of it, so both end with the same schema. A step
that stands here is never changed: somewhere is a ledger that has gone it. All names are qualified, for no
setting of a session outlives a transaction behind PgBouncer.
"""

from collections.abc import Mapping
from typing import Final

from batchconnect.ledger.postgres.lease_schema import LEASES, PINS

SCHEMA: Final = "batchconnect"

LANE_LOST: Final = "BC001"
LINES_LOST: Final = "BC002"
OTHER_LINES: Final = "BC003"
ID_IS_KNOWN: Final = "BC004"
"""States of the errors that the functions below raise."""

IS_CREATED: Final = """kind = 'settled' AND right(body, 16) = ',"is":"Created"}'"""
ID: Final = "lower(substr(body, 30, 36))"
"""Where the codec writes the id of what was created: behind `{"outcome":{"connection_id":"`."""

_TABLES: Final = (
    "CREATE SCHEMA batchconnect",
    "CREATE TABLE batchconnect.about (word text PRIMARY KEY, value text NOT NULL)",
    # A lane is of an org's client, over all runs; or it is a run's own: what is said of it as a whole.
    """CREATE TABLE batchconnect.lane (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        host text NOT NULL DEFAULT '',
        org_id text NOT NULL DEFAULT '',
        client_id text NOT NULL DEFAULT '',
        run_id text NOT NULL DEFAULT '',
        epoch bigint NOT NULL DEFAULT 0,
        holder text NOT NULL DEFAULT '',
        beat bigint NOT NULL DEFAULT 0,
        taken_at timestamptz,
        beat_at timestamptz,
        not_before timestamptz,
        UNIQUE (host, org_id, client_id, run_id)
    )""",
    "CREATE SEQUENCE batchconnect.entry_seq",
    # `n` is made by the lane's holder; `seq` orders lines of several lanes: what is written after something
    # was durable has a higher one.
    """CREATE TABLE batchconnect.entry (
        lane bigint NOT NULL,
        n bigint NOT NULL,
        seq bigint NOT NULL,
        epoch bigint NOT NULL,
        run bigint NOT NULL,
        at_ms bigint NOT NULL,
        row integer,
        marker text,
        kind text NOT NULL,
        body text NOT NULL,
        PRIMARY KEY (lane, n)
    )""",
    "CREATE INDEX entry_of_row ON batchconnect.entry (run, row, seq)",
    """CREATE INDEX entry_of_marker ON batchconnect.entry (marker, seq) INCLUDE (kind)
        WHERE marker IS NOT NULL AND kind <> 'row'""",
    """CREATE INDEX entry_of_deletion ON batchconnect.entry (marker)
        WHERE marker IS NOT NULL AND kind IN ('deleting', 'deleted')""",
    f"CREATE INDEX entry_of_connection ON batchconnect.entry ({ID}) WHERE {IS_CREATED}",
    # The number of a run is that of its first line.
    """CREATE TABLE batchconnect.run (
        number bigint PRIMARY KEY,
        run_id text NOT NULL UNIQUE,
        lane bigint NOT NULL REFERENCES batchconnect.lane
    )""",
    """CREATE FUNCTION batchconnect.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    *(
        f"""CREATE TRIGGER {table}_is_never_{word} BEFORE {events} ON batchconnect.{table}
        FOR EACH STATEMENT EXECUTE FUNCTION batchconnect.refuse()"""
        for table in ("entry", "run")
        for word, events in (("changed", "UPDATE OR DELETE"), ("emptied", "TRUNCATE"))
    ),
)

# The plans of a session are made while the tables are small, and kept: they have to be those of large ones.

# A lane's next number is asked for in a statement of its own: by then who held it before has committed.
_TAKE: Final = """CREATE FUNCTION batchconnect.take(
    p_host text, p_org_id text, p_client_id text, p_run_id text, p_holder text,
    OUT id bigint, OUT epoch bigint, OUT n bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO batchconnect.lane (host, org_id, client_id, run_id)
        VALUES (p_host, p_org_id, p_client_id, p_run_id) ON CONFLICT DO NOTHING;
    UPDATE batchconnect.lane AS l
        SET epoch = l.epoch + 1, holder = p_holder, taken_at = clock_timestamp()
        WHERE (l.host, l.org_id, l.client_id, l.run_id)
            = (p_host, p_org_id, p_client_id, p_run_id)
        RETURNING l.id, l.epoch INTO id, epoch;
    SELECT coalesce(max(e.n), 0) + 1 INTO n FROM batchconnect.entry AS e WHERE e.lane = take.id;
END $$"""


def _append(create: str, *, known: str, among: str = "") -> str:
    """The function that lines go in by, with its two looks at what stands there already."""
    return f"""{create} FUNCTION batchconnect.append(
    p_lane bigint, p_epoch bigint, p_n bigint, p_runs bigint[], p_rows integer[], p_markers text[],
    p_kinds text[], p_times bigint[], p_bodies text[], p_ids text[], p_judged bigint
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
DECLARE
    v_known bigint;
    v_done integer;
    v_last bigint;
BEGIN
    IF current_setting('synchronous_commit') IN ('off', 'local', 'remote_write') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    -- The fence: whoever takes the lane waits for this transaction, or comes first.
    PERFORM FROM batchconnect.lane WHERE id = p_lane AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lane is held by another process' USING ERRCODE = '{LANE_LOST}';
    END IF;
    SELECT coalesce(max(n), 0) INTO v_known FROM batchconnect.entry WHERE lane = p_lane;
    IF p_n > v_known + 1 THEN
        RAISE EXCEPTION 'lines up to % were written, and % is the last', p_n - 1, v_known
            USING ERRCODE = '{LINES_LOST}';
    END IF;
    IF p_n <= v_known THEN
        -- Its answer was lost, and it comes again: then each line is there, as it was sent.
        SELECT count(*), max(e.seq) INTO v_done, v_last
            FROM unnest(p_rows, p_markers, p_kinds, p_times, p_bodies)
                WITH ORDINALITY AS w(row, marker, kind, at_ms, body, place)
            JOIN batchconnect.entry AS e ON e.lane = p_lane AND e.n = p_n + w.place - 1{among}
            WHERE e.epoch = p_epoch AND e.kind = w.kind AND e.body = w.body AND e.at_ms = w.at_ms
                AND e.row IS NOT DISTINCT FROM w.row AND e.marker IS NOT DISTINCT FROM w.marker;
        IF v_done <> cardinality(p_kinds) THEN
            RAISE EXCEPTION 'other lines have these numbers' USING ERRCODE = '{OTHER_LINES}';
        END IF;
        RETURN v_last;
    END IF;
    IF p_ids IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(id, 0))
            FROM (SELECT DISTINCT id FROM unnest(p_ids) AS u(id) WHERE id IS NOT NULL ORDER BY id) AS i;
        {known}
        IF FOUND THEN
            RAISE EXCEPTION 'a row has such an id' USING ERRCODE = '{ID_IS_KNOWN}';
        END IF;
    END IF;
    INSERT INTO batchconnect.entry (lane, n, seq, epoch, run, at_ms, row, marker, kind, body)
        SELECT p_lane, p_n + u.place - 1, u.seq, p_epoch, coalesce(u.run, u.seq), u.at_ms, u.row,
            u.marker, u.kind, u.body
        FROM (
            SELECT nextval('batchconnect.entry_seq') AS seq, w.*
            FROM unnest(p_runs, p_rows, p_markers, p_kinds, p_times, p_bodies)
                WITH ORDINALITY AS w(run, row, marker, kind, at_ms, body, place)
        ) AS u;
    IF 'run_opened' = ANY (p_kinds) THEN
        INSERT INTO batchconnect.run (number, run_id, lane)
            SELECT run, body::json ->> 'run_id', lane FROM batchconnect.entry
            WHERE lane = p_lane AND n >= p_n AND kind = 'run_opened';
    END IF;
    INSERT INTO batchconnect.about (word, value)
        SELECT DISTINCT 'kind:' || kind, '' FROM unnest(p_kinds) AS k(kind)
        WHERE NOT EXISTS (SELECT FROM batchconnect.about WHERE word = 'kind:' || kind)
        ON CONFLICT DO NOTHING;
    RETURN currval('batchconnect.entry_seq');
END $$"""


_JOINED: Final = f"""PERFORM FROM unnest(p_ids, p_markers) AS u(id, of_marker)
            JOIN batchconnect.entry ON {ID} = u.id AND {IS_CREATED}
            WHERE marker <> u.of_marker AND seq > p_judged;"""

# A join is the planner's to choose, and of a table that it has no statistics of it takes all that was ever created
# for less than a look at each id. A subquery with a limit is asked once for each.
_LOOKED_UP: Final = f"""PERFORM FROM unnest(p_ids, p_markers) AS u(id, of_marker)
            WHERE id IS NOT NULL AND (
                SELECT true FROM batchconnect.entry
                WHERE {ID} = u.id AND {IS_CREATED} AND marker <> u.of_marker AND seq > p_judged
                LIMIT 1
            );"""
_THESE_NUMBERS: Final = """
                AND e.n BETWEEN p_n AND p_n + cardinality(p_kinds) - 1"""

# The first use says for which platform host and mode the ledger is; later ones are told what it is for.
_BELONG: Final = """CREATE FUNCTION batchconnect.belong(p_words text[], p_values text[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO batchconnect.about (word, value)
        SELECT * FROM unnest(p_words, p_values) AS u(word, value) WHERE word IN ('host', 'mode')
        ON CONFLICT DO NOTHING
$$"""

MIGRATIONS: Final[Mapping[int, tuple[str, ...]]] = {
    1: (
        *_TABLES,
        _TAKE,
        _append("CREATE", known=_JOINED),
        _BELONG,
        "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA batchconnect FROM PUBLIC",
    ),
    2: LEASES,
    3: (_append("CREATE OR REPLACE", known=_LOOKED_UP, among=_THESE_NUMBERS),),
    4: PINS,
}
"""For each version of the schema, the statements that lead to it from the one before."""

VERSION: Final = max(MIGRATIONS)
