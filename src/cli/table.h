// Table: lines in columns, for a terminal.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace gnomon::cli {

// Table: the widths follow from the first rows; a longer cell moves its line, not the table.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Prints what was added since the last time. Controls in cells become `?`: they are what clients
  // have chosen.
  void print(std::ostream& out);

 private:
  static constexpr std::size_t width_max = 60;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

}  // namespace gnomon::cli
