"""A process that wants tokens: `python -m tests.destinations.renewing SETTINGS VENDOR`.

Each line on its standard input spoils the token that it has; on its standard output it tells the
next one, or what stood in the way.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr, TypeAdapter

from destinations.sender import Sender
from destinations.spec import Account, Barred, Request, Token, TokenTalk
from destinations.tokens import Tokens
from hub.clock import SystemClock
from hub.log.opening import open_log
from hub.log.settings import LogSettings
from tests.destinations.invented import Told, vendor

SETTINGS: TypeAdapter[LogSettings] = TypeAdapter(LogSettings)


def talk(account: Account[Any]) -> TokenTalk:
    """Asks the address that the settings call a region."""
    body = urlencode({"grant_type": "refresh_token", "refresh_token": account.grant}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = yield Request("POST", account.settings.region, form, body)
    return Token.of(reply) if reply.ok else Barred("invalid_grant", "the refresh token is spent")


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(settings: str, address: str) -> None:
    """Renew a token for each line."""
    log = await open_log(SETTINGS.validate_json(settings))
    clock = SystemClock()
    account = Account(Told(secret=SecretStr("r0"), region=address), clock.now)
    of = vendor(token=talk, grant=lambda told: told.secret)
    loop = asyncio.get_running_loop()
    async with Sender() as sender:
        tokens = Tokens("crm", of, account, sender, log, clock)
        tell("ready")
        while await loop.run_in_executor(None, sys.stdin.readline):
            trouble = await tokens.spoilt(account.token)
            tell(str(trouble or account.token))
    await log.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
