// Trie: topic filters with wildcards → values. Internal to topic.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "topic/pointer_table.h"

namespace gnomon::topic {

// Takes the first level off `rest`; `more` tells if another one follows, possibly an empty one.
inline std::string_view take_level(std::string_view& rest, bool& more) {
  std::size_t end = 0;  // levels are short: a call of memchr would take longer
  while (end < rest.size() && rest[end] != '/') ++end;
  more = end < rest.size();
  const std::string_view level = rest.substr(0, end);
  rest.remove_prefix(end + static_cast<std::size_t>(more));
  return level;
}

// Trie: one node a level of a filter. The children with a text are found through one table for the
// whole trie, keyed by (parent, text); the child for `+` and the value of `…/#` hang on the node
// itself, so a `#` needs no node. Neither depth nor width costs anything but memory, nothing
// recurses, and a node goes when nothing hangs on it any more.
// V: a small value; V{} means "no such filter". The trie does not own what V points to.
// Owner: one index or directory. Not thread-safe.
template <class V>
class Trie {
 public:
  // `parents`: a filter that ends in `/#` matches the level before it too.
  Trie(std::uint64_t seed, Heap& heap, bool parents = true)
      : seed_(seed), heap_(heap), parents_(parents) {}
  ~Trie() {
    clear([](V&) {});
  }
  Trie(const Trie&) = delete;
  Trie& operator=(const Trie&) = delete;

  [[nodiscard]] bool empty() const {
    return edges_.size() == 0 && root_.plus == nullptr && root_.rest == V{};
  }
  [[nodiscard]] std::size_t edge_bytes() const { return edges_.segment_bytes(); }

  // The value of `filter`, made (V{}) if there is none. Follow with erase() if it stays V{}.
  V& at(std::string_view filter) {
    Node* node = &root_;
    int depth = 0;
    for (bool more = true; more;) {
      const std::string_view level = take_level(filter, more);
      if (level == "#") return node->rest;
      // match() relies on it for its stack.
      if (++depth > limits::topic_levels_max) throw std::logic_error("Trie: filter too deep");
      Node* next = child(*node, level);
      node = next != nullptr ? next : grow(*node, level);
    }
    return node->here;
  }

  // The value of `filter`, or null.
  [[nodiscard]] V* find(std::string_view filter) {
    const Place place = locate(filter);
    return place.value == nullptr || *place.value == V{} ? nullptr : place.value;
  }

  // Makes the value of `filter` V{} and drops the nodes that nothing needs any more.
  void erase(std::string_view filter) {
    const Place place = locate(filter);
    if (place.value == nullptr) return;
    *place.value = V{};
    for (Node* node = place.node; node != &root_ && node->unused();) {
      node = drop(node);
    }
  }

  // Calls found(value) for each filter that matches the topic name, each once.
  template <class Found>
  void match(std::string_view name, Found&& found) const;

  // Visits every value that is not V{} and drops everything.
  template <class Visit>
  void clear(Visit&& visit) {
    // A node is reached exactly once: through the table, or along the `+` from one that is.
    drop_values(root_, visit);
    drop_chain(root_.plus, visit);
    edges_.for_each([&](Node& node) { drop_chain(&node, visit); });
    edges_.clear(heap_);
    root_ = Node();
  }

 private:
  // A level of a filter; its text follows in the same block.
  struct Node {
    Node* parent = nullptr;
    Node* plus = nullptr;        // the child for `+`
    V here{};                    // of the filter that ends here
    V rest{};                    // of the filter that goes on with `/#` and ends
    std::uint32_t hash = 0;      // the lower half of the edge's hash, for the table
    std::uint32_t children = 0;  // with a text
    std::uint32_t length = 0;    // of the text

    [[nodiscard]] bool unused() const {
      return plus == nullptr && children == 0 && here == V{} && rest == V{};
    }
    // Right behind the last member: what would be padding holds the first bytes.
    static constexpr std::size_t text_at() {
      return offsetof(Node, length) + sizeof(std::uint32_t);
    }
    [[nodiscard]] char* text_begin() { return reinterpret_cast<char*>(this) + text_at(); }
    [[nodiscard]] std::string_view text() const {
      return {reinterpret_cast<const char*>(this) + text_at(), length};
    }
  };
  struct Place {
    Node* node;
    V* value;
  };

  [[nodiscard]] std::uint64_t level_hash(std::string_view level) const {
    return keyed_hash(level, seed_);
  }
  // The hash of an edge: the level's, spread again with the parent's address.
  static std::uint64_t edge_hash(const Node& parent, std::uint64_t level_hash) {
    __extension__ using Wide = unsigned __int128;
    const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&parent));
    const Wide product = Wide{level_hash ^ address} * 0x9e3779b97f4a7c15;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  [[nodiscard]] Node* literal(const Node& parent, std::string_view level,
                              std::uint64_t level_hash) const {
    return edges_.find(edge_hash(parent, level_hash), [&](const Node& node) {
      return node.parent == &parent && node.text() == level;
    });
  }
  [[nodiscard]] Node* child(const Node& parent, std::string_view level) const {
    if (level == "+") return parent.plus;
    return parent.children == 0 ? nullptr : literal(parent, level, level_hash(level));
  }

  [[nodiscard]] Place locate(std::string_view filter) {
    Node* node = &root_;
    for (bool more = true; more;) {
      const std::string_view level = take_level(filter, more);
      if (level == "#") return {node, &node->rest};
      node = child(*node, level);
      if (node == nullptr) return {nullptr, nullptr};
    }
    return {node, &node->here};
  }

  Node* grow(Node& parent, std::string_view level) {
    const bool plus = level == "+";
    const std::size_t length = plus ? 0 : level.size();
    void* block = heap_.take(std::max(sizeof(Node), Node::text_at() + length));
    Node* node = new (block) Node();
    node->parent = &parent;
    if (plus) {
      parent.plus = node;
      return node;
    }
    const std::uint64_t hash = edge_hash(parent, level_hash(level));
    node->hash = static_cast<std::uint32_t>(hash);
    node->length = static_cast<std::uint32_t>(length);
    if (length > 0) std::memcpy(node->text_begin(), level.data(), length);
    edges_.insert(hash, node, heap_, [](const Node& other) { return other.hash; });
    ++parent.children;
    return node;
  }

  // Drops a node that nothing hangs on; returns its parent.
  Node* drop(Node* node) {
    Node* parent = node->parent;
    if (parent->plus == node) {
      parent->plus = nullptr;
    } else {
      edges_.erase(edge_hash(*parent, level_hash(node->text())), node, heap_);
      --parent->children;
    }
    heap_.give_back(node);
    return parent;
  }

  template <class Visit>
  static void drop_values(Node& node, Visit& visit) {
    if (node.here != V{}) visit(node.here);
    if (node.rest != V{}) visit(node.rest);
  }
  template <class Visit>
  void drop_chain(Node* node, Visit& visit) {
    while (node != nullptr) {
      drop_values(*node, visit);
      Node* next = node->plus;
      heap_.give_back(node);
      node = next;
    }
  }

  std::uint64_t seed_;
  Heap& heap_;
  const bool parents_;
  Node root_;
  PointerTable<Node> edges_;
};

template <class V>
template <class Found>
void Trie<V>::match(std::string_view name, Found&& found) const {
  struct Level {
    const char* text;
    std::size_t length;
    std::uint64_t hash;
  };
  struct Branch {
    const Node* node;
    int depth;
  };
  // Left uninitialised (hence no string_view): only as much is touched as the walk is deep. A
  // branch is put off at most once per depth, since those put off deeper down are walked first.
  std::array<Level, limits::topic_levels_max> levels;
  std::array<Branch, limits::topic_levels_max> later;
  int levels_known = 0, put_off = 0;
  bool more = true;  // levels beyond those known

  const bool reserved = name.starts_with('$');  // not for a leading wildcard (MQTT 5 §4.7.2)
  const Node* node = &root_;
  int depth = 0;  // levels of the name that lie between the root and `node`
  for (;;) {
    const bool hidden = reserved && depth == 0;
    const bool whole = depth == levels_known && !more;
    if (node->rest != V{} && !hidden && (parents_ || !whole)) found(node->rest);
    const Node *literal_child = nullptr, *plus_child = nullptr;
    if (whole) {
      if (node->here != V{}) found(node->here);
    } else {
      plus_child = hidden ? nullptr : node->plus;
      if (node->children != 0 || plus_child != nullptr) {
        const auto at = static_cast<std::size_t>(depth);
        if (depth == levels_known) {
          const std::string_view level = take_level(name, more);
          levels[at] = {level.data(), level.size(), level_hash(level)};
          ++levels_known;
        }
        if (node->children != 0) {
          literal_child = literal(*node, {levels[at].text, levels[at].length}, levels[at].hash);
        }
      }
    }
    if (literal_child != nullptr) {
      if (plus_child != nullptr) {
        later[static_cast<std::size_t>(put_off++)] = {plus_child, depth + 1};
      }
      node = literal_child;
      ++depth;
    } else if (plus_child != nullptr) {
      node = plus_child;
      ++depth;
    } else if (put_off > 0) {
      node = later[static_cast<std::size_t>(--put_off)].node;
      depth = later[static_cast<std::size_t>(put_off)].depth;
    } else {
      return;
    }
  }
}

}  // namespace gnomon::topic
