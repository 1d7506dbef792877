"""What moto does not say: refusals of the real service, by their documented shapes."""

import httpx
import pytest

from failover.dns_adapters import DnsClients, adapter
from failover.dns_errors import (
    BrokenAnswerError,
    ConflictError,
    RateLimitedError,
    RefusedError,
    WrongKeyError,
    WrongZoneError,
)
from failover.model import Dependency, DnsKind, DnsProvider
from failover.rrsets import rrset

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
OLD = (rrset("A", 60, ["192.0.2.1"]),)
NEW = (rrset("A", 60, ["192.0.2.2"]),)


def error(code: str, message: str) -> str:
    return (
        f'<?xml version="1.0"?><ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId>"
        "</ErrorResponse>"
    )


def invalid_batch(message: str) -> str:
    return (
        f'<?xml version="1.0"?><InvalidChangeBatch xmlns="{NAMESPACE}"><Messages>'
        f"<Message>{message}</Message></Messages><RequestId>1</RequestId></InvalidChangeBatch>"
    )


def listing(inside: str) -> str:
    return (
        f'<?xml version="1.0"?><ListResourceRecordSetsResponse xmlns="{NAMESPACE}">'
        f"<ResourceRecordSets>{inside}</ResourceRecordSets></ListResourceRecordSetsResponse>"
    )


ONE = (
    "<ResourceRecordSet><Name>media.edge.test.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords>"
    "<ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>"
    "</ResourceRecordSet>"
)


def zone_of(answer, status=400, headers=None, listed=ONE):
    """An adapter that reads `listed`, and whose changes are answered so."""

    def respond(request):
        assert "Signature=" in request.headers["authorization"]
        if request.method == "GET":
            return httpx.Response(200, text=listing(listed))
        return httpx.Response(status, text=answer, headers=headers)

    provider = DnsProvider(
        name="r53", kind=DnsKind.ROUTE53, needs=Dependency(provider="aws"), zone_id="Z1"
    )
    clients = DnsClients(http=httpx.AsyncClient(transport=httpx.MockTransport(respond)))
    return adapter(provider, "AKIA:secret+/=", clients)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (error("InvalidClientTokenId", "The security token is invalid"), 403, WrongKeyError),
        (error("SignatureDoesNotMatch", "Check your key"), 403, WrongKeyError),
        (error("RequestExpired", "15 minutes"), 400, WrongKeyError),
        (error("AccessDenied", "not authorized to perform"), 403, WrongKeyError),
        (error("NoSuchHostedZone", "No hosted zone found"), 404, WrongZoneError),
        (error("Throttling", "Rate exceeded"), 400, RateLimitedError),
        (error("PriorRequestNotComplete", "still being processed"), 400, RateLimitedError),
        (error("InvalidInput", "TTL"), 400, RefusedError),
        (
            invalid_batch(
                "Tried to delete resource record set [name='media.edge.test.', type='A'] but the "
                "values provided do not match the current values"
            ),
            400,
            ConflictError,
        ),
        (
            invalid_batch(
                "Tried to create resource record set [name='media.edge.test.', type='A'] but it "
                "already exists"
            ),
            400,
            ConflictError,
        ),
        (invalid_batch("RRSet of type CNAME ... is not permitted"), 400, RefusedError),
        ("<html>", 400, BrokenAnswerError),
        ("<html/>", 503, BrokenAnswerError),
    ],
)
async def test_a_refusal_says_what_it_is(body, status, kind):
    with pytest.raises(kind) as caught:
        await zone_of(body, status).replace("edge.test.", "media.edge.test.", OLD, NEW)
    assert "r53: media.edge.test. in zone edge.test.: " in str(caught.value)
    assert "secret+" not in str(caught.value)


async def test_the_time_to_wait_is_the_services_own():
    dns = zone_of("", 429, {"Retry-After": "7"})
    with pytest.raises(RateLimitedError) as caught:
        await dns.replace("edge.test.", "media.edge.test.", OLD, NEW)
    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    "field", ["<SetIdentifier>a</SetIdentifier><Weight>1</Weight>", "<AliasTarget/>"]
)
async def test_records_that_the_service_chooses_itself_are_not_touched(field):
    dns = zone_of("", listed=ONE.replace("<TTL>", f"{field}<TTL>"))
    with pytest.raises(RefusedError, match="of another kind"):
        await dns.read("edge.test.", "media.edge.test.")


async def test_a_record_that_is_none_is_no_answer():
    with pytest.raises(BrokenAnswerError):
        await zone_of("", listed=ONE.replace("192.0.2.1", "x")).read("e.test.", "media.edge.test.")


@pytest.mark.parametrize("secret", ["", "AKIA", "AKIA:", ":secret"])
def test_a_credential_that_is_none_is_refused_without_showing_it(secret):
    provider = DnsProvider(
        name="r53", kind=DnsKind.ROUTE53, needs=Dependency(provider="aws"), zone_id="Z1"
    )
    with pytest.raises(ValueError, match=r"dns provider r53: .*ACCESS_KEY_ID:SECRET_ACCESS_KEY"):
        adapter(provider, secret, DnsClients(http=httpx.AsyncClient()))
