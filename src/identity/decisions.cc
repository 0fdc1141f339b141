#include "identity/decisions.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace gnomon::identity {

void Decisions::note(Decision decision) {
  for (std::string* text : {&decision.client_id, &decision.resource, &decision.explanation}) {
    if (text->size() > limits::decision_text_bytes_max)
      text->resize(limits::decision_text_bytes_max);
  }
  last_.with([&](auto& last) {
    last.push_back(std::move(decision));
    if (last.size() > limits::decisions_remembered_max) last.pop_front();
  });
}

std::optional<Decision> Decisions::find(std::string_view id) const {
  return last_.with([id](const auto& last) -> std::optional<Decision> {
    const auto at = std::ranges::find(last, id, &Decision::id);
    if (at == last.end()) return std::nullopt;
    return *at;
  });
}

}  // namespace gnomon::identity
