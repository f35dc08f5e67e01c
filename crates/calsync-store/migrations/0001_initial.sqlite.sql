-- What 0001_initial.sql says in words that only SQLite understands: triggers.

CREATE TRIGGER subscription_made AFTER INSERT ON webhook_subscriptions BEGIN
    INSERT INTO subscription_figures (provider, status, part, subscriptions) VALUES (new.provider, new.status, 0, 1)
        ON CONFLICT (provider, status, part) DO UPDATE SET subscriptions = subscriptions + 1;
    UPDATE calendars SET watched = watched + 1 WHERE id = new.calendar_id AND new.status = 'active';
END;

CREATE TRIGGER subscription_removed AFTER DELETE ON webhook_subscriptions BEGIN
    UPDATE subscription_figures SET subscriptions = subscriptions - 1
        WHERE provider = old.provider AND status = old.status AND part = 0;
    UPDATE calendars SET watched = watched - 1 WHERE id = old.calendar_id AND old.status = 'active';
END;

CREATE TRIGGER subscription_changed AFTER UPDATE OF status ON webhook_subscriptions WHEN old.status <> new.status BEGIN
    UPDATE subscription_figures SET subscriptions = subscriptions - 1
        WHERE provider = old.provider AND status = old.status AND part = 0;
    INSERT INTO subscription_figures (provider, status, part, subscriptions) VALUES (new.provider, new.status, 0, 1)
        ON CONFLICT (provider, status, part) DO UPDATE SET subscriptions = subscriptions + 1;
    UPDATE calendars SET watched = watched - 1 WHERE id = old.calendar_id AND old.status = 'active';
    UPDATE calendars SET watched = watched + 1 WHERE id = new.calendar_id AND new.status = 'active';
END;
