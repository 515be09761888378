"""Files that code of C reads by their paths, without an audit event."""

import ssl
import threading
from contextlib import nullcontext

import pytest

from tests.soundness.truth import broken, right, systems_of

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUPb0CbiwDCgUtDJYp2V1+N/oOej4wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEc2hvcDAgFw0yNjEyMDMwNTI1MTZaGA8yMTI2MTEwOTA1MjUx
NlowDzENMAsGA1UEAwwEc2hvcDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPlf
+4J5FJ/5dZ58PSR1f1T6GO0b0JppWB68QWxOOCYkoBuph1GtIx5Z4Vz118gjH9oh
iVB2heC8KIQv7hkuYxyjUzBRMB0GA1UdDgQWBBRoUvx+Cd5Jn1m+2aZrIAesG/2m
2DAfBgNVHSMEGDAWgBRoUvx+Cd5Jn1m+2aZrIAesG/2m2DAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIEfMrONFX1iaeeEPeJYt3D65l1x27aQEa+uO
+M6EOgGPAiEAzowaYLAw0IECnR2Ziu/YS704RQO2Xuf3dxhkLtJsHew=
-----END CERTIFICATE-----
"""


def _by_path(path):
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)


def _by_name(path):
    ssl.SSLContext.load_verify_locations(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cafile=path)


def _by_default(path):
    ssl.create_default_context(cafile=str(path))


def _renews(world, path, load_it, guard):
    """One user loads a certificate, while another one replaces it in two steps."""
    path.write_text(CERTIFICATE)

    def load():
        with guard:
            load_it(path)

    def renew():
        with guard:
            path.unlink()
            path.write_text(CERTIFICATE)

    world.actor("server", load)
    world.actor("renewal", renew)
    world.run()


def _state(load_it):
    def renewed(world):
        _renews(world, world.tmp_path / "ca.pem", load_it, nullcontext())

    def renewed_under_a_lock(world):
        _renews(world, world.tmp_path / "ca.pem", load_it, threading.Lock())

    for body in (renewed, renewed_under_a_lock):
        body.__name__ = f"{body.__name__}{load_it.__name__}"
    broken("the certificate is gone, or empty, when it is loaded")(renewed)
    right("it is there whenever it is loaded")(renewed_under_a_lock)


for _load_it in (_by_path, _by_name, _by_default):
    _state(_load_it)


@right("a certificate that is given by itself is no file")
def certificates_without_a_file(world):
    def load():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=ssl.PEM_cert_to_DER_cert(CERTIFICATE))
        context.load_verify_locations(cadata=CERTIFICATE)
        return len(context.get_ca_certs())

    world.actor("one", load)
    world.actor("two", load)
    assert set(world.run().values()) == {1}


@pytest.mark.parametrize("system", systems_of(__name__, every=2), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
