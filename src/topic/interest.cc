#include "topic/interest.h"

#include <vector>

#include "base/hash.h"
#include "topic/trie.h"

namespace gnomon::topic {
namespace {

// An exact hash is the tag and the segment of PointerTable, side by side. Here its lower 10 bits
// choose one of a fixed number of segments, and the upper 25 are kept, with the owner behind them.
// As the number is fixed, the 10 bits are known from where a word lies.
constexpr int directory_bits = 10;
constexpr int kept_bits = tag_bits + segment_bits - directory_bits;
constexpr int owner_bits = 32 - kept_bits;
static_assert(limits::shards_max < 1 << owner_bits);  // so no word has all bits set: that is empty

using Segment = SortedSlots<std::uint32_t, kept_bits>;

std::uint32_t kept(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> directory_bits) & ((1U << kept_bits) - 1);
}
std::uint32_t word(std::uint64_t hash, OwnerId owner) { return kept(hash) << owner_bits | owner; }
std::size_t segment(std::uint64_t hash) { return hash & ((1U << directory_bits) - 1); }

OwnerMask mask_of(std::uint32_t owner) { return OwnerMask{1} << (owner & 63); }

}  // namespace

std::uint64_t exact_hash(std::string_view filter, std::uint64_t seed) {
  const std::uint64_t hash = keyed_hash(filter, seed);
  return hash >> (64 - tag_bits) << segment_bits | (hash & ((1U << segment_bits) - 1));
}

struct InterestDirectory::State {
  explicit State(std::uint64_t seed_) : seed(seed_), wild(seed_, heap) {}
  ~State() {
    for (Segment& each : exact) each.clear(heap);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[nodiscard]] std::uint32_t* find(std::uint64_t hash, OwnerId owner) const {
    if (exact.empty()) return nullptr;
    return exact[segment(hash)].find(
        kept(hash), [&](std::uint32_t candidate) { return candidate == word(hash, owner); });
  }

  const std::uint64_t seed;
  Heap heap;
  std::vector<Segment> exact;  // none before the first word, then all
  Trie<OwnerMask> wild;
};

InterestDirectory::InterestDirectory(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
InterestDirectory::~InterestDirectory() = default;

void InterestDirectory::add_exact(std::uint64_t hash, OwnerId owner) {
  State& state = *state_;
  if (state.exact.empty()) state.exact = std::vector<Segment>(std::size_t{1} << directory_bits);
  if (state.find(hash, owner) != nullptr) return;
  state.exact[segment(hash)].insert(word(hash, owner), state.heap);
}

void InterestDirectory::remove_exact(std::uint64_t hash, OwnerId owner) {
  State& state = *state_;
  std::uint32_t* found = state.find(hash, owner);
  if (found != nullptr) state.exact[segment(hash)].erase(found, state.heap);
}

void InterestDirectory::add_wildcard(std::string_view filter, OwnerId owner) {
  state_->wild.at(filter) |= mask_of(owner);
}

void InterestDirectory::remove_wildcard(std::string_view filter, OwnerId owner) {
  OwnerMask* owners = state_->wild.find(filter);
  if (owners == nullptr) return;
  const OwnerMask left = *owners & ~mask_of(owner);
  if (left != 0) {
    *owners = left;
  } else {
    state_->wild.erase(filter);
  }
}

OwnerMask InterestDirectory::match(std::string_view name) const {
  const State& state = *state_;
  OwnerMask owners = 0;
  if (!state.exact.empty()) {
    const std::uint64_t hash = exact_hash(name, state.seed);
    state.exact[segment(hash)].find(kept(hash), [&](std::uint32_t candidate) {
      owners |= mask_of(candidate & ((1U << owner_bits) - 1));
      return false;
    });
  }
  if (!state.wild.empty()) state.wild.match(name, [&](OwnerMask mask) { owners |= mask; });
  return owners;
}

std::size_t InterestDirectory::memory_bytes() const {
  return sizeof(State) + state_->heap.held() + state_->exact.capacity() * sizeof(Segment) +
         state_->wild.edge_bytes();
}

}  // namespace gnomon::topic
