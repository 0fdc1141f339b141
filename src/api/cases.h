// Case files of the tests: blocks of lines "word rest", each begun by "case NAME"; '#' begins a
// comment line. For tests only.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace gnomon::api {

struct CaseLine {
  std::string word, rest;
};
struct Case {
  std::string name;
  std::vector<CaseLine> lines;
};

inline std::vector<Case> read_case_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path + " cannot be read");
  std::vector<Case> cases;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t blank = std::min(line.find(' '), line.size());
    CaseLine made{line.substr(0, blank), line.substr(std::min(blank + 1, line.size()))};
    if (made.word == "case") {
      cases.push_back({made.rest, {}});
    } else {
      cases.at(cases.size() - 1).lines.push_back(std::move(made));
    }
  }
  return cases;
}

}  // namespace gnomon::api
