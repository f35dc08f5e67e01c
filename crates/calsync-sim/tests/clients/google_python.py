"""Google's own Python client against the look-alike: what it can read and write there, and what it is refused.

    python google_python.py BASE_URL TOKEN TEAM_CALENDAR HOLIDAY_CALENDAR

The token's person has an empty main calendar, a second calendar of their own, and a generated one to read.
Prints one line and exits 0 if everything was as google.md says; raises at the first thing that was not.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import google.oauth2.credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

BASE, TOKEN, TEAM, HOLIDAYS = sys.argv[1:5]
service = build(
    "calendar", "v3", static_discovery=True, cache_discovery=False,
    credentials=google.oauth2.credentials.Credentials(TOKEN),
    client_options={"api_endpoint": BASE + "/calendar/v3/"},
)
events = service.events()
checks = 0


def check(truth, what):
    global checks
    checks += 1
    if not truth:
        raise AssertionError(what)


def refused(status, reason, request):
    try:
        request.execute()
    except HttpError as error:
        body = json.loads(error.content)["error"]
        check((error.resp.status, body["errors"][0]["reason"]) == (status, reason), f"{status} {reason}: got {error.content}")
        check(body["code"] == status and body["message"], "envelope")
        return
    raise AssertionError(f"not refused: {status} {reason}")


def timed(summary, day, **more):
    start, end = f"2026-11-{day:02}T09:00:00+01:00", f"2026-11-{day:02}T10:00:00+01:00"
    return {"summary": summary, "start": {"dateTime": start, "timeZone": "Europe/Vienna"},
            "end": {"dateTime": end, "timeZone": "Europe/Vienna"}, **more}


def walk(**params):
    """All items of a listing, and the sync token of its last page."""
    items, pages, token = [], 0, None
    while True:
        page = events.list(pageToken=token, **params).execute()
        items += page.get("items", [])
        pages += 1
        token = page.get("nextPageToken")
        check(not (token and page.get("nextSyncToken")), "both tokens")
        if not token:
            return items, page.get("nextSyncToken"), pages


def paging_and_sync_tokens():
    made = [events.insert(calendarId="primary", body=timed(f"n{n}", n + 1), sendUpdates="none").execute() for n in range(7)]
    items, sync, pages = walk(calendarId="primary", maxResults=3, showDeleted=True)
    check([len(items), pages] == [7, 3], f"paging: {len(items)} in {pages}")
    check(sync, "a sync token on the last page")
    events.delete(calendarId="primary", eventId=made[0]["id"]).execute()
    changed, sync2, _ = walk(calendarId="primary", maxResults=3, showDeleted=True, syncToken=sync)
    check([(e["id"], e["status"]) for e in changed] == [(made[0]["id"], "cancelled")], "a tombstone in the delta")
    check("summary" not in changed[0], "a tombstone has its id and nothing else")
    check(walk(calendarId="primary", showDeleted=True, syncToken=sync2)[0] == [], "an empty delta")
    for params in [{"timeMin": "2026-11-01T00:00:00Z"}, {"q": "x"}, {"orderBy": "updated"}, {"iCalUID": "x"}]:
        refused(400, "invalidParameter", events.list(calendarId="primary", syncToken=sync2, showDeleted=True, **params))
    refused(400, "invalidParameter", events.list(calendarId="primary", syncToken=sync2, showDeleted=False))
    refused(400, "invalidParameter", events.list(calendarId=TEAM, syncToken=sync2, showDeleted=True))
    refused(400, "invalidParameter", events.list(calendarId="primary", syncToken="junk"))
    got = events.get(calendarId="primary", eventId=made[0]["id"]).execute()
    check(got["status"] == "cancelled", "a deleted event still answers")
    refused(410, "deleted", events.delete(calendarId="primary", eventId=made[0]["id"]))
    for event in made[1:]:
        events.delete(calendarId="primary", eventId=event["id"], sendUpdates="none").execute()


def ids_and_guards():
    body = timed("mine", 3, id="cs1k7q0v2m5e8h3b6n9t4d0g")
    first = events.insert(calendarId="primary", body=body).execute()
    check(first["id"] == body["id"] and first["iCalUID"] == body["id"] + "@google.com", "our own id")
    refused(409, "duplicate", events.insert(calendarId="primary", body=body))
    for bad in ["abcd", "UPPER1", "with-dash", "xyzxyz"]:
        refused(400, "invalid", events.insert(calendarId="primary", body={**body, "id": bad}))
    patch = events.patch(calendarId="primary", eventId=first["id"], body={"location": "Room 1"})
    patch.headers["If-Match"] = '"999"'
    refused(412, "conditionNotMet", patch)
    patch.headers["If-Match"] = first["etag"]
    second = patch.execute()
    check(second["location"] == "Room 1" and second["etag"] != first["etag"], "a guarded patch")
    get = events.get(calendarId="primary", eventId=first["id"])
    get.headers["If-None-Match"] = second["etag"]
    try:
        get.execute()
        raise AssertionError("not 304")
    except HttpError as error:
        check(error.resp.status == 304, "304")
    events.delete(calendarId="primary", eventId=first["id"]).execute()
    refused(409, "duplicate", events.insert(calendarId="primary", body=body))
    refused(403, "forbidden", events.patch(calendarId="primary", eventId=first["id"], body={"status": "confirmed"}))
    refused(404, "notFound", events.get(calendarId="primary", eventId="nosuchevent"))
    refused(404, "notFound", events.list(calendarId="nobody@example.org"))


def patch_merging():
    body = timed("whole", 4, description="words", extendedProperties={"private": {"a": "1", "b": "2"}, "shared": {"c": "3"}},
                 attendees=[{"email": "carol@example.org"}, {"email": "dave@example.org"}])
    event = events.insert(calendarId="primary", body=body, sendUpdates="none").execute()
    patch = {"description": None, "extendedProperties": {"private": {"a": None, "d": "4"}}, "attendees": [{"email": "dave@example.org"}]}
    got = events.patch(calendarId="primary", eventId=event["id"], body=patch, sendUpdates="none").execute()
    check("description" not in got and got["summary"] == "whole", "null clears, the rest stays")
    check(got["extendedProperties"] == {"private": {"b": "2", "d": "4"}, "shared": {"c": "3"}}, "properties merge")
    check([a["email"] for a in got["attendees"]] == ["dave@example.org"], "arrays are replaced whole")
    got = events.patch(calendarId="primary", eventId=event["id"], body={"start": {"date": "2026-11-04", "dateTime": None, "timeZone": None},
                       "end": {"date": "2026-11-05", "dateTime": None, "timeZone": None}}).execute()
    check(got["start"] == {"date": "2026-11-04"}, "from timed to all day")
    got = events.update(calendarId="primary", eventId=event["id"], body=timed("bare", 4)).execute()
    check("extendedProperties" not in got and "attendees" not in got, "a full update resets what it does not name")
    events.delete(calendarId="primary", eventId=event["id"], sendUpdates="none").execute()


def extended_properties():
    private = {"k" * 44: "kept", "k" * 45: "dropped", "long": "v" * 2000}
    event = events.insert(calendarId="primary", body=timed("tagged", 5, extendedProperties={"private": private})).execute()
    got = event["extendedProperties"]["private"]
    check(sorted(got) == ["k" * 44, "long"] and len(got["long"]) == 1024, "limits of names and values")
    found = events.list(calendarId="primary", privateExtendedProperty="k" * 44 + "=kept").execute()
    check([e["id"] for e in found["items"]] == [event["id"]] and "nextSyncToken" not in found, "found by its property")
    check("items" not in events.list(calendarId="primary", sharedExtendedProperty="long=x").execute(), "not a shared one")
    events.delete(calendarId="primary", eventId=event["id"]).execute()


def instances_and_ranges():
    body = timed("weekly", 2, recurrence=["RRULE:FREQ=WEEKLY;COUNT=5"])
    refused(400, "required", events.insert(calendarId="primary", body={**body, "start": {"dateTime": "2026-11-02T09:00:00+01:00"}}))
    master = events.insert(calendarId="primary", body=body).execute()
    found = events.instances(calendarId="primary", eventId=master["id"], maxResults=2).execute()
    check(len(found["items"]) == 2 and found["nextPageToken"], "a page of instances")
    first, second = found["items"]
    check(first["id"] == master["id"] + "_20261102T080000Z" and first["recurringEventId"] == master["id"], "ids of instances")
    check(second["originalStartTime"]["dateTime"] == "2026-11-09T09:00:00+01:00", "original start")
    events.delete(calendarId="primary", eventId=first["id"]).execute()
    moved = events.patch(calendarId="primary", eventId=second["id"], body={"start": {"dateTime": "2026-11-10T09:00:00+01:00"},
                         "end": {"dateTime": "2026-11-10T10:00:00+01:00"}}).execute()
    check(moved["originalStartTime"]["dateTime"] == "2026-11-09T09:00:00+01:00", "a moved one keeps its identity")
    items, _, _ = walk(calendarId="primary")
    kinds = sorted((e["status"], "recurrence" in e, "recurringEventId" in e) for e in items)
    check(kinds == [("cancelled", False, True), ("confirmed", False, True), ("confirmed", True, False)], f"master and exceptions: {kinds}")
    items, _, _ = walk(calendarId="primary", singleEvents=True, orderBy="startTime")
    starts = [e["start"]["dateTime"][:10] for e in items]
    check(starts == ["2026-11-10", "2026-11-16", "2026-11-23", "2026-11-30"], f"expanded: {starts}")
    items, _, _ = walk(calendarId="primary", singleEvents=True, timeMin="2026-11-16T09:00:00Z", timeMax="2026-11-23T08:00:00Z")
    check(items == [], "both ends of a range are exclusive")
    items, _, _ = walk(calendarId="primary", singleEvents=True, timeMin="2026-11-16T08:59:59Z", timeMax="2026-11-23T08:00:01Z")
    check(len(items) == 2, "and a second wider they are in")
    refused(400, "timeRangeEmpty", events.list(calendarId="primary", timeMin="2026-11-16T00:00:00Z", timeMax="2026-11-16T00:00:00Z"))
    refused(400, "badRequest", events.list(calendarId="primary", timeMin="2026-11-16T00:00:00"))
    refused(400, "invalidParameter", events.list(calendarId="primary", orderBy="startTime"))
    refused(410, "updatedMinTooLongAgo", events.list(calendarId="primary", updatedMin="2020-01-01T00:00:00Z"))
    shown = events.get(calendarId="primary", eventId=moved["id"], timeZone="America/New_York").execute()
    check(shown["start"]["dateTime"] == "2026-11-10T03:00:00-05:00", "rendered in the zone asked for")
    events.delete(calendarId="primary", eventId=master["id"]).execute()
    check(walk(calendarId="primary")[0] == [], "nothing is left")
    refused(400, "timeRangeEmpty", events.insert(calendarId="primary", body={**timed("x", 2), "end": timed("x", 1)["end"]}))
    refused(400, "required", events.insert(calendarId="primary", body={"summary": "x"}))


def moving_importing_and_batches():
    event = events.insert(calendarId="primary", body=timed("wanders", 6)).execute()
    moved = events.move(calendarId="primary", eventId=event["id"], destination=TEAM).execute()
    check(moved["organizer"]["email"] == TEAM and moved["organizer"]["self"], "a new organizer")
    stubs = [e for e in walk(calendarId="primary", showDeleted=True)[0] if e["id"] == event["id"]]
    check(stubs[0]["status"] == "cancelled", "a stub at the source")
    imported = events.import_(calendarId=TEAM, body=timed("copy", 7, iCalUID="one@example.org")).execute()
    again = events.import_(calendarId=TEAM, body=timed("copy 2", 7, iCalUID="one@example.org")).execute()
    check(imported["id"] == again["id"] and again["summary"] == "copy 2", "an import refreshes")
    got = {}
    batch = BatchHttpRequest(callback=lambda id, body, error: got.__setitem__(id, error.resp.status if error else body), batch_uri=BASE + "/batch/calendar/v3")
    batch.add(events.get(calendarId=TEAM, eventId=event["id"]), request_id="one")
    batch.add(events.get(calendarId=TEAM, eventId="nosuchevent"), request_id="two")
    batch.add(events.insert(calendarId=TEAM, body=timed("batched", 8)), request_id="three")
    batch.add(events.delete(calendarId=TEAM, eventId=again["id"]), request_id="four")
    batch.execute(http=google_http())
    check(got["one"]["summary"] == "wanders" and got["two"] == 404 and got["three"]["summary"] == "batched", f"batch: {got}")
    partial = events.list(calendarId=TEAM, fields="items(id,start/dateTime),nextSyncToken").execute()
    check(sorted(partial) == ["items", "nextSyncToken"] and sorted(partial["items"][0]) == ["id", "start"], "partial answers")


def google_http():
    import google_auth_httplib2
    return google_auth_httplib2.AuthorizedHttp(google.oauth2.credentials.Credentials(TOKEN))


def lists_and_free_busy():
    found = service.calendarList().list(maxResults=1).execute()
    seen = found["items"]
    while "nextPageToken" in found:
        found = service.calendarList().list(maxResults=1, pageToken=found["nextPageToken"]).execute()
        seen += found["items"]
    check(sum(e.get("primary", False) for e in seen) == 1 and TEAM in [e["id"] for e in seen], "the list of calendars")
    delta = service.calendarList().list(syncToken=found["nextSyncToken"]).execute()
    check("items" not in delta and delta["nextSyncToken"], "an empty delta of the list")
    owners = service.calendarList().list(minAccessRole="owner").execute()["items"]
    check(HOLIDAYS not in [e["id"] for e in owners], "minAccessRole")
    check(service.calendarList().get(calendarId="primary").execute()["primary"], "one entry")
    check(service.calendars().get(calendarId=TEAM).execute()["timeZone"] == "Europe/Vienna", "a calendar")
    check(service.settings().get(setting="timezone").execute()["value"] == "Europe/Vienna", "a setting")
    check(service.settings().list().execute()["items"] and service.colors().get().execute()["event"], "settings and colours")
    busy = service.freebusy().query(body={"timeMin": "2026-11-06T00:00:00Z", "timeMax": "2026-11-07T00:00:00Z",
                                          "items": [{"id": TEAM}, {"id": "nobody@example.org"}]}).execute()["calendars"]
    check(busy[TEAM]["busy"] == [{"start": "2026-11-06T08:00:00Z", "end": "2026-11-06T09:00:00Z"}], f"busy: {busy}")
    check(busy["nobody@example.org"]["errors"][0]["reason"] == "notFound", "an error for one calendar alone")
    refused(403, "requiredAccessLevel", events.insert(calendarId=HOLIDAYS, body=timed("x", 9)))


class Hook(BaseHTTPRequestHandler):
    seen, news = [], threading.Condition()

    def do_POST(self):
        check(self.headers["Content-Length"] == "0", "no body")
        with Hook.news:
            Hook.seen.append({k.lower(): v for k, v in self.headers.items()})
            Hook.news.notify_all()
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_):
        pass


def next_message(state):
    with Hook.news:
        found = Hook.news.wait_for(lambda: next((m for m in Hook.seen if m["x-goog-resource-state"] == state), None), 10)
        check(found, f"a message with state {state}")
        Hook.seen.clear()
        return found


def watching():
    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{hook.server_port}/hooks/google"
    body = {"id": "8f0c2f3e-9b4d-4d7e-8a51-0c9d2b6f7e10", "type": "web_hook", "address": address, "token": "k=3&s=Zm9v", "params": {"ttl": "3600"}}
    channel = events.watch(calendarId="primary", body=body).execute()
    check(isinstance(channel["expiration"], str) and channel["kind"] == "api#channel" and "address" not in channel, f"{channel}")
    message = next_message("sync")
    check(message["x-goog-message-number"] == "1" and message["x-goog-channel-token"] == body["token"], "the sync message")
    check(message["x-goog-resource-id"] == channel["resourceId"] and message["user-agent"].startswith("APIs-Google"), "its headers")
    event = events.insert(calendarId="primary", body=timed("news", 10)).execute()
    check(int(next_message("exists")["x-goog-message-number"]) > 1, "own writes are told as well")
    refused(400, "channelIdNotUnique", events.watch(calendarId="primary", body=body))
    other = events.watch(calendarId="primary", body={**body, "id": "other"}).execute()
    check(other["resourceId"] == channel["resourceId"], "one resource, one id")
    of_list = service.calendarList().watch(body={**body, "id": "of-list"}).execute()
    check(of_list["resourceId"] != channel["resourceId"], "another resource, another id")
    refused(400, "pushNotSupportedForRequestedResource", events.watch(calendarId=HOLIDAYS, body={**body, "id": "h"}))
    refused(400, "push.webhookUrlNotHttps", events.watch(calendarId="primary", body={**body, "id": "x", "address": "http://example.com/"}))
    for gone in [channel, other, of_list]:
        service.channels().stop(body={"id": gone["id"], "resourceId": gone["resourceId"]}).execute()
    refused(404, "notFound", service.channels().stop(body={"id": channel["id"], "resourceId": channel["resourceId"]}))
    refused(400, "channelIdNotUnique", events.watch(calendarId="primary", body=body))
    events.delete(calendarId="primary", eventId=event["id"]).execute()
    hook.shutdown()


for part in [paging_and_sync_tokens, ids_and_guards, patch_merging, extended_properties, instances_and_ranges,
             moving_importing_and_batches, lists_and_free_busy, watching]:
    part()
print(f"google-api-python-client: {checks} checks held")
