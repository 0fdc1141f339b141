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

std::size_t size_of(const policy::ExplainedStatement& statement) {
  std::size_t size = sizeof(statement) + statement.policy.size() + statement.via.size() +
                     statement.sid.size() + statement.why.size();
  for (const policy::ExplainedVariable& variable : statement.variables) {
    size += sizeof(variable) + variable.name.size() + variable.why.size();
    for (const std::string& value : variable.values) size += sizeof(value) + value.size();
  }
  for (const std::string& key : statement.missing) size += sizeof(key) + key.size();
  return size;
}

}  // namespace

void Decisions::note(Decision decision) {
  policy::Explanation& explanation = decision.explanation;
  for (std::string* text : {&decision.principal, &decision.client_id, &explanation.action,
                            &explanation.resource, &explanation.why})
    cut(*text);
  std::size_t room = limits::decision_text_bytes_max;
  decision.left_out = std::erase_if(explanation.statements, [&](const auto& statement) {
    const std::size_t size = size_of(statement);
    if (size > room) return true;
    room -= size;
    return false;
  });
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
