// Slots: how durable state is split. 256, fixed for ever: a key's slot is part of its place on
// disk. Partitions are the threads that slots are mapped to at start.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/named.h"

namespace gnomon::partition {

using SlotId = Named<std::uint8_t, struct SlotIdTag>;
constexpr int slots = 256;

// The slot of a key: the low byte of stable_hash ("fnv1a64-fmix") over the kind's name, a zero byte
// and the key. Test vectors in partition_test.cc.
enum class KeyKind : std::uint8_t { client_id, thing, topic, share_group };
[[nodiscard]] SlotId slot_of(KeyKind kind, std::string_view key);

// Which of `threads` partitions runs a slot.
[[nodiscard]] constexpr int thread_of(SlotId slot, int threads) { return slot.value % threads; }

}  // namespace gnomon::partition
