// What an identity may do, by its IoT policies, as the broker asks it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "broker/authenticator.h"
#include "policy/policy_set.h"

namespace gnomon::server {

// PolicyPermissions: immutable. Asks the policies about iot:Publish and iot:RetainPublish on
// topic/…, iot:Subscribe on topicfilter/…, iot:Receive on topic/…. Does not allocate: the ARN is
// put together on the stack.
class PolicyPermissions final : public broker::Permissions {
 public:
  // `arn_prefix`: "arn:aws:iot:us-east-1:123456789012:", at most 100 bytes. `clock`: what others
  // see on theirs, for aws:CurrentTime; it outlives this.
  PolicyPermissions(std::shared_ptr<const policy::PolicySet> policies,
                    std::shared_ptr<const std::string> arn_prefix, const WallClock& clock);

  [[nodiscard]] bool may_publish(std::string_view topic, bool retain) const override;
  [[nodiscard]] bool may_subscribe(std::string_view filter) const override;
  [[nodiscard]] bool may_receive(std::string_view topic) const override;
  [[nodiscard]] bool changes_with_time() const override { return timed_; }

 private:
  [[nodiscard]] bool may(std::string_view action, std::string_view kind,
                         std::string_view name) const;

  const std::shared_ptr<const policy::PolicySet> policies_;
  const std::shared_ptr<const std::string> arn_prefix_;
  const WallClock& clock_;
  const bool timed_;  // they look at the time
};

}  // namespace gnomon::server
