// Named: a value whose type says what it means, so that a client id is never taken for a topic.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <utility>

namespace gnomon {

template <class T, class Tag>
struct Named {
  T value{};

  Named() = default;
  explicit Named(T v) : value(std::move(v)) {}
  auto operator<=>(const Named&) const = default;
};

}  // namespace gnomon

template <class T, class Tag>
struct std::hash<gnomon::Named<T, Tag>> {
  std::size_t operator()(const gnomon::Named<T, Tag>& named) const {
    return std::hash<T>{}(named.value);
  }
};
