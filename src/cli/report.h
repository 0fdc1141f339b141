// What `gnomon bench` prints.
#pragma once

#include <string>

#include "cli/load.h"

namespace gnomon::cli {

// For a person: one figure a line.
[[nodiscard]] std::string as_table(const std::string& shape, const LoadReport& report);
// For a program: one line. Times are seconds (`_s`), microseconds (`_us`); sizes bytes.
[[nodiscard]] std::string as_json(const std::string& shape, const LoadReport& report);

// ProgressLine: one line on standard error, written over itself.
class ProgressLine {
 public:
  explicit ProgressLine(bool shown) : shown_(shown) {}
  void show(const LoadProgress& progress);
  void clear();

 private:
  bool shown_;
  bool drawn_ = false;
};

}  // namespace gnomon::cli
