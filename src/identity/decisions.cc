#include "identity/decisions.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace gnomon::identity {

namespace {

// Not in the midst of a character.
void cut(std::string& text) {
  if (text.size() <= limits::decision_text_bytes_max) return;
  std::size_t end = limits::decision_text_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text = std::string(text, 0, end);  // gives the memory back, as resize() does not
}

}  // namespace

void Decisions::note(Decision decision) {
  for (std::string* text :
       {&decision.principal, &decision.client_id, &decision.resource, &decision.explanation})
    cut(*text);
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
