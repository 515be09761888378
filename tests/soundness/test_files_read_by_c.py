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


def _renews(world, path, guard):
    """One user loads a certificate, while another one replaces it in two steps."""
    path.write_text(CERTIFICATE)

    def load():
        with guard:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)

    def renew():
        with guard:
            path.unlink()
            path.write_text(CERTIFICATE)

    world.actor("server", load)
    world.actor("renewal", renew)
    world.run()


@broken("the certificate is gone, or empty, when it is loaded")
def a_certificate_that_is_renewed(world):
    _renews(world, world.tmp_path / "ca.pem", nullcontext())


@right("it is there whenever it is loaded")
def a_certificate_that_is_renewed_under_a_lock(world):
    _renews(world, world.tmp_path / "ca.pem", threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
