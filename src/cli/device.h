// The parts of gnomon device, and what they share.
#pragma once

#include <string>

#include "cli/commands.h"

namespace gnomon::cli {

int device_cert(Words words);
int device_create(Words words);
int device_delete(Words words);

// Whether a device may be called so: 1 to 64 of a-z A-Z 0-9 - _ : (a thing's name at AWS IoT, up to
// 128 there; a certificate's common name takes 64).
[[nodiscard]] bool is_device_name(const std::string& name);
// "" or what is wrong with it, for misuse().
[[nodiscard]] std::string wrong_device_name(const std::string& name);

}  // namespace gnomon::cli
