"""A mail server for tests: python3 server.py DIRECTORY PORT off|starttls|implicit [NAME PASSWORD]

It listens on loopback, and keeps each letter as JSON in DIRECTORY/kept. It never hands anything on.
"""

import asyncio
import email
import email.policy
import json
import os
import ssl
import sys
import time

from aiosmtpd.smtp import SMTP, AuthResult

PLACE, PORT, TLS = sys.argv[1], int(sys.argv[2]), sys.argv[3]
LOGIN = [part.encode() for part in sys.argv[4:6]]


class Keeper:
    """What becomes of the commands of a client."""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 nobody of this name here"
        if address.startswith("later"):
            return "451 4.7.1 come back in a while"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        parts = [part for part in letter.walk() if not part.is_multipart()]
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or TLS == "implicit",
            "user": session.auth_data.decode() if session.auth_data else None,
            "headers": [[name, str(value)] for name, value in letter.items()],
            "parts": [{"type": part.get_content_type(), "text": part.get_content()} for part in parts],
            "raw": envelope.original_content.decode("ascii"),
        }
        path = os.path.join(PLACE, "kept", f"{time.time_ns():020}")
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(told, file)
        # All of it is there at once, for whoever looks.
        os.rename(path + ".part", path + ".json")
        return "250 2.0.0 taken"


def sign_in(server, session, envelope, mechanism, data):
    """Whether this is the one who may."""
    if [data.login, data.password] == LOGIN:
        return AuthResult(success=True, auth_data=data.login)
    # It repeats what it was told, as a careless server might.
    told = data.password.decode("ascii", "replace")
    return AuthResult(success=False, handled=False, message=f"535 5.7.8 {told} is not the password")


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(os.path.join(PLACE, "server.crt"), os.path.join(PLACE, "server.key"))
    return made


def protocol():
    options = {"hostname": "localhost", "ident": "calsync-testbed", "loop": asyncio.get_running_loop()}
    if TLS == "starttls":
        options["tls_context"] = context()
    if LOGIN:
        options.update(authenticator=sign_in, auth_required=True, auth_require_tls=TLS == "starttls")
    return SMTP(Keeper(), **options)


async def serve():
    secured = context() if TLS == "implicit" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", PORT, ssl=secured)
    async with server:
        await server.serve_forever()


asyncio.run(serve())
