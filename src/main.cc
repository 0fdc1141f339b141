// The program. Everything is in the commands (cli/commands.h).
#include <string>
#include <vector>

#include "cli/commands.h"

int main(int argc, char** argv) {
  return gnomon::cli::run({argv + (argc > 0 ? 1 : 0), argv + argc});
}
