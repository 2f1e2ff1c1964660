"""Signs and verifies with jwcrypto, for jose.t.

jose.py generate                      -> PEM of a new Ed25519 key
jose.py jwks PEM                      -> JWK Set of its public half
jose.py thumbprint PEM                -> RFC 7638 thumbprint
jose.py verify JWK TOKEN              -> {"header":..., "payload":...}
jose.py sign PEM TYP                  -> token over standard input
"""

import json
import sys

from jwcrypto import jwk, jws


def load(path):
    with open(path, "rb") as file:
        return jwk.JWK.from_pem(file.read())


def verify(key, token):
    got = jws.JWS()
    got.deserialize(token)
    got.verify(jwk.JWK.from_json(key))
    return json.dumps({"header": got.jose_header,
                       "payload": json.loads(got.payload)})


def sign(path, typ):
    key = load(path)
    token = jws.JWS(sys.stdin.buffer.read())
    header = {"kid": key.thumbprint(), "alg": "EdDSA", "typ": typ}
    token.add_signature(key, None, json.dumps(header))
    return token.serialize(compact=True)


def main(command, *args):
    if command == "generate":
        key = jwk.JWK.generate(kty="OKP", crv="Ed25519")
        return key.export_to_pem(private_key=True, password=None).decode()
    if command == "jwks":
        return json.dumps({"keys": [load(*args).export_public(as_dict=True)]})
    if command == "thumbprint":
        return load(*args).thumbprint()
    return {"verify": verify, "sign": sign}[command](*args)


if __name__ == "__main__":
    print(main(*sys.argv[1:]).rstrip("\n"))
