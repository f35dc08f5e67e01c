// Microsoft's own Node client against the look-alike: what it can read and write there, and what it is refused.
//
//   CALSYNC_CLIENTS_DIR=DIR node graph_node.mjs BASE_URL TOKEN
//
// The token's person has a default calendar, a second one called Team, which is used here, and Holidays to read.
// Prints one line and exits 0 if everything was as microsoft.md says.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.CALSYNC_CLIENTS_DIR, "package.json"));
const { BatchRequestContent, BatchResponseContent, Client, HTTPMessageHandler, PageIterator, ResponseType } = require("@microsoft/microsoft-graph-client");

const [base, token] = process.argv.slice(2);
const PROPERTY = "String {6a0f0c1e-1111-4222-8333-444455556666} Name CalSyncOrigin";
let checks = 0;

// The usual handlers send tokens over https alone, and take apart only links that begin with it.
class Bearer {
  constructor(text) { this.text = text; }
  setNext(next) { this.next = next; }
  async execute(context) {
    context.request = String(context.request).replace(/^.*\/(?=http:\/\/127\.)/, "");
    context.options.headers = { ...context.options.headers, Authorization: `Bearer ${this.text}` };
    return this.next.execute(context);
  }
}
const clientOf = (text) => {
  const bearer = new Bearer(text);
  bearer.setNext(new HTTPMessageHandler());
  return Client.initWithMiddleware({ baseUrl: `${base}/`, defaultVersion: "v1.0", middleware: bearer });
};
const api = clientOf(token);

const same = (got, want, what) => { checks += 1; assert.deepEqual(got, want, what); };
const refused = async (status, code, promise) => {
  checks += 1;
  const error = await promise.then(() => assert.fail(`not refused: ${status} ${code}`), (e) => e);
  assert.deepEqual([error.statusCode, error.code], [status, code], String(error.body ?? error));
  assert.ok(error.requestId && error.date, "requestId and date");
  return error;
};
const timed = (subject, day, more = {}) => ({
  subject,
  start: { dateTime: `2026-12-${String(day).padStart(2, "0")}T09:00:00`, timeZone: "Europe/Vienna" },
  end: { dateTime: `2026-12-${String(day).padStart(2, "0")}T10:00:00`, timeZone: "Europe/Vienna" },
  ...more,
});
const window = { startDateTime: "2026-12-01T00:00:00Z", endDateTime: "2027-01-01T00:00:00Z" };

// Me, calendars.
same((await api.api("/me").select("mail").get()).mail, "ann@example.com", "me");
const calendars = (await api.api("/me/calendars").get()).value;
const team = calendars.find((c) => c.name === "Team").id;
const holidays = calendars.find((c) => c.name === "Holidays");
same([holidays.canEdit, holidays.canShare], [false, false], "shared in");
const events = `/me/calendars/${team}/events`;
await refused(403, "ErrorAccessDenied", api.api(`/me/calendars/${holidays.id}/events`).post(timed("x", 2)));

// Writes: transactions, extended properties, guards.
const tag = [{ id: PROPERTY, value: "m1:node" }];
const body = timed("Busy", 2, { showAs: "tentative", sensitivity: "private", isReminderOn: false, transactionId: "calsync-node", singleValueExtendedProperties: tag });
const made = await api.api(events).post(body);
same([made.showAs, made.sensitivity, made.isReminderOn, made.start], ["tentative", "private", false, { dateTime: "2026-12-02T08:00:00.0000000", timeZone: "UTC" }], "made");
same((await api.api(events).post(body)).id, made.id, "once");
await refused(409, "ErrorDuplicateTransactionId", api.api(events).post({ ...body, subject: "Other" }));
const expand = `singleValueExtendedProperties($filter=id eq '${PROPERTY}')`;
same((await api.api(`/me/events/${made.id}`).expand(expand).get()).singleValueExtendedProperties, tag, "expanded");
const found = await api.api(events).filter(`singleValueExtendedProperties/Any(ep: ep/id eq '${PROPERTY}' and ep/value eq 'm1:node')`).get();
same(found.value.map((e) => e.id), [made.id], "found by it");
const patched = await api.api(`/me/events/${made.id}`).header("If-Match", made["@odata.etag"]).patch({ showAs: "busy" });
same([patched.showAs, patched.subject], ["busy", "Busy"], "a guarded patch merges");
await refused(412, "ErrorIrresolvableConflict", api.api(`/me/events/${made.id}`).header("If-Match", made["@odata.etag"]).delete());
const allDay = { subject: "day", isAllDay: true, start: { dateTime: "2026-12-24T00:00:00", timeZone: "Europe/Vienna" }, end: { dateTime: "2026-12-25T00:00:00", timeZone: "Europe/Vienna" } };
const day = await api.api(events).post(allDay);
same((await api.api(`/me/events/${day.id}`).header("Prefer", 'outlook.timezone="Asia/Tokyo"').get()).start.dateTime, "2026-12-24T00:00:00.0000000", "days float");
await refused(400, "ErrorInvalidRequest", api.api(events).post({ ...allDay, start: { dateTime: "2026-12-24T01:00:00", timeZone: "Europe/Vienna" } }));
await api.api(`/me/events/${day.id}`).delete();
await refused(404, "ErrorItemNotFound", api.api(`/me/events/${day.id}`).delete());

// Views in pages.
for (let n = 3; n <= 7; n += 1) await api.api(events).post(timed(`n${n}`, n));
const first = await api.api(`/me/calendars/${team}/calendarView`).query(window).top(2).get();
const seen = [];
await new PageIterator(api, first, (e) => { seen.push(e.subject); return true; }).iterate();
same(seen, ["Busy", "n3", "n4", "n5", "n6", "n7"], "a view in pages");
const raw = await api.api(`/me/calendars/${team}/calendarView`).query(window).header("Prefer", 'IdType="ImmutableId", odata.maxpagesize=3').responseType(ResponseType.RAW).get();
same([raw.headers.get("preference-applied"), (await raw.json()).value.length], ['IdType="ImmutableId", odata.maxpagesize=3', 3], "preferences");

// Deltas.
const walk = async (start) => {
  const items = [];
  for (let link = start, pages = 1; ; pages += 1) {
    const page = await api.api(link).header("Prefer", "odata.maxpagesize=4").get();
    items.push(...page.value);
    if (page["@odata.deltaLink"]) return { items, pages, link: page["@odata.deltaLink"] };
    link = page["@odata.nextLink"];
  }
};
const query = new URLSearchParams(window).toString();
const round = await walk(`/me/calendars/${team}/calendarView/delta?${query}`);
same([round.items.length, round.pages], [6, 2], "a round in pages");
await api.api(`/me/events/${made.id}`).delete();
const next = await walk(round.link);
same(next.items, [{ "@odata.type": "#microsoft.graph.event", id: made.id, "@removed": { reason: "deleted" } }], "removed");
same((await walk(next.link)).items, [], "nothing more");
await refused(400, "BadRequest", api.api(`/me/calendars/${team}/calendarView/delta?$deltatoken=junk`).get());

// Batches.
const content = new BatchRequestContent([
  { id: "1", request: new Request(`${base}/me/events`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(timed("batched", 9)) }) },
  { id: "2", request: new Request(`${base}/me/events/junk`, { method: "GET" }), dependsOn: ["1"] },
]);
const parts = await content.getContent();
for (const part of parts.requests) part.url = part.url.replace(/^.*(?=\/me\/)/, "");
const answers = new BatchResponseContent(await api.api("/$batch").post(parts));
same([answers.getResponseById("1").status, answers.getResponseById("2").status], [201, 400], "a batch");

// OAuth: consent, PKCE, exchange, rotation.
const verifier = randomBytes(48).toString("base64url");
const redirectUri = "http://127.0.0.1:3000/oauth/microsoft/callback";
const ask = new URLSearchParams({
  client_id: "app", response_type: "code", redirect_uri: redirectUri, scope: "openid offline_access User.Read Calendars.ReadWrite", state: "abc",
  login_hint: "ann@example.com", code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
});
const back = new URL((await fetch(`${base}/common/oauth2/v2.0/authorize?${ask}`, { redirect: "manual" })).headers.get("location"));
same(back.searchParams.get("state"), "abc", "state comes back");
const tokens = async (pairs) => {
  const answer = await fetch(`${base}/common/oauth2/v2.0/token`, { method: "POST", body: new URLSearchParams({ client_id: "app", client_secret: "s3cret", ...pairs }) });
  return [answer.status, await answer.json()];
};
const code = { grant_type: "authorization_code", code: back.searchParams.get("code"), redirect_uri: redirectUri, code_verifier: verifier };
const [, granted] = await tokens(code);
const [, renewed] = await tokens({ grant_type: "refresh_token", refresh_token: granted.refresh_token });
same(renewed.refresh_token !== granted.refresh_token, true, "rotated");
same((await clientOf(renewed.access_token).api("/me").get()).mail, "ann@example.com", "and it opens the mailbox");
const [status, dead] = await tokens(code);
same([status, dead.error], [400, "invalid_grant"], "a code is single use");
await refused(401, "InvalidAuthenticationToken", clientOf("junk").api("/me").get());

// Subscriptions, with the handshake while our call is open.
const heard = [];
let proves = false;
const hook = http.createServer((request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
    const question = url.searchParams.get("validationToken");
    if (question !== null) {
      response.writeHead(proves ? 200 : 202, { "Content-Type": "text/plain" }).end(question);
      return;
    }
    heard.push(...JSON.parse(Buffer.concat(chunks).toString()).value);
    response.writeHead(202).end();
  });
});
await new Promise((done) => hook.listen(0, "127.0.0.1", done));
const wish = { changeType: "created,deleted", notificationUrl: `http://127.0.0.1:${hook.address().port}/hook`, resource: `me/calendars/${team}/events`, clientState: "node", expirationDateTime: "2026-11-05T00:00:00Z" };
await refused(400, "ValidationError", api.api("/subscriptions").post(wish));
proves = true;
const subscription = await api.api("/subscriptions").post(wish);
same([subscription.clientState, subscription.changeType], ["node", "created,deleted"], "made");
await refused(409, "Conflict", api.api("/subscriptions").post(wish));
const news = await api.api(events).post(timed("news", 20));
for (let n = 0; n < 200 && heard.length === 0; n += 1) await new Promise((r) => setTimeout(r, 50));
same([heard[0]?.subscriptionId, heard[0]?.resourceData.id, heard[0]?.changeType], [subscription.id, news.id, "created"], "a notice");
const renewal = await api.api(`/subscriptions/${subscription.id}`).patch({ expirationDateTime: "2026-11-06T00:00:00Z" });
same(renewal.expirationDateTime.slice(0, 10), "2026-11-06", "renewed");
const far = await refused(400, "ExtensionError", api.api(`/subscriptions/${subscription.id}`).patch({ expirationDateTime: "2026-12-06T00:00:00Z" }));
same(far.message.includes("10070 minutes"), true, "how far is too far");
same((await api.api("/subscriptions").get()).value.map((s) => s.id), [subscription.id], "listed");
await api.api(`/subscriptions/${subscription.id}`).delete();
await refused(404, "ResourceNotFound", api.api(`/subscriptions/${subscription.id}`).delete());
hook.close();
hook.closeAllConnections();
console.log(`@microsoft/microsoft-graph-client: ${checks} checks held`);
