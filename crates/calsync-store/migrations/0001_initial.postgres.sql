-- What 0001_initial.sql says in words that only PostgreSQL understands: triggers.

CREATE FUNCTION count_subscription(of_provider text, of_status text, id uuid, calendar uuid, by bigint) RETURNS void
LANGUAGE sql AS $$
    -- The first is counted down by a row that another transaction may be counting up: each adds to what it finds.
    INSERT INTO subscription_figures AS f (provider, status, part, subscriptions)
        VALUES (of_provider, of_status, get_byte(uuid_send(id), 15) % 8, by)
        ON CONFLICT (provider, status, part) DO UPDATE SET subscriptions = f.subscriptions + excluded.subscriptions;
    UPDATE calendars SET watched = watched + by WHERE calendars.id = calendar AND of_status = 'active';
$$;

CREATE FUNCTION count_subscriptions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Always in the order of their names: of two that change places, neither waits for the other crosswise.
    IF TG_OP = 'UPDATE' AND new.status < old.status THEN
        PERFORM count_subscription(new.provider, new.status, new.id, new.calendar_id, 1);
        PERFORM count_subscription(old.provider, old.status, old.id, old.calendar_id, -1);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM count_subscription(old.provider, old.status, old.id, old.calendar_id, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM count_subscription(new.provider, new.status, new.id, new.calendar_id, 1);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER subscription_counted AFTER INSERT OR DELETE ON webhook_subscriptions
    FOR EACH ROW EXECUTE FUNCTION count_subscriptions();
CREATE TRIGGER subscription_changed AFTER UPDATE OF status ON webhook_subscriptions
    FOR EACH ROW WHEN (old.status IS DISTINCT FROM new.status) EXECUTE FUNCTION count_subscriptions();

-- Receipts in one call, so in one round trip: notifications are stored, and what is new makes its calendars due. Gives the
-- ids that are new. Parameters: ids, calendars, subscriptions, notification ids, received at, headers, payloads, whether a
-- look is asked for (1) or not (a confirmation), each once per receipt; and the part of the figures to add to.
--
-- So that of two batches, or of a batch and a run, neither waits for the other crosswise: calendars are locked first, as
-- everywhere, and in the order of their ids; then rows are stored in the order of their key, and whoever has the same one has
-- the same calendar; subscriptions come after that, because a run that takes up what is stored again marks them; and figures,
-- which all share, last. Each in a statement of its own, for a statement goes by what it saw when it began: one that locks a
-- row and then changes it may wait for an old version of the row on which somebody sits who waits for the new one.
CREATE FUNCTION receive(uuid[], uuid[], uuid[], text[], bigint[], text[], text[], bigint[], bigint) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE
    fresh uuid[];
BEGIN
    PERFORM c.id FROM calendars c WHERE c.id = ANY($2) ORDER BY c.id FOR NO KEY UPDATE;
    -- An id of ours counts once, as everywhere.
    WITH v AS (SELECT DISTINCT ON (id) * FROM unnest($1, $3, $4, $5, $6, $7, $8)
            AS t (id, subscription_id, notification_id, received_at, headers, payload, sync)),
        stored AS (INSERT INTO webhook_notifications (id, subscription_id, notification_id, received_at, headers, payload,
                processing_status, processing_completed_at, processing_time_ms)
            SELECT id, subscription_id, notification_id, received_at, headers, payload,
                CASE WHEN sync = 1 THEN 'pending' ELSE 'completed' END, CASE WHEN sync = 1 THEN NULL ELSE received_at END,
                CASE WHEN sync = 1 THEN NULL ELSE 0 END
            FROM v ORDER BY subscription_id, notification_id ON CONFLICT DO NOTHING RETURNING id)
        SELECT array_agg(id) INTO fresh FROM stored;
    IF fresh IS NULL THEN
        RETURN;
    END IF;
    -- A confirmation says of its channel that it lives.
    IF 0 = ANY($8) THEN
        PERFORM s.id FROM webhook_subscriptions s WHERE s.id = ANY($3) ORDER BY s.id FOR NO KEY UPDATE;
    END IF;
    WITH v AS MATERIALIZED (SELECT DISTINCT ON (id) t.* FROM unnest($1, $2, $3, $5, $8)
            AS t (id, calendar_id, subscription_id, received_at, sync) JOIN unnest(fresh) AS f (id) USING (id)),
        confirmed AS (UPDATE webhook_subscriptions s SET failure_count = 0, last_notification_at = heard.at
            FROM (SELECT subscription_id, max(received_at) AS at FROM v WHERE sync = 0 GROUP BY 1) heard
            WHERE s.id = heard.subscription_id AND (s.last_notification_at IS NULL OR s.last_notification_at < heard.at)),
        due AS (UPDATE calendars c SET dirty_generation = c.dirty_generation + raised.times,
                due_at = least(c.due_at, raised.at), open_since = least(c.open_since, raised.at)
            FROM (SELECT calendar_id, min(received_at) AS at, count(*) AS times FROM v WHERE sync = 1 GROUP BY 1) raised
            WHERE c.id = raised.calendar_id)
        INSERT INTO notification_figures AS f (minute, part, received, completed, failed, time_ms,
            calendars_synced, events_processed, busy_blocks_updated)
        SELECT received_at - received_at % 60000000, $9, count(*), count(*) FILTER (WHERE sync = 0), 0, 0, 0, 0, 0
        FROM v GROUP BY 1 ORDER BY 1
        ON CONFLICT (minute, part) DO UPDATE
        SET received = f.received + excluded.received, completed = f.completed + excluded.completed;
    RETURN QUERY SELECT unnest(fresh);
END
$$;
