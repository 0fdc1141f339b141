// What an identity may do, by its IoT policies, as the broker asks it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "broker/authenticator.h"
#include "iam/caller.h"
#include "operations/request_keys.h"
#include "policy/policy_set.h"

namespace gnomon::server {

// IotPermissions: asks for iot:Publish and so on by their ARNs. Does not allocate: the ARN is put
// together on the stack.
class IotPermissions : public broker::Permissions {
 public:
  [[nodiscard]] bool may_publish(std::string_view topic, bool retain) const final;
  [[nodiscard]] bool may_subscribe(std::string_view filter) const final;
  [[nodiscard]] bool may_receive(std::string_view topic) const final;

 protected:
  // `arn_prefix`: "arn:aws:iot:us-east-1:123456789012:", at most 100 bytes.
  explicit IotPermissions(std::shared_ptr<const std::string> arn_prefix)
      : arn_prefix_(std::move(arn_prefix)) {}
  [[nodiscard]] bool may(std::string_view action, std::string_view kind,
                         std::string_view name) const;

 private:
  [[nodiscard]] virtual bool allows(std::string_view action, std::string_view arn) const = 0;
  const std::shared_ptr<const std::string> arn_prefix_;
};

// PolicyPermissions: what IoT policies say. Immutable.
class PolicyPermissions final : public IotPermissions {
 public:
  // `clock`: what others see on theirs, for aws:CurrentTime; it outlives this.
  PolicyPermissions(std::shared_ptr<const policy::PolicySet> policies,
                    std::shared_ptr<const std::string> arn_prefix, const WallClock& clock);
  [[nodiscard]] bool changes_with_time() const override { return timed_; }

 private:
  [[nodiscard]] bool allows(std::string_view action, std::string_view arn) const override;

  const std::shared_ptr<const policy::PolicySet> policies_;
  const WallClock& clock_;
  const bool timed_;  // they look at the time
};

// CallerPermissions: what the policies of IAM say of whoever signed the upgrade to a WebSocket,
// with the condition keys of that upgrade. Immutable.
class CallerPermissions final : public IotPermissions {
 public:
  CallerPermissions(std::shared_ptr<const iam::Caller> caller,
                    std::shared_ptr<const std::string> arn_prefix,
                    std::vector<api::KeyWithValues> keys, const WallClock& clock);
  // iot:Connect on client/CLIENT-ID.
  [[nodiscard]] bool may_connect(std::string_view client_id) const;
  // Its policies may look at the time, and its session ends.
  [[nodiscard]] bool changes_with_time() const override { return true; }

 private:
  [[nodiscard]] bool allows(std::string_view action, std::string_view arn) const override;

  const std::shared_ptr<const iam::Caller> caller_;
  operations::RequestKeys owned_keys_;
  const std::span<const policy::KeyValues> keys_;  // of these
  const WallClock& clock_;
};

}  // namespace gnomon::server
