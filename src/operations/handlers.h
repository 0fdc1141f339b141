// The map of what is built: one file for each group of operations. Internal to the module.
#pragma once

#include <span>
#include <string_view>

#include "operations/handler.h"

namespace gnomon::operations {

struct Entry {
  std::string_view operation;  // "CreateThing"
  Handler handler;
};
using Entries = std::span<const Entry>;

// Each in the file of its name.
Entries iot_things();

}  // namespace gnomon::operations
