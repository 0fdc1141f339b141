// docs/compatibility.md, as far as operations go: what of the AWS APIs works.
#pragma once

#include <functional>
#include <string>

#include "api/tables.h"

namespace gnomon::api {

// A page of Markdown: for each service how many operations there are, which are built (those that
// `built` says so of), and which answer 501.
[[nodiscard]] std::string compatibility_page(const std::function<bool(const Operation&)>& built);

}  // namespace gnomon::api
