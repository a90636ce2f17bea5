-- Runs on PostgreSQL 15-18 without extensions. Ids are made in Python (ULIDs with a prefix).
-- Two roles share the work: dramagate_api serves requests and sees one tenant's rows only (row-level
-- security by the setting app.tenant); dramagate_worker does the jobs of all tenants.

do $$
begin
  if not exists (select from pg_roles where rolname = 'dramagate_api') then create role dramagate_api nologin; end if;
  if not exists (select from pg_roles where rolname = 'dramagate_worker') then create role dramagate_worker nologin; end if;
  execute format('grant dramagate_api, dramagate_worker to %I', current_user);
end $$;
grant usage on schema dramagate to dramagate_api, dramagate_worker;

create table tenant (
  id text primary key,
  name text not null,
  created_at timestamptz not null default now()
);

-- Only digests: a stolen copy of the table opens nothing. Keys are 256 random bits, so a plain SHA-256 is enough.
create table credential (
  digest bytea primary key,
  tenant text not null references tenant,
  kind text not null check (kind in ('api_key', 'console_link', 'session')),
  name text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- The one question asked before the tenant is known.
create function credential_tenant(asked bytea, as_kind text) returns table (tenant text, name text)
language sql stable security definer set search_path = dramagate, pg_temp as $$
  select c.tenant, c.name from credential c
  where c.digest = asked and c.kind = as_kind and c.revoked_at is null
    and (c.expires_at is null or c.expires_at > now())
$$;

-- A tenant's right to a blob; the bytes themselves may be shared. received_bytes < size_bytes while a
-- resumable upload is under way, and sha256 is null until the last byte is in.
create table upload (
  id text primary key,
  tenant text not null references tenant,
  sha256 text check (sha256 ~ '^[0-9a-f]{64}$'),
  expected_sha256 text check (expected_sha256 ~ '^[0-9a-f]{64}$'),
  size_bytes bigint not null check (size_bytes >= 0),
  received_bytes bigint not null check (received_bytes between 0 and size_bytes),
  file_name text not null,
  media_type text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  check ((sha256 is null) or received_bytes = size_bytes)
);
create index upload_by_content on upload (tenant, sha256) where sha256 is not null;

create table submission (
  id text primary key,
  tenant text not null references tenant,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  media_type text not null,
  kind text not null,
  file_name text not null,
  papers jsonb,
  territories text[] not null default '{}',
  rulebooks text[] not null default '{}',
  gate text not null check (gate in ('prescreen', 'publish')),
  planned_publish_at timestamptz not null,
  state text not null default 'received' check (state in (
    'received', 'verifying', 'screening', 'decided', 'in_queue', 'in_review', 'rendering', 'rescreening',
    'released', 'rejected', 'failed', 'withdrawn', 'superseded')),
  outcome text check (outcome in ('approve', 'segment', 'hold', 'reject')),
  decision jsonb,
  released_sha256 text check (released_sha256 ~ '^[0-9a-f]{64}$'),
  failure jsonb,
  superseded_by text references submission,
  supersedes text references submission,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- failed never means approve, and nothing is released without a verdict that allows it
  check ((outcome is null) = (decision is null)),
  check (state <> 'failed' or (outcome is null and failure is not null)),
  check (state not in ('in_queue', 'in_review', 'released', 'rejected') or outcome is not null),
  check (state <> 'in_queue' or outcome = 'hold'),
  check (state <> 'rejected' or outcome = 'reject'),
  check (state <> 'released' or (outcome in ('approve', 'segment') and released_sha256 is not null)),
  check (released_sha256 is null or (outcome is not null and outcome in ('approve', 'segment'))),
  check (state <> 'superseded' or superseded_by is not null)
);
create index submission_newest on submission (tenant, created_at desc, id desc);

-- received → verifying → screening → (decided | in_queue → in_review → decided) → (rendering → rescreening →)
-- (released | rejected). A worker that takes over begins again at verifying.
create table submission_move (from_state text, to_state text, primary key (from_state, to_state));
insert into submission_move values
  ('received', 'verifying'), ('verifying', 'screening'),
  ('screening', 'decided'), ('screening', 'in_queue'),
  ('decided', 'rendering'), ('rendering', 'rescreening'), ('rescreening', 'in_queue'), ('rescreening', 'released'),
  ('rescreening', 'decided'), ('decided', 'released'), ('decided', 'rejected'),
  ('in_queue', 'in_review'), ('in_review', 'in_queue'), ('in_review', 'decided'),
  ('screening', 'verifying'), ('rendering', 'verifying'), ('rescreening', 'verifying'),
  ('received', 'failed'), ('verifying', 'failed'), ('screening', 'failed'), ('rendering', 'failed'),
  ('rescreening', 'failed'),
  ('received', 'withdrawn'), ('verifying', 'withdrawn'), ('screening', 'withdrawn'), ('rendering', 'withdrawn'),
  ('rescreening', 'withdrawn'), ('decided', 'withdrawn'), ('in_queue', 'withdrawn'), ('in_review', 'withdrawn'),
  ('released', 'withdrawn'), ('rejected', 'withdrawn'), ('failed', 'withdrawn'),
  ('decided', 'superseded'), ('in_queue', 'superseded'), ('released', 'superseded'), ('rejected', 'superseded'),
  ('failed', 'superseded');

create function submission_moves() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and not exists (
    select from dramagate.submission_move where from_state = old.state and to_state = new.state) then
    raise exception 'submission % cannot go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  new.updated_at := clock_timestamp();
  return new;
end $$;
create trigger submission_moves before update on submission for each row execute function submission_moves();

-- What a finished step answered, by what it was made from: a worker that takes over repeats at most one step.
create table step (
  tenant text not null references tenant,
  submission text not null references submission,
  step text not null,
  inputs text not null,
  result jsonb not null,
  duration_ms bigint not null,
  finished_at timestamptz not null default now(),
  primary key (tenant, submission, step, inputs)
);

-- The truth of work. A job belongs to whoever holds its token, for as long as the lease lasts.
create table job (
  id bigint generated always as identity primary key,
  tenant text not null references tenant,
  kind text not null,
  subject text not null,
  state text not null default 'ready' check (state in ('ready', 'leased', 'done', 'failed')),
  priority smallint not null default 5,
  attempt integer not null default 0,
  token uuid,
  worker text,
  lease_until timestamptz,
  run_at timestamptz not null default now(),
  last_error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  check ((state = 'leased') = (token is not null and lease_until is not null))
);
create index job_ready on job (priority desc, id) where state = 'ready';
create index job_leased on job (lease_until) where state = 'leased';
create unique index job_once on job (kind, subject) where state in ('ready', 'leased');

create table idempotency (
  tenant text not null references tenant,
  route text not null,
  key text not null,
  body_sha256 bytea not null,
  state text not null check (state in ('waiting', 'done')),
  status smallint not null,
  headers jsonb not null,
  body text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant, route, key)
);
create index idempotency_age on idempotency (created_at);

create table event (
  seq bigint generated always as identity primary key,
  tenant text not null references tenant,
  submission text not null references submission,
  kind text not null,
  data jsonb not null,
  at timestamptz not null default clock_timestamp()
);
create index event_of on event (submission, seq);

-- Append-only, chained per tenant: each digest covers the one before it.
create table audit (
  tenant text not null references tenant,
  seq bigint not null,
  at timestamptz not null,
  actor text not null,
  action text not null,
  subject text not null,
  data jsonb not null,
  prev bytea not null,
  digest bytea not null,
  primary key (tenant, seq)
);
create table audit_head (
  tenant text primary key references tenant,
  seq bigint not null,
  digest bytea not null
);
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_is_append_only before update or delete or truncate on audit
  for each statement execute function audit_is_append_only();

-- Counts only, across tenants, for operators.
create function workload() returns table (what text, state text, n bigint)
language sql stable security definer set search_path = dramagate, pg_temp as $$
  select 'job', j.state, count(*) from job j group by j.state
  union all select 'submission', s.state, count(*) from submission s group by s.state
$$;

grant execute on function workload() to dramagate_api, dramagate_worker;
grant select on tenant, submission_move to dramagate_api, dramagate_worker;
grant execute on function credential_tenant(bytea, text) to dramagate_api, dramagate_worker;
grant select, insert, update on upload, submission, job, idempotency, audit_head to dramagate_api, dramagate_worker;
grant select, insert on step, event, audit to dramagate_api, dramagate_worker;
grant delete on upload, idempotency to dramagate_api, dramagate_worker;
grant select, insert, update on credential to dramagate_api;

do $$
declare named text;
begin
  foreach named in array array['credential', 'upload', 'submission', 'step', 'job', 'idempotency', 'event', 'audit', 'audit_head'] loop
    execute format('alter table %I enable row level security', named);
    execute format($p$create policy own_rows on %I using (tenant = current_setting('app.tenant', true))
                      with check (tenant = current_setting('app.tenant', true))$p$, named);
  end loop;
  foreach named in array array['job', 'upload', 'idempotency', 'submission', 'event'] loop
    execute format('create policy all_rows on %I to dramagate_worker using (true) with check (true)', named);
  end loop;
end $$;
