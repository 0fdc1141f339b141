// Case files of policies, as testdata/*.test hold them: read and set up. For tests and fuzzing.
#pragma once

#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/evaluate.h"

namespace gnomon::policy {

// A line of a case file: its first word, and the rest. `~` is an ARN up to its account.
struct Row {
  int line = 0;
  std::string word, rest;
};

inline std::vector<Row> read_rows(const std::string& path) {
  constexpr std::string_view arn = "arn:aws:iot:us-east-1:123456789012:";
  std::vector<Row> rows;
  std::ifstream in(path);
  std::string line;
  for (int at = 1; std::getline(in, line); ++at) {
    if (line.empty() || line[0] == '#') continue;
    for (std::size_t i = 0; (i = line.find('~', i)) != std::string::npos; i += arn.size()) {
      line.replace(i, 1, arn);
    }
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::size_t rest = std::min(line.find_first_not_of(' ', blank), line.size());
    rows.push_back({at, line.substr(0, blank), line.substr(rest)});
  }
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
