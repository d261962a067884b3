"""MTA-STS policies (RFC 8461): announced in DNS, fetched by HTTPS, kept on disk for all workers.

What flows through: a recipient's domain; out comes the policy that holds for it now, if any. A policy that is kept is
used as long as DNS announces no other, and until it ends even where DNS or its host fail: who can suppress an answer
must not be able to make this relay do without TLS.

Laws:
- the fetch goes to a host that a stranger names: its address must be one that mail may be sent to (`tenancy.reach`),
  the certificate must verify, redirects are not followed, size and time are bounded;
- nobody waits for more than one fetch of one domain, and what it came to holds for five minutes (RFC 8461 3.3),
  whatever life a policy gives itself: a stranger must not be able to make this relay fetch for each message;
- the files are at most so many: the oldest go first. Folders are read in a thread, because a large one takes long;
- a domain that announces nothing and has nothing kept costs one question to DNS, which is cached.
"""

import asyncio
import json
import os
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from gatepost.errors import GatepostError
from gatepost.net.dns import Resolver, is_address
from gatepost.queue.next_hop import DnsProblem
from gatepost.tenancy.mta_sts import LARGEST, NO_POLICY, StsAnswer, StsMode, StsPolicy, policy_id, read_policy

HTTPS_PORT: Final = 443

_FETCH_WITHIN_S: Final = 20.0
_DNS_WITHIN_S: Final = 5.0
_NOT_AGAIN_FOR_S: Final = 300.0
_NOT_ASKED_FOR_S: Final = 60.0
"""After DNS did not answer in time: nobody waits for it at every attempt."""
_REFRESH_AFTER_S: Final = 86_400.0
_MOST_REMEMBERED: Final = 10_000
_MOST_KEPT: Final = 100_000
_COUNT_AFTER: Final = 1000
"""So many files more than `_MOST_KEPT` may be there for each worker: counting them takes long."""
_MOST_ADDRESSES: Final = 3

# A compressed answer could become any size.
_HEADERS: Final = {"Accept": "text/plain", "Accept-Encoding": "identity", "User-Agent": "Gatepost"}


class KeptPolicy(NamedTuple):
    policy: StsPolicy
    fetched_at: float
    """Seconds since the epoch."""

    @property
    def ends_at(self) -> float:
        return self.fetched_at + self.policy.max_age_s

    def is_old(self, now: float) -> bool:
        """It is time to fetch it again, before it ends."""
        return now >= self.fetched_at + min(_REFRESH_AFTER_S, self.policy.max_age_s / 2)


class Fetch(Protocol):
    async def __call__(self, domain: str) -> str:
        """The text of the policy of `domain`. Raises `NotFetched`."""


class NotFetched(GatepostError):
    """Why there is no policy, in a few words."""


class MtaSts:
    """One per worker."""

    def __init__(
        self,
        resolver: Resolver,
        folder: Path,
        fetch: Fetch,
        clock: Callable[[], float] = time.time,
        within_s: float = _FETCH_WITHIN_S,
    ) -> None:
        self._resolver = resolver
        self._kept = PolicyFiles(folder)
        self._fetch = fetch
        self._clock = clock
        self._within_s = within_s
        self._fetched: OrderedDict[str, tuple[float, StsAnswer]] = OrderedDict()
        """When the next fetch is due at the earliest, and what the last one came to."""
        self._silent_until: OrderedDict[str, float] = OrderedDict()
        self._fetches: dict[str, asyncio.Task[StsAnswer]] = {}

    async def policy(self, domain: str) -> StsAnswer:
        """Of the domain of a recipient, a domain key."""
        if domain.startswith("["):
            return NO_POLICY
        announced = await self._announced(domain)
        kept, now = self._kept.get(domain), self._clock()
        if kept is not None and now < kept.ends_at and not (isinstance(announced, str) and announced != kept.policy.id):
            if kept.is_old(now) and self._may_fetch(domain, now):
                self._begin(domain, kept.policy.id)
            return StsAnswer(kept.policy)
        if isinstance(announced, _Unknown):
            return StsAnswer(unknown=announced.why)
        if announced is None:
            return NO_POLICY
        if not self._may_fetch(domain, now):
            found = self._fetched[domain][1]
        else:
            found = await asyncio.shield(self._begin(domain, announced))
        if found.policy is None and kept is not None and now < kept.ends_at:
            return StsAnswer(kept.policy, found.problem)
        return found

    async def _announced(self, domain: str) -> "str | _Unknown | None":
        """The id of the policy that DNS announces; None: none."""
        silence = _Unknown(f"no name server answered about _mta-sts.{domain} TXT in time")
        if self._silent_until.get(domain, 0.0) > self._clock():
            return silence
        try:
            async with asyncio.timeout(_DNS_WITHIN_S):
                records = await self._resolver.txt(f"_mta-sts.{domain}")
        except TimeoutError:
            self._silent_until[domain] = self._clock() + _NOT_ASKED_FOR_S
            if len(self._silent_until) > _MOST_REMEMBERED:
                self._silent_until.popitem(last=False)
            return silence
        if isinstance(records, DnsProblem):
            return None if records.permanent else _Unknown(records.why)
        return policy_id(records)

    def _may_fetch(self, domain: str, now: float) -> bool:
        return now >= self._fetched.get(domain, (0.0, NO_POLICY))[0]

    def _begin(self, domain: str, announced: str) -> asyncio.Task[StsAnswer]:
        fetch = self._fetches.get(domain)
        if fetch is None:
            fetch = self._fetches[domain] = asyncio.get_running_loop().create_task(self._renew(domain, announced))
            fetch.add_done_callback(lambda _: self._fetches.pop(domain, None))
        return fetch

    async def _renew(self, domain: str, announced: str) -> StsAnswer:
        found = await self._fetch_now(domain, announced)
        now = self._clock()
        self._fetched[domain] = (now + _NOT_AGAIN_FOR_S, found)
        self._fetched.move_to_end(domain)
        if len(self._fetched) > _MOST_REMEMBERED:
            self._fetched.popitem(last=False)
        if found.policy:
            await asyncio.to_thread(self._kept.put, domain, KeptPolicy(found.policy, now))
        return found

    async def _fetch_now(self, domain: str, announced: str) -> StsAnswer:
        problem = f"no answer from mta-sts.{domain} within {self._within_s:g} s"
        try:
            async with asyncio.timeout(self._within_s):
                read = read_policy(await self._fetch(domain), announced)
            if isinstance(read, StsPolicy):
                return StsAnswer(read)
            problem = f"the policy of mta-sts.{domain} is not one: {read}"
        except NotFetched as error:
            problem = str(error)
        except TimeoutError:
            pass
        return StsAnswer(problem=problem)


class _Unknown(NamedTuple):
    """DNS does not say what the domain announces."""

    why: str


class PolicyFiles:
    """One file per domain, written whole. What another worker wrote is seen by the date of the file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._put_since_counted = _COUNT_AFTER
        self._read: OrderedDict[str, tuple[int, KeptPolicy | None]] = OrderedDict()

    def get(self, domain: str) -> KeptPolicy | None:
        file = self._folder / _file_name(domain)
        with suppress(OSError):
            written_at = file.stat().st_mtime_ns
            known = self._read.get(domain)
            if known is None or known[0] != written_at:
                known = self._read[domain] = (written_at, _read(file, domain))
                if len(self._read) > _MOST_REMEMBERED:
                    self._read.popitem(last=False)
            return known[1]
        return None

    def put(self, domain: str, kept: KeptPolicy) -> None:
        """A policy that cannot be kept holds for this attempt. Takes long where there are many: call it in a thread."""
        policy, file = kept.policy, self._folder / _file_name(domain)
        text = json.dumps(
            {
                "domain": domain,
                "id": policy.id,
                "mode": policy.mode,
                "max_age": policy.max_age_s,
                "mx": policy.mx,
                "fetched_at": kept.fetched_at,
            }
        )
        part = file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            part.write_text(text, encoding="ascii")
            part.replace(file)
        self._put_since_counted += 1
        if self._put_since_counted >= _COUNT_AFTER:
            self._put_since_counted = 0
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        files: list[tuple[int, str]] = []
        with suppress(OSError):
            for each in os.scandir(self._folder):
                with suppress(FileNotFoundError):  # another worker was faster
                    files.append((each.stat().st_mtime_ns, each.path))
        for _, path in sorted(files)[: max(0, len(files) - _MOST_KEPT)]:
            with suppress(OSError):
                Path(path).unlink()


def _file_name(domain: str) -> str:
    return sha256(domain.encode()).hexdigest()[:32] + ".json"


def _read(file: Path, domain: str) -> KeptPolicy | None:
    """None: it is damaged, and as good as not there."""
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="ascii"))
        policy = StsPolicy(record["id"], StsMode(record["mode"]), int(record["max_age"]), tuple(record["mx"]))
        kept = KeptPolicy(policy, float(record["fetched_at"]))
    except (ValueError, KeyError, TypeError):
        return None
    return kept if record.get("domain") == domain else None


class HttpsFetch:
    """Over the network, to the address that DNS gives for the policy host, after that was judged."""

    def __init__(
        self,
        resolver: Resolver,
        kind_of: Callable[[str], str | None],
        roots: Path | None,
        port: int = HTTPS_PORT,
    ) -> None:
        """`kind_of` says what keeps an address from being dialled. `roots`: what the host's certificate is verified
        against."""
        self._resolver = resolver
        self._kind_of = kind_of
        self._roots = roots
        self._port = port
        self._context: ssl.SSLContext | None = None

    async def __call__(self, domain: str) -> str:
        host = f"mta-sts.{domain}"
        addresses = await self._resolver.addresses(host)
        if isinstance(addresses, DnsProblem):
            raise NotFetched(addresses.why)
        allowed = [each for each in addresses if is_address(each) and self._kind_of(each) is None]
        if not allowed:
            raise NotFetched(f"{host} has {self._kind_of(addresses[0])}, which is not fetched from")
        problem = NotFetched(f"{host} cannot be reached")
        for address in allowed[:_MOST_ADDRESSES]:
            try:
                return await self._get(host, address)
            except _Unreachable as error:
                problem = NotFetched(f"{host} cannot be reached: {error}")
        raise problem

    async def _get(self, host: str, address: str) -> str:
        # Only domains that announce a policy need it.
        import httpx

        bracketed = f"[{address}]" if ":" in address else address
        url = f"https://{bracketed}:{self._port}/.well-known/mta-sts.txt"
        try:
            async with (
                httpx.AsyncClient(verify=self._tls(), follow_redirects=False, trust_env=False, timeout=10.0) as client,
                client.stream(
                    "GET", url, headers=_HEADERS | {"Host": host}, extensions={"sni_hostname": host}
                ) as response,
            ):
                return await _text(host, response)
        except httpx.ConnectError as error:
            if "certificate" in str(error).lower():
                raise NotFetched(f"the certificate of {host} did not verify: {_in_short(error)}") from None
            raise _Unreachable(_in_short(error)) from None
        except httpx.TimeoutException:
            raise _Unreachable("no answer in time") from None
        except httpx.HTTPError as error:
            raise NotFetched(f"{host} does not answer as HTTPS hosts do: {_in_short(error)}") from None

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._roots)
        return self._context


class _Unreachable(Exception):
    """Another address of the host may do."""


async def _text(host: str, response: Any) -> str:
    if response.status_code != 200:
        # RFC 8461 3.3: redirects are not followed.
        raise NotFetched(f"{host} answers {response.status_code} and not 200")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/plain":
        raise NotFetched(f"{host} answers with {kind[:40] or 'no type'} and not with text/plain")
    octets = bytearray()
    async for piece in response.aiter_raw():
        octets += piece
        if len(octets) > LARGEST:
            raise NotFetched(f"the policy of {host} is larger than {LARGEST // 1024} KiB")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise NotFetched(f"the policy of {host} is not UTF-8") from None


def _in_short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:120]
