// Requests to operations. Whatever the bytes are: finding and binding end; what is refused has a
// status and a message; what is bound fits the model, and names at least one resource.
//
// Input: lines parted by '\n': service, method, target, headers "name:value"; behind an empty line
// the body.
#include <cstdlib>
#include <string>

#include <boost/json.hpp>

#include "api/authority.h"
#include "api/operation.h"
#include "api/render.h"
#include "api/values.h"
#include "base/bytes.h"
#include "base/fuzzing.h"

namespace {

using namespace gnomon;
using fuzz::check;
using fuzz::take_part;
using namespace gnomon::api;

std::string_view take_line(std::string_view& text) { return take_part(text, '\n'); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = as_text({data, size});
  const Service* const service = service_named(take_line(text));
  if (service == nullptr) return 0;
  net::Request request;
  request.method = take_line(text);
  request.target = take_line(text);
  for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    request.headers.push_back({std::string(line.substr(0, colon)),
                               std::string(line.substr(std::min(colon + 1, line.size())))});
  }
  request.body = text;

  Call call;
  json::Value input;
  auto error = find(*service, request, call);
  if (!error) error = bind(call, request, input);
  if (error) {
    check(!error->message.empty() && !error->name.empty());
    check((error->status >= 400 && error->status < 500) || error->status == 501);
    check(render(*service, *error, "id").status == error->status);
    return 0;
  }
  const Row& row = *call.operation->row;
  check(input.is_object());
  if (call.operation->input != nullptr) check(!validate(*call.operation->input, input));
  const Surroundings around{"123456789012", "us-east-1", "caller",
                            [](auto, auto) { return std::string("/"); }};
  check(!resources(row, input, around).empty());
  check(actions(row, input).size() <= row.actions.size());
  static_cast<void>(condition_keys(row, input));
  static_cast<void>(roles_to_pass(row, input));
  return 0;
}
