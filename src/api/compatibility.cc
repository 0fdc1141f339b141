#include "api/compatibility.h"

namespace gnomon::api {
namespace {

void append_names(std::string& page, std::string_view title, const std::string& names) {
  if (names.empty()) return;
  page.append("**").append(title).append("** ").append(names).append("\n\n");
}

void append_service(std::string& page, const Service& service,
                    const std::function<bool(const Operation&)>& built) {
  std::string works, refused;
  std::size_t count = 0;
  for (const Operation& operation : service.operations) {
    const bool there = operation.row != nullptr && built(operation);
    if (there) ++count;
    std::string& names = there ? works : refused;
    names.append(names.empty() ? "" : ", ").append("`").append(operation.name).append("`");
  }
  page.append("## ").append(service.name).append("\n\n");
  page += std::to_string(count) + " of " + std::to_string(service.operations.size()) +
          " operations of the API of " + std::string(service.version) + ".\n\n";
  append_names(page, "Built:", works);
  append_names(page, "Answered 501:", refused);
}

}  // namespace

std::string compatibility_page(const std::function<bool(const Operation&)>& built) {
  std::string page =
      "# What of the AWS APIs works\n\nWritten by the server from its table of operations. An "
      "operation that is not built answers 501 and names itself.\n\n";
  for (const Service* service : services()) append_service(page, *service, built);
  page.pop_back();
  return page;
}

}  // namespace gnomon::api
