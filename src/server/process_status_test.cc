#include "server/process_status.h"

#include <map>
#include <string>

#include <doctest/doctest.h>

namespace gnomon::server {

TEST_CASE("what the kernel says of this process") {
  const metrics::Sample sample = process_status({1'700'000'000'500});
  REQUIRE(sample.values.size() == sample.table.size());
  std::map<std::string, std::uint64_t> values;
  for (std::size_t i = 0; i < sample.values.size(); ++i) {
    values[sample.table[i].name] = sample.values[i];
  }
  CHECK(values["process_resident_memory_bytes"] > 1'000'000);
  CHECK(values["process_virtual_memory_bytes"] >= values["process_resident_memory_bytes"]);
  CHECK(values["process_open_fds"] >= 3);
  CHECK(values["process_max_fds"] >= values["process_open_fds"]);
  const std::string text = metrics::exposition(std::vector{sample});
  CHECK(text.find("process_start_time_seconds 1700000000.5\n") != std::string::npos);
  CHECK(text.find("# TYPE process_cpu_seconds_total counter") != std::string::npos);
}

}  // namespace gnomon::server
