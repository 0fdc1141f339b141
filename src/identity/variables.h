// What is known of a connection, as policy variables. Internal to the module.
#pragma once

#include <string_view>

#include "crypto/certificate.h"
#include "policy/variables.h"

namespace gnomon::identity {

// iot:CertificateId, iot:Certificate.SerialNumber, .AvailableKeys, .Subject.*, .Issuer.* (AWS IoT:
// "X.509 certificate policy variables").
void set_certificate(policy::Variables& variables, const crypto::Certificate& certificate);

}  // namespace gnomon::identity
