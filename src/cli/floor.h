// The floor: not a broker, but the cheapest program that moves PUBLISH packets from publishers to
// subscribers. What a broker costs beyond it is what being a broker costs.
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "runtime/loop.h"

namespace gnomon::cli {

enum class FloorMode : std::uint8_t {
  direct,  // what one socket's read brought is written on at once
  gather,  // what is for one subscriber is written once a turn
};

// Forwards until a signal ends the process. `ready` is called once with the bound address.
// One thread; no checks, no sessions, one filter a connection: for `gnomon bench` only, so it takes
// connections over loopback alone.
// Errors: unavailable (the address cannot be had), invalid.
Result<void> run_floor(const runtime::Address& address, FloorMode mode,
                       const std::function<void(const runtime::Address&)>& ready);

}  // namespace gnomon::cli
