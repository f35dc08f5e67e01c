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
