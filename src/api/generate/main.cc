// api_tables MODEL.json NAME.rows OUT.cc: the tables of one service. Fails, with a line that says
// which row, if something is not said that must be.
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>

#include "api/generate/check.h"
#include "api/generate/emit.h"

namespace {

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw gnomon::api::generate::Failure(path + ": error: cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace gnomon::api::generate;
  if (argc != 4) {
    std::fputs("usage: api_tables MODEL.json NAME.rows OUT.cc\n", stderr);
    return 2;
  }
  try {
    const std::string model_path = argv[1], rows_path = argv[2];
    const Rows rows = read_rows(rows_path, slurp(rows_path));
    const Model model = read_model(model_path, slurp(model_path));
    check(model, rows);
    std::ofstream out(argv[3], std::ios::binary);
    out << emit(model, rows);
    out.close();
    if (!out) throw Failure(std::string(argv[3]) + ": error: cannot be written");
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
  return 0;
}
