#include "cli/table.h"

#include <algorithm>

namespace gnomon::cli {

namespace {

// Characters of UTF-8: continuation bytes do not count.
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string harmless(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls are 0xc2 and a byte below 0xa0 in UTF-8.
    const bool c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f) text[i] = '?';
    if (c1) text.replace(i, 2, "?");
  }
  return text;
}

}  // namespace

void Table::print(std::ostream& out) {
  for (auto& row : rows_) {
    for (std::string& cell : row) cell = harmless(std::move(cell));
  }
  if (widths_.empty()) {
    for (const auto& row : rows_) {
      widths_.resize(std::max(widths_.size(), row.size()), 0);
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths_[i] = std::max(widths_[i], std::min(length(row[i]), width_max));
      }
    }
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 == row.size()) break;
      const std::size_t width = i < widths_.size() ? widths_[i] : 0;
      line.append(2 + width - std::min(width, length(row[i])), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
  rows_.clear();
}

}  // namespace gnomon::cli
