"""Microsoft's own Python client against the look-alike: what it can read and write there, and what it is refused.

    python graph_python.py BASE_URL TOKEN

The token's person has an empty default calendar, a second one called Team, and Holidays to read.
Prints one line and exits 0 if everything was as microsoft.md says; raises at the first thing that was not.
"""

import asyncio
import json
import sys
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from kiota_abstractions.authentication import AccessTokenProvider, AllowedHostsValidator, BaseBearerTokenAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.headers_collection import HeadersCollection
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.day_of_week import DayOfWeek
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_type import EventType
from msgraph.generated.models.free_busy_status import FreeBusyStatus
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.patterned_recurrence import PatternedRecurrence
from msgraph.generated.models.recurrence_pattern import RecurrencePattern
from msgraph.generated.models.recurrence_pattern_type import RecurrencePatternType
from msgraph.generated.models.recurrence_range import RecurrenceRange
from msgraph.generated.models.recurrence_range_type import RecurrenceRangeType
from msgraph.generated.models.sensitivity import Sensitivity
from msgraph.generated.models.single_value_legacy_extended_property import SingleValueLegacyExtendedProperty
from msgraph.generated.models.subscription import Subscription
from msgraph.generated.users.item.calendars.item.calendar_view.calendar_view_request_builder import CalendarViewRequestBuilder
from msgraph.generated.users.item.calendars.item.calendar_view.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.users.item.calendars.item.events.events_request_builder import EventsRequestBuilder
from msgraph.generated.users.item.events.item.event_item_request_builder import EventItemRequestBuilder
from msgraph.generated.users.item.events.item.instances.instances_request_builder import InstancesRequestBuilder
from msgraph_core.tasks.page_iterator import PageIterator

BASE, TOKEN = sys.argv[1:3]
PROPERTY = "String {6a0f0c1e-1111-4222-8333-444455556666} Name CalSyncOrigin"
WINDOW = {"start_date_time": "2026-11-01T00:00:00Z", "end_date_time": "2026-12-01T00:00:00Z"}
checks = 0


class Token(AccessTokenProvider):
    async def get_authorization_token(self, uri, additional_authentication_context={}):
        return TOKEN

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Token()))
adapter.base_url = BASE + "/v1.0"
client = GraphServiceClient(request_adapter=adapter)


def check(truth, what):
    global checks
    checks += 1
    if not truth:
        raise AssertionError(what)


async def refused(status, code, call):
    try:
        await call
    except ODataError as error:
        check((error.response_status_code, error.error.code) == (status, code), f"{status} {code}: got {error.response_status_code} {error.error}")
        check(error.error.inner_error.request_id and error.error.inner_error.date, "innerError")
        return error
    raise AssertionError(f"not refused: {status} {code}")


def with_headers(query=None, **headers):
    collection = HeadersCollection()
    for name, value in headers.items():
        collection.add(name.replace("_", "-"), value)
    return RequestConfiguration(query_parameters=query, headers=collection)


def timed(subject, day, **more):
    at = lambda h: DateTimeTimeZone(date_time=f"2026-11-{day:02}T{h:02}:00:00", time_zone="W. Europe Standard Time")
    return Event(subject=subject, start=at(9), end=at(10), **more)


async def me_and_calendars():
    me = await client.me.get()
    check(me.user_principal_name == "ann@example.com" and len(me.id) == 36, "me")
    found = await client.me.calendars.get()
    by_name = {c.name: c for c in found.value}
    check(by_name["Calendar"].is_default_calendar and by_name["Team"].can_edit and not by_name["Holidays"].can_edit, f"{list(by_name)}")
    check(by_name["Holidays"].owner.address != me.mail, "shared in")
    check((await client.me.calendar.get()).id == by_name["Calendar"].id, "the default one")
    await refused(403, "ErrorAccessDenied", client.me.calendars.by_calendar_id(by_name["Holidays"].id).events.post(timed("x", 2)))
    await refused(404, "ErrorItemNotFound", client.me.events.by_event_id((await one(by_name["Team"])).id).get())
    return by_name["Team"]


async def one(calendar):
    """An event that was made and deleted."""
    events = client.me.calendars.by_calendar_id(calendar.id).events
    made = await events.post(timed("gone", 2))
    await client.me.events.by_event_id(made.id).delete()
    return made


async def writing(team):
    events = client.me.calendars.by_calendar_id(team.id).events
    body = timed(
        "Busy", 3, show_as=FreeBusyStatus.Busy, sensitivity=Sensitivity.Private, is_reminder_on=False, transaction_id="calsync-1",
        body=ItemBody(content_type=BodyType.Text, content="words"), categories=["calendar-sync"],
        single_value_extended_properties=[SingleValueLegacyExtendedProperty(id=PROPERTY, value="m1:abc")],
    )
    made = await events.post(body)
    check(made.i_cal_u_id and made.change_key and made.transaction_id == "calsync-1", "the server's names")
    check(made.start.date_time == "2026-11-03T08:00:00.0000000" and made.start.time_zone == "UTC", f"read in UTC: {made.start}")
    check(made.single_value_extended_properties is None, "not echoed")
    check(made.type == EventType.SingleInstance and made.body.content_type == BodyType.Html, "its form")
    check((await events.post(body)).id == made.id, "the same transaction, the same event")
    body.subject = "Other"
    await refused(409, "ErrorDuplicateTransactionId", events.post(body))
    item = client.me.events.by_event_id(made.id)
    query = EventItemRequestBuilder.EventItemRequestBuilderGetQueryParameters(expand=[f"singleValueExtendedProperties($filter=id eq '{PROPERTY}')"])
    seen = await item.get(RequestConfiguration(query_parameters=query))
    check([(p.id, p.value) for p in seen.single_value_extended_properties] == [(PROPERTY, "m1:abc")], "expanded")
    query = EventsRequestBuilder.EventsRequestBuilderGetQueryParameters(
        filter=f"singleValueExtendedProperties/Any(ep: ep/id eq '{PROPERTY}' and ep/value eq 'm1:abc')")
    check([e.id for e in (await events.get(RequestConfiguration(query_parameters=query))).value] == [made.id], "found by it")
    stale = made.additional_data["@odata.etag"]
    patched = await item.patch(Event(subject="Busier"), with_headers(if_match=stale))
    check(patched.subject == "Busier" and patched.show_as == FreeBusyStatus.Busy, "a guarded patch merges")
    await refused(412, "ErrorIrresolvableConflict", item.patch(Event(subject="x"), with_headers(if_match=stale)))
    await refused(412, "ErrorIrresolvableConflict", item.delete(with_headers(if_match=stale)))
    in_vienna = await item.get(with_headers(prefer='outlook.timezone="Europe/Vienna"'))
    check(in_vienna.start.date_time == "2026-11-03T09:00:00.0000000" and in_vienna.start.time_zone == "Europe/Vienna", "another zone")
    immutable = await item.get(with_headers(prefer='IdType="ImmutableId"'))
    check(immutable.id != made.id and (await client.me.events.by_event_id(immutable.id).get()).id == made.id, "immutable ids")
    await item.delete()
    await refused(404, "ErrorItemNotFound", item.delete())
    await refused(404, "ErrorItemNotFound", item.get())
    await refused(400, "TimeZoneNotSupportedException", events.post(Event(subject="x", start=DateTimeTimeZone(date_time="2026-11-03T09:00:00", time_zone="Mars"), end=made.end)))


async def series_and_views(team):
    calendar = client.me.calendars.by_calendar_id(team.id)
    recurrence = PatternedRecurrence(
        pattern=RecurrencePattern(type=RecurrencePatternType.Weekly, interval=1, days_of_week=[DayOfWeek.Monday]),
        range=RecurrenceRange(type=RecurrenceRangeType.Numbered, start_date=datetime(2026, 11, 2).date(), number_of_occurrences=4))
    master = await calendar.events.post(timed("Weekly", 2, recurrence=recurrence))
    check(master.type == EventType.SeriesMaster and master.recurrence.pattern.days_of_week == [DayOfWeek.Monday], "a master")
    query = InstancesRequestBuilder.InstancesRequestBuilderGetQueryParameters(**WINDOW)
    instances = (await client.me.events.by_event_id(master.id).instances.get(RequestConfiguration(query_parameters=query))).value
    check([e.type for e in instances] == [EventType.Occurrence] * 4 and instances[0].series_master_id == master.id, "instances")
    await client.me.events.by_event_id(instances[1].id).delete()
    moved = await client.me.events.by_event_id(instances[2].id).patch(Event(subject="Moved"))
    check(moved.type == EventType.Exception and moved.id == instances[2].id, "an exception keeps its id")
    query = CalendarViewRequestBuilder.CalendarViewRequestBuilderGetQueryParameters(**WINDOW, top=2)
    first = await calendar.calendar_view.get(RequestConfiguration(query_parameters=query))
    seen = []
    await PageIterator(first, adapter).iterate(lambda e: seen.append(e.type) or True)
    check(seen == [EventType.Occurrence, EventType.Exception, EventType.Occurrence], f"a view in pages: {seen}")
    query = EventItemRequestBuilder.EventItemRequestBuilderGetQueryParameters(
        select=["exceptionOccurrences", "cancelledOccurrences"], expand=["exceptionOccurrences"])
    whole = await client.me.events.by_event_id(master.id).get(RequestConfiguration(query_parameters=query))
    check([e.subject for e in whole.exception_occurrences] == ["Moved"], "exceptions of a master")
    check(whole.cancelled_occurrences == [f"OID.{master.id}.2026-11-09"], f"{whole.cancelled_occurrences}")
    wide = CalendarViewRequestBuilder.CalendarViewRequestBuilderGetQueryParameters(start_date_time="2020-01-01T00:00:00Z", end_date_time="2027-01-01T00:00:00Z")
    await refused(400, "ErrorInvalidRequest", calendar.calendar_view.get(RequestConfiguration(query_parameters=wide)))
    return master


async def walk(delta, first):
    """All items of a round, how many pages it had, and its delta link."""
    items, pages, page = [], 1, first
    while True:
        items += page.value
        check(bool(page.odata_next_link) != bool(page.odata_delta_link), "exactly one link")
        if page.odata_delta_link:
            return items, pages, page.odata_delta_link
        page = await delta.with_url(page.odata_next_link).get(with_headers(prefer="odata.maxpagesize=2"))
        pages += 1


async def deltas(team, master):
    delta = client.me.calendars.by_calendar_id(team.id).calendar_view.delta
    query = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(**WINDOW)
    items, pages, link = await walk(delta, await delta.get(with_headers(query, prefer="odata.maxpagesize=2")))
    check(sorted(e.type.value for e in items) == ["exception", "occurrence", "occurrence", "seriesMaster"] and pages == 2, f"{pages}")
    stub = next(e for e in items if e.type == EventType.Occurrence)
    check(stub.subject is None and stub.show_as is None and stub.series_master_id == master.id, "a stub")
    made = await client.me.calendars.by_calendar_id(team.id).events.post(timed("new", 20))
    items, _, link2 = await walk(delta, await delta.with_url(link).get())
    check([e.id for e in items] == [made.id], "what changed")
    await client.me.events.by_event_id(made.id).delete()
    items, _, link3 = await walk(delta, await delta.with_url(link2).get())
    check([(e.id, e.additional_data["@removed"]["reason"]) for e in items] == [(made.id, "deleted")], f"removed: {items}")
    check((await walk(delta, await delta.with_url(link3).get()))[0] == [], "nothing more")
    await refused(400, "BadRequest", delta.with_url(link.split("=")[0] + "=junk").get())
    query.filter = "subject eq 'x'"
    await refused(400, "ErrorInvalidUrlQuery", delta.get(RequestConfiguration(query_parameters=query)))
    await client.me.events.by_event_id(master.id).delete()


async def batches():
    info = RequestInformation()
    info.http_method, info.url = Method.POST, adapter.base_url + "/$batch"
    requests = [{"id": "1", "method": "GET", "url": "/me"}, {"id": "2", "method": "GET", "url": "/me/events/junk"}]
    info.headers.try_add("content-type", "application/json")
    info.content = json.dumps({"requests": requests}).encode()
    raw = await adapter.send_primitive_async(info, "bytes", {})
    answers = {r["id"]: r for r in json.loads(raw)["responses"]}
    check(answers["1"]["status"] == 200 and answers["2"]["body"]["error"]["code"] == "ErrorInvalidIdMalformed", f"{answers}")


class Hook(BaseHTTPRequestHandler):
    seen, asked, news, proves = [], [], threading.Condition(), True

    def do_POST(self):
        query = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if "validationToken" in query:
            Hook.asked.append(query["validationToken"][0])
            answer = query["validationToken"][0].encode() if Hook.proves else b"no"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(answer)
            return
        with Hook.news:
            Hook.seen += json.loads(body)["value"]
            Hook.news.notify_all()
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_):
        pass


async def subscriptions(team):
    hook = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{hook.server_port}/hooks/microsoft"
    wish = lambda: Subscription(
        change_type="created,updated,deleted", notification_url=address, lifecycle_notification_url=address,
        resource=f"me/calendars/{team.id}/events", client_state="ours", expiration_date_time=datetime(2026, 11, 5, tzinfo=timezone.utc))
    Hook.proves = False
    await refused(400, "ValidationError", client.subscriptions.post(wish()))
    Hook.proves = True
    Hook.asked.clear()
    made = await client.subscriptions.post(wish())
    check(made.id and made.client_state == "ours" and made.expiration_date_time == datetime(2026, 11, 5, tzinfo=timezone.utc), f"{made}")
    check(len(Hook.asked) == 2, "both addresses were asked")
    await refused(409, "Conflict", client.subscriptions.post(wish()))
    event = await client.me.calendars.by_calendar_id(team.id).events.post(timed("news", 25))
    with Hook.news:
        heard = Hook.news.wait_for(lambda: [i for i in Hook.seen if i["subscriptionId"] == made.id], 10)
    check(heard and heard[0]["changeType"] == "created" and heard[0]["clientState"] == "ours", f"{heard}")
    check(heard[0]["resourceData"]["id"] == event.id and "id" not in heard[0], "which event")
    item = client.subscriptions.by_subscription_id(made.id)
    later = datetime(2026, 11, 6, tzinfo=timezone.utc)
    check((await item.patch(Subscription(expiration_date_time=later))).expiration_date_time == later, "renewed")
    far = Subscription(expiration_date_time=datetime(2026, 12, 6, tzinfo=timezone.utc))
    error = await refused(400, "ExtensionError", item.patch(far))
    check("10070 minutes" in error.error.message, "how far is too far")
    await item.reauthorize.post()
    check([s.id for s in (await client.subscriptions.get()).value] == [made.id], "listed")
    await item.delete()
    await refused(404, "ResourceNotFound", item.delete())
    await client.me.events.by_event_id(event.id).delete()
    hook.shutdown()


async def main():
    team = await me_and_calendars()
    await writing(team)
    await deltas(team, await series_and_views(team))
    await batches()
    await subscriptions(team)
    print(f"msgraph-sdk: {checks} checks held")


asyncio.run(main())
