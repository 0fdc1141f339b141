// Case files of policies, as testdata/*.test hold them: read and set up. For tests and fuzzing.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cases.h"
#include "policy/evaluate.h"

namespace gnomon::policy {

// A line of a case file. `~` is an ARN up to its account.
using gnomon::Row;

inline std::vector<Row> read_rows(const std::string& path) {
  constexpr std::string_view arn = "arn:aws:iot:us-east-1:123456789012:";
  std::vector<Row> rows = gnomon::read_rows(path);
  for (Row& row : rows)
    for (std::string* text : {&row.word, &row.rest})
      for (std::size_t i = 0; (i = text->find('~', i)) != std::string::npos; i += arn.size())
        text->replace(i, 1, arn);
  return rows;
}

// "KEY = VALUE | VALUE"
inline std::pair<std::string, std::vector<std::string>> read_setting(std::string_view text) {
  constexpr std::string_view equals = " =", bar = " | ";
  const std::size_t at = std::min(text.find(equals), text.size());
  std::pair<std::string, std::vector<std::string>> setting{std::string(text.substr(0, at)), {}};
  text.remove_prefix(std::min(at + equals.size(), text.size()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(bar), text.size());
    setting.second.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + bar.size(), text.size()));
  }
  return setting;
}

}  // namespace gnomon::policy
