-- The whole of spec §2, and the state of the walk: mirror, ledger, outbox, holds, leases.
--
-- One text for every dialect. Words in braces are replaced by the dialect: {id} a UUID of 16 bytes, {int} a 64-bit
-- integer (also: booleans as 0 and 1, times as microseconds since 1970 in UTC), {text}, {bytes}, {serial} a key that
-- counts up by itself; {rows}, {busy_rows} and {clustered} the ends of a table (of rows that change often; stored in the order
-- of its key).

CREATE TABLE users (
    id          {id} NOT NULL PRIMARY KEY,
    email       {text} NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) > 0),
    is_staff    {int} NOT NULL CHECK (is_staff IN (0, 1)),
    -- Argon2id, in the PHC form. Without one nobody signs in with a password.
    password    {text},
    -- What new calendars begin with, once somebody said so.
    rule_defaults {text},
    created_at  {int} NOT NULL
){rows};

-- Browsers that have signed in. Of what they show only the SHA-256 is stored.
CREATE TABLE sessions (
    token_hash  {bytes} NOT NULL PRIMARY KEY,
    user_id     {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device      {text} NOT NULL,
    created_at  {int} NOT NULL,
    seen_at     {int} NOT NULL
){rows};
CREATE INDEX sessions_user ON sessions (user_id, seen_at);
CREATE INDEX sessions_seen_at ON sessions (seen_at);
CREATE INDEX sessions_created_at ON sessions (created_at);

-- Sign-ins at a provider's page that are under way.
CREATE TABLE consents (
    token_hash    {bytes} NOT NULL PRIMARY KEY,
    session_hash  {bytes} NOT NULL REFERENCES sessions (token_hash) ON DELETE CASCADE,
    provider      {text} NOT NULL CHECK (provider IN ('google', 'microsoft', 'apple')),
    account_id    {id},
    verifier      {bytes} NOT NULL,
    begun_at      {int} NOT NULL
){rows};
CREATE INDEX consents_session ON consents (session_hash);
CREATE INDEX consents_begun_at ON consents (begun_at);

-- Sign-ins at the organisation's own provider that were answered: each is answered once.
CREATE TABLE spent_sign_ins (
    token_hash  {bytes} NOT NULL PRIMARY KEY,
    begun_at    {int} NOT NULL
){rows};
CREATE INDEX spent_sign_ins_begun_at ON spent_sign_ins (begun_at);

-- Users as that provider knows them: one each.
CREATE TABLE identities (
    issuer      {text} NOT NULL,
    subject     {text} NOT NULL,
    user_id     {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    since       {int} NOT NULL,
    PRIMARY KEY (issuer, subject)
){rows};
CREATE UNIQUE INDEX identities_user ON identities (user_id, issuer);

-- Programs' ways in.
CREATE TABLE access_tokens (
    id          {id} NOT NULL PRIMARY KEY,
    user_id     {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        {text} NOT NULL,
    token_hash  {bytes} NOT NULL UNIQUE,
    created_at  {int} NOT NULL,
    used_at     {int}
){rows};
CREATE INDEX access_tokens_user ON access_tokens (user_id, id);

CREATE TABLE accounts (
    id             {id} NOT NULL PRIMARY KEY,
    user_id        {id} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider       {text} NOT NULL CHECK (provider IN ('google', 'microsoft', 'apple')),
    remote_id      {text} NOT NULL,
    email          {text} NOT NULL,
    status         {text} NOT NULL CHECK (status IN ('active', 'needs_reconnect', 'disabled')),
    status_detail  {text},
    created_at     {int} NOT NULL,
    -- When it was last asked for its calendars.
    asked_at       {int} NOT NULL DEFAULT 0,
    -- One person's alone: two who kept the same calendars in step would remove each other's blocks.
    UNIQUE (provider, remote_id),
    -- Lets a calendar name its account and its user as one pair that cannot disagree.
    UNIQUE (user_id, id)
){rows};
CREATE INDEX accounts_asked_at ON accounts (asked_at, id) WHERE status = 'active';
-- Those that nobody reads.
CREATE INDEX accounts_idle ON accounts (user_id, id) WHERE status <> 'active';

-- Apart from the accounts: nothing that only wants to show an account ever reads these.
CREATE TABLE credentials (
    account_id  {id} NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    sealed      {bytes} NOT NULL,
    version     {int} NOT NULL
){rows};

CREATE TABLE calendars (
    id                        {id} NOT NULL PRIMARY KEY,
    account_id                {id} NOT NULL,
    user_id                   {id} NOT NULL,
    remote_id                 {text} NOT NULL,
    name                      {text} NOT NULL,
    time_zone                 {text} NOT NULL,
    colour                    {text},
    access                    {text} NOT NULL CHECK (access IN ('free_busy', 'read', 'write', 'owner')),
    sync_enabled              {int} NOT NULL DEFAULT 0 CHECK (sync_enabled IN (0, 1)),
    -- Why it takes no part, until its blocks are removed, or for as long as they are to stand.
    leaving                   {text} CHECK (leaving IN ('disabled', 'reset', 'stopped')),
    webhook_enabled           {int} NOT NULL DEFAULT 1 CHECK (webhook_enabled IN (0, 1)),
    fallback_polling_enabled  {int} NOT NULL DEFAULT 1 CHECK (fallback_polling_enabled IN (0, 1)),
    missing                   {int} NOT NULL DEFAULT 0 CHECK (missing IN (0, 1)),
    push_unsupported          {int} NOT NULL DEFAULT 0 CHECK (push_unsupported IN (0, 1)),
    webhook_last_activity     {int},
    webhook_failure_streak    {int} NOT NULL DEFAULT 0 CHECK (webhook_failure_streak >= 0),
    last_webhook_failure      {int},
    last_polling_sync         {int},
    last_synced_at            {int},
    last_full_sync            {int},
    cursor_token              {text},
    cursor_params             {text},
    cursor_from               {int},
    cursor_to                 {int},
    -- When it was refused lately.
    lost_cursors              {text} NOT NULL DEFAULT '[]',
    dirty_generation          {int} NOT NULL DEFAULT 0,
    synced_generation         {int} NOT NULL DEFAULT 0,
    due_at                    {int},
    plan_due                  {int} NOT NULL DEFAULT 0 CHECK (plan_due IN (0, 1)),
    full_due                  {int} NOT NULL DEFAULT 0 CHECK (full_due IN (0, 1)),
    -- No notification of it that was received before is open: what a run serves is found without walking through all
    -- that is finished.
    open_since                {int},
    -- Active subscriptions, kept by triggers.
    watched                   {int} NOT NULL DEFAULT 0,
    -- What the rollout flags were last found to say.
    push_admitted             {int} NOT NULL DEFAULT 1 CHECK (push_admitted IN (0, 1)),
    -- No channel is opened for it before.
    watch_after               {int} NOT NULL DEFAULT 0,
    UNIQUE (account_id, remote_id),
    UNIQUE (user_id, id),
    FOREIGN KEY (user_id, account_id) REFERENCES accounts (user_id, id) ON DELETE CASCADE,
    CHECK (leaving IS NULL OR sync_enabled = 0),
    -- A cursor is whole or absent.
    CHECK ((cursor_token IS NULL) = (cursor_params IS NULL)
       AND (cursor_token IS NULL) = (cursor_from IS NULL)
       AND (cursor_token IS NULL) = (cursor_to IS NULL))
){busy_rows};
-- What to work on next, the longest due first, and whose it is: claiming reads nothing but this.
CREATE INDEX calendars_due ON calendars (due_at, user_id) WHERE due_at IS NOT NULL;
-- Those that could have a push channel and have none, the longest waiting first.
CREATE INDEX calendars_unwatched ON calendars (watch_after, id)
    WHERE sync_enabled = 1 AND webhook_enabled = 1 AND missing = 0 AND push_unsupported = 0 AND push_admitted = 1
        AND watched = 0;
-- Those that nobody can read, though a channel still stands.
CREATE INDEX calendars_missing ON calendars (account_id) WHERE missing = 1 AND watched > 0;
CREATE INDEX calendars_account ON calendars (user_id, account_id);

CREATE TABLE rules (
    id       {id} NOT NULL PRIMARY KEY,
    user_id  {id} NOT NULL,
    source   {id} NOT NULL,
    target   {id} NOT NULL,
    options  {text} NOT NULL,
    UNIQUE (source, target),
    CHECK (source <> target),
    -- Both ends belong to the rule's user.
    FOREIGN KEY (user_id, source) REFERENCES calendars (user_id, id) ON DELETE CASCADE,
    FOREIGN KEY (user_id, target) REFERENCES calendars (user_id, id) ON DELETE CASCADE
){rows};
CREATE INDEX rules_source ON rules (user_id, source);
CREATE INDEX rules_target ON rules (user_id, target);

CREATE TABLE webhook_subscriptions (
    id                    {id} NOT NULL PRIMARY KEY,
    calendar_id           {id} NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    provider              {text} NOT NULL CHECK (provider IN ('google', 'microsoft', 'apple')),
    subscription_id       {text} NOT NULL CHECK (length(subscription_id) <= 255),
    webhook_url           {text} NOT NULL,
    resource_id           {text} NOT NULL CHECK (length(resource_id) <= 255),
    token_hash            {bytes} NOT NULL,
    created_at            {int} NOT NULL,
    expires_at            {int} NOT NULL,
    status                {text} NOT NULL CHECK (status IN ('active', 'expired', 'failed', 'suspended')),
    last_notification_at  {int},
    verified_at           {int},
    last_renewal_at       {int},
    failure_count         {int} NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
    -- When somebody sees to it next, and when its channel is to be closed at the provider.
    renew_at              {int} NOT NULL,
    close_at              {int},
    -- How well it delivers: changes that it told of and that were found without it, misses in a row, and changes found of
    -- which nobody knows yet.
    heard                 {int} NOT NULL DEFAULT 0 CHECK (heard >= 0),
    missed                {int} NOT NULL DEFAULT 0 CHECK (missed >= 0),
    missed_streak         {int} NOT NULL DEFAULT 0 CHECK (missed_streak >= 0),
    unannounced_at        {int},
    unannounced           {int} NOT NULL DEFAULT 0 CHECK (unannounced >= 0),
    provider_metadata     {text} NOT NULL,
    -- Unique for its provider: what two providers choose has nothing to do with each other.
    UNIQUE (provider, subscription_id)
){busy_rows};
-- At most one active row per calendar and provider; older ones stay as history.
CREATE UNIQUE INDEX webhook_subscriptions_one_active ON webhook_subscriptions (calendar_id, provider)
    WHERE status = 'active';
CREATE INDEX webhook_subscriptions_calendar ON webhook_subscriptions (calendar_id, provider, created_at, id);
-- Also serves (provider, status).
CREATE INDEX webhook_subscriptions_provider_status_last ON webhook_subscriptions (provider, status, last_notification_at);
CREATE INDEX webhook_subscriptions_expires_at ON webhook_subscriptions (expires_at);
-- Renewals: without the history, whose ends are the earliest of all.
CREATE INDEX webhook_subscriptions_active_end ON webhook_subscriptions (expires_at) WHERE status = 'active';
-- What is to be done: see to one, close one.
CREATE INDEX webhook_subscriptions_renew_at ON webhook_subscriptions (renew_at) WHERE status = 'active';
CREATE INDEX webhook_subscriptions_close_at ON webhook_subscriptions (close_at) WHERE close_at IS NOT NULL;
-- Silence, from the last sign of life: what was delivered, a reading that agreed, or else its creation.
CREATE INDEX webhook_subscriptions_alive_at ON webhook_subscriptions
    ((CASE WHEN verified_at > coalesce(last_notification_at, created_at) THEN verified_at
      ELSE coalesce(last_notification_at, created_at) END)) WHERE status = 'active';
-- For people who leaf through the history. Without the active ones: no planner is to take it for a way to these.
CREATE INDEX webhook_subscriptions_history ON webhook_subscriptions (status, id) WHERE status <> 'active';
-- History that may go.
CREATE INDEX webhook_subscriptions_ended ON webhook_subscriptions (expires_at) WHERE status <> 'active';
CREATE INDEX webhook_subscriptions_failing ON webhook_subscriptions (failure_count, id)
    WHERE status = 'active' AND failure_count > 0;

CREATE TABLE webhook_notifications (
    id                       {id} NOT NULL PRIMARY KEY,
    subscription_id          {id} NOT NULL REFERENCES webhook_subscriptions (id) ON DELETE CASCADE,
    notification_id          {text} NOT NULL CHECK (length(notification_id) <= 255),
    received_at              {int} NOT NULL,
    headers                  {text} NOT NULL,
    payload                  {text} NOT NULL,
    processing_status        {text} NOT NULL
        CHECK (processing_status IN ('pending', 'processing', 'completed', 'failed', 'retrying')),
    processing_started_at    {int},
    processing_completed_at  {int},
    processing_time_ms       {int} CHECK (processing_time_ms >= 0),
    error_message            {text},
    retry_count              {int} NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    next_retry_at            {int},
    -- No reference: the run log is pruned by itself.
    run_id                   {id},
    calendars_synced         {int} NOT NULL DEFAULT 0,
    events_processed         {int} NOT NULL DEFAULT 0,
    busy_blocks_updated      {int} NOT NULL DEFAULT 0,
    UNIQUE (subscription_id, notification_id),
    CHECK ((processing_status = 'retrying') = (next_retry_at IS NOT NULL)),
    CHECK (processing_status <> 'processing' OR (run_id IS NOT NULL AND processing_started_at IS NOT NULL)),
    CHECK ((processing_status IN ('completed', 'failed')) = (processing_completed_at IS NOT NULL))
){clustered};
CREATE INDEX webhook_notifications_received_at ON webhook_notifications (received_at);
CREATE INDEX webhook_notifications_status_received_at ON webhook_notifications (processing_status, received_at);
CREATE INDEX webhook_notifications_subscription_received_at ON webhook_notifications (subscription_id, received_at);
-- Those that wait for another try, in words that lead no planner to the index on the status.
CREATE INDEX webhook_notifications_next_retry_at ON webhook_notifications (next_retry_at)
    WHERE next_retry_at IS NOT NULL;

-- Figures of notifications by the minute of their receipt, kept as they change: nobody counts a day's rows. Split into
-- parts, so that writers seldom meet on one row.
CREATE TABLE notification_figures (
    minute               {int} NOT NULL,
    part                 {int} NOT NULL,
    received             {int} NOT NULL,
    completed            {int} NOT NULL,
    failed               {int} NOT NULL,
    time_ms              {int} NOT NULL,
    calendars_synced     {int} NOT NULL,
    events_processed     {int} NOT NULL,
    busy_blocks_updated  {int} NOT NULL,
    PRIMARY KEY (minute, part)
){clustered};

-- How many subscriptions there are, kept by triggers: whatever changes or removes one, by whichever way.
CREATE TABLE subscription_figures (
    provider       {text} NOT NULL,
    status         {text} NOT NULL,
    part           {int} NOT NULL,
    subscriptions  {int} NOT NULL,
    PRIMARY KEY (provider, status, part)
){clustered};

CREATE TABLE sync_runs (
    id              {id} NOT NULL PRIMARY KEY,
    calendar_id     {id} NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    -- Its calendar's: no reference, that goes with the calendar.
    user_id         {id} NOT NULL,
    kind            {text} NOT NULL CHECK (kind IN ('webhook', 'polling', 'full', 'write')),
    trigger_text    {text} NOT NULL,
    started_at      {int} NOT NULL,
    finished_at     {int},
    status          {text} NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
    error           {text},
    events_seen     {int} NOT NULL DEFAULT 0,
    events_created  {int} NOT NULL DEFAULT 0,
    events_updated  {int} NOT NULL DEFAULT 0,
    events_deleted  {int} NOT NULL DEFAULT 0,
    blocks_created  {int} NOT NULL DEFAULT 0,
    blocks_updated  {int} NOT NULL DEFAULT 0,
    blocks_deleted  {int} NOT NULL DEFAULT 0,
    provider_calls  {int} NOT NULL DEFAULT 0,
    -- It planned something to be written: most runs do not.
    wrote           {int} NOT NULL DEFAULT 0 CHECK (wrote IN (0, 1)),
    CHECK ((status = 'failed') = (error IS NOT NULL))
){rows};
CREATE INDEX sync_runs_started_at ON sync_runs (started_at, id);
CREATE INDEX sync_runs_calendar ON sync_runs (calendar_id, started_at, id);
-- What was done for somebody.
CREATE INDEX sync_runs_wrote ON sync_runs (user_id, started_at, id) WHERE wrote = 1;

CREATE TABLE provider_call_stats (
    provider        {text} NOT NULL CHECK (provider IN ('google', 'microsoft', 'apple')),
    minute          {int} NOT NULL,
    calls           {int} NOT NULL CHECK (calls >= 0),
    latency_sum_us  {int} NOT NULL,
    latency_max_us  {int} NOT NULL,
    quota_used      {int} NOT NULL,
    PRIMARY KEY (minute, provider)
){clustered};

CREATE TABLE provider_call_errors (
    provider  {text} NOT NULL CHECK (provider IN ('google', 'microsoft', 'apple')),
    minute    {int} NOT NULL,
    class     {text} NOT NULL,
    count     {int} NOT NULL CHECK (count >= 0),
    PRIMARY KEY (minute, provider, class)
){clustered};

CREATE TABLE alerts (
    seq          {serial},
    kind         {text} NOT NULL,
    subject      {text} NOT NULL,
    level        {text} NOT NULL CHECK (level IN ('info', 'warning', 'error', 'critical')),
    message      {text} NOT NULL,
    action       {text} NOT NULL,
    first_seen   {int} NOT NULL,
    last_seen    {int} NOT NULL,
    resolved_at  {int}
){rows};
CREATE INDEX alerts_newest ON alerts (first_seen, seq);
CREATE INDEX alerts_resolved ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE UNIQUE INDEX alerts_one_open ON alerts (kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX alerts_open ON alerts (first_seen, seq) WHERE resolved_at IS NULL;

-- What people were told of each kind of alert, and the messages on their way.
CREATE TABLE alert_tellings (
    kind     {text} NOT NULL PRIMARY KEY,
    version  {int} NOT NULL,
    telling  {text} NOT NULL
){busy_rows};

CREATE TABLE alert_deliveries (
    id           {id} NOT NULL PRIMARY KEY,
    channel      {text} NOT NULL,
    message      {text} NOT NULL,
    state        {text} NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts     {int} NOT NULL CHECK (attempts >= 0),
    next_try_at  {int},
    error        {text},
    created_at   {int} NOT NULL,
    finished_at  {int},
    CHECK ((state = 'pending') = (next_try_at IS NOT NULL)),
    CHECK ((state = 'pending') = (finished_at IS NULL))
){rows};
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX alert_deliveries_created ON alert_deliveries (created_at, id);
CREATE INDEX alert_deliveries_finished ON alert_deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- How it was in each hour.
CREATE TABLE health_hours (
    hour     {int} NOT NULL PRIMARY KEY,
    active   {int} NOT NULL,
    healthy  {int} NOT NULL,
    worst    {int} NOT NULL CHECK (worst BETWEEN 0 AND 2)
){clustered};

CREATE TABLE settings (
    name   {text} NOT NULL PRIMARY KEY,
    value  {text} NOT NULL
){clustered};

CREATE TABLE audit_log (
    seq   {serial},
    at    {int} NOT NULL,
    who   {text} NOT NULL,
    what  {text} NOT NULL
){rows};
CREATE INDEX audit_log_at ON audit_log (at);

-- Our picture of each calendar: events as the provider tells them, and blocks apart from them.
CREATE TABLE mirror_events (
    calendar_id  {id} NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id     {text} NOT NULL,
    event        {text} NOT NULL,
    PRIMARY KEY (calendar_id, event_id)
){clustered};

CREATE TABLE mirror_blocks (
    calendar_id  {id} NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    event_id     {text} NOT NULL,
    block        {text} NOT NULL,
    PRIMARY KEY (calendar_id, event_id)
){clustered};

-- What we wrote where. Rule and source are no references: blocks outlive both until they are removed.
CREATE TABLE ledger (
    target       {id} NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    correlation  {id} NOT NULL,
    rule_id      {id} NOT NULL,
    source       {id} NOT NULL,
    occurrence   {text} NOT NULL,
    block        {text},
    generation   {int} NOT NULL CHECK (generation >= 0),
    state        {text} NOT NULL CHECK (state IN ('creating', 'live', 'gone', 'yielded')),
    -- Fingerprints: 64 bits, stored as a signed number with the same bits.
    wrote        {int} NOT NULL,
    echo         {int},
    span         {text} NOT NULL,
    repairs      {int} NOT NULL CHECK (repairs BETWEEN 0 AND 255),
    written_at   {int},
    -- What stands there by our hand, and apart from it the texts that were copied from an event: for the journal, and never
    -- read with the rest.
    content      {text},
    texts        {text},
    PRIMARY KEY (target, correlation)
){clustered};
-- What may be forgotten.
CREATE INDEX ledger_gone ON ledger (written_at) WHERE state = 'gone';

-- Writes on their way: committed before the provider is called, settled after it answered.
CREATE TABLE outbox (
    target       {id} NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    correlation  {id} NOT NULL,
    seq          {int} NOT NULL,
    op           {text} NOT NULL,
    attempts     {int} NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    not_before   {int},
    error        {text},
    -- When the change happened that it answers.
    changed_at   {int},
    -- What made it.
    cause        {text},
    PRIMARY KEY (target, correlation)
){clustered};
CREATE UNIQUE INDEX outbox_order ON outbox (target, seq);

-- Every write that was settled. Run, source and rule are no references: each is forgotten by itself.
CREATE TABLE journal (
    seq           {serial},
    run_id        {id} NOT NULL,
    target        {id} NOT NULL REFERENCES calendars (id) ON DELETE CASCADE,
    correlation   {id} NOT NULL,
    source        {id} NOT NULL,
    rule_id       {id} NOT NULL,
    deed          {text} NOT NULL CHECK (deed IN ('created', 'changed', 'removed')),
    reason        {text} NOT NULL,
    block         {text} NOT NULL,
    -- Contents without the texts that were copied from an event, and those apart from them, so that they can be forgotten.
    content_old   {text},
    texts_old     {text},
    content_new   {text},
    texts_new     {text},
    echo          {int},
    seen_at       {int},
    fetched_at    {int},
    written_at    {int} NOT NULL,
    verified_at   {int}
){rows};
CREATE INDEX journal_run ON journal (run_id, seq);
CREATE INDEX journal_block ON journal (target, correlation, seq);
CREATE INDEX journal_written_at ON journal (written_at, seq);
-- What no listing has shown yet.
CREATE INDEX journal_unverified ON journal (target, block) WHERE verified_at IS NULL;
-- What must be forgotten with the rule that copied it.
CREATE INDEX journal_texts ON journal (source, target) WHERE texts_old IS NOT NULL OR texts_new IS NOT NULL;

CREATE TABLE holds (
    target          {id} NOT NULL PRIMARY KEY REFERENCES calendars (id) ON DELETE CASCADE,
    reason          {text} NOT NULL,
    deletions       {int} NOT NULL,
    digest          {int} NOT NULL,
    since           {int} NOT NULL,
    last_agreed_at  {int} NOT NULL,
    agreed          {int} NOT NULL,
    approved        {int} NOT NULL CHECK (approved IN (0, 1)),
    -- The run that was undone, where that is why.
    undone          {id}
){rows};

-- What is known of each rule in force, also of those that nobody stored.
CREATE TABLE rule_freshness (
    rule_id         {id} NOT NULL PRIMARY KEY,
    user_id         {id} NOT NULL,
    source          {id} NOT NULL,
    target          {id} NOT NULL,
    standing        {text} NOT NULL CHECK (standing IN
        ('right', 'filling', 'waiting', 'unread', 'held', 'refused', 'unreadable', 'paused')),
    since           {int} NOT NULL,
    right_at        {int},
    promised_until  {int},
    FOREIGN KEY (user_id, source) REFERENCES calendars (user_id, id) ON DELETE CASCADE,
    FOREIGN KEY (user_id, target) REFERENCES calendars (user_id, id) ON DELETE CASCADE
){busy_rows};
-- Those that are behind are at its old end.
CREATE INDEX rule_freshness_promised ON rule_freshness (promised_until, rule_id) WHERE promised_until IS NOT NULL;
CREATE INDEX rule_freshness_unpromised ON rule_freshness (rule_id) WHERE promised_until IS NULL;
CREATE INDEX rule_freshness_source ON rule_freshness (user_id, source);
CREATE INDEX rule_freshness_target ON rule_freshness (user_id, target);

-- How many changes took about how long, by the hour in which their blocks were written: of each rule for a day, and of all
-- together, split into parts so that writers seldom meet on one row.
CREATE TABLE rule_delays (
    rule_id  {id} NOT NULL REFERENCES rule_freshness (rule_id) ON DELETE CASCADE,
    hour     {int} NOT NULL,
    bucket   {int} NOT NULL,
    changes  {int} NOT NULL,
    PRIMARY KEY (rule_id, hour, bucket)
){clustered};
CREATE INDEX rule_delays_hour ON rule_delays (hour);

CREATE TABLE delay_figures (
    hour     {int} NOT NULL,
    bucket   {int} NOT NULL,
    part     {int} NOT NULL,
    changes  {int} NOT NULL,
    PRIMARY KEY (hour, bucket, part)
){clustered};

-- Who works on what. A row stays when it is given back: its token must never be given out twice.
CREATE TABLE leases (
    resource    {text} NOT NULL PRIMARY KEY,
    user_id     {id} UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    owner       {text},
    token       {int} NOT NULL CHECK (token >= 0),
    claimed_at  {int} NOT NULL,
    expires_at  {int} NOT NULL
){busy_rows};
