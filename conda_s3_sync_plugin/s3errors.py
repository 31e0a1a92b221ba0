"""What botocore raises, in words for people.

Apart from the requests, because it is a table and not an algorithm. Errors are known by
the names of their classes: nothing of botocore has to be imported for that, and classes
that an older botocore lacks do no harm.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from .exceptions import AccessDeniedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked of S3, and all that its failure may have to name."""

    #: Completes "Cannot ...".
    doing: str
    bucket: str
    #: What it takes, in the words of an IAM policy.
    permission: str = ""
    #: Empty: AWS itself.
    endpoint: str = ""
    profile: str | None = None
    #: Empty: the AWS configuration says which.
    region: str | None = None


class _Meaning(NamedTuple):
    """Names of errors, why they are raised, and what to do about it."""

    names: frozenset[str]
    why: str
    hint: str


def _meaning(names: str, why: str, hint: str) -> _Meaning:
    return _Meaning(frozenset(names.split()), why, hint)


_REGION = _meaning(
    "PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException "
    "IncorrectEndpoint TemporaryRedirect 301 307",
    "the bucket is in another region{region}",
    "Set the right region: {where}.",
)
_DENIED = _meaning(
    "AccessDenied AllAccessDisabled Forbidden 403",
    "access is denied",
    "The credentials need {permission}.",
)
_BUSY = _meaning(
    "SlowDown ServiceUnavailable InternalError RequestTimeout TooManyRequests "
    "Throttling ThrottlingException RequestThrottled RequestLimitExceeded",
    "the server is busy or out of order",
    "Try again in some minutes. If it stays so, check the endpoint URL.",
)

#: By the error code in the answer; what HEAD cannot say in a body is a bare status.
_ANSWERS = (
    _meaning(
        "NoSuchBucket",
        "there is no bucket {bucket} on {server}",
        "Check the name, or create it: "
        "aws s3 mb s3://{bucket}{as_profile}{at_endpoint}",
    ),
    _meaning(
        "InvalidBucketName",
        "{bucket} cannot be the name of a bucket",
        "Check the name.",
    ),
    _meaning(
        "ExpiredToken ExpiredTokenException TokenRefreshRequired InvalidToken",
        "the session token has expired or is not valid",
        "Sign in again, for example with `aws sso login{as_profile}`.",
    ),
    _meaning(
        "InvalidAccessKeyId InvalidClientTokenId",
        "{server} does not know the access key",
        "Check AWS_ACCESS_KEY_ID, or the keys of the profile ({profile}).",
    ),
    _meaning(
        "SignatureDoesNotMatch",
        "the secret key does not belong to the access key",
        "Check AWS_SECRET_ACCESS_KEY, or the keys of the profile ({profile}).",
    ),
    _meaning(
        "RequestTimeTooSkewed RequestExpired",
        "the clock of this computer is wrong",
        "Set the clock: S3 accepts a difference of 15 minutes.",
    ),
    _DENIED,
    _REGION,
    _BUSY,
)

#: By class, the most specific ones first.
_FAILURES = (
    _meaning(
        "NoCredentialsError PartialCredentialsError",
        "there are no complete AWS credentials",
        "Run `aws configure`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY.",
    ),
    _meaning(
        "ProfileNotFound",
        "there is no profile {profile} in the AWS configuration",
        "`aws configure list-profiles` shows those that there are.",
    ),
    _meaning(
        "SSOError TokenRetrievalError NoAuthTokenError LoginError",
        "nobody is signed in, or the session has expired",
        "Sign in again, for example with `aws sso login{as_profile}`.",
    ),
    _meaning(
        "CredentialRetrievalError MetadataRetrievalError "
        "RefreshWithMFAUnsupportedError",
        "the credentials cannot be had from where the AWS configuration says",
        "Check the profile ({profile}): `aws sts get-caller-identity{as_profile}`.",
    ),
    _meaning(
        "SSLError",
        "the certificate of {server} cannot be verified",
        "Set AWS_CA_BUNDLE to the certificates of your organization.",
    ),
    _meaning(
        "ProxyConnectionError InvalidProxiesConfigError",
        "the proxy cannot be reached",
        "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY.",
    ),
    _meaning(
        "ConnectTimeoutError ReadTimeoutError",
        "{server} does not answer in time",
        "Check the network, and the endpoint URL if you set one.",
    ),
    _meaning(
        "ConnectionError HTTPClientError HTTPError",
        "{server} cannot be reached",
        "Check the network, and the endpoint URL if you set one.",
    ),
    _meaning(
        "RecursionError",
        "{server} answers with redirections only",
        "Check the endpoint URL: it may have to begin with https.",
    ),
    _meaning(
        "ResponseParserError PaginationError",
        "{server} gives answers that are not those of an S3 server",
        "Check the endpoint URL, and whether this network wants you to sign in.",
    ),
    _meaning(
        "FlexibleChecksumError IncompleteReadError ChecksumError",
        "the answer was damaged on the way",
        "Try again.",
    ),
)

#: Whatever nobody has thought of: what botocore says is all that there is to say.
_OTHER = _meaning(
    "",
    "{text}",
    "Check the AWS configuration: region, endpoint URL, profile ({profile}).",
)


#: Answers to a conditional write that tell something, other than a plain failure: not
#: found, in conflict, changed, not implemented.
_REFUSALS = frozenset({404, 409, 412, 501})


@contextmanager
def translated(operation: Operation) -> Iterator[None]:
    """Turn every error of botocore into a StoreError that names the operation."""
    try:
        yield
    except Exception as error:
        # What botocore did not raise is a mistake of ours, and stays visible as one.
        # But where a server redirects all requests, botocore recurses without end.
        if not is_foreign(error) and not isinstance(error, RecursionError):
            raise
        raise _explained(error, operation) from error


def error_code(error: BaseException | None) -> str:
    """Return the code of S3's answer; a bare status where the answer had no body."""
    return _line(str(_answer(error).get("Error", {}).get("Code") or ""))


def error_status(error: Exception) -> int:
    """Return the HTTP status of S3's answer; 0: there was no answer."""
    return int(_answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _answer(error: BaseException | None) -> Mapping[str, Any]:
    """Return S3's answer; where the connection has failed, botocore says None."""
    return getattr(error, "response", None) or {}


def of_s3(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an answer about an object, unless it is of some other server.

    A network that wants people to sign in says 200 to everything; S3 has an ETag then.
    """
    if "ETag" not in answer:
        from botocore.parsers import ResponseParserError

        raise ResponseParserError("there is no ETag")
    return answer


def refusal(error: Exception) -> int:
    """Return the HTTP status where it tells something; raise any other error."""
    status = error_status(error)
    if status in _REFUSALS and not is_missing_bucket(error):
        return status
    raise error


def is_missing_bucket(error: Exception) -> bool:
    """Tell whether there is no such bucket."""
    return error_code(error) == "NoSuchBucket"


def is_absence(error: Exception) -> bool:
    """Tell whether there is no such object; after HEAD, it may be no such bucket."""
    return error_status(error) == HTTPStatus.NOT_FOUND and not is_missing_bucket(error)


def is_foreign(error: Exception) -> bool:
    """Tell whether botocore has raised this, or what it is built on."""
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return not modules.isdisjoint(("botocore", "urllib3"))


def _explained(error: Exception, operation: Operation) -> StoreError:
    code, answer = error_code(error), _answer(error)
    # Not all servers have a message: Ceph sends an empty one, which is None here.
    said = _line(answer.get("Error", {}).get("Message") or "")
    meaning = _answered(error, code) if answer else _failed(error)
    words = _words(operation) | {
        "region": _region(answer),
        "text": f"S3 refuses: {said}".rstrip(": ") if answer else _line(str(error)),
    }
    why = meaning.why.format_map(words)
    if code:
        details = [code] if meaning is _OTHER or not said else [code, said]
        why = f"{why} ({': '.join(details)})"
    kind = AccessDeniedError if meaning is _DENIED else StoreError
    return kind(
        f"Cannot {operation.doing}: {why}.", hint=meaning.hint.format_map(words)
    )


def _words(operation: Operation) -> dict[str, str]:
    profile, endpoint = operation.profile, operation.endpoint
    where = "AWS_DEFAULT_REGION, or `region` of the profile"
    if operation.region:  # which goes before both
        where = f"--region, or s3_sync_region, which says {operation.region}"
    return {
        "where": where,
        "bucket": operation.bucket,
        "permission": operation.permission or "more permissions",
        "server": endpoint or "AWS",
        "profile": profile or "default",
        "as_profile": f" --profile {profile}" if profile else "",
        "at_endpoint": f" --endpoint-url {endpoint}" if endpoint else "",
    }


def _answered(error: Exception, code: str) -> _Meaning:
    for meaning in _ANSWERS:
        if code in meaning.names:
            return meaning
    status = error_status(error)
    return _BUSY if status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500 else _OTHER


def _failed(error: Exception) -> _Meaning:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return next((known for known in _FAILURES if kinds & known.names), _OTHER)


def _region(answer: Mapping[str, Any]) -> str:
    """Return `, REGION` where the answer tells which one is right."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    told = headers.get("x-amz-bucket-region") or answer.get("Error", {}).get("Region")
    return f", {_line(told)}" if told else ""


def _line(text: str) -> str:
    """Return what a server says as one line of bounded length."""
    return " ".join(text.split()).rstrip(".")[:300]
