#include "server/permissions.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"

namespace gnomon::server {

PolicyPermissions::PolicyPermissions(std::shared_ptr<const policy::PolicySet> policies,
                                     std::shared_ptr<const std::string> arn_prefix,
                                     const WallClock& clock)
    : policies_(std::move(policies)),
      arn_prefix_(std::move(arn_prefix)),
      clock_(clock),
      timed_(policies_->reads("aws:CurrentTime") || policies_->reads("aws:EpochTime")) {}

bool PolicyPermissions::may_publish(std::string_view topic, bool retain) const {
  return may("iot:Publish", "topic/", topic) &&
         (!retain || may("iot:RetainPublish", "topic/", topic));
}

bool PolicyPermissions::may_subscribe(std::string_view filter) const {
  return may("iot:Subscribe", "topicfilter/", filter);
}

bool PolicyPermissions::may_receive(std::string_view topic) const {
  return may("iot:Receive", "topic/", topic);
}

bool PolicyPermissions::may(std::string_view action, std::string_view kind,
                            std::string_view name) const {
  constexpr std::size_t prefix_max = 100;
  std::array<char, prefix_max + 12 + limits::topic_bytes_max> arn;  // only what is used is touched
  if (arn_prefix_->size() + kind.size() + name.size() > arn.size()) return false;
  char* end = arn.data();
  for (const std::string_view part : {std::string_view(*arn_prefix_), kind, name})
    end = std::copy(part.begin(), part.end(), end);
  policy::Request request{action, {arn.data(), end}, {}, {}, {}};
  if (timed_) request.now = clock_.now();
  return policies_->check(request) == policy::Verdict::allowed;
}

}  // namespace gnomon::server
