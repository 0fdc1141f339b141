// Lines of the case files under testdata/: a word, and the rest; '#' begins a comment line. For
// tests only.
#pragma once

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace gnomon {

struct Row {
  int line = 0;
  std::string word, rest;
};

// Empty: the file is not there.
inline std::vector<Row> read_rows(const std::string& path) {
  std::vector<Row> rows;
  std::ifstream in(path);
  std::string line;
  for (int at = 1; std::getline(in, line); ++at) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t blank = std::min(line.find(' '), line.size());
    const std::size_t rest = std::min(line.find_first_not_of(' ', blank), line.size());
    rows.push_back({at, line.substr(0, blank), line.substr(rest)});
  }
  return rows;
}

}  // namespace gnomon
