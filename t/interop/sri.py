"""Verifies signature-based integrity as a browser does, for sri.t.

sri.py KEYID PATH DIGEST INPUT SIGNATURE    the last three: headers' values

It takes the parameters apart and puts the base together by itself (RFC 9421
section 2.5), verifies with cryptography's Ed25519, and prints created and
expires.
"""

import base64
import re
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def main(keyid, path, digest, signature_input, signature):
    label, params = signature_input.split("=", 1)
    form = re.fullmatch(
        r'\("unencoded-digest";sf "@path";req\);keyid="([^"]+)";'
        r'created=(\d+);expires=(\d+);tag="ed25519-integrity"', params)
    assert form, "parameters: " + params
    assert form[1] == keyid, "keyid: " + form[1]
    value = re.fullmatch(re.escape(label) + r"=:([A-Za-z0-9+/]+=*):", signature)
    assert value, "signature: " + signature
    base = "\n".join([
        '"unencoded-digest";sf: ' + digest,
        '"@path";req: ' + path,
        '"@signature-params": ' + params,
    ])
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(keyid))
    key.verify(base64.b64decode(value[1], validate=True), base.encode())
    print(form[2], form[3])


main(*sys.argv[1:])
