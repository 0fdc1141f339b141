// Signatories that are remembered, so that not every call reads and compiles policies. Internal to
// the module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/guarded.h"
#include "base/limits.h"
#include "iam/iam.h"

namespace gnomon::iam {

// KnownCallers: as the records of this generation have them. A change makes a new generation once
// it is written, and before it is answered: nobody who was told of it meets a caller of before.
// Bounded by number and by bytes of policies; whatever is beyond makes room for all anew.
// Owner: Iam. Threads: any.
class KnownCallers {
 public:
  [[nodiscard]] std::uint64_t generation() const {
    return memory_.with([](const Memory& memory) { return memory.generation; });
  }
  void forget() {
    All freed;  // outside of the lock, which every call takes
    memory_.with([&](Memory& memory) {
      ++memory.generation;
      memory.clear(freed);
    });
  }

  [[nodiscard]] std::optional<Signatory> find(const std::string& key) const {
    return memory_.with([&](const Memory& memory) -> std::optional<Signatory> {
      const auto at = memory.all.find(key);
      if (at == memory.all.end()) return std::nullopt;
      return at->second;
    });
  }
  // `generation`: the one before its records were read.
  void keep(const std::string& key, std::uint64_t generation, const Signatory& signatory) {
    All freed;
    std::optional<Signatory> before;
    const std::size_t bytes = signatory.caller->policy_bytes;
    if (bytes > limits::callers_remembered_bytes_max) return;
    memory_.with([&](Memory& memory) {
      if (memory.generation != generation) return;  // it may be from before
      if (const auto at = memory.all.find(key); at != memory.all.end()) {
        memory.bytes -= at->second.caller->policy_bytes;
        before = std::exchange(at->second, signatory);
        memory.bytes += bytes;
        return;
      }
      if (memory.all.size() >= limits::callers_remembered_max ||
          memory.bytes + bytes > limits::callers_remembered_bytes_max) {
        memory.clear(freed);
      }
      memory.all.emplace(key, signatory);
      memory.bytes += bytes;
    });
  }

 private:
  using All = std::unordered_map<std::string, Signatory>;
  struct Memory {
    std::uint64_t generation = 0;
    All all;
    std::size_t bytes = 0;  // of policies

    void clear(All& freed) {
      all.swap(freed);
      bytes = 0;
    }
  };
  mutable Guarded<Memory> memory_;
};

}  // namespace gnomon::iam
