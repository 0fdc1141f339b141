// Provisioning templates, and parameters for them. Whatever the bytes are: reading ends and says
// why it refuses; what is accepted resolves, or says why not, to names of the form that the service
// model states, within its limits, and to the same again.
//
// Input: the template, then parameters "NAME=VALUE", parted by bytes 0x00.
#include "provisioning/template.h"

#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "base/fuzzing.h"
#include "base/limits.h"

namespace {

using namespace gnomon;
using fuzz::check;
using fuzz::take_part;
using namespace gnomon::provisioning;

std::string take_line(std::string_view& text) { return std::string(take_part(text, '\0')); }

void check_name(const std::string& name) {
  check(!name.empty() && name.size() <= 128);
  for (const char c : name) check(c > ' ' && c != '/' && c != 127);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = as_text({data, size});
  const std::string body = take_line(text);
  const auto read = Template::parse(body);
  if (!read) {
    check(!read.error().message.empty());
    return 0;
  }
  Parameters parameters{{"AWS::Region", "us-east-1"}, {"AWS::AccountId", "123456789012"}};
  while (!text.empty()) {
    const std::string line = take_line(text);
    const std::size_t equals = std::min(line.find('='), line.size());
    parameters.insert_or_assign(line.substr(0, equals),
                                line.substr(std::min(equals + 1, line.size())));
  }
  const auto plan = read->resolve(parameters);
  if (!plan) {
    check(!plan.error().message.empty());
    return 0;
  }
  check(plan->thing || plan->certificate);
  check(plan->policies.empty() || plan->certificate);
  if (plan->thing) check_name(plan->thing->thing_name);
  for (const auto& policy : plan->policies) check_name(policy.policy_name);
  for (const auto& [name, value] : plan->device_configuration)
    check(value.size() <= limits::template_value_bytes_max);
  const auto again = read->resolve(parameters);
  check(again && again->device_configuration == plan->device_configuration);
  return 0;
}
