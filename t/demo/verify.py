"""Verifies a JWS with python3-jwcrypto: verify.py JWK-SET-FILE JWS-FILE

Prints the claims; fails if no key of the set has signed it.
"""
import sys

from jwcrypto import jwk, jws

with open(sys.argv[1], encoding="ascii") as f:
    keys = jwk.JWKSet.from_json(f.read())
with open(sys.argv[2], encoding="ascii") as f:
    token = jws.JWS()
    token.deserialize(f.read())

by_id = {key.thumbprint(): key for key in keys["keys"]}
token.verify(by_id[token.jose_header["kid"]])
print(token.payload.decode("utf-8"))
