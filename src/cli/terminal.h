// What is typed by a person.
#pragma once

#include <string>

#include "base/result.h"

namespace gnomon::cli {

[[nodiscard]] bool stdin_is_terminal();
// Asks on the terminal and reads a line that is not shown. What was typed is not kept elsewhere,
// and the terminal shows again what is typed, also after ^C. Errors: unavailable (no terminal, its
// end, interrupted); invalid (too long).
Result<std::string> ask_hidden(const std::string& question);
// One line of standard input. Errors: unavailable (it ends before); invalid (too long).
Result<std::string> read_line();

}  // namespace gnomon::cli
