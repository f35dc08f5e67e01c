// Google's own Node client against the look-alike: what it can read and write there, and what it is refused.
//
//   CALSYNC_CLIENTS_DIR=DIR node google_node.mjs BASE_URL TOKEN TEAM_CALENDAR HOLIDAY_CALENDAR
//
// The token's person has a second calendar of their own, which is used here, and a generated one to read.
// Prints one line and exits 0 if everything was as google.md says.
import assert from "node:assert/strict";
import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.CALSYNC_CLIENTS_DIR, "package.json"));
const { auth, calendar } = require("@googleapis/calendar");

const [base, token, calendarId, holidays] = process.argv.slice(2);
const who = new auth.OAuth2();
who.setCredentials({ access_token: token });
const api = calendar({ version: "v3", auth: who, rootUrl: `${base}/`, retryConfig: { retry: 0 }, retry: false });
let checks = 0;

const same = (got, want, what) => { checks += 1; assert.deepEqual(got, want, what); };
const refused = async (status, reason, promise) => {
  checks += 1;
  const error = await promise.then(() => assert.fail(`not refused: ${status} ${reason}`), (e) => e);
  assert.equal(error.response?.status, status, String(error));
  assert.equal(error.response.data.error.errors[0].reason, reason);
};
const timed = (summary, day, more = {}) => ({
  summary,
  start: { dateTime: `2026-12-${String(day).padStart(2, "0")}T09:00:00`, timeZone: "Europe/Vienna" },
  end: { dateTime: `2026-12-${String(day).padStart(2, "0")}T10:00:00`, timeZone: "Europe/Vienna" },
  ...more,
});
const walk = async (params) => {
  const items = [];
  let pageToken;
  for (let pages = 1; ; pages += 1) {
    const { data } = await api.events.list({ calendarId, ...params, pageToken });
    items.push(...(data.items ?? []));
    pageToken = data.nextPageToken;
    if (!pageToken) return { items, pages, syncToken: data.nextSyncToken };
  }
};

// Paging, sync tokens, tombstones.
const before = await walk({ showDeleted: true, maxResults: 2500 });
const made = [];
for (let n = 1; n <= 5; n += 1) made.push((await api.events.insert({ calendarId, sendUpdates: "none", requestBody: timed(`n${n}`, n) })).data);
const delta = await walk({ showDeleted: true, maxResults: 2, syncToken: before.syncToken });
same([delta.items.map((e) => e.summary), delta.pages], [["n1", "n2", "n3", "n4", "n5"], 3], "a delta in pages");
await api.events.delete({ calendarId, eventId: made[0].id, sendUpdates: "none" });
const gone = await walk({ showDeleted: true, syncToken: delta.syncToken });
same(gone.items.map((e) => [e.id, e.status, e.summary]), [[made[0].id, "cancelled", undefined]], "a tombstone");
await refused(410, "deleted", api.events.delete({ calendarId, eventId: made[0].id }));
await refused(400, "invalidParameter", api.events.list({ calendarId, syncToken: gone.syncToken, timeMin: "2026-01-01T00:00:00Z" }));

// Ids, guards, 304.
const own = (await api.events.insert({ calendarId, requestBody: timed("mine", 8, { id: "cs0123456789abcdefghijklmnopqrstuv" }) })).data;
await refused(409, "duplicate", api.events.insert({ calendarId, requestBody: timed("mine", 8, { id: own.id }) }));
await refused(400, "invalid", api.events.insert({ calendarId, requestBody: timed("mine", 8, { id: "not-an-id" }) }));
const stale = { headers: { "If-Match": '"1"' } };
await refused(412, "conditionNotMet", api.events.patch({ calendarId, eventId: own.id, requestBody: { summary: "x" } }, stale));
const fresh = (await api.events.patch({ calendarId, eventId: own.id, requestBody: { summary: "x" } }, { headers: { "If-Match": own.etag } })).data;
same(fresh.summary, "x", "a guarded patch");
const unchanged = await api.events.get({ calendarId, eventId: own.id }, { headers: { "If-None-Match": fresh.etag } }).catch((e) => e.response);
same(unchanged.status, 304, "304");

// Merging and properties.
const tagged = (await api.events.insert({ calendarId, requestBody: timed("t", 9, { location: "here", extendedProperties: { private: { a: "1", ["k".repeat(45)]: "x" } } }) })).data;
same(tagged.extendedProperties, { private: { a: "1" } }, "long names are dropped");
const merged = (await api.events.patch({ calendarId, eventId: tagged.id, requestBody: { location: null, extendedProperties: { private: { b: "2" } } } })).data;
same([merged.location, merged.extendedProperties], [undefined, { private: { a: "1", b: "2" } }], "a patch merges");
same((await walk({ privateExtendedProperty: ["b=2"] })).items.map((e) => e.id), [tagged.id], "found by a property");

// Series, instances, ranges.
const master = (await api.events.insert({ calendarId, requestBody: timed("daily", 14, { recurrence: ["RRULE:FREQ=DAILY;COUNT=4"] }) })).data;
const instances = (await api.events.instances({ calendarId, eventId: master.id })).data.items;
same(instances.map((e) => e.start.dateTime.slice(0, 10)), ["2026-12-14", "2026-12-15", "2026-12-16", "2026-12-17"], "instances");
await api.events.delete({ calendarId, eventId: instances[1].id });
const ranged = await walk({ singleEvents: true, orderBy: "startTime", timeMin: "2026-12-14T09:00:00Z", timeMax: "2026-12-17T08:00:00Z" });
same(ranged.items.map((e) => e.start.dateTime.slice(0, 10)), ["2026-12-16"], "a range of an expanded series");
const one = (await api.events.instances({ calendarId, eventId: instances[2].id })).data.items;
same(one.map((e) => e.id), [instances[2].id], "an instance has one instance");
await refused(400, "timeRangeEmpty", api.events.list({ calendarId, timeMin: "2026-12-02T00:00:00Z", timeMax: "2026-12-01T00:00:00Z" }));

// Lists.
const entries = (await api.calendarList.list({ minAccessRole: "writer" })).data.items.map((e) => e.id);
same([entries.includes(calendarId), entries.includes(holidays)], [true, false], "minAccessRole");
const busy = (await api.freebusy.query({ requestBody: { timeMin: "2026-12-16T00:00:00Z", timeMax: "2026-12-17T00:00:00Z", items: [{ id: calendarId }] } })).data;
same(busy.calendars[calendarId].busy, [{ start: "2026-12-16T08:00:00Z", end: "2026-12-16T09:00:00Z" }], "busy");

// OAuth by the same library: consent, PKCE, exchange, refresh, token info, revocation.
const program = new auth.OAuth2({
  clientId: "app", clientSecret: "s3cret", redirectUri: "http://127.0.0.1:3000/oauth/google/callback",
  endpoints: {
    oauth2AuthBaseUrl: `${base}/o/oauth2/v2/auth`, oauth2TokenUrl: `${base}/token`,
    oauth2RevokeUrl: `${base}/revoke`, tokenInfoUrl: `${base}/tokeninfo`,
  },
});
const pkce = await program.generateCodeVerifierAsync();
const consent = program.generateAuthUrl({
  access_type: "offline", prompt: "consent", login_hint: "ann@example.com", state: "abc",
  scope: ["openid", "email", "https://www.googleapis.com/auth/calendar.events"],
  code_challenge: pkce.codeChallenge, code_challenge_method: "S256",
});
const back = new URL((await fetch(consent, { redirect: "manual" })).headers.get("location"));
same(back.searchParams.get("state"), "abc", "state comes back");
const { tokens } = await program.getToken({ code: back.searchParams.get("code"), codeVerifier: pkce.codeVerifier });
same([tokens.token_type, typeof tokens.refresh_token, typeof tokens.id_token], ["Bearer", "string", "string"], "tokens");
program.setCredentials({ refresh_token: tokens.refresh_token });
const renewed = (await program.refreshAccessToken()).credentials;
same(renewed.access_token !== tokens.access_token, true, "another access token");
same((await program.getTokenInfo(renewed.access_token)).email, "ann@example.com", "whose it is");
const theirs = calendar({ version: "v3", auth: program, rootUrl: `${base}/` });
same((await theirs.events.list({ calendarId: "primary" })).data.kind, "calendar#events", "and it opens the calendar");
await program.revokeToken(renewed.access_token);
const dead = await program.getToken({ code: back.searchParams.get("code"), codeVerifier: pkce.codeVerifier }).catch((e) => e.response);
same([dead.status, dead.data.error], [400, "invalid_grant"], "a code is single use");
program.setCredentials({ refresh_token: tokens.refresh_token });
const revoked = await program.refreshAccessToken().catch((e) => e.response);
same([revoked.status, revoked.data.error_description], [400, "Token has been expired or revoked."], "revoked");

// Watch and stop.
const states = [];
const hook = http.createServer((request, response) => {
  if (request.method === "POST") states.push([request.headers["x-goog-channel-id"], request.headers["x-goog-resource-state"]]);
  response.writeHead(request.method === "POST" ? 200 : 404).end();
});
await new Promise((done) => hook.listen(0, "127.0.0.1", done));
const heard = async (want) => {
  for (let n = 0; n < 200 && !states.some((s) => s.join() === want.join()); n += 1) await new Promise((r) => setTimeout(r, 50));
  same(states.some((s) => s.join() === want.join()), true, `a message: ${want}`);
};
const wish = { id: "node-channel", type: "web_hook", address: `http://127.0.0.1:${hook.address().port}/hook`, expiration: String(Date.parse("2026-11-05T00:00:00Z")) };
const channel = (await api.events.watch({ calendarId, requestBody: wish })).data;
same([channel.expiration, typeof channel.resourceId], [wish.expiration, "string"], "the more restrictive expiry");
await heard(["node-channel", "sync"]);
await api.events.delete({ calendarId, eventId: tagged.id });
await heard(["node-channel", "exists"]);
await refused(400, "channelIdNotUnique", api.events.watch({ calendarId, requestBody: wish }));
await refused(400, "push.webhookUrlNotHttps", api.events.watch({ calendarId, requestBody: { ...wish, id: "y", address: "http://example.com/" } }));
same((await api.channels.stop({ requestBody: { id: channel.id, resourceId: channel.resourceId } })).status, 204, "stopped");
await refused(404, "notFound", api.channels.stop({ requestBody: { id: channel.id, resourceId: channel.resourceId } }));
hook.close();
hook.closeAllConnections();
console.log(`@googleapis/calendar: ${checks} checks held`);
