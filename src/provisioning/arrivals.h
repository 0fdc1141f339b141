// Just-in-time provisioning: a certificate that comes with a connection, of a CA whose registration
// config holds a template.
#pragma once

#include "crypto/certificate.h"
#include "provisioning/provisioning.h"
#include "registry/authorities.h"

namespace gnomon::provisioning {

// What a template is given of a certificate: `AWS::IoT::Certificate::Id`, and of its subject
// Country, Organization, OrganizationalUnit, DistinguishedNameQualifier, StateName, CommonName and
// SerialNumber, as far as they are there; of several the first.
[[nodiscard]] Parameters parameters_of(const crypto::Certificate& certificate);

// Registers the certificate, if it is not, and does what the template says, as one batch. `ca` has
// signed it, is ACTIVE, and has a registration config: whoever calls has seen to that; that it
// still is so is looked at again for a certificate that is not registered. Errors:
// certificate_state (that, or the certificate is not PENDING_ACTIVATION any more);
// resource_not_found (the template), and as register_thing().
registry::Written<registry::Nothing> provision_arrival(
    Provisioning& provisioning, const crypto::Certificate& certificate,
    const registry::CaCertificateDescription& ca);

}  // namespace gnomon::provisioning
