#include "topic/interest.h"

#include <array>

#include "base/hash.h"
#include "topic/sorted_slots.h"
#include "topic/trie.h"

namespace gnomon::topic {

namespace {
constexpr int owner_bits = 8;
}  // namespace

std::uint64_t exact_hash(std::string_view filter, std::uint64_t seed) {
  return keyed_hash(filter, seed) >> owner_bits;
}

struct InterestDirectory::State {
  explicit State(std::uint64_t given) : seed(given), wild(given, heap) {}
  ~State() {
    for (Slots& each : exact) each.clear(heap);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // A word is the hash and, below it, the owner. Cut into parts by the hash's lowest bits, so that
  // no insertion lays out more than a part anew.
  using Word = std::uint64_t;
  static constexpr int place_bits = 32;
  using Slots = SortedSlots<Word, place_bits>;
  static constexpr std::size_t parts = 256;

  static Word word(std::uint64_t hash, OwnerId owner) { return hash << owner_bits | owner; }
  [[nodiscard]] Slots& part(std::uint64_t hash) { return exact[hash % parts]; }

  std::uint64_t seed;
  Heap heap;
  std::array<Slots, parts> exact;
  Trie<OwnerMask> wild;
};

InterestDirectory::InterestDirectory(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
InterestDirectory::~InterestDirectory() = default;

void InterestDirectory::add_exact(std::uint64_t hash, OwnerId owner) {
  auto& part = state_->part(hash);
  const State::Word word = State::word(hash, owner);
  const auto same = [word](State::Word other) { return other == word; };
  if (part.find(State::Slots::place_of(word), same) == nullptr) part.insert(word, state_->heap);
}

void InterestDirectory::remove_exact(std::uint64_t hash, OwnerId owner) {
  auto& part = state_->part(hash);
  const State::Word word = State::word(hash, owner);
  const auto same = [word](State::Word other) { return other == word; };
  if (State::Word* found = part.find(State::Slots::place_of(word), same)) {
    part.erase(found, state_->heap);
  }
}

void InterestDirectory::add_wildcard(std::string_view filter, OwnerId owner) {
  state_->wild.at(filter) |= OwnerMask{1} << owner;
}

void InterestDirectory::remove_wildcard(std::string_view filter, OwnerId owner) {
  OwnerMask* mask = state_->wild.find(filter);
  if (mask == nullptr) return;
  *mask &= ~(OwnerMask{1} << owner);
  if (*mask == 0) state_->wild.erase(filter);
}

OwnerMask InterestDirectory::match(std::string_view name) const {
  OwnerMask mask = 0;
  const std::uint64_t hash = exact_hash(name, state_->seed);
  const State::Word first = State::word(hash, 0);
  state_->part(hash).find(State::Slots::place_of(first), [&](State::Word word) {
    if (word >> owner_bits == hash) mask |= OwnerMask{1} << (word & 0xFF);
    return false;  // go on: other owners have words of the same place
  });
  if (!state_->wild.empty()) {
    state_->wild.match(name, [&](OwnerMask owners) { mask |= owners; });
  }
  return mask;
}

std::size_t InterestDirectory::memory_bytes() const {
  return sizeof(State) + state_->heap.held() + state_->wild.edge_bytes();
}

}  // namespace gnomon::topic
