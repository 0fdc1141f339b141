#include "server/permissions.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"

namespace gnomon::server {

bool IotPermissions::may_publish(std::string_view topic, bool retain) const {
  return may("iot:Publish", "topic/", topic) &&
         (!retain || may("iot:RetainPublish", "topic/", topic));
}

bool IotPermissions::may_subscribe(std::string_view filter) const {
  return may("iot:Subscribe", "topicfilter/", filter);
}

bool IotPermissions::may_receive(std::string_view topic) const {
  return may("iot:Receive", "topic/", topic);
}

bool IotPermissions::may(std::string_view action, std::string_view kind,
                         std::string_view name) const {
  constexpr std::size_t prefix_max = 100;
  std::array<char, prefix_max + 12 + limits::topic_bytes_max> arn;  // only what is used is touched
  if (arn_prefix_->size() + kind.size() + name.size() > arn.size()) return false;
  char* end = arn.data();
  for (const std::string_view part : {std::string_view(*arn_prefix_), kind, name})
    end = std::copy(part.begin(), part.end(), end);
  return allows(action, {arn.data(), end});
}

PolicyPermissions::PolicyPermissions(std::shared_ptr<const policy::PolicySet> policies,
                                     std::shared_ptr<const std::string> arn_prefix,
                                     const WallClock& clock)
    : IotPermissions(std::move(arn_prefix)),
      policies_(std::move(policies)),
      clock_(clock),
      timed_(policies_->reads("aws:CurrentTime") || policies_->reads("aws:EpochTime")) {}

bool PolicyPermissions::allows(std::string_view action, std::string_view arn) const {
  policy::Request request{action, arn, {}, {}, {}};
  if (timed_) request.now = clock_.now();
  return policies_->check(request) == policy::Verdict::allowed;
}

CallerPermissions::CallerPermissions(std::shared_ptr<const iam::Caller> caller,
                                     std::shared_ptr<const std::string> arn_prefix,
                                     std::vector<api::KeyWithValues> keys, const WallClock& clock)
    : IotPermissions(std::move(arn_prefix)),
      caller_(std::move(caller)),
      owned_keys_(std::move(keys)),
      keys_(owned_keys_.view()),
      clock_(clock) {}

bool CallerPermissions::may_connect(std::string_view client_id) const {
  return may("iot:Connect", "client/", client_id);
}

bool CallerPermissions::allows(std::string_view action, std::string_view arn) const {
  return iam::authorise(*caller_, {action, arn, keys_, clock_.now(), {}}) ==
         policy::Verdict::allowed;
}

}  // namespace gnomon::server
