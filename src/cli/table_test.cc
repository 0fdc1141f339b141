#include "cli/table.h"

#include <sstream>

#include <doctest/doctest.h>

namespace gnomon::cli {

TEST_CASE("tables") {
  Table table({"CLIENT", "QOS"});
  table.add({"lämp", "1"});
  table.add({"a\x1b[31m\n\xc2\x9b", "2"});
  std::ostringstream out;
  table.print(out);
  CHECK(out.str() == "CLIENT    QOS\nlämp      1\na?[31m??  2\n");
  table.add({"longer than before", "0"});
  table.add({"", ""});
  out.str("");
  table.print(out);
  CHECK(out.str() == "longer than before  0\n\n");
}

}  // namespace gnomon::cli
